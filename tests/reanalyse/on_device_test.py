"""Searches on devices, against those of the host's pipeline."""

import dataclasses
import functools

from dm_env import specs
import numpy as np
import pytest
import tensorflow as tf

from tests import reanalyse_toys
from tf_muzero.learning import feeding
from tf_muzero.networks import agent as agent_lib
from tf_muzero.networks import state
from tf_muzero.networks import value_prefix
from tf_muzero.networks import value_transform
from tf_muzero.reanalyse import on_device
from tf_muzero.reanalyse import pipeline
from tf_muzero.reanalyse import snapshots
from tf_muzero.reanalyse import store as store_lib
from tf_muzero.types import EnvironmentSpec
from tf_muzero.types import Segment

_L, _K, _N, _B, _SEGMENTS = 4, 2, 1, 4, 8
_S = _L + _K + _N
_SPEC = EnvironmentSpec(
    specs.Array([2], np.float32),
    specs.BoundedArray([1], np.float32, -1.0, 1.0))
_SUPPORT = value_transform.Support(-2.0, 2.0, 11)
_AGENT = agent_lib.Agent(
    functools.partial(state.StateNetwork, num_blocks=0, width=8),
    _SUPPORT, _SUPPORT, 0.9, 3)
_WITH_PREFIX = dataclasses.replace(
    _AGENT, value_prefix=value_prefix.ValuePrefix(
        num_steps=2, num_features=3, units=4))


def _segments():
  """Returns eight truncated episodes; the first value numbers the states."""
  generator = np.random.default_rng(0)
  num_transitions = np.array([1, 2, 3, 4, 4, 4, 2, 4])[:, np.newaxis]
  t = np.arange(_S)[np.newaxis]
  is_transition = t < num_transitions
  number = 100 * np.arange(_SEGMENTS)[:, np.newaxis] + t
  return Segment(
      observation=np.stack([number, -number], -1).astype(np.float32) / 100,
      action=generator.uniform(-1, 1, [_SEGMENTS, _S, 1]).astype(np.float32),
      reward=np.where(is_transition, 1.0, 0.0).astype(np.float32),
      discount=np.ones([_SEGMENTS, _S], np.float32),
      is_state=t <= num_transitions, is_transition=is_transition)


def _reanalyse(**changes):
  return reanalyse_toys.reanalyse(**{
      'num_simulations': 6, 'td_steps': _N, 'windows_per_segment': _L,
      'placement': 'device', 'host_jit': True, **changes})


def _network(agent=_AGENT):
  tf.keras.utils.set_random_seed(1)
  network = agent.make_network(_SPEC)
  reanalyse_toys.shake(network)
  return network


def _searched(strategy=None, num_segments=2, agent=_AGENT):
  """Returns what each replica makes of the first segments, by its number."""
  strategy = strategy or tf.distribute.get_strategy()
  network = _network(agent)
  with strategy.scope():
    weights = [tf.Variable(v) for v in network.variables]
    step = tf.Variable(17, dtype=tf.int64)
  search_fn = on_device.make_search_fn(
      strategy, _reanalyse(), agent, _SPEC, network, lambda: (weights, step),
      num_segments=num_segments, unroll_steps=_K, seed=1)
  segments = tf.nest.map_structure(
      lambda x: tf.constant(x[:num_segments]), _segments())

  def search():
    replica = tf.distribute.get_replica_context().replica_id_in_sync_group
    return search_fn(segments, tf.cast(replica, tf.int32))

  # The segments, which are given, would be those of all replicas at once.
  found = tf.function(lambda: strategy.run(lambda: tf.nest.map_structure(
      tf.identity, search())))()
  return [tf.nest.map_structure(
      lambda x, i=i: strategy.experimental_local_results(x)[i].numpy(), found)
          for i in range(strategy.num_replicas_in_sync)]


@pytest.fixture(scope='module', name='of_replicas')
def _of_replicas():
  """Returns what each of two replicas makes of the same segments."""
  return _searched(tf.distribute.MirroredStrategy(
      [d.name for d in tf.config.list_logical_devices('CPU')[:2]],
      cross_device_ops=tf.distribute.ReductionToOneDevice()))


@pytest.mark.parametrize(
    'agent', [_AGENT, _WITH_PREFIX], ids=['plain', 'prefix'])
def test_searches_are_those_of_the_host(agent, of_replicas, tmp_path):
  network = _network(agent)
  snapshots.publish(str(tmp_path), 17, [v.read_value()
                                        for v in network.variables])
  host = next(iter(pipeline.searched_segments(
      tf.data.Dataset.from_tensor_slices(_segments()), _reanalyse(),
      agent.plan_with(network, _SPEC), str(tmp_path),
      [v.shape for v in network.variables], seed=1, deterministic=True)))
  # The first of several replicas searches as the only one does.
  found, = of_replicas[:1] if agent is _AGENT else _searched(agent=agent)
  tf.nest.map_structure(
      functools.partial(np.testing.assert_allclose, rtol=1e-3, atol=1e-4),
      found, tf.nest.map_structure(lambda x: x.numpy(), host))


def test_replicas_search_with_seeds_of_their_own(of_replicas):
  one, other = (x.improved.candidates for x in of_replicas)
  # The first is the stored action.
  np.testing.assert_array_equal(one[:, 0, 0], other[:, 0, 0])
  assert not np.any(one[:, :, 1:] == other[:, :, 1:])


def test_a_store_is_filled_by_them():
  """Segments that nobody searched go in; the newest weights are used."""
  network = _network()
  step = tf.Variable(3, dtype=tf.int64)
  reanalyse = _reanalyse()
  search_fn = on_device.make_search_fn(
      tf.distribute.get_strategy(), reanalyse, _AGENT, _SPEC, network,
      lambda: (network.variables, step), num_segments=2, unroll_steps=_K,
      seed=1)
  fed = feeding.distribute(
      tf.distribute.get_strategy(),
      lambda _: tf.data.Dataset.from_tensor_slices(_segments()).repeat().batch(
          2, drop_remainder=True), 0)
  store = store_lib.Store(
      [store_lib.Source(*fed, _B, 8, 1, search_fn)],
      reanalyse.cutting(_AGENT, _K, True), seed=1)
  draw = tf.function(store.next_windows, autograph=False)
  for expected in (3, 4):
    for _ in range(6):
      windows, seconds = draw(tf.constant(0.0, tf.float64))
    assert set(windows.snapshot_step.numpy()) == {expected}
    assert windows.value.shape == [_B, _K + 1] and list(seconds) == ['waited']
    step.assign_add(1)
