"""Stored states of what was played: which are kept, and how they are drawn."""

import collections

from dm_env import specs
import numpy as np
import pytest
import tensorflow as tf

from tf_muzero.acting import replay
from tf_muzero.acting import schedules
from tf_muzero.data import segments as segments_lib
from tf_muzero.data.growing import Played
from tf_muzero.types import EnvironmentSpec
from tf_muzero.types import Episode

_SPEC = EnvironmentSpec(specs.Array([1], np.float32), specs.DiscreteArray(2))
_L, _S = 2, 5


def _episode(name, num_steps, return_=0.0):
  """Returns an episode whose observations are its name and the step."""
  steps = np.arange(num_steps + 1)
  reward = np.zeros(num_steps + 1, np.float32)
  reward[0] = return_
  return Episode(
      (100.0 * name + steps)[:, np.newaxis].astype(np.float32),
      np.zeros(num_steps + 1, np.int32), reward, np.ones_like(reward))


def _replay(recent_steps=100, best_steps=100, shared_directory='',
            keep_episodes=1000, **weights):
  return replay.Replay(
      replay.Sources(recent_steps=recent_steps, best_steps=best_steps, **{
          'dataset': 0.0, 'recent': 1.0, 'best': 0.0, **weights}),
      stride=_L, length=_S, frame_stack=1, spec=_SPEC, seed=3,
      shared_directory=shared_directory, keep_episodes=keep_episodes)


