"""Segments are what plain slicing gives, at both ends and in between."""

import numpy as np
import pytest
import tensorflow as tf

from tests import data_toys
from tf_muzero.data import observations
from tf_muzero.data import segments as segments_lib
from tf_muzero.types import Episode


def dataset_of(episodes):
  signature = tf.nest.map_structure(
      lambda x: tf.TensorSpec([None, *x.shape[1:]], x.dtype), episodes[0])
  return tf.data.Dataset.from_generator(
      lambda: episodes, output_signature=signature)


def random_episodes(seed, lengths, spec):
  rng = np.random.default_rng(seed)
  return [data_toys.episode_of(*data_toys.play(
      rng, spec, length, is_terminal=bool(i % 2)))
          for i, length in enumerate(lengths)]


def sliced(episode, stride, length):
  """Yields the segments of an episode, record by record."""
  num_records = len(episode.reward)
  blank_action = np.zeros_like(episode.action[0])
  for start in range(0, num_records - 1, stride):
    rows = []
    for record in range(start, start + length):
      is_state, is_transition = record < num_records, record < num_records - 1
      rows.append((
          episode.observation[record] if is_state else episode.observation[-1],
          episode.action[record] if is_transition else blank_action,
          episode.reward[record] if is_transition else np.float32(0.0),
          episode.discount[record] if is_transition else np.float32(1.0),
          is_state, is_transition))
    yield [np.stack(column) for column in zip(*rows)]


@pytest.mark.parametrize('spec', [data_toys.STATE_SPEC, data_toys.BOARD_SPEC])
@pytest.mark.parametrize(
    'stride, unroll, td', [(1, 0, 0), (3, 2, 1), (7, 5, 5), (64, 5, 5)])
def test_segments_are_slices(spec, stride, unroll, td):
  lengths = [1, 2, *np.random.default_rng(stride).integers(1, 40, 8), stride,
             stride + 1, 2 * stride]
  episodes = random_episodes(stride, lengths, spec)
  dataset = segments_lib.segments(
      dataset_of(episodes), windows_per_segment=stride, unroll_steps=unroll,
      td_steps=td)
  wanted = [segment for episode in episodes
            for segment in sliced(episode, stride, stride + unroll + td)]
  found = list(dataset.as_numpy_iterator())
  assert len(found) == len(wanted)
  for one, other in zip(found, wanted):
    for x, y in zip(one, other):
      assert x.dtype == y.dtype
      np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize('frame_stack', [1, 2, 4])
@pytest.mark.parametrize('shape', [(3,), (4, 5, 1)])
def test_stacks_are_the_records_before(frame_stack, shape):
  rng = np.random.default_rng(0)
  stride, length = 4, 7
  for num_records in (2, 5, 9, 14):
    observation = rng.integers(1, 256, (num_records, *shape)).astype(np.uint8)
    zeros = np.zeros_like(observation[0])
    episode = Episode(observation, *(
        tf.zeros([num_records], x) for x in (tf.int32, tf.float32, tf.float32)))
    segments = segments_lib.cut(episode, stride, length, frame_stack)
    plain = segments_lib.cut(episode, stride, length)
    for x, y in zip(segments[1:], plain[1:]):  # Nothing else is stacked.
      np.testing.assert_array_equal(x, y)
    stacked = observations.stack(segments.observation, frame_stack)
    assert stacked.shape[:2] == segments.reward.shape
    for i, start in enumerate(range(0, num_records - 1, stride)):
      for t in range(length):
        last = min(start + t, num_records - 1)
        if start + t > last:  # Padding: nothing is learned from it.
          continue
        np.testing.assert_array_equal(stacked[i, t], np.concatenate(
            [observation[r] if r >= 0 else zeros
             for r in range(last - frame_stack + 1, last + 1)], -1))


