"""One of several workers; TF_CONFIG says which.

  python -m tests.worker_runs DATASET RUN_DIRECTORY OUTPUT

First it learns from its part of made-up windows and writes what it learned to
OUTPUT. Then it trains as the command does, until the chief, which evaluates,
sends itself SIGTERM.
"""

import os
import signal
import sys

from absl import logging
import numpy as np

from tests import train_runs
from tests import trainer_toys
from tf_muzero import devices
from tf_muzero import evaluate
from tf_muzero.acting import modes


def _learn(strategy, output):
  def windows(context):
    size = context.get_per_replica_batch_size(trainer_toys.BATCH_SIZE)
    return trainer_toys.make_windows().rebatch(size, drop_remainder=True).shard(
        context.num_input_pipelines, context.input_pipeline_id)

  with strategy.scope():
    trainer = trainer_toys.make_clipped_trainer()
  history = trainer_toys.fit(
      trainer, strategy.distribute_datasets_from_function(windows), 6)
  np.savez(output, weights=trainer_toys.weights(trainer.network), **{
      name.replace('/', ':'): value for name, value in history.items()})


def _train(dataset, run_directory):
  def stop(*_):
    os.kill(os.getpid(), signal.SIGTERM)
    return {}

  played = evaluate.during_training(
      modes=[modes.policy()], search_fn=None, num_episodes=2,
      num_environments=2, seed=0, random_start_steps=0, jit_compile=False)
  train_runs.run(
      dataset, run_directory, 100, strategy='multi_worker', log_every=2,
      steps_per_execution=2, evaluate_every=5, evaluate_fn=evaluate.together(
          evaluate_fns=[played, lambda *_: stop]))


if __name__ == '__main__':
  logging.set_verbosity(logging.INFO)
  _STRATEGY = devices.make_strategy('multi_worker')
  devices.make_strategy = lambda _: _STRATEGY  # A process can have one.
  _learn(_STRATEGY, sys.argv[3])
  _train(*sys.argv[1:3])
