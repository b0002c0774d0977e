"""The log of episodes, also across an interruption."""

import json

import numpy as np

from tf_muzero.acting import episode_log
from tf_muzero.types import Episode


def _episode(rewards):
  reward = np.array([*rewards, 0.0], np.float32)  # The last record has none.
  return Episode((), (), reward, np.ones_like(reward))


def _read(path):
  with open(path, encoding='utf-8') as file:
    return [json.loads(line) for line in file]


def test_lines_tell_round_step_return_and_length(tmp_path):
  path = str(tmp_path / 'log')
  log = episode_log.EpisodeLog(path)
  log.write(0, 5, [_episode([1, 2]), _episode([0.5])])
  log.write(1, 9, [_episode([3])])
  assert _read(path) == [
      {'round': 0, 'step': 5, 'return': 3.0, 'length': 2},
      {'round': 0, 'step': 5, 'return': 0.5, 'length': 1},
      {'round': 1, 'step': 9, 'return': 3.0, 'length': 1}]


def test_rounds_that_are_played_again_are_forgotten(tmp_path):
  path = str(tmp_path / 'log')
  log = episode_log.EpisodeLog(path)
  for number in range(4):
    log.write(number, number, [_episode([number])])
  with open(path, 'a', encoding='utf-8') as file:
    file.write('{"round": 4, "st')  # Killed here.
  episode_log.EpisodeLog(path).write(2, 7, [_episode([7])])
  assert [(x['round'], x['return']) for x in _read(path)] == [
      (0, 0.0), (1, 1.0), (2, 7.0)]


def test_where_the_position_is_lost_rounds_are_numbered_on(tmp_path):
  path = str(tmp_path / 'log')
  log = episode_log.EpisodeLog(path)
  for number in range(4):
    log.write(number, 10 * number, [_episode([number])])
  log = episode_log.EpisodeLog(path, lost_at=20)  # Of three rounds.
  assert log.first_round == 3
  for number in (3, 4):
    log.write(number, 20, [_episode([7])])
  assert [(x['round'], x['return']) for x in _read(path)] == [
      (0, 0.0), (1, 1.0), (2, 2.0), (3, 7.0), (4, 7.0)]
  assert episode_log.EpisodeLog(path + '2', lost_at=20).first_round == 0


def test_without_a_path_nothing_is_written(tmp_path):
  episode_log.EpisodeLog(None).write(0, 0, [_episode([1])])
  assert not list(tmp_path.iterdir())
