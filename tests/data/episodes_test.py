"""What was written is read, in any layout, and what is wrong is named."""

import dataclasses
import os
import pathlib

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from tests import data_toys
from tf_muzero.data import episodes as episodes_lib
from tf_muzero.data import segments as segments_lib

_LENGTHS = [3, 1, 8, 5, 2, 7, 4]


@pytest.fixture(name='directory', scope='module')
def _directory(tmp_path_factory):
  directory = tmp_path_factory.mktemp('data') / 'toy'
  data_toys.write(directory, _played(data_toys.STATE_SPEC),
                  data_toys.STATE_SPEC, episodes_per_file=3, task='toy:1',
                  action_repeat=4)
  return str(directory)


def _played(spec):
  rng = np.random.default_rng(0)
  return [data_toys.play(rng, spec, length, is_terminal=bool(i % 2))
          for i, length in enumerate(_LENGTHS)]


def _equal(one, other):
  return all(x.dtype == y.dtype and np.array_equal(x, y)
             for x, y in zip(one, other))


def _lengths(dataset):
  return [len(episode.reward) - 1 for episode in dataset.as_numpy_iterator()]


def test_dataset_tells_of_itself(directory):
  dataset = episodes_lib.open_dataset(directory)
  assert dataset.task == 'toy:1' and dataset.action_repeat == 4
  assert dataset.num_episodes == 7 and dataset.num_steps == sum(_LENGTHS)
  assert {name: part.shape for name, part in dataset.spec.observation.items()
          } == {'angle': (1,), 'velocity': (2,)}
  assert dataset.spec.action == data_toys.STATE_SPEC.action
  # Counted where the dataset does not tell.
  assert dataclasses.replace(dataset, metadata={}).num_steps == sum(_LENGTHS)


@pytest.mark.parametrize('spec', [data_toys.STATE_SPEC, data_toys.BOARD_SPEC])
def test_read_is_what_was_played(spec, tmp_path):
  played = _played(spec)
  data_toys.write(tmp_path / 'toy', played, spec, episodes_per_file=3)
  dataset = episodes_lib.open_dataset(str(tmp_path / 'toy'))
  wanted = [data_toys.episode_of(*x) for x in played]
  loaded = episodes_lib.load_episodes(dataset)
  streamed = list(episodes_lib.episodes(dataset).as_numpy_iterator())
  for found in (loaded, streamed):
    assert len(found) == len(wanted)
    assert all(_equal(*pair) for pair in zip(found, wanted))


def test_split_is_a_part(directory):
  dataset = episodes_lib.open_dataset(directory, split='train[2:5]')
  assert dataset.num_episodes == 3 and dataset.num_steps == 8 + 5 + 2
  assert _lengths(episodes_lib.episodes(dataset)) == [8, 5, 2]
  with pytest.raises(ValueError, match="train, not 'test'"):
    episodes_lib.open_dataset(directory, split='test')


def test_shuffled_passes(directory):
  dataset = episodes_lib.open_dataset(directory)
  passes = [_lengths(episodes_lib.episodes(dataset, seed=seed, repeat=True)
                     .take(21)) for seed in (1, 1, 2)]
  assert passes[0] == passes[1] != passes[2]
  first, second, third = (passes[0][i:i + 7] for i in (0, 7, 14))
  assert first != second != third
  assert sorted(first) == sorted(second) == sorted(third) == sorted(_LENGTHS)


@pytest.mark.parametrize('num_before', [0, 1, 5, 23])
def test_position_is_saved(directory, tmp_path, num_before):
  dataset = episodes_lib.open_dataset(directory)
  def iterate():
    return iter(segments_lib.segments(
        episodes_lib.episodes(dataset, seed=3, repeat=True),
        windows_per_segment=2, unroll_steps=1, td_steps=1, shuffle_segments=4))
  one = iterate()
  for _ in range(num_before):
    next(one)
  path = tf.train.Checkpoint(iterator=one).write(str(tmp_path / 'position'))
  other = iterate()
  tf.train.Checkpoint(iterator=other).read(path).assert_consumed()
  for _ in range(30):
    assert _equal(*([x.numpy() for x in next(it)] for it in (one, other)))


def test_statistics(directory):
  dataset = episodes_lib.open_dataset(directory)
  mean, deviation = episodes_lib.observation_statistics(dataset)
  every = np.concatenate([
      episode.observation for episode in episodes_lib.load_episodes(dataset)])
  assert mean == pytest.approx(every.mean(0), rel=1e-5)
  assert deviation == pytest.approx(every.std(0), rel=1e-5)


