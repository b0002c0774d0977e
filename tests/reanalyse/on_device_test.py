"""Searches on devices, against those of the host's pipeline."""

import functools

from dm_env import specs
import numpy as np
import pytest
import tensorflow as tf

from tests import reanalyse_toys
from tf_muzero.networks import agent as agent_lib
from tf_muzero.networks import state
from tf_muzero.networks import value_transform
from tf_muzero.reanalyse import on_device
from tf_muzero.reanalyse import pipeline
from tf_muzero.reanalyse import snapshots
from tf_muzero.types import EnvironmentSpec
from tf_muzero.types import Segment

_L, _K, _N, _B, _SEGMENTS = 4, 2, 1, 4, 8
_S = _L + _K + _N
_SPEC = EnvironmentSpec(
    specs.Array([2], np.float32),
    specs.BoundedArray([1], np.float32, -1.0, 1.0))
_SUPPORT = value_transform.Support(-2.0, 2.0, 11)
_AGENT = agent_lib.Agent(
    functools.partial(state.StateNetwork, num_blocks=1, width=8),
    _SUPPORT, _SUPPORT, 0.9, 3)
_SETTINGS = {'unroll_steps': _K, 'keep_observations': True, 'seed': 1}


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
      'placement': 'device', **changes})


def _network():
  tf.keras.utils.set_random_seed(1)
  network = _AGENT.make_network(_SPEC)
  reanalyse_toys.shake(network)
  return network


def _drawn(num_batches, strategy=None, copies=1, **changes):
  """Returns the windows of all replicas, batch by batch."""
  strategy = strategy or tf.distribute.get_strategy()
  reanalyse = _reanalyse(**changes)
  network = _network()
  with strategy.scope():
    weights = [tf.Variable(v) for v in network.variables]
    step = tf.Variable(0, dtype=tf.int64)
  dataset = tf.data.Dataset.from_tensor_slices(_segments()).batch(
      reanalyse.segments_per_search // copies, drop_remainder=True).map(
          lambda segments: tf.nest.map_structure(
              lambda x: tf.concat([x] * copies, 0), segments))
  searcher = on_device.DeviceReanalyse(
      strategy, reanalyse, _AGENT, _SPEC, network, lambda: (weights, step),
      batch_size=_B, **_SETTINGS)
  next_windows = tf.function(searcher.next_windows)
  iterator = iter(strategy.experimental_distribute_dataset(dataset))
  batches = []
  for _ in range(num_batches):
    batches.append(tf.nest.map_structure(
        lambda *x: np.concatenate([y.numpy() for y in x]), *[
            tf.nest.pack_sequence_as(searcher.window_spec, x) for x in zip(*[
                strategy.experimental_local_results(leaf) for leaf in
                tf.nest.flatten(next_windows(iterator))])]))
    step.assign_add(1)
  return batches


def _names(windows):
  """Returns the numbers of the states that windows start at."""
  return [round(100 * float(x)) for x in windows.observation[:, 0, 0]]


@pytest.mark.parametrize('host_jit', [False, True])
def test_windows_are_those_of_the_host(host_jit, tmp_path):
  network = _network()
  snapshots.publish(str(tmp_path), 17, [v.read_value()
                                        for v in network.variables])
  host = pipeline.reanalysed_windows(
      tf.data.Dataset.from_tensor_slices(_segments()), _reanalyse(),
      _AGENT.plan_with(network, _SPEC), str(tmp_path),
      [v.shape for v in network.variables], discount=0.9,
      deterministic=True, **_SETTINGS)
  expected = {round(100 * float(w.observation[0, 0])): w
              for w in host.as_numpy_iterator()}
  batches = _drawn(6, host_jit=host_jit)
  names = sum(map(_names, batches), [])
  assert sorted(names) == sorted(expected)  # 24 windows, each of them once.
  for batch in batches:
    for i, name in enumerate(_names(batch)):
      want = expected[name]._replace(snapshot_step=batch.snapshot_step[i])
      tf.nest.map_structure(
          functools.partial(np.testing.assert_allclose, rtol=1e-3, atol=1e-4),
          tf.nest.map_structure(lambda x, i=i: x[i], batch), want)


def test_each_window_is_drawn_so_often_and_never_twice_in_a_batch():
  # 24 windows, until 8 of their 72 draws are left.
  batches = [_names(x) for x in _drawn(16, sample_reuse=3)]
  assert all(len(set(names)) == _B for names in batches)
  assert np.unique(sum(batches, []), return_counts=True)[1].max() == 3


def test_replicas_draw_whole_batches_and_search_with_seeds_of_their_own():
  devices = tf.config.list_logical_devices('CPU')
  assert len(devices) >= 2, 'conftest.py makes two logical CPUs.'
  strategy = tf.distribute.MirroredStrategy(
      [d.name for d in devices[:2]],
      cross_device_ops=tf.distribute.ReductionToOneDevice())
  # Both search the same.
  batches = _drawn(11, strategy, copies=2, segments_per_search=4)
  segments = _segments()
  stored = (100 * segments.observation[segments.is_transition][:, 0]).round()
  candidates = {}
  for batch in batches:
    assert len(batch.value) == _B
    for name, x in zip(_names(batch), batch.candidates):
      assert name in stored
      # The first is the stored action.
      candidates.setdefault(name, []).append(tuple(np.ravel(x[0, 1:])))
  both = [x for x in candidates.values() if len(x) == 2]
  assert both and all(x[0] != x[1] for x in both)


def test_a_batch_that_replicas_cannot_share_is_refused():
  strategy = tf.distribute.MirroredStrategy(
      [d.name for d in tf.config.list_logical_devices('CPU')[:2]])
  with pytest.raises(ValueError, match='segments_per_search .* 2 replicas'):
    _drawn(1, strategy, segments_per_search=3)
