"""A tiny trainer, and windows that are made up."""

import functools

from dm_env import specs
import numpy as np
import tensorflow as tf

from tf_muzero.keras2 import keras
from tf_muzero.learning import losses
from tf_muzero.learning import trainer as trainer_lib
from tf_muzero.networks import agent as agent_lib
from tf_muzero.networks import state
from tf_muzero.networks import value_transform
from tf_muzero.types import EnvironmentSpec
from tf_muzero.types import Window

BATCH_SIZE, UNROLL_STEPS = 8, 2
_SPEC = EnvironmentSpec(specs.Array([2], np.float32),
                        specs.BoundedArray([1], np.float32, -1.0, 1.0))
_SUPPORT = value_transform.Support(-5.0, 5.0, 11)


def make_windows(num=64, seed=0, **changes):
  """Returns endless batches of the same windows, in the same order."""
  generator = np.random.default_rng(seed)
  num_states = UNROLL_STEPS + 1
  uniform = lambda *shape: generator.uniform(-1, 1, shape).astype(np.float32)
  window = Window(
      observation=uniform(num, 1, 2),
      # The last one is of the state after the unrolled steps.
      action=np.pad(uniform(num, UNROLL_STEPS, 1), [(0, 0), (0, 1), (0, 0)]),
      reward=uniform(num, UNROLL_STEPS), candidates=uniform(
          num, num_states, 3, 1),
      weights=np.full([num, num_states, 3], 1 / 3, np.float32),
      value=uniform(num, num_states),
      policy_mask=np.ones([num, num_states], np.float32),
      value_mask=np.ones([num, num_states], np.float32),
      reward_mask=np.ones([num, UNROLL_STEPS], np.float32),
      snapshot_step=np.zeros([num], np.int64),
      importance=np.ones([num], np.float32),
      diagnostics={'depth': uniform(num)})._replace(**changes)
  return tf.data.Dataset.from_tensor_slices(window).repeat().batch(
      BATCH_SIZE, drop_remainder=True)


def make_trainer(optimizer=None, steps_per_execution=1, jit_compile=False,
                 **kwargs):
  """Returns a compiled trainer, always with the same weights."""
  agent = agent_lib.Agent(
      functools.partial(state.StateNetwork, num_blocks=0, width=8,
                        observation_horizon=3),
      _SUPPORT, _SUPPORT, 0.9, 3)
  tf.keras.utils.set_random_seed(1)
  make_network = lambda: agent.make_network(_SPEC)
  loss_fn = lambda network, window, seed: losses.muzero_loss(
      network, agent, agent.make_head(_SPEC),
      losses.LossWeights(1.0, 0.25, 1.0, 0.0, 0.0), window, BATCH_SIZE)
  network = make_network()
  follow = lambda window, step: network.follow_observations(
      window.observation[:, 0], step)
  trainer = trainer_lib.Trainer(
      network, trainer_lib.make_target_network(make_network), loss_fn,
      **{'target_period': 1, 'target_decay': 0.0,
         'global_batch_size': BATCH_SIZE, 'jit_compile': jit_compile,
         'follow_fn': follow, **kwargs})
  trainer.compile(optimizer or keras.optimizers.Adam(1e-2),
                  steps_per_execution=steps_per_execution)
  return trainer


def make_clipped_trainer(steps_per_execution=2, target_decay=0.5, **changes):
  """Returns one that clips the gradient of the whole batch at every step."""
  return make_trainer(keras.optimizers.SGD(0.1, global_clipnorm=0.5),
                      steps_per_execution, target_decay=target_decay, **changes)


def fit(trainer, windows, num_steps, extra=()):
  """Returns the history of metrics, but for those that the clock decides."""
  history = trainer.fit(windows, steps_per_epoch=num_steps, verbose=0,
                        callbacks=list(extra)).history
  return {name: values for name, values in history.items()
          if not name.startswith('time/')}


def weights(network):
  """Returns all weights as one vector."""
  return np.concatenate([np.ravel(v) for v in network.variables])
