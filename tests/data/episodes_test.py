"""What was written is read, in any layout, and what is wrong is named."""

import dataclasses
import os
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from tests import data_toys
from tf_muzero.data import episodes as episodes_lib
from tf_muzero.data import survey as survey_lib
from tf_muzero.data.reading import Reading
from tf_muzero.data import segments as segments_lib

_LENGTHS = [3, 1, 8, 5, 2, 7, 4]


@pytest.fixture(name='directory', scope='module')
def _directory(tmp_path_factory):
  directory = tmp_path_factory.mktemp('data') / 'toy'
  data_toys.write(directory, _played(data_toys.STATE_SPEC),
                  data_toys.STATE_SPEC, episodes_per_file=3, task='toy:1',
                  action_repeat=4)
  return str(directory)


@pytest.fixture(name='loaded', scope='module')
def _loaded(directory):
  return episodes_lib.load_episodes(episodes_lib.open_dataset(directory))


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


@pytest.mark.parametrize('spec', [
    data_toys.STATE_SPEC, data_toys.BOARD_SPEC, data_toys.FRAME_SPEC])
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
  dataset = episodes_lib.open_dataset(directory, Reading(split='train[2:5]'))
  assert dataset.num_episodes == 3 and dataset.num_steps == 8 + 5 + 2
  assert _lengths(episodes_lib.episodes(dataset)) == [8, 5, 2]
  with pytest.raises(ValueError, match="splits are train, not 'test'"):
    episodes_lib.open_dataset(directory, Reading(split='test'))


def test_shuffled_passes(directory):
  dataset = episodes_lib.open_dataset(directory)
  passes = [_lengths(episodes_lib.episodes(dataset, seed=seed, repeat=True)
                     .take(21)) for seed in (1, 1, 2)]
  assert passes[0] == passes[1] != passes[2]
  first, second, third = (passes[0][i:i + 7] for i in (0, 7, 14))
  assert first != second != third
  assert sorted(first) == sorted(second) == sorted(third) == sorted(_LENGTHS)


@pytest.mark.parametrize('spec', [data_toys.STATE_SPEC, data_toys.FRAME_SPEC])
def test_position_is_saved(tmp_path, spec):
  data_toys.write(tmp_path / 'toy', _played(spec), spec, episodes_per_file=3)
  dataset = episodes_lib.open_dataset(str(tmp_path / 'toy'))
  def make():
    return segments_lib.segments(
        episodes_lib.episodes(dataset, seed=3, repeat=True),
        windows_per_segment=2, unroll_steps=1, td_steps=1, shuffle_segments=4)
  one, paths, found = iter(make()), {}, []
  for number in range(23 + 30):
    if number in (0, 1, 5, 23):
      paths[number] = tf.train.Checkpoint(iterator=one).write(
          str(tmp_path / f'position-{number}'))
    found.append([x.numpy() for x in next(one)])
  again = make()  # Made anew, as by another process.
  for number, path in paths.items():
    other = iter(again)
    tf.train.Checkpoint(iterator=other).read(path).assert_consumed()
    for wanted in found[number:number + 30]:
      assert _equal(wanted, [x.numpy() for x in next(other)])


def test_position_is_restored_on_a_machine_with_other_cores(
    tmp_path, directory, monkeypatch):
  def iterate(num_cores):
    monkeypatch.setattr(os, 'cpu_count', lambda: num_cores)
    return iter(episodes_lib.episodes(
        episodes_lib.open_dataset(directory), seed=3, repeat=True))
  one = iterate(2)
  for _ in range(5):
    next(one)
  path = tf.train.Checkpoint(iterator=one).write(str(tmp_path / 'position'))
  for num_cores in (1, 3, 64):
    other = iterate(num_cores)
    tf.train.Checkpoint(iterator=other).read(path).assert_consumed()
    if num_cores == 64:
      for _ in range(30):
        assert _equal(next(one), next(other))


def test_statistics(directory, loaded):
  dataset = episodes_lib.open_dataset(directory)
  survey = survey_lib.survey(dataset, 0.9)
  mean, deviation = survey.observation_mean, survey.observation_deviation
  every = np.concatenate([episode.observation for episode in loaded])
  assert mean == pytest.approx(every.mean(0), rel=1e-5)
  assert deviation == pytest.approx(every.std(0), rel=1e-5)


@pytest.mark.parametrize('num_steps', [1, 3, 100])
def test_sums_of_rewards_in_a_row(directory, loaded, num_steps):
  dataset = episodes_lib.open_dataset(directory)
  sums = [episode.reward[:-1][first:first + number].sum()
          for episode in loaded
          for first in range(len(episode.reward) - 1)
          for number in range(1, num_steps + 1)]
  assert survey_lib.survey(dataset, 0.9, num_steps).reward_sums == (
      pytest.approx((min(sums), max(sums))))


def test_statistics_of_far_and_constant_inputs(tmp_path):
  played = []
  for time_steps, actions in _played(data_toys.BOARD_SPEC):
    played.append(([t._replace(observation=np.float32(
        [1000.0 + t.observation[0] / 10, 7.0, 0.0])) for t in time_steps],
                   actions))
  data_toys.write(tmp_path / 'toy', played, data_toys.BOARD_SPEC)
  dataset = episodes_lib.open_dataset(str(tmp_path / 'toy'))
  survey = survey_lib.survey(dataset, 0.9)
  mean, deviation = survey.observation_mean, survey.observation_deviation
  assert mean == pytest.approx([1000.0, 7.0, 0.0], abs=0.1)
  assert 0.03 < deviation[0] < 0.3 and deviation[1:] == [1.0, 1.0]


def test_frames_have_no_statistics(tmp_path):
  spec = data_toys.FRAME_SPEC
  data_toys.write(tmp_path / 'toy', _played(spec), spec)
  dataset = episodes_lib.open_dataset(str(tmp_path / 'toy'))
  assert not survey_lib.survey(dataset, 0.9).observation_mean


def _public(path):
  fixtures = os.environ.get('TF_MUZERO_FIXTURES')
  if not fixtures:
    pytest.skip('TF_MUZERO_FIXTURES names no directory of public datasets.')
  return episodes_lib.open_dataset(str(pathlib.Path(fixtures) / path))


def test_public_dataset():
  dataset = _public('rlu_control_suite/cartpole_swingup/1.0.0')
  assert dataset.name == 'rlu_control_suite/cartpole_swingup'
  assert dataset.task == 'dm_control:cartpole/swingup'
  assert dataset.num_steps == 1000
  episode, = episodes_lib.load_episodes(dataset)
  assert episode.reward.sum() == pytest.approx(861.04, abs=0.01)
  assert episode.observation.shape == (1001, 5)
  # Position stands before velocity: cosine and sine are of one angle.
  assert np.hypot(*episode.observation[:, 1:3].T) == pytest.approx(
      np.ones(1001), abs=1e-5)