def test_statistics_of_far_and_constant_inputs(tmp_path):
  played = []
  for time_steps, actions in _played(data_toys.BOARD_SPEC):
    played.append(([t._replace(observation=np.float32(
        [1000.0 + t.observation[0] / 10, 7.0, 0.0])) for t in time_steps],
                   actions))
  data_toys.write(tmp_path / 'toy', played, data_toys.BOARD_SPEC)
  dataset = episodes_lib.open_dataset(str(tmp_path / 'toy'))
  mean, deviation = episodes_lib.observation_statistics(dataset)
  assert mean == pytest.approx([1000.0, 7.0, 0.0], abs=0.1)
  assert 0.03 < deviation[0] < 0.3 and deviation[1:].tolist() == [1.0, 1.0]


# Layouts of others.


def _raw_features(**steps):
  return tfds.features.FeaturesDict({'steps': tfds.features.Dataset({
      'observation': tfds.features.Tensor(shape=(2, 2), dtype=np.float64),
      'action': tfds.features.Tensor(shape=(1,), dtype=np.float64),
      'reward': np.float32, 'discount': np.float32, 'is_first': np.bool_,
      'is_last': np.bool_, 'is_terminal': np.bool_, **steps})})


def _raw_steps(**steps):
  return {'steps': {
      'observation': np.arange(12.0).reshape(3, 2, 2),
      'action': np.full([3, 1], 0.5), 'reward': np.float32([1.0, 2.0, 9.0]),
      'discount': np.float32([1.0, 1.0, 0.0]),
      'is_first': [True, False, False], 'is_last': [False, False, True],
      'is_terminal': [False, False, True], **steps}}


def test_the_discount_decides_what_is_terminal(tmp_path):
  """As in rlu_rwrl: spurious is_terminal, reward and discount of shape [1]."""
  scalar = tfds.features.Tensor(shape=(1,), dtype=np.float32)
  data_toys.write_raw(
      tmp_path / 'raw', _raw_features(reward=scalar, discount=scalar),
      [_raw_steps(reward=np.float32([[1.0], [2.0], [9.0]]),
                  discount=np.float32([[1.0], [1.0], [0.0]]))])
  checked, = episodes_lib.read(
      episodes_lib.open_dataset(str(tmp_path / 'raw')))
  assert checked.is_terminal
  assert checked.episode.discount.tolist() == [1.0, 1.0, 1.0]
  assert checked.episode.reward.tolist() == [1.0, 2.0, 0.0]
  assert checked.episode.action.tolist() == [[0.5], [0.5], [0.0]]
  assert checked.episode.observation.dtype == np.float32
  assert checked.episode.observation[1].tolist() == [4.0, 5.0, 6.0, 7.0]


def test_nested_observations(tmp_path):
  part = lambda size, **kwargs: tfds.features.Tensor(
      shape=(size,), dtype=np.float32, **kwargs)
  data_toys.write_raw(
      tmp_path / 'raw', _raw_features(observation={
          'walker': {'z': part(1, encoding='zlib'), 'a': part(2)},
          'count': tfds.features.Scalar(np.int64)}),
      [_raw_steps(observation={
          'walker': {'z': np.float32([[5.0]] * 3),
                     'a': np.float32([[3.0, 4.0]] * 3)},
          'count': np.int64([7, 8, 9])})])
  episode, = episodes_lib.load_episodes(
      episodes_lib.open_dataset(str(tmp_path / 'raw')))
  assert episode.observation.tolist() == [
      [7.0, 3.0, 4.0, 5.0], [8.0, 3.0, 4.0, 5.0], [9.0, 3.0, 4.0, 5.0]]


def test_classes_are_actions(tmp_path):
  data_toys.write_raw(
      tmp_path / 'raw',
      _raw_features(action=tfds.features.ClassLabel(num_classes=6)),
      [_raw_steps(action=[5, 1, 0])])
  dataset = episodes_lib.open_dataset(str(tmp_path / 'raw'))
  assert dataset.spec.action.num_values == 6
  episode, = episodes_lib.load_episodes(dataset)
  assert episode.action.tolist() == [5, 1, 0]
  assert episode.action.dtype == np.int32


@pytest.mark.parametrize('steps, words', [
    ({'action': tfds.features.Scalar(np.int64)}, 'num_actions'),
    ({'action': tfds.features.Text()}, 'action must be'),
    ({'reward': tfds.features.Tensor(shape=(3,), dtype=np.float32)},
     'reward must be a scalar'),
    ({'observation': {'eye': tfds.features.Image(shape=(4, 4, 1))}},
     "'eye' must be a tensor"),
])
def test_unreadable_layouts(tmp_path, steps, words):
  data_toys.write_raw(tmp_path / 'raw', _raw_features(**steps), [])
  with pytest.raises(ValueError, match=words) as error:
    episodes_lib.open_dataset(str(tmp_path / 'raw'))
  assert str(tmp_path / 'raw') in str(error.value)


