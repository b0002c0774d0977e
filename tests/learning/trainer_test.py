"""The trainer, on windows that are made up."""

import gc
import time

import numpy as np
import pytest
import tensorflow as tf

from tests import trainer_toys as toys
from tf_muzero.learning import callbacks
from tf_muzero.learning import optimizers
from tf_muzero.learning import trainer as trainer_lib

pytestmark = pytest.mark.usefixtures('quick_graphs')

_DECAY = 0.75  # Of the target network that is an average.


class _Anew:
  """A trainer that takes long to trace, with the weights it began with."""

  def __init__(self, trainer):
    self._trainer = trainer
    self._start = [v.numpy() for v in self._variables()]

  def _variables(self):
    return [*self._trainer.variables, *self._trainer.optimizer.variables]

  def __call__(self):
    """Returns it as it was before its first step."""
    for variable, value in zip(self._variables(), self._start):
      variable.assign(value)
    assert self._trainer.step == 0
    return self._trainer


@pytest.fixture(scope='module', name='make_single')
def _make_single():
  """One step in each execution, and copies to the target network."""
  return _Anew(toys.make_clipped_trainer(
      steps_per_execution=1, target_period=3, target_decay=0.0))


@pytest.fixture(scope='module', name='make_looped')
def _make_looped():
  """Two steps in each execution, and an average as the target network."""
  return _Anew(toys.make_clipped_trainer(target_decay=_DECAY))


@pytest.fixture(name='single')
def _single(make_single):
  return make_single()


@pytest.fixture(name='looped')
def _looped(make_looped):
  return make_looped()


def test_the_loss_falls(single):
  windows = toys.make_windows()
  first = toys.fit(single, windows, 1)['loss/total'][0]
  last = toys.fit(single, windows, 100)['loss/total'][0]
  assert last < 0.8 * first


@pytest.mark.parametrize('jit_compile', [False, True])
def test_one_trace_whatever_the_number_of_steps(jit_compile, looped):
  trainer = toys.make_trainer(
      jit_compile=True, steps_per_execution=2) if jit_compile else looped
  toys.fit(trainer, toys.make_windows(), 7)
  assert int(trainer.optimizer.iterations) == 7
  # pylint: disable-next=protected-access
  assert trainer._loss_and_gradients.experimental_get_tracing_count() == 1


def test_several_steps_in_one_execution_are_those_steps(single, looped):
  start = toys.weights(single.network)
  toys.fit(single, toys.make_windows(), 8)
  toys.fit(looped, toys.make_windows(), 8)
  np.testing.assert_allclose(
      toys.weights(single.network), toys.weights(looped.network),
      rtol=1e-6, atol=1e-7)
  assert np.abs(toys.weights(single.network) - start).max() > 1e-3


def test_a_trainer_that_is_gone_leaves_no_graph():
  def graphs():
    gc.collect()
    return {id(x) for x in gc.get_objects()
            if isinstance(x, tf.__internal__.FuncGraph)}

  toys.make_trainer()  # Keras has a graph for good, once it made a network.
  before = graphs()
  trainer = toys.make_trainer()
  toys.fit(trainer, toys.make_windows(), 1)
  assert graphs() - before
  del trainer
  assert not graphs() - before


def test_target_network_is_copied_every_period(single):
  start = toys.weights(single.target_network)
  toys.fit(single, toys.make_windows(), 2)
  np.testing.assert_array_equal(toys.weights(single.target_network), start)
  toys.fit(single, toys.make_windows(), 1)
  np.testing.assert_array_equal(
      toys.weights(single.target_network), toys.weights(single.network))
  assert np.abs(toys.weights(single.network) - start).max() > 0


def test_target_network_is_an_average(looped):
  average = toys.weights(looped.target_network)
  for _ in range(3):
    toys.fit(looped, toys.make_windows(), 1)
    average = _DECAY * average + 0.25 * toys.weights(looped.network)
  np.testing.assert_allclose(
      toys.weights(looped.target_network), average, rtol=1e-5, atol=1e-6)


def test_metrics_are_means_over_the_batch_and_the_steps(looped):
  values = np.arange(16, dtype=np.float32)
  history = toys.fit(
      looped, toys.make_windows(16, diagnostics={'depth': values}), 2)
  np.testing.assert_allclose(history['search/depth'], [7.5])
  # Weights of step 0, used at the steps 1 and 2.
  np.testing.assert_allclose(history['search/age'], [1.5])


@pytest.mark.parametrize('slow', ['data', 'learner'])
def test_only_waiting_for_data_counts_as_waiting(slow, looped):
  # pylint: disable=protected-access
  def sleep(x):
    return tf.ensure_shape(tf.numpy_function(
        lambda x: (time.sleep(0.2), x)[1], [x], x.dtype), x.shape)

  windows = toys.make_windows()
  trainer = looped if slow == 'data' else toys.make_clipped_trainer()
  if slow == 'data':
    windows = windows.map(lambda w: w._replace(value=sleep(w.value)))
  else:
    windows = windows.prefetch(10)
    loss_fn = trainer._loss_fn
    trainer._loss_fn = lambda network, window, seed: loss_fn(
        network, window._replace(value=sleep(window.value)), seed)
  waited = trainer.fit(windows, steps_per_epoch=4, verbose=0).history[
      'time/waited'][0]
  assert (waited > 0.1) == (slow == 'data')


def test_nan_stops_with_the_step_and_the_term(single):
  rewards = np.zeros([64, toys.UNROLL_STEPS], np.float32)
  rewards[17] = np.nan  # In the third batch.
  with pytest.raises(FloatingPointError, match='loss/reward.* step 3'):
    toys.fit(single, toys.make_windows(reward=rewards), 10,
             [callbacks.StopOnNan()])
  assert int(single.optimizer.iterations) == 3


def test_replicas_learn_what_one_learns(looped):
  devices = tf.config.list_logical_devices('CPU')
  assert len(devices) >= 2, 'conftest.py makes four logical CPUs.'

  one = toys.fit(looped, toys.make_windows(), 6)
  strategy = tf.distribute.MirroredStrategy(
      [d.name for d in devices[:2]],
      cross_device_ops=tf.distribute.ReductionToOneDevice())
  with strategy.scope():
    mirrored = toys.make_clipped_trainer(target_decay=_DECAY)
  several = toys.fit(mirrored, toys.make_windows(), 6)
  for network in ('network', 'target_network'):
    np.testing.assert_allclose(
        toys.weights(getattr(looped, network)),
        toys.weights(getattr(mirrored, network)),
        rtol=1e-5, atol=1e-6)
  assert one.keys() == several.keys() and one['gradient/norm'][0] > 0.5
  for name, value in one.items():
    np.testing.assert_allclose(
        value, several[name], rtol=1e-5, atol=1e-6, err_msg=name)


def test_weight_decay_is_on_matrices_only_and_the_schedule_ends_at_zero(
    single):
  network = single.network
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
def test_bad_target_update_is_refused(wrong, single):
  with pytest.raises(ValueError, match=next(iter(wrong))):
    trainer_lib.Trainer(
        single.network, single.target_network, None, global_batch_size=8,
        jit_compile=False, **{'target_period': 1, 'target_decay': 0.0, **wrong})
