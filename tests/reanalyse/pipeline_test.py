"""The pipeline: what comes out for what is in a dataset."""

import contextlib
import functools
import os

from dm_env import specs
import numpy as np
import pytest
import tensorflow as tf

from tests import reanalyse_toys
from tf_muzero.data import orders
from tf_muzero.networks import agent as agent_lib
from tf_muzero.networks import state
from tf_muzero.networks import value_transform
from tf_muzero.reanalyse import improvement
from tf_muzero.reanalyse import pipeline
from tf_muzero.reanalyse import service as service_lib
from tf_muzero.reanalyse import snapshots
from tf_muzero.reanalyse import value_targets
from tf_muzero.types import EnvironmentSpec
from tf_muzero.types import Improved
from tf_muzero.types import Searched
from tf_muzero.types import Segment

_L, _K, _N, _A, _SEGMENTS = 4, 2, 1, 3, 6
_S = _L + _K + _N
_SPECS = {
    'continuous': EnvironmentSpec(
        specs.Array([2], np.float32),
        specs.BoundedArray([1], np.float32, -1.0, 1.0)),
    'discrete': EnvironmentSpec(
        specs.Array([2], np.float32), specs.DiscreteArray(_A, np.int32)),
}


def _segments(kind):
  """Returns segments of six truncated episodes; observations are unique."""
  generator = np.random.default_rng(0)
  num_transitions = np.array([1, 2, 3, 4, 4, 4])[:, np.newaxis]
  t = np.arange(_S)[np.newaxis]
  is_transition = t < num_transitions
  number = 100 * np.arange(_SEGMENTS)[:, np.newaxis] + t
  if kind == 'discrete':
    action = generator.integers(_A, size=[_SEGMENTS, _S]).astype(np.int32)
  else:
    action = generator.uniform(-1, 1, [_SEGMENTS, _S, 1]).astype(np.float32)
  return Segment(
      observation=np.stack([number, -number], -1).astype(np.float32) / 100,
      action=action,
      reward=np.where(is_transition, 1.0, 0.0).astype(np.float32),
      discount=np.ones([_SEGMENTS, _S], np.float32),
      is_state=t <= num_transitions, is_transition=is_transition)


@functools.lru_cache()
def _agent(kind):
  """Returns an agent and its network."""
  support = value_transform.Support(-2.0, 2.0, 11)
  agent = agent_lib.Agent(
      functools.partial(state.StateNetwork, num_blocks=0, width=8),
      support, support, 0.9, _A)
  tf.keras.utils.set_random_seed(1)
  network = agent.make_network(_SPECS[kind])
  reanalyse_toys.shake(network)
  return agent, network


def _windows(kind, directory, *, service=None, **changes):
  """Returns one pass of windows, as NumPy."""
  agent, network = _agent(kind)
  snapshots.publish(
      directory, 17, [v.read_value() for v in network.variables])
  reanalyse = reanalyse_toys.reanalyse(
      num_simulations=6, td_steps=_N, windows_per_segment=_L, **changes)
  segments = _segments(kind)
  searched = pipeline.searched_segments(
      tf.data.Dataset.from_tensor_slices(segments), reanalyse,
      agent.plan_with(network, _SPECS[kind]), directory,
      [v.shape for v in network.variables], seed=1,
      deterministic=service is None, service=service)
  return segments, reanalyse_toys.one_by_one(
      searched, reanalyse.cutting(agent, _K, True))


@pytest.fixture(scope='module', name='plain')
def _plain(tmp_path_factory):
  """Returns a function from a kind to the windows that all tests look at."""
  return functools.lru_cache(lambda kind: _windows(
      kind, str(tmp_path_factory.mktemp(kind))))


@pytest.mark.parametrize('kind', sorted(_SPECS))
def test_each_state_with_an_action_starts_a_window(kind, plain):
  segments, windows = plain(kind)
  starts = sorted(float(w.observation[0, 0]) for w in windows)
  stored = segments.observation[..., 0][segments.is_transition]
  np.testing.assert_array_equal(starts, np.sort(stored))
  assert {int(w.snapshot_step) for w in windows} == {17}


def test_the_stored_action_is_searched_where_there_is_one(plain):
  segments, windows = plain('continuous')
  stored = {float(o[0]): float(a[0]) for o, a in zip(
      segments.observation[segments.is_transition],
      segments.action[segments.is_transition])}
  for window in windows:
    for k in range(_K + 1):
      number = float(window.observation[k, 0])
      if window.policy_mask[k]:
        assert window.candidates[k, 0, 0] == np.float32(stored[number])
        np.testing.assert_allclose(window.weights[k].sum(), 1.0, rtol=1e-5)