def test_fields_must_be_there(tmp_path):
  features = tfds.features.FeaturesDict({'steps': tfds.features.Dataset({
      'observation': np.float32, 'action': np.int64})})
  data_toys.write_raw(tmp_path / 'raw', features, [])
  with pytest.raises(ValueError, match='no reward, discount, is_first'):
    episodes_lib.open_dataset(str(tmp_path / 'raw'))
  data_toys.write_raw(tmp_path / 'flat', tfds.features.FeaturesDict(
      {'action': np.int64}), [])
  with pytest.raises(ValueError, match="nested dataset 'steps'"):
    episodes_lib.open_dataset(str(tmp_path / 'flat'))


# What is broken.


def test_bad_value_is_named(tmp_path):
  good, bad = _raw_steps(), _raw_steps(reward=np.float32([1.0, np.nan, 0.0]))
  data_toys.write_raw(tmp_path / 'raw', _raw_features(), [good, bad])
  dataset = episodes_lib.open_dataset(str(tmp_path / 'raw'))
  words = r'raw-train.tfrecord-00000, episode 1.*step.*1.*reward is not finite'
  with pytest.raises(ValueError, match=words):
    episodes_lib.load_episodes(dataset)
  with pytest.raises(ValueError, match=words):
    episodes_lib.observation_statistics(dataset)
  with pytest.raises(tf.errors.InvalidArgumentError, match='(?s)' + words):
    _lengths(episodes_lib.episodes(dataset))


def test_no_dataset(tmp_path, directory):
  with pytest.raises(ValueError, match='no directory'):
    episodes_lib.open_dataset(str(tmp_path / 'nowhere'))
  with pytest.raises(ValueError, match='no dataset_info.json'):
    episodes_lib.open_dataset(str(tmp_path))
  parent = os.path.dirname(directory)
  with pytest.raises(ValueError, match=f'is it {directory}'):
    episodes_lib.open_dataset(parent)


@pytest.mark.parametrize('name', ['dataset_info.json', 'features.json'])
@pytest.mark.parametrize('content', [None, '{', '{}'])
def test_broken_description(tmp_path, name, content):
  file = _files(tmp_path)[0].parent / name
  file.unlink()
  if content:
    file.write_text(content)
  with pytest.raises(ValueError, match=str(tmp_path / 'toy')):
    episodes_lib.open_dataset(str(tmp_path / 'toy'))


def _files(tmp_path):
  data_toys.write(tmp_path / 'toy', _played(data_toys.STATE_SPEC),
                  data_toys.STATE_SPEC, episodes_per_file=3)
  return sorted((tmp_path / 'toy').glob('*tfrecord*'))


def test_missing_file(tmp_path):
  _files(tmp_path)[1].unlink()
  with pytest.raises(ValueError, match='lacks 1 of its 3 files.*00001'):
    episodes_lib.open_dataset(str(tmp_path / 'toy'))


def test_truncated_file(tmp_path):
  file = _files(tmp_path)[2]
  file.write_bytes(file.read_bytes()[:-1])
  with pytest.raises(ValueError, match='truncated'):
    episodes_lib.open_dataset(str(tmp_path / 'toy'))


def test_flipped_byte(tmp_path):
  file = _files(tmp_path)[1]
  content = bytearray(file.read_bytes())
  content[-30] ^= 4  # In the last of three episodes.
  file.write_bytes(bytes(content))
  dataset = episodes_lib.open_dataset(str(tmp_path / 'toy'))
  with pytest.raises(ValueError, match='00001, episode 2 .*corrupted'):
    episodes_lib.load_episodes(dataset)


def test_public_dataset():
  fixtures = os.environ.get('TF_MUZERO_FIXTURES')
  if not fixtures:
    pytest.skip('TF_MUZERO_FIXTURES names no directory of public datasets.')
  dataset = episodes_lib.open_dataset(str(
      pathlib.Path(fixtures) / 'rlu_control_suite/cartpole_swingup/1.0.0'))
  assert dataset.name == 'rlu_control_suite/cartpole_swingup'
  assert dataset.task == 'dm_control:cartpole/swingup'
  assert dataset.num_steps == 1000
  episode, = episodes_lib.load_episodes(dataset)
  assert episode.reward.sum() == pytest.approx(861.04, abs=0.01)
  assert episode.observation.shape == (1001, 5)
  # Position stands before velocity: cosine and sine are of one angle.
  assert np.hypot(*episode.observation[:, 1:3].T) == pytest.approx(
      np.ones(1001), abs=1e-5)
