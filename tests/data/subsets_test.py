"""Parts of a dataset: of what is asked for, nothing more and nothing twice."""

import types

import numpy as np
import pytest

from tests import data_toys
from tests.data import public_test
from tf_muzero.data import episodes as episodes_lib
from tf_muzero.data import files
from tf_muzero.data import subsets
from tf_muzero.data.reading import Reading

_LENGTHS = list(range(1, 12))


@pytest.fixture(name='directory', scope='module')
def _directory(tmp_path_factory):
  directory = tmp_path_factory.mktemp('data') / 'toy'
  rng = np.random.default_rng(0)
  data_toys.write(
      directory, [data_toys.play(rng, data_toys.BOARD_SPEC, length)
                  for length in _LENGTHS],
      data_toys.BOARD_SPEC, episodes_per_file=4)
  return str(directory)


def lengths(dataset, **kwargs):
  """Returns the lengths of the episodes that a stream reads; all differ."""
  return [len(episode.reward) - 1 for episode in episodes_lib.episodes(
      dataset, **kwargs).as_numpy_iterator()]


def opened(directory, **kwargs):
  return episodes_lib.open_dataset(directory, Reading(**kwargs))


def test_max_episodes(directory):
  found = [lengths(opened(directory, max_episodes=5, seed=seed))
           for seed in (0, 0, 1)]
  assert found[0] == found[1] != found[2]
  for some in found:
    assert len(set(some)) == 5 and set(some) <= set(_LENGTHS)
    assert some == sorted(some)  # In the stored order.
  assert lengths(opened(directory, max_episodes=99)) == _LENGTHS
  dataset = opened(directory, max_episodes=5)
  assert dataset.num_episodes == 5 and dataset.num_steps == sum(found[0])
  assert [len(x.reward) - 1 for x in episodes_lib.load_episodes(dataset)] == (
      found[0])
  assert sorted(lengths(dataset, seed=3)) == found[0]


def test_best(directory):
  """The training episodes with the highest returns, in the stored order."""
  whole = opened(directory, held_out=0.2)
  episodes = episodes_lib.load_episodes(whole)
  sums = np.array([episode.reward[:-1].sum() for episode in episodes])
  np.testing.assert_allclose(episodes_lib.returns(whole), sums, rtol=1e-6)
  chosen = opened(directory, held_out=0.2, best=0.3)
  assert chosen.num_episodes == round(0.3 * len(sums))
  assert lengths(chosen) == [
      len(episode.reward) - 1 for episode, total in zip(episodes, sums)
      if total >= np.sort(sums)[-chosen.num_episodes]]
  assert opened(directory, best=1e-9).num_episodes == 1
  assert 'the best 30% of these' in subsets.describe(chosen.reading)
  for wrong in (0.0, 1.1):
    with pytest.raises(ValueError, match='best must be in'):
      Reading(best=wrong)


def test_best_of_rewards_that_are_not_finite(tmp_path):
  data_toys.write_raw(tmp_path / 'toy', data_toys.raw_features(), [
      data_toys.raw_steps(reward=np.float32([1.0, reward, 9.0]))
      for reward in (np.nan, 5.0, np.inf)])
  dataset = opened(str(tmp_path / 'toy'), best=0.3)
  episode, = episodes_lib.load_episodes(dataset)
  assert episode.reward[:2].tolist() == [1.0, 5.0]


def test_percent_is_exact():
  splits = {'train': types.SimpleNamespace(num_examples=100)}
  for percent in range(1, 100):
    assert subsets.resolve(splits, Reading(percent=float(percent))) == (
        f'train[:{percent}]')


def test_max_steps(directory):
  """As many episodes, in random order, as fit before one does not."""
  order = np.random.default_rng(2).permutation(len(_LENGTHS))
  for max_steps in (11, 30, 65, 66, 1000):
    dataset = opened(directory, max_steps=max_steps, seed=2)
    # Four in a file; that these are what a stream reads is seen once.
    found = [_LENGTHS[4 * int(part.path[-5:]) + number]
             for part in dataset.parts for number in part.numbers]
    wanted = []
    for i in order:
      if sum(wanted) + _LENGTHS[i] > max_steps:
        break
      wanted.append(_LENGTHS[i])
    assert found == sorted(wanted) and sum(found) <= max_steps
    if max_steps == 30:
      assert lengths(dataset) == found


def test_too_small_budget(directory):
  length = next(
      (seed, _LENGTHS[np.random.default_rng(seed).permutation(11)[0]])
      for seed in range(9)
      if np.random.default_rng(seed).permutation(11)[0] > 1)
  with pytest.raises(ValueError, match=f'max_steps must be >= {length[1]}'):
    opened(directory, max_steps=1, seed=length[0])


