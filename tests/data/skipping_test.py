"""What is bad is an error that names it, or is left out and counted."""

import numpy as np
import pytest
import tensorflow as tf

from tests import data_toys
from tf_muzero.data import episodes as episodes_lib
from tf_muzero.data import skipping
from tf_muzero.data import survey as survey_lib
from tf_muzero.data.reading import Reading

_LENGTHS = (3, 1, 8, 5, 2, 7, 4)  # In three files.
_SKIP = Reading(on_bad_episode='skip')


def files_of(directory, spec=data_toys.BOARD_SPEC, lengths=_LENGTHS):
  """Writes episodes, seven by default, and returns their files."""
  rng = np.random.default_rng(0)
  data_toys.write(
      directory, [data_toys.play(rng, spec, length) for length in lengths],
      spec, episodes_per_file=3)
  return sorted(directory.glob('*tfrecord*'))


def stream(directory, reading=Reading(), **kwargs):
  """Returns the lengths of what training would read."""
  dataset = episodes_lib.open_dataset(str(directory), reading)
  return [len(episode.reward) - 1 for episode in episodes_lib.episodes(
      dataset, **kwargs).as_numpy_iterator()]


def flip(file, position=-30):
  content = bytearray(file.read_bytes())
  content[position] ^= 4
  file.write_bytes(bytes(content))


def truncate(file, _=None):
  file.write_bytes(file.read_bytes()[:-30])


def remove(file, _=None):
  file.unlink()


def test_damage_is_an_error_that_names_the_file(tmp_path):
  """In the stream that training reads; before it, sizes are compared."""
  flip(files_of(tmp_path / 'toy')[1])
  with pytest.raises(tf.errors.InvalidArgumentError) as error:
    stream(tmp_path / 'toy', seed=1)
  for words in ('00001', 'from number', 'tf_muzero.inspect', 'to skip'):
    assert words in error.value.message


def test_the_rest_of_a_damaged_file_is_skipped(tmp_path, capfd):
  """Of four files, each damaged in its own way, between whole ones."""
  lengths, damages = list(range(1, 19)), [
      flip, lambda file: flip(file, 30), truncate, remove]
  for file, damage in zip(
      files_of(tmp_path / 'toy', lengths=lengths)[1:], damages):
    damage(file)
  kept = [1, 2, 3, 4, 5, 10, 11, 16, 17, 18]
  capfd.readouterr()
  assert stream(tmp_path / 'toy', _SKIP) == kept
  told = [line for line in capfd.readouterr().err.splitlines()
          if 'Cannot be read: ' in line]
  assert len(told) == 4
  for number, (lost, line) in enumerate(zip((1, 3, 1, 3), told)):
    assert f'Cannot be read: {lost} episodes of' in line
    assert f'0000{number + 1}' in line
  dataset = episodes_lib.open_dataset(str(tmp_path / 'toy'), _SKIP)
  assert [len(x.reward) - 1 for x in episodes_lib.load_episodes(dataset)] == (
      kept)


def _raw(tmp_path, *changes, features=None):
  data_toys.write_raw(
      tmp_path / 'raw', data_toys.raw_features(**(features or {})),
      [data_toys.raw_steps(**change) for change in changes])
  return tmp_path / 'raw'


_NO_RECORDS = {
    'observation': np.zeros([0, 2, 2]), 'action': np.zeros([0, 1]),
    'reward': np.zeros([0], np.float32), 'discount': np.zeros([0], np.float32),
    'is_first': [], 'is_last': [], 'is_terminal': []}
_ONE_RECORD = {
    'observation': np.zeros([1, 2, 2]), 'action': np.zeros([1, 1]),
    'reward': np.ones([1], np.float32), 'discount': np.ones([1], np.float32),
    'is_first': [True], 'is_last': [True], 'is_terminal': [False]}


_BAD = [
    ({'reward': np.float32([1.0, np.nan, 0.0])},
     'step 1: reward is not finite'),
    ({'action': np.float64([[0.5], [-1.5], [0.0]])},
     'step 1: action is out of bounds'),
    (_NO_RECORDS, 'step 0: the episode has fewer than two records'),
    (_ONE_RECORD, 'step 0: the episode has fewer than two records'),
    ({'is_last': [False, True, True]}, 'step 1: is_last is not true at')]


def test_bad_values(tmp_path, capfd):
  """Each kind twice, with a good episode of two steps before each."""
  changes = [change for bad in (*_BAD, *_BAD) for change in ({}, bad[0])]
  directory = _raw(tmp_path, *changes)
  iterator = iter(episodes_lib.episodes(
      episodes_lib.open_dataset(str(directory))))
  wanted = [(1 + 2 * i, words) for i, (_, words) in enumerate((*_BAD, *_BAD))]
  for number, words in wanted:
    assert len(next(iterator).reward) == 3
    with pytest.raises(tf.errors.InvalidArgumentError) as error:
      next(iterator)
    assert f'raw-train.tfrecord-00000, episode {number}, {words}' in (
        error.value.message)
  capfd.readouterr()
  assert stream(directory, _SKIP) == [2] * len(wanted)
  told = capfd.readouterr().err
  for total, (number, words) in enumerate(wanted, start=1):
    assert f'episode {number}, {words}' in told and f'{total} so far' in told


