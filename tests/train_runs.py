"""A small training run in a process of its own, which may kill itself.

  python -m tests.train_runs DATASET RUN_DIRECTORY NUM_STEPS [KILL_AT]
"""

import functools
import os
import signal
import sys

from absl import logging
import tensorflow as tf

from tests import reanalyse_toys
from tf_muzero import train
from tf_muzero.acting import passes
from tf_muzero.acting import sources
from tf_muzero.keras2 import keras
from tf_muzero.learning import losses
from tf_muzero.networks import agent as agent_lib
from tf_muzero.networks import state
from tf_muzero.networks import value_transform


def make_agent(frame_stack: int = 1) -> agent_lib.Agent:
  """Returns a tiny network and what it means; blocks would take long to trace.
  """
  support = value_transform.Support(-2.0, 2.0, 11)
  return agent_lib.Agent(
      functools.partial(state.StateNetwork, num_blocks=0, width=8),
      support, support, 0.9, 2, frame_stack)


def run(dataset: sources.Stored, run_directory: str,
        num_steps: passes.Length, kill_at: int = 0, frame_stack: int = 1,
        placement: str = 'host', service: str = '', **changes):
  """Trains a tiny network, deterministically; see `train.train`."""
  def kill(*_):
    os.kill(os.getpid(), signal.SIGKILL)

  return train.train(**{
      'run_directory': run_directory, 'dataset': dataset,
      'agent': make_agent(frame_stack),
      'reanalyse': reanalyse_toys.reanalyse(
          num_simulations=4, store_windows=24, placement=placement,
          service=service),
      'loss_weights': losses.LossWeights(1.0, 0.25, 1.0, 0.01, 0.5),
      'optimizer_fn': lambda num_steps: keras.optimizers.Adam(1e-2),
      'num_steps': num_steps, 'batch_size': 4, 'unroll_steps': 2,
      'reanalyse_fraction': 1.0, 'target_period': 3, 'target_decay': 0.0,
      'search_with_target': False, 'snapshot_every': 2, 'checkpoint_every': 4,
      'log_every': 1, 'steps_per_execution': 1, 'strategy': 'cpu',
      'jit_compile': False, 'seed': 5, 'deterministic': True,
      'evaluate_fn': lambda *_: kill, 'evaluate_every': kill_at,
      **changes})


if __name__ == '__main__':
  logging.set_verbosity(logging.INFO)
  # As in conftest: some are compared bit for bit with runs of those tests.
  tf.config.list_logical_devices()
  tf.config.optimizer.set_experimental_options({'disable_meta_optimizer': True})
  run(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:]))