def test_percent_is_of_each_split(tmp_path):
  name = 'rlu_atari_checkpoints_ordered/Pong_run_2'
  def make(length):
    return lambda features: [
        public_test.episode(features, i, reward=np.full(length, i / 100.0))
        for i in range(length)]
  sizes = {'checkpoint_00': 10, 'checkpoint_01': 20, 'checkpoint_02': 9}
  public_test.prepare(
      tmp_path, name, {split: make(size) for split, size in sizes.items()})
  dataset = opened(name, data_dir=str(tmp_path), percent=10.0)
  assert dataset.split == (
      'checkpoint_00[:1]+checkpoint_01[:2]+checkpoint_02[:0]')
  # Each is told by its length, and by its reward after the first.
  assert [(len(x.reward), round(float(x.reward[1] * 100)))
          for x in episodes_lib.load_episodes(dataset)] == [
              (10, 0), (20, 0), (20, 1)]
  assert dataset.num_steps == 3 * 1_000_000 * 3 // 39
  assert opened(name, data_dir=str(tmp_path)).num_steps == 3_000_000
  with pytest.raises(ValueError, match='There are no episodes in .* of 39'):
    opened(name, data_dir=str(tmp_path), percent=1.0)


@pytest.mark.parametrize('num_shards, max_episodes', [
    (2, 8), (4, None), (11, 8)])
def test_shards_are_disjoint_and_complete(directory, num_shards, max_episodes):
  """Three files, so also with more hosts than files."""
  dataset = opened(directory, max_episodes=max_episodes)
  if dataset.num_episodes < num_shards:
    with pytest.raises(ValueError, match='no episodes for host 0 of 11'):
      lengths(dataset, shard=(0, num_shards))
    return
  found = [lengths(dataset, shard=(i, num_shards), seed=4)
           for i in range(num_shards)]
  assert sorted(sum(found, [])) == lengths(dataset)
  sizes = [len(some) for some in found]
  assert max(sizes) - min(sizes) <= 1


def test_shards_must_exist(directory):
  for bad in ((2, 2), (-1, 2), (0, 0)):
    with pytest.raises(ValueError, match='shard must be'):
      episodes_lib.episodes(opened(directory), shard=bad)


@pytest.mark.parametrize('seed', range(5))
def test_choose_is_plain_indexing(seed):
  rng = np.random.default_rng(seed)
  parts = [files.Part(f'file {i}', np.sort(rng.choice(50, size, False)))
           for i, size in enumerate(rng.integers(1, 9, 6))]
  every = [(part.path, n) for part in parts for n in part.numbers]
  indices = rng.choice(len(every), rng.integers(1, len(every) + 1), False)
  found = [(part.path, n) for part in files.choose(parts, indices)
           for n in part.numbers]
  assert found == [every[i] for i in sorted(indices)]
  for i, (path, number) in enumerate(every):
    assert files.locate(parts, i)[1] == f'{path}, episode {number}'


@pytest.mark.parametrize('setting, words', [
    ({'percent': 0.0}, r'percent must be in \(0, 100\], got 0'),
    ({'percent': 101}, 'percent'), ({'max_episodes': 0}, 'max_episodes.*got 0'),
    ({'max_steps': -1}, 'max_steps'),
    ({'percent': 5, 'split': 'train[:9]'}, 'give one of them'),
    ({'reward_alignment': 'early'}, "reward_alignment must be.*got 'early'"),
    ({'on_bad_episode': 'ignore'}, "on_bad_episode must be.*got 'ignore'")])
def test_settings_are_checked(setting, words):
  with pytest.raises(ValueError, match=words):
    Reading(**setting)


def test_own_data_is_never_realigned(directory):
  with pytest.raises(ValueError, match='says its rewards are aligned'):
    opened(directory, reward_alignment='realigned')


def test_what_is_read_of_several_splits_is_told():
  sizes = ['train', 'val', 'test']
  describe = subsets.describe_splits
  assert not describe(['train'], 'train', Reading())
  told, = describe(sizes, 'train', Reading())
  assert told.startswith('of the splits, train is read, and not val, test;')
  assert not describe(sizes, 'val', Reading(split='val'))
  told, = describe(['expert', 'random'], 'expert+random', Reading())
  assert told.startswith("there is no split 'train': expert, random are read;")
  many = [f'checkpoint_{i:02}' for i in range(50)]
  told, = describe(many, '+'.join(many), Reading())
  assert '50 from checkpoint_00 to checkpoint_49 are read' in told