def test_each_state_starts_one_window():
  episodes = random_episodes(0, [1, 9, 10, 11, 25], data_toys.BOARD_SPEC)
  for i, episode in enumerate(episodes):  # Rewards that tell the records.
    episode.reward[:-1] = 100 * i + np.arange(len(episode.reward) - 1)
  starts = []
  for segment in segments_lib.segments(
      dataset_of(episodes), windows_per_segment=10, unroll_steps=3, td_steps=4
  ).as_numpy_iterator():
    starts += segment.reward[:10][segment.is_transition[:10]].tolist()
  assert sorted(starts) == [
      100 * i + t for i, length in enumerate([1, 9, 10, 11, 25])
      for t in range(length)]


def test_terminal_and_truncated_differ():
  for is_terminal in (False, True):
    rng = np.random.default_rng(0)
    episode = data_toys.episode_of(
        *data_toys.play(rng, data_toys.STATE_SPEC, 3, is_terminal))
    segment, = segments_lib.segments(
        dataset_of([episode]), windows_per_segment=4, unroll_steps=1,
        td_steps=1).as_numpy_iterator()
    assert segment.is_state.tolist() == [True] * 4 + [False] * 2
    assert segment.is_transition.tolist() == [True] * 3 + [False] * 3
    assert segment.discount.tolist() == [
        1.0, 1.0, 0.0 if is_terminal else 1.0, 1.0, 1.0, 1.0]


def test_shapes_are_static():
  dataset = segments_lib.segments(
      dataset_of(random_episodes(0, [5], data_toys.STATE_SPEC)),
      windows_per_segment=4, unroll_steps=2, td_steps=3, frame_stack=4)
  shapes = tf.nest.map_structure(lambda x: x.shape, dataset.element_spec)
  assert shapes.observation == [12, 3] and shapes.action == [9, 2]
  assert all(shape == [9] for shape in shapes[2:-1])
  assert shapes.played_step == []


def test_encoded_observations_are_cut_too():
  """Images will come as strings, to be decoded after the shuffling."""
  episode = Episode(
      tf.constant(['a', 'b', 'c']), tf.constant([1, 2, 0]),
      tf.constant([1.0, 2.0, 0.0]), tf.constant([1.0, 1.0, 1.0]))
  segments = segments_lib.cut(episode, 1, 3)
  assert segments.observation.numpy().tolist() == [
      [b'a', b'b', b'c'], [b'b', b'c', b'c']]


def test_shuffling_keeps_the_segments():
  episodes = random_episodes(0, [40, 40], data_toys.STATE_SPEC)
  make = lambda **kwargs: [
      segment.reward.tolist() for segment in segments_lib.segments(
          dataset_of(episodes), windows_per_segment=4, unroll_steps=2,
          td_steps=3, **kwargs).as_numpy_iterator()]
  plain, shuffled = make(), make(shuffle_segments=100, seed=3)
  assert plain != shuffled and sorted(plain) == sorted(shuffled)
  assert shuffled == make(shuffle_segments=100, seed=3)


def test_neighbours_are_of_different_episodes():
  episodes = random_episodes(0, [40, 39, 38, 37], data_toys.BOARD_SPEC)
  for i, episode in enumerate(episodes):
    episode.reward[:-1] = i
  make = lambda **kwargs: list(segments_lib.segments(
      dataset_of(episodes), windows_per_segment=4, unroll_steps=2, td_steps=3,
      **kwargs).as_numpy_iterator())
  found = [int(segment.reward[0]) for segment in make(episodes_at_once=4)]
  assert found[:36] == [0, 1, 2, 3] * 9
  key = lambda segment: [x.tolist() for x in segment]
  assert sorted(map(key, make(episodes_at_once=3))) == sorted(map(key, make()))


@pytest.mark.parametrize('name', [
    'windows_per_segment', 'unroll_steps', 'td_steps', 'frame_stack',
    'shuffle_segments', 'episodes_at_once'])
def test_bad_settings_are_named(name):
  settings = {'windows_per_segment': 4, 'unroll_steps': 1, 'td_steps': 1}
  with pytest.raises(ValueError, match=f'{name} must be .*-1'):
    segments_lib.segments(tf.data.Dataset.range(1), **{**settings, name: -1})