def test_one_transition_is_an_episode(tmp_path):
  two = {name: np.repeat(value, 2, axis=0)
         for name, value in _ONE_RECORD.items()}
  directory = _raw(
      tmp_path, {**two, 'is_first': [True, False], 'is_last': [False, True]})
  assert stream(directory) == [1]


def test_statistics_are_of_the_good_episodes(tmp_path):
  directory = _raw(tmp_path, {}, {'observation': np.full([3, 2, 2], np.inf)})
  survey = survey_lib.survey(
      episodes_lib.open_dataset(str(directory), _SKIP), 0.9)
  assert survey.observation_mean == [4.0, 5.0, 6.0, 7.0]
  nothing = _raw(tmp_path / 'other', {'reward': np.full(3, np.nan, np.float32)})
  with pytest.raises(ValueError, match='not one good episode'):
    survey_lib.survey(episodes_lib.open_dataset(str(nothing), _SKIP), 0.9)


def test_wrong_dtype(tmp_path):
  """Files that are not what features.json says."""
  directory = _raw(tmp_path, {}, {})
  other = tmp_path / 'other'
  data_toys.write_raw(other, data_toys.raw_features(reward=np.int64), [
      data_toys.raw_steps(reward=np.int64([1, 2, 9]))])
  (directory / 'features.json').write_bytes(
      (other / 'features.json').read_bytes())
  with pytest.raises(ValueError, match='episode 0 .*reward.*type'):
    episodes_lib.load_episodes(episodes_lib.open_dataset(str(directory)))


def test_position_is_saved_with_skips(tmp_path):
  flip(files_of(tmp_path / 'toy', data_toys.FRAME_SPEC)[1])
  dataset = episodes_lib.open_dataset(str(tmp_path / 'toy'), _SKIP)
  make = lambda: episodes_lib.episodes(dataset, seed=3, repeat=True)
  one, paths, found = iter(make()), {}, []
  for number in range(9 + 15):
    if number in (0, 2, 9):
      paths[number] = tf.train.Checkpoint(iterator=one).write(
          str(tmp_path / f'position-{number}'))
    found.append(next(one))
  again = make()  # Made anew, as by another process.
  for number, path in paths.items():
    other = iter(again)
    tf.train.Checkpoint(iterator=other).read(path).assert_consumed()
    for wanted in found[number:number + 15]:
      assert all(map(np.array_equal, wanted, next(other)))


def test_a_record_that_cannot_be_decoded(tmp_path, capfd):
  data_toys.spoil(files_of(tmp_path / 'toy')[1], 1)
  name, words = 'toy-train.tfrecord-00001', 'the record cannot be decoded'
  with pytest.raises(tf.errors.InvalidArgumentError) as error:
    stream(tmp_path / 'toy', seed=1)
  assert f'{name}, episode 1, step 0: {words}' in error.value.message
  with pytest.raises(ValueError, match=f'{name}, episode 1, step 0: {words}'):
    episodes_lib.load_episodes(episodes_lib.open_dataset(str(tmp_path / 'toy')))
  capfd.readouterr()
  assert stream(tmp_path / 'toy', _SKIP) == [3, 1, 8, 5, 7, 4]  # Not the rest.
  assert f'{name}, episode 1, step 0: {words}' in capfd.readouterr().err


def test_what_is_skipped_is_counted_once(tmp_path):
  files = files_of(tmp_path / 'toy')
  data_toys.spoil(files[0], 0)
  flip(files[1], 30)
  dataset = episodes_lib.open_dataset(str(tmp_path / 'toy'), _SKIP)
  notes = str(tmp_path / 'notes')
  assert skipping.count(notes) == 0
  list(episodes_lib.episodes(
      dataset, seed=1, repeat=True, notes=notes).take(9))
  assert skipping.count(notes) == 1 + 3
  (tmp_path / 'notes' / '7').touch()  # Of another process, not written yet.
  assert skipping.count(notes) == 1 + 3 + 1
  loaded = str(tmp_path / 'loaded')
  assert len(list(episodes_lib.iterate(dataset, notes=loaded))) == 3
  assert skipping.count(loaded) == 1 + 3


def test_a_budget_of_steps_with_damage(tmp_path):
  """What is lost has no steps; it may be drawn, and is skipped when read."""
  files = files_of(tmp_path / 'toy')
  data_toys.spoil(files[0], 2)
  flip(files[1], 30)
  dataset = episodes_lib.open_dataset(
      str(tmp_path / 'toy'), Reading(on_bad_episode='skip', max_steps=8))
  assert sum(_LENGTHS[:2]) + _LENGTHS[6] == 8
  assert sorted(stream(tmp_path / 'toy', dataset.reading)) == [1, 3, 4]
  with pytest.raises(
      ValueError, match='00001.*damaged|00000, episode 2: the record'):
    episodes_lib.open_dataset(str(tmp_path / 'toy'), Reading(max_steps=8))
