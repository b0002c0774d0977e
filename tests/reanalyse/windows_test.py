"""Windows, against plain Python slicing of the segment."""

import numpy as np
import pytest

from tests import reanalyse_toys
from tf_muzero.data import observations
from tf_muzero.reanalyse import windows as windows_lib
from tf_muzero.types import Improved
from tf_muzero.types import Searched
from tf_muzero.types import Segment

_S, _L, _K = 12, 6, 3


def _segment(num_transitions, terminal):
  t = np.arange(_S)
  discount = np.ones(_S, np.float32)
  if terminal:
    discount[num_transitions - 1] = 0.0
  is_transition = t < num_transitions
  return Segment(
      observation=np.stack([t, -t], -1).astype(np.float32)[np.newaxis],
      action=(10 * t).astype(np.int32)[np.newaxis],
      reward=np.where(is_transition, t + 1.0, 0.0).astype('f')[np.newaxis],
      discount=discount[np.newaxis],
      is_state=(t <= num_transitions)[np.newaxis],
      is_transition=is_transition[np.newaxis])


def _improved():
  t = np.arange(_S, dtype=np.float32)[np.newaxis]
  return Improved(
      candidates=np.stack([t, t + 100], -1), weights=np.stack([t, 1 - t], -1),
      value=t, network_value=t, diagnostics={'depth': 2 * t})


def _cut(segment, value, keep_observations=True):
  return reanalyse_toys.all_windows(
      Searched(segment, _improved(), np.full([1], 7), {}),
      windows_lib.Cutting(lambda _: value, _L, _K, keep_observations))


@pytest.mark.parametrize('num_transitions', [1, 4, 8, 12])
@pytest.mark.parametrize('terminal', [False, True])
def test_windows_are_slices(num_transitions, terminal):
  segment = _segment(num_transitions, terminal)
  value = np.arange(_S, dtype=np.float32)[np.newaxis] + 0.5
  window = _cut(segment, value)
  starts = range(min(_L, num_transitions))
  assert window.value.shape == (len(starts), _K + 1)
  for i, start in enumerate(starts):
    states, steps = slice(start, start + _K + 1), slice(start, start + _K)
    np.testing.assert_array_equal(
        window.observation[i], segment.observation[0, states])
    np.testing.assert_array_equal(window.action[i], segment.action[0, states])
    np.testing.assert_array_equal(window.reward[i], segment.reward[0, steps])
    np.testing.assert_array_equal(window.value[i], value[0, states])
    np.testing.assert_array_equal(
        window.candidates[i], _improved().candidates[0, states])
    np.testing.assert_array_equal(
        window.weights[i], _improved().weights[0, states])
    assert window.snapshot_step[i] == 7
    assert window.diagnostics['depth'][i] == 2 * start


@pytest.mark.parametrize('terminal', [False, True])
def test_masks_across_the_end(terminal):
  window = _cut(_segment(4, terminal), np.zeros([1, _S], np.float32))
  # The window from 2 has states 2, 3, 4, 5 of an episode whose last action is
  # taken at 3. State 4 is its last; after a terminal one all is known: zero.
  np.testing.assert_array_equal(window.policy_mask[2], [1, 1, 0, 0])
  past = 1 if terminal else 0
  np.testing.assert_array_equal(window.value_mask[2], [1, 1, 1, past])
  np.testing.assert_array_equal(window.reward_mask[2], [1, 1, past])


def test_only_the_first_observation_is_kept_where_the_others_are_not_needed():
  segment = _segment(12, False)
  window = _cut(segment, np.zeros([1, _S], np.float32), False)
  np.testing.assert_array_equal(
      window.observation[:, 0], segment.observation[0, :_L])
  assert window.observation.shape[1] == 1


@pytest.mark.parametrize('keep_observations', [True, False])
def test_windows_hold_each_observation_of_their_stacks_once(keep_observations):
  num_frames = 3
  segment = _segment(12, False)
  held = np.arange(_S + num_frames - 1, dtype=np.uint8)[np.newaxis, :, None]
  window = _cut(segment._replace(observation=held),
                np.zeros([1, _S], np.float32), keep_observations)
  states = _K + 1 if keep_observations else 1
  assert window.observation.shape == (_L, states + num_frames - 1, 1)
  assert window.observation.dtype == np.uint8
  all_stacks = observations.stack(held, num_frames)[0]
  stacks = observations.stack(window.observation, num_frames)
  for start in range(_L):
    np.testing.assert_array_equal(
        stacks[start], all_stacks[start:start + states])


def test_a_large_exponent_leaves_every_window_to_be_drawn():
  segment = _segment(4, True)
  value = _improved().value + np.arange(_S, dtype=np.float32) / 2
  weight = windows_lib.weighted(
      Searched(segment, _improved(), np.full([1], 7), {}),
      windows_lib.Cutting(lambda _: value, _L, _K, True, 8.0)).importance[0]
  assert np.all(weight[:4] > 0.0) and not np.any(weight[4:])
  np.testing.assert_allclose(weight[3] / weight[1], 3.0**8, rtol=1e-3)