def _names(memory, name, num=200):
  """Returns which episodes segments are drawn from, and how often."""
  return collections.Counter(
      int(memory.draw(name, np.int64(i))[0][0, 0] // 100) for i in range(num))


def test_recent_and_best_are_what_they_say():
  memory = _replay(recent_steps=9, best_steps=7)
  memory.add(0, 0, [_episode(1, 4, 5.0), _episode(2, 4, 1.0)])
  assert set(_names(memory, 'recent')) == {1, 2}
  assert set(_names(memory, 'best')) == {1}  # Two would have 8 steps.
  memory.add(1, 0, [_episode(3, 4, 2.0), _episode(4, 3, 5.0)])
  assert set(_names(memory, 'recent')) == {3, 4}
  assert set(_names(memory, 'best')) == {4, 1}  # 3 + 4 steps.
  memory.add(2, 0, [_episode(5, 20, 9.0)])  # One there is always.
  assert set(_names(memory, 'recent')) == set(_names(memory, 'best')) == {5}


@pytest.mark.parametrize('keep_episodes, is_lost', [(2, True), (3, False)])
def test_what_a_resumed_run_would_lack_is_told_once(
    keep_episodes, is_lost, caplog):
  memory = _replay(recent_steps=4, best_steps=4, keep_episodes=keep_episodes)
  with caplog.at_level('WARNING'):
    for number, return_ in enumerate([5.0, 1.0, 1.0]):  # The first is the best.
      memory.add(number, 0, [_episode(number, 4, return_)])
  assert set(_names(memory, 'best')) == {0}
  assert ('keep_episodes' in caplog.text) == is_lost
  caplog.clear()
  memory.add(3, 0, [_episode(3, 3, 0.0)])
  assert ('keep_episodes' in caplog.text) != is_lost


def test_what_is_drawn_meanwhile_is_of_one_state():
  memory = _replay(recent_steps=8)
  memory.add(0, 0, [_episode(1, 1), _episode(2, 7)])
  held = memory._held  # pylint: disable=protected-access
  memory.add(1, 0, [_episode(3, 3)])
  now = memory._held  # pylint: disable=protected-access
  assert held is not now
  for each in (*held.values(), *now.values()):
    assert each.ends[-1] == sum(
        len(x.segments.reward) for x in each.entries)


def test_what_is_played_again_takes_the_place_of_what_was_played():
  """As a run does that was killed some rounds after its checkpoint."""
  memory = _replay()
  memory.restore(9, [Played(number, 5, _episode(10 * number + i, 4))
                     for number in range(3) for i in range(2)])
  memory.add(1, 9, [_episode(13, 4), _episode(14, 4)])
  for name in ('recent', 'best'):
    assert set(_names(memory, name)) == {0, 1, 13, 14, 20, 21}
  memory.add(2, 9, [_episode(23, 4)])
  memory.add(3, 9, [_episode(33, 4)])
  for name in ('recent', 'best'):
    assert set(_names(memory, name)) == {0, 1, 13, 14, 23, 33}


def test_segments_are_those_of_the_episodes_and_equally_probable():
  memory = _replay()
  episodes = [_episode(1, 1), _episode(2, 6), _episode(3, 4)]
  memory.restore(9, [Played(0, 5, x) for x in episodes])
  expected = [tf.nest.map_structure(lambda x, i=i: x[i].numpy(), cut)
              for cut in (segments_lib.cut(x, _L, _S, played_step=5)
                          for x in episodes)
              for i in range(len(cut.reward))]
  assert len(expected) == 1 + 3 + 2
  counts = np.zeros(len(expected))
  for number in range(3000):
    drawn = memory.draw('recent', np.int64(number))
    which, = (i for i, segment in enumerate(expected) if all(
        np.array_equal(a, b) for a, b in zip(drawn, tf.nest.flatten(segment))))
    counts[which] += 1
  # Six standard deviations of 500.
  np.testing.assert_allclose(counts, 500, atol=6 * np.sqrt(500 * 5 / 6))


@pytest.mark.parametrize('is_shared', [False, True])
def test_shares_follow_the_weights_and_the_learner(is_shared, tmp_path):
  memory = _replay(
      recent=1.0, best=2.0, recent_steps=5, best_steps=5,
      shared_directory=str(tmp_path / 'shared') if is_shared else '',
      dataset=schedules.linear(first=3.0, last=0.0, num_steps=100))
  memory.add(0, 0, [_episode(1, 5, 9.0)])
  memory.add(1, 50, [_episode(2, 5)])
  stored = tf.data.Dataset.from_tensors(tf.nest.map_structure(
      lambda x: x[0], segments_lib.cut(_episode(7, 5), _L, _S))).repeat()
  count = lambda: collections.Counter(
      int(x.observation[0, 0] // 100)
      for x in memory.segments(stored).take(600).as_numpy_iterator())
  # Of 1.5, 1 and 2 at step 50; at step 200 the dataset has none.
  found, total = count(), 600
  for name, share in ((7, 1.5 / 4.5), (2, 1 / 4.5), (1, 2 / 4.5)):
    assert found[name] / total == pytest.approx(share, abs=0.12)
  memory.restore(200, [])
  assert set(count()) == {1, 2}


def test_other_processes_draw_the_same_segments_by_files(tmp_path):
  memory = _replay(recent_steps=9, shared_directory=str(tmp_path / 'shared'))
  episodes = [_episode(2, 6), _episode(3, 3)]
  memory.add(0, -1, episodes)
  expected = [tf.nest.map_structure(lambda x, i=i: x[i].numpy(), cut)
              for cut in (segments_lib.cut(x, _L, _S) for x in episodes)
              for i in range(len(cut.reward))]
  assert len(expected) == 3 + 2
  counts = np.zeros(len(expected))
  for drawn in memory.segments(None).take(1000).as_numpy_iterator():
    which, = (i for i, segment in enumerate(expected) if all(
        np.array_equal(a, b) for a, b in zip(
            tf.nest.flatten(drawn), tf.nest.flatten(segment))))
    counts[which] += 1
  np.testing.assert_allclose(counts, 200, atol=6 * np.sqrt(200 * 4 / 5))


def test_files_go_when_no_index_that_is_read_names_them(tmp_path):
  directory = tmp_path / 'shared'
  memory = _replay(recent_steps=4, best_steps=4,
                   shared_directory=str(directory))
  names = lambda: {x.name for x in directory.iterdir()}
  memory.add(0, 0, [_episode(1, 4, 9.0)])
  memory.add(1, 0, [_episode(2, 4)])
  assert names() == {'index', '0', '1'}  # The best one and the newest one.
  memory.add(2, 0, [_episode(3, 4)])
  assert names() == {'index', '0', '1', '2'}  # 1 is of the index before.
  memory.add(3, 0, [_episode(4, 4, 10.0)])
  assert names() == {'index', '0', '2', '3'}
  _replay(shared_directory=str(directory))  # Another start of the run.
  assert names() == set()


def test_nothing_can_be_drawn_of_nothing():
  with pytest.raises(ValueError, match='Nothing was played yet'):
    _replay().draw('recent', np.int64(0))


@pytest.mark.parametrize('changes, said', [
    ({'recent': 0.0}, 'one of the weights.*learner step 0'),
    ({'recent': -1.0}, 'recent must be'), ({'best_steps': 0}, 'best_steps')])
def test_wrong_settings(changes, said):
  with pytest.raises(ValueError, match='(?i)' + said):
    _replay(**changes)
