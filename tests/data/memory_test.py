"""What is held in memory is what would be streamed."""

import numpy as np
import pytest
import tensorflow as tf

from tests import data_toys
from tf_muzero.data import episodes as episodes_lib
from tf_muzero.data import memory
from tf_muzero.data.reading import Reading

_LENGTHS = [3, 1, 8, 5, 2, 7, 4]


def opened(tmp_path, spec=data_toys.STATE_SPEC, **settings):
  """Returns toy episodes of these lengths, written first."""
  directory = tmp_path / 'toy'
  if not directory.exists():
    rng = np.random.default_rng(0)
    data_toys.write(
        directory, [data_toys.play(rng, spec, length, is_terminal=True)
                    for length in _LENGTHS], spec, episodes_per_file=3)
  return episodes_lib.open_dataset(str(directory), Reading(**settings))


def in_order(episodes):
  return sorted(episodes, key=lambda x: len(x.reward))


def held_in(dataset, **arguments):
  """Returns what is held, as NumPy."""
  held = memory.hold(dataset, **arguments)
  assert held.lengths == [len(held.take(i).reward)
                          for i in range(len(held.lengths))]
  return [tf.nest.map_structure(lambda x: x.numpy(), held.take(i))
          for i in range(len(held.lengths))]


def test_each_episode_is_held(tmp_path):
  dataset = opened(tmp_path)
  found = in_order(held_in(dataset))
  wanted = in_order(episodes_lib.episodes(dataset).as_numpy_iterator())
  assert len(found) == len(wanted) == len(_LENGTHS)
  for one, other in zip(found, wanted):
    for x, y in zip(one, other):
      assert x.dtype == y.dtype
      np.testing.assert_array_equal(x, y)


def test_frames_are_not_held(tmp_path):
  assert memory.hold(opened(tmp_path, data_toys.FRAME_SPEC)) is None
  assert memory.hold(opened(tmp_path / 'vectors', memory_mib=0)) is None


def test_what_does_not_fit_is_told(tmp_path, monkeypatch, caplog):
  dataset = opened(tmp_path, memory_mib=1)
  monkeypatch.setattr(episodes_lib, 'iterate', lambda *_: _large())
  caplog.set_level('INFO', logger='absl')
  assert memory.hold(dataset) is None
  assert 'does not fit in 1 MiB' in caplog.text


def _large():
  episode = data_toys.episode_of(*data_toys.play(
      np.random.default_rng(0), data_toys.STATE_SPEC, 1))
  yield episode._replace(observation=np.zeros([1000, 300], np.float32))


def test_shards_are_disjoint_and_complete(tmp_path):
  dataset = opened(tmp_path)
  found = [len(x.reward) - 1 for i in range(3)
           for x in held_in(dataset, shard=(i, 3))]
  assert sorted(found) == sorted(_LENGTHS)


def test_bad_episodes_end_it_before_it_starts(tmp_path):
  bad = data_toys.raw_steps(reward=np.float32([1.0, np.nan, 0.0]))
  data_toys.write_raw(tmp_path / 'raw', data_toys.raw_features(), [
      bad, data_toys.raw_steps()])
  read = lambda **settings: held_in(episodes_lib.open_dataset(
      str(tmp_path / 'raw'), Reading(**settings)))
  with pytest.raises(ValueError, match='episode 0, step 1: reward is not'):
    read()
  assert len(read(on_bad_episode='skip')) == 1
