"""The trainer, on windows that are made up."""

import functools

from dm_env import specs
import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_muzero.learning import callbacks
from tf_muzero.learning import losses
from tf_muzero.learning import optimizers
from tf_muzero.learning import trainer as trainer_lib
from tf_muzero.networks import agent as agent_lib
from tf_muzero.networks import state
from tf_muzero.networks import value_transform
from tf_muzero.types import EnvironmentSpec
from tf_muzero.types import Window

_B, _K = 8, 2
_SPEC = EnvironmentSpec(specs.Array([2], np.float32),
                        specs.BoundedArray([1], np.float32, -1.0, 1.0))
_SUPPORT = value_transform.Support(-5.0, 5.0, 11)


def _windows(num=64, seed=0, **changes):
  generator = np.random.default_rng(seed)
  uniform = lambda *shape: generator.uniform(-1, 1, shape).astype(np.float32)
  window = Window(
      observation=uniform(num, 1, 2), action=uniform(num, _K, 1),
      reward=uniform(num, _K), candidates=uniform(num, _K + 1, 3, 1),
      weights=np.full([num, _K + 1, 3], 1 / 3, np.float32),
      value=uniform(num, _K + 1),
      policy_mask=np.ones([num, _K + 1], np.float32),
      value_mask=np.ones([num, _K + 1], np.float32),
      reward_mask=np.ones([num, _K], np.float32),
      snapshot_step=np.zeros([num], np.int64),
      diagnostics={'depth': uniform(num)})._replace(**changes)
  return tf.data.Dataset.from_tensor_slices(window).repeat().batch(
      _B, drop_remainder=True)


def _trainer(optimizer=None, steps_per_execution=1, jit_compile=False,
             **kwargs):
  agent = agent_lib.Agent(
      functools.partial(state.StateNetwork, num_blocks=1, width=8),
      _SUPPORT, _SUPPORT, 0.9, 3)
  tf.keras.utils.set_random_seed(1)
  make_network = lambda: agent.make_network(_SPEC)
  loss_fn = lambda network, window: losses.muzero_loss(
      network, agent, agent.make_head(_SPEC),
      losses.LossWeights(1.0, 0.25, 1.0, 0.0, 0.0), window, _B)
  trainer = trainer_lib.Trainer(
      make_network(), trainer_lib.make_target_network(make_network), loss_fn,
      **{'target_period': 1, 'target_decay': 0.0, 'global_batch_size': _B,
         'jit_compile': jit_compile, **kwargs})
  trainer.compile(optimizer or keras.optimizers.Adam(1e-2),
                  steps_per_execution=steps_per_execution)
  trainer.optimizer.build(trainer.network.trainable_variables)
  return trainer


def _fit(trainer, windows, num_steps, extra=()):
  return trainer.fit(windows, steps_per_epoch=num_steps, verbose=0,
                     callbacks=list(extra)).history


def _weights(network):
  return np.concatenate([np.ravel(v) for v in network.trainable_variables])


def test_the_loss_falls():
  trainer = _trainer()
  windows = _windows()
  first = _fit(trainer, windows, 1)['loss/total'][0]
  last = _fit(trainer, windows, 100)['loss/total'][0]
  assert last < 0.8 * first


@pytest.mark.parametrize('jit_compile', [False, True])
def test_one_trace_whatever_the_number_of_steps(jit_compile):
  trainer = _trainer(jit_compile=jit_compile, steps_per_execution=2)
  _fit(trainer, _windows(), 7)
  assert int(trainer.optimizer.iterations) == 7
  # pylint: disable-next=protected-access
  assert trainer._loss_and_gradients.experimental_get_tracing_count() == 1


def test_several_steps_in_one_execution_are_those_steps():
  one, four = _trainer(), _trainer(steps_per_execution=4)
  _fit(one, _windows(), 8)
  _fit(four, _windows(), 8)
  np.testing.assert_allclose(
      _weights(one.network), _weights(four.network), rtol=1e-6, atol=1e-7)