def test_discrete_candidates_are_all_actions(plain):
  _, windows = plain('discrete')
  for window in windows:
    np.testing.assert_array_equal(
        window.candidates, np.tile(np.arange(_A), [_K + 1, 1]))


@pytest.mark.parametrize('kind', sorted(_SPECS))
def test_xla_changes_nothing(kind, plain, tmp_path):
  _, expected = plain(kind)
  _, compiled = _windows(kind, str(tmp_path), host_jit=True)
  assert len(expected) == len(compiled)
  for x, y in zip(expected, compiled):
    tf.nest.map_structure(functools.partial(
        np.testing.assert_allclose, rtol=1e-3, atol=1e-4), x, y)


def test_same_seed_same_windows(plain, tmp_path):
  _, again = _windows('continuous', str(tmp_path))
  first = plain('continuous')[1]
  assert len(first) == len(again)
  for x, y in zip(first, again):
    tf.nest.map_structure(np.testing.assert_array_equal, x, y)


@contextlib.contextmanager
def _service(num_workers):
  """Gives a service whose workers are in this process."""
  servers = tf.data.experimental.service
  dispatcher = servers.DispatchServer()
  address = dispatcher.target.rpartition('/')[2]
  workers = [servers.WorkerServer(servers.WorkerConfig(address))
             for _ in range(num_workers)]
  service = service_lib.Service(dispatcher.target)
  service.wait()
  yield service
  for worker in workers:
    worker.stop()


def test_a_worker_makes_the_windows_that_this_process_makes(plain, tmp_path):
  _, expected = plain('continuous')
  with _service(1) as service:
    _, found = _windows('continuous', str(tmp_path), service=service)
    assert len(found) == len(expected)
    for x, y in zip(found, expected):
      tf.nest.map_structure(np.testing.assert_array_equal, x, y)
    (name, (count, _)), = service.arrivals.by_worker().items()
  assert name.endswith(f':{os.getpid()}')
  assert count == _SEGMENTS // 2


def test_workers_search_each_state_once_in_a_pass(tmp_path):
  with _service(2) as service:
    segments, windows = _windows(
        'discrete', str(tmp_path), service=service, segments_per_search=1)
  starts = sorted(float(w.observation[0, 0]) for w in windows)
  stored = segments.observation[..., 0][segments.is_transition]
  np.testing.assert_array_equal(starts, np.sort(stored))


def test_no_two_searches_of_the_workers_have_the_same_seed():
  with _service(2) as service:  # Seeds are made of the numbers.
    numbered = list(service.distribute(tf.data.Dataset.zip((
        orders.numbers(), tf.data.Dataset.range(50)))).as_numpy_iterator())
  assert len({number for number, _ in numbered}) == len(numbered) == 50
  assert sorted(x for _, x in numbered) == list(range(50))


def test_cloning_targets_are_the_stored_actions(tmp_path):
  segments, windows = _windows(
      'continuous', str(tmp_path),
      improvement_fn=improvement.cloning_improvement)
  first = segments.action[segments.is_transition]
  np.testing.assert_array_equal(
      np.stack([w.candidates[0, 0] for w in windows]), first)
  for window in windows:
    np.testing.assert_array_equal(window.weights, np.ones([_K + 1, 1]))


def test_returns_of_older_episodes_are_shorter():
  reanalyse = reanalyse_toys.reanalyse(
      num_simulations=1, value_target_fn=value_targets.td_search, td_steps=4,
      shorten_every=10)
  steps = lambda x: tf.fill([7, 8], x)
  segments = Segment(
      steps(0.0), steps(0), steps(1.0), steps(1.0), steps(True), steps(True),
      tf.constant([130, 100, 91, 90, 75, 60, -1], tf.int64))
  searched = Searched(
      segments, Improved(steps(0), steps(0.0), steps(0.0), steps(0.0), {}),
      tf.fill([7], tf.constant(100, tf.int64)), {})
  agent = agent_lib.Agent(
      lambda: None, *[value_transform.Support(-2.0, 2.0, 11)] * 2, 1.0, _A)
  returns = reanalyse.cutting(agent, 1, False).value_fn(searched)[:, 0]
  np.testing.assert_array_equal(returns, [4.0, 4.0, 4.0, 3.0, 2.0, 1.0, 1.0])
