"""Datasets that grow: readable at any moment, and never larger than asked."""

import os
import pathlib

from dm_env import specs
import numpy as np
import pytest
import tensorflow as tf

from tests import data_toys
from tf_muzero.data import episodes as episodes_lib
from tf_muzero.data import growing
from tf_muzero.data import observations
from tf_muzero.data import writing
from tf_muzero.types import EnvironmentSpec

_SPECS = {
    'vectors': EnvironmentSpec(
        data_toys.STATE_SPEC.observation,
        specs.BoundedArray([2], np.float32, [0.0, -1.0], [5.0, 1.0])),
    'frames': data_toys.FRAME_SPEC}


def _open(directory, spec, max_episodes=100):
  return growing.GrowingDataset(
      str(directory), name='toy', spec=spec, max_episodes=max_episodes,
      metadata={'task': 'toy:1', 'action_repeat': 2})


def _round(spec, number, num_episodes=2, num_steps=2):
  """Returns the records of a round; its rewards tell its number."""
  rng = np.random.default_rng(number)
  episodes = [writing.played(*data_toys.play(rng, spec, num_steps + i), spec)
              for i in range(num_episodes)]
  for steps in episodes:
    steps['reward'][:-1] = number
    steps['action'] = np.abs(steps['action'])  # Bounds are not -1 and 1.
  return episodes


def _rounds(directory):
  """Returns the number of the round of each episode of a dataset."""
  dataset = episodes_lib.open_dataset(str(directory))
  found = episodes_lib.load_episodes(dataset)
  assert dataset.num_episodes == len(found)
  assert dataset.num_steps == sum(len(x.reward) - 1 for x in found)
  return [int(x.reward[0]) for x in found]


@pytest.mark.parametrize('kind', _SPECS)
def test_what_is_written_is_read(kind, tmp_path):
  spec = _SPECS[kind]
  _open(tmp_path / 'x', spec).write(0, 10, _round(spec, 0))
  _open(tmp_path / 'x', spec).write(1, 20, _round(spec, 1))  # Opened again.
  assert [x[:2] for x in _open(tmp_path / 'x', spec).episodes()] == [
      (0, 10), (0, 10), (1, 20), (1, 20)]
  dataset = episodes_lib.open_dataset(str(tmp_path / 'x'))
  assert dataset.task == 'toy:1' and dataset.action_repeat == 2
  assert dataset.spec == spec
  written = [*_round(spec, 0), *_round(spec, 1)]
  read = episodes_lib.load_episodes(dataset)
  assert len(read) == len(written)
  for steps, episode in zip(written, read):
    np.testing.assert_array_equal(
        observations.flatten(steps['observation']), episode.observation)
    np.testing.assert_array_equal(steps['reward'], episode.reward)
    if kind == 'vectors':  # In the environment's range; the reader scales it.
      np.testing.assert_allclose(
          steps['action'][:-1],
          (episode.action[:-1] + [1.0, 0.0]) * [2.5, 1.0], rtol=1e-6)


def test_the_newest_are_kept_and_what_is_played_again_replaced(tmp_path):
  spec = data_toys.BOARD_SPEC
  for number, expected in ((0, [0, 0]), (1, [0, 0, 1, 1]), (2, [2, 2, 1, 1]),
                           (3, [2, 2, 3, 3]), (2, [2, 2, 3, 3])):
    _open(tmp_path, spec, max_episodes=5).write(number, 0, _round(spec, number))
    assert _rounds(tmp_path) == expected


def _read_once(monkeypatch):
  """Lets what was read of files be told again where they have not changed."""
  load, known = episodes_lib.load_episodes, {}

  def load_once(dataset):
    files = tuple(
        (part.path, tuple(part.numbers), pathlib.Path(part.path).read_bytes())
        for part in dataset.parts)
    if files not in known:
      known[files] = load(dataset)
    return known[files]

  monkeypatch.setattr(episodes_lib, 'load_episodes', load_once)


@pytest.mark.parametrize('num_before, is_full, num_steps', [
    (0, False, 2), (2, False, 2), (2, True, 1), (2, True, 9)])
def test_whatever_stops_it_leaves_a_dataset(
    num_before, is_full, num_steps, tmp_path, monkeypatch):
  """Each write and each change of a name is the last one, one after another."""
  _read_once(monkeypatch)
  spec = data_toys.BOARD_SPEC
  dataset = _open(tmp_path, spec, max_episodes=4 if is_full else 100)
  for number in range(num_before):
    dataset.write(number, 0, _round(spec, number))
  rename, left = tf.io.gfile.rename, 0

  def stop(*args, **kwargs):
    nonlocal left
    if not left:
      raise tf.errors.ResourceExhaustedError(None, None, 'No space left.')
    left -= 1
    rename(*args, **kwargs)

  monkeypatch.setattr(tf.io.gfile, 'rename', stop)
  seen = set()
  for tried in range(20):
    left = tried
    try:
      _open(tmp_path, spec, 4 if is_full else 100).write(
          2, 0, _round(spec, 2, num_steps=num_steps))
      break
    except OSError as error:
      assert 'what it has is whole: No space left.' in str(error)
    resumed = _open(tmp_path, spec).episodes()
    found = _rounds(tmp_path) if os.path.exists(
        tmp_path / 'dataset_info.json') else []
    assert sorted(int(x.episode.reward[0]) for x in resumed) == sorted(found)
    seen.add(tuple(found))
  assert tried > 3
  before = (0, 0, 1, 1)[:2 * num_before]
  after = (2, 2, 1, 1) if is_full else (*before, 2, 2)
  assert seen <= {before, after} and before in seen
  assert tuple(_rounds(tmp_path)) == after