def test_target_network_is_copied_every_period():
  trainer = _trainer(target_period=3)
  start = _weights(trainer.target_network)
  _fit(trainer, _windows(), 2)
  np.testing.assert_array_equal(_weights(trainer.target_network), start)
  _fit(trainer, _windows(), 1)
  np.testing.assert_array_equal(
      _weights(trainer.target_network), _weights(trainer.network))
  assert np.abs(_weights(trainer.network) - start).max() > 0


def test_target_network_is_an_average():
  trainer = _trainer(target_decay=0.75)
  average = _weights(trainer.target_network)
  for _ in range(3):
    _fit(trainer, _windows(), 1)
    average = 0.75 * average + 0.25 * _weights(trainer.network)
  np.testing.assert_allclose(
      _weights(trainer.target_network), average, rtol=1e-5, atol=1e-6)


def test_metrics_are_means_over_the_batch_and_the_steps():
  trainer = _trainer(steps_per_execution=4)
  values = np.arange(16, dtype=np.float32)
  history = _fit(trainer, _windows(16, diagnostics={'depth': values}), 4)
  np.testing.assert_allclose(history['search/depth'], [7.5])
  # Weights of step 0, used at the steps 1, 2, 3 and 4.
  np.testing.assert_allclose(history['search/age'], [2.5])


def test_nan_stops_with_the_step_and_the_term():
  rewards = np.zeros([64, _K], np.float32)
  rewards[17] = np.nan  # In the third batch.
  trainer = _trainer()
  with pytest.raises(FloatingPointError, match='loss/reward.* step 3'):
    _fit(trainer, _windows(reward=rewards), 10, [callbacks.StopOnNan()])
  assert int(trainer.optimizer.iterations) == 3


def test_two_replicas_learn_what_one_learns():
  devices = tf.config.list_logical_devices('CPU')
  assert len(devices) >= 2, 'conftest.py makes two logical CPUs.'
  single = _trainer(keras.optimizers.SGD(0.1), target_decay=0.5)
  one = _fit(single, _windows(), 5)
  strategy = tf.distribute.MirroredStrategy(
      [d.name for d in devices[:2]],
      cross_device_ops=tf.distribute.ReductionToOneDevice())
  with strategy.scope():
    mirrored = _trainer(keras.optimizers.SGD(0.1), target_decay=0.5)
  two = _fit(mirrored, _windows(), 5)
  for network in ('network', 'target_network'):
    np.testing.assert_allclose(
        _weights(getattr(single, network)),
        _weights(getattr(mirrored, network)),
        rtol=1e-4, atol=1e-6)
  for name in ('loss/total', 'loss/policy', 'search/depth', 'search/age'):
    np.testing.assert_allclose(one[name], two[name], rtol=1e-4, err_msg=name)


def test_weight_decay_is_on_matrices_only_and_the_schedule_ends_at_zero():
  network = _trainer().network
  before = [v.numpy() for v in network.trainable_variables]
  optimizer = optimizers.adamw(
      10, learning_rate=0.1, warmup_steps=2, weight_decay=0.5,
      gradient_clip=1.0)
  for _ in range(10):
    optimizer.apply_gradients(
        (tf.zeros_like(v), v) for v in network.trainable_variables)
  rate = optimizer._learning_rate  # pylint: disable=protected-access
  decayed = np.prod([1.0 - 0.5 * rate(step) for step in range(10)])
  for variable, old in zip(network.trainable_variables, before):
    factor = decayed if 'kernel' in variable.name else 1.0
    np.testing.assert_allclose(
        variable, factor * old, rtol=1e-5, err_msg=variable.name)
  np.testing.assert_allclose(
      [rate(0), rate(1), rate(2), rate(6), rate(10)],
      [0.0, 0.05, 0.1, 0.05, 0.0], atol=1e-6)


@pytest.mark.parametrize('wrong', [{'target_period': 0}, {'target_decay': 1.0}])
def test_bad_target_update_is_refused(wrong):
  with pytest.raises(ValueError, match=next(iter(wrong))):
    _trainer(**wrong)
