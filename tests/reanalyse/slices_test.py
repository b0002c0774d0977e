"""Windows of episodes of all kinds, against plain Python slicing of these."""

import numpy as np
import pytest
import tensorflow as tf

from tests import reanalyse_toys
from tf_muzero.data import segments as segments_lib
from tf_muzero.reanalyse import windows as windows_lib
from tf_muzero.types import Episode
from tf_muzero.types import Improved
from tf_muzero.types import Searched


def episode_of(rng, num_transitions, is_terminal):
  """Returns an episode whose numbers tell its records."""
  ended = np.zeros(num_transitions + 1, bool)
  ended[-2] = is_terminal
  is_last = np.arange(num_transitions + 1) == num_transitions
  draw = lambda: rng.integers(1, 256, num_transitions + 1)
  return Episode(
      np.stack([draw(), draw()], -1).astype(np.uint8),
      np.where(is_last, 0, draw()).astype(np.int32),
      np.where(is_last, 0, draw()).astype(np.float32),
      np.where(ended, 0.0, 1.0).astype(np.float32))


def expected(episode, start, *, unroll_steps, frame_stack, is_terminal):
  """Returns what a window says, record by record; None where nothing counts."""
  num_transitions = len(episode.reward) - 1
  frames = [episode.observation[t] if t >= 0 else np.zeros(2, np.uint8)
            for t in range(start - frame_stack + 1, start + 1)]
  states = range(start, start + unroll_steps + 1)
  past = 0.0 if is_terminal else None  # Nothing follows, or it is not known.
  return {
      'observation': frames,
      'action': [episode.action[t] if t < num_transitions else None
                 for t in states],
      'reward': [episode.reward[t] if t < num_transitions else past
                 for t in states[:-1]],
      # What is searched is told by the record: its number and a bit.
      'value': [t + 0.5 if t < num_transitions or (
          t == num_transitions and not is_terminal) else past for t in states],
      'weights': [t + 0.25 if t < num_transitions else None for t in states]}


def shown(window):
  """Returns the same of a window as it is stored: None where it is masked."""
  def masked(values, mask):
    return [x if kept else None for x, kept in zip(values, mask)]
  return {
      'observation': list(window.observation),
      # The action of a step counts where its reward is of the episode.
      'action': masked(window.action, window.policy_mask),
      'reward': masked(window.reward, window.reward_mask),
      'value': masked(window.value, window.value_mask),
      'weights': masked(window.weights[:, 0], window.policy_mask)}


@pytest.mark.parametrize('seed', range(24))
def test_windows_are_slices_of_the_episode(seed):
  rng = np.random.default_rng(seed)
  # All lengths from 1, whatever they are beside K, n and L.
  num_transitions = 1 + seed if seed < 12 else int(rng.integers(1, 60))
  is_terminal, stride = bool(rng.integers(2)), int(rng.integers(1, 14))
  unroll_steps, td_steps, frame_stack = (
      int(x) for x in rng.integers([0, 0, 1], [7, 7, 6]))
  episode = episode_of(rng, num_transitions, is_terminal)
  length = stride + unroll_steps + td_steps
  segments = segments_lib.cut(
      Episode(*map(tf.constant, episode)), stride, length, frame_stack)
  record = np.arange(0, num_transitions, stride)[:, np.newaxis] + np.arange(
      length, dtype=np.float32)
  lives = segments.is_state & ~windows_lib.absorbing(segments)
  windows = reanalyse_toys.all_windows(Searched(
      segments, Improved(
          tf.constant(record)[..., tf.newaxis],
          tf.constant(record)[..., tf.newaxis] + 0.25, tf.constant(record),
          tf.constant(record), {}),
      tf.fill([len(record)], np.int64(3)), {}), windows_lib.Cutting(
          lambda _: tf.where(lives, record + 0.5, 0.0), stride, unroll_steps,
          keep_observations=False))
  windows = tf.nest.map_structure(lambda x: x.numpy(), windows)
  assert len(windows.reward) == num_transitions  # One from each transition.
  for start in range(num_transitions):
    found = shown(tf.nest.map_structure(
        lambda x, i=start: x[i], windows))
    wanted = expected(
        episode, start, unroll_steps=unroll_steps, frame_stack=frame_stack,
        is_terminal=is_terminal)
    for name, values in wanted.items():
      assert len(values) == len(found[name])
      for one, other in zip(values, found[name]):
        assert (one is None) == (other is None), (name, start)
        assert one is None or np.array_equal(one, other), (name, start)
