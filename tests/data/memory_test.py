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
  directory = tmp_path / 'toy'
  if not directory.exists():
    rng = np.random.default_rng(0)
    data_toys.write(
        directory, [data_toys.play(rng, spec, length, is_terminal=True)
                    for length in _LENGTHS], spec, episodes_per_file=3)
  return episodes_lib.open_dataset(str(directory), Reading(**settings))


def in_order(dataset):
  return sorted(dataset.as_numpy_iterator(), key=lambda x: len(x.reward))


@pytest.mark.parametrize('spec', [data_toys.STATE_SPEC, data_toys.FRAME_SPEC])
@pytest.mark.parametrize('memory_mib', [0, 1])
def test_a_pass_has_each_episode(tmp_path, spec, memory_mib):
  dataset = opened(tmp_path, spec, memory_mib=memory_mib)
  found = in_order(memory.episodes(dataset, seed=1))
  wanted = in_order(episodes_lib.episodes(dataset))
  assert len(found) == len(wanted) == len(_LENGTHS)
  for one, other in zip(found, wanted):
    for x, y in zip(one, other):
      assert x.dtype == y.dtype
      np.testing.assert_array_equal(x, y)


def test_what_does_not_fit_is_streamed(tmp_path, monkeypatch, caplog):
  dataset = opened(tmp_path, memory_mib=1)
  monkeypatch.setattr(episodes_lib, 'iterate', lambda *_: _large())
  caplog.set_level('INFO', logger='absl')
  assert len(in_order(memory.episodes(dataset, seed=1))) == len(_LENGTHS)
  assert 'does not fit in 1 MiB' in caplog.text


def _large():
  episode = data_toys.episode_of(*data_toys.play(
      np.random.default_rng(0), data_toys.STATE_SPEC, 1))
  yield episode._replace(observation=np.zeros([1000, 300], np.float32))


def test_orders_are_seeded(tmp_path):
  dataset = opened(tmp_path)
  read = lambda seed: [len(x.reward) for x in memory.episodes(
      dataset, seed=seed, repeat=True).take(14).as_numpy_iterator()]
  one, same, other = read(1), read(1), read(2)
  assert one == same != other and one[:7] != one[7:]
  assert sorted(one[:7]) == sorted(one[7:]) == [n + 1 for n in sorted(_LENGTHS)]


def test_shards_are_disjoint_and_complete(tmp_path):
  dataset = opened(tmp_path)
  found = [len(x.reward) - 1 for i in range(3) for x in memory.episodes(
      dataset, seed=1, shard=(i, 3)).as_numpy_iterator()]
  assert sorted(found) == sorted(_LENGTHS)


def test_position_is_saved(tmp_path):
  dataset = opened(tmp_path)
  iterate = lambda: iter(memory.episodes(dataset, seed=3, repeat=True))
  one, other = iterate(), iterate()
  for _ in range(9):
    next(one)
  path = tf.train.Checkpoint(iterator=one).write(str(tmp_path / 'position'))
  tf.train.Checkpoint(iterator=other).read(path).assert_consumed()
  for _ in range(15):
    assert all(np.array_equal(x, y) for x, y in zip(next(one), next(other)))


def test_bad_episodes_end_it_before_it_starts(tmp_path):
  bad = data_toys.raw_steps(reward=np.float32([1.0, np.nan, 0.0]))
  data_toys.write_raw(tmp_path / 'raw', data_toys.raw_features(), [
      bad, data_toys.raw_steps()])
  read = lambda **settings: memory.episodes(episodes_lib.open_dataset(
      str(tmp_path / 'raw'), Reading(**settings)), seed=0)
  with pytest.raises(ValueError, match='episode 0, step 1: reward is not'):
    read()
  assert len(in_order(read(on_bad_episode='skip'))) == 1
