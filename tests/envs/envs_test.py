"""Environments by name, wrappers, pictures."""

import os
import subprocess
import sys

import dm_env
from dm_env import specs
import numpy as np
import pytest

from tf_muzero import envs
from tf_muzero.envs import rendering
from tf_muzero.envs import wrappers


class Counter(dm_env.Environment):
  """Six steps with rewards 1, 2, ... and discounts 1/2; then it is over."""

  def __init__(self):
    self.count = 6
    self.actions = []

  def reset(self):
    self.count = 0
    return dm_env.restart(np.float32([0.0]))

  def step(self, action):
    if self.count >= 6:
      return self.reset()
    self.count += 1
    self.actions.append(float(action[0]))
    observation = np.float32([self.count])
    if self.count == 6:
      return dm_env.truncation(6.0, observation, 0.5)
    return dm_env.transition(float(self.count), observation, 0.5)

  def observation_spec(self):
    return specs.Array([1], np.float32)

  def action_spec(self):
    return specs.BoundedArray([1], np.float32, -1.0, 1.0)


@pytest.mark.parametrize('task', [
    'chess:blitz', 'chess', '', 'chess:', ':blitz', 'chess/blitz:x', 'a.b:c'])
def test_load_names_what_a_task_may_be(task):
  with pytest.raises(ValueError, match=(
      "'catch'.*dm_control.*atari.*gymnasium.*module:function.*got '" + task)):
    envs.load(task, seed=0)


@pytest.mark.parametrize('task, words', [
    ('dm_control:quadruped/escape', 'MUJOCO_GL to egl'),
    ('dm_control:cartpole/swing', 'swingup'), ('dm_control:car/go', 'cartpole'),
    ('catch:big', 'catch:5x3'), ('catch:1x3', 'two rows'),
    ('deep_sea', "deep_sea:8'"),
    ('deep_sea:8/x', "got 'deep_sea:8/x'"), ('deep_sea:0', 'size of deep')])
def test_load_tells_what_there_is(task, words, monkeypatch):
  monkeypatch.delenv('MUJOCO_GL', raising=False)
  with pytest.raises(ValueError, match=words):
    envs.load(task, seed=0)


def test_missing_package_names_the_extra(monkeypatch):
  monkeypatch.setitem(sys.modules, 'dm_control', None)
  with pytest.raises(ImportError, match='pip install dm-control'):
    envs.load('dm_control:cartpole/swingup', seed=0)


@pytest.mark.parametrize('task, size', [
    ('deep_sea:1', 1), ('deep_sea:4', 4), ('deep_sea:10/7', 10)])
def test_the_treasure_of_the_deep_sea_is_found_by_always_going_right(
    task, size):
  environment = envs.load(task, seed=0)
  environment.reset()
  for row in range(size):
    assert environment.board()[row, row] == 1.0
    time_step = environment.step(environment.right())
    assert time_step.reward == pytest.approx(
        -0.01 / size + (row == size - 1))
    assert time_step.last() == (row == size - 1)
  assert time_step.discount == 0.0 and not time_step.observation.any()


def test_left_in_the_deep_sea_costs_nothing_and_loses_the_treasure():
  environment = envs.load('deep_sea:4', seed=0)
  columns, rewards = [], []
  environment.reset()
  for goes_right in (False, True, True, True):  # Not left of the first column.
    right = environment.right()
    time_step = environment.step(right if goes_right else 1 - right)
    rewards.append(time_step.reward)
    columns.append(int(environment.board().argmax() % 4))
  assert columns[:3] == [0, 1, 2]
  np.testing.assert_allclose(rewards, [0.0] + 3 * [-0.0025])
  assert time_step.last()


def test_actions_of_the_deep_sea_are_drawn_for_each_cell():
  def diagonal(task):
    environment = envs.load(task, seed=0)
    environment.reset()
    found = []
    for _ in range(10):
      found.append(environment.right())
      environment.step(found[-1])
    return found

  first = diagonal('deep_sea:10')
  assert 0 < sum(first) < 10
  assert diagonal('deep_sea:10/42') == first != diagonal('deep_sea:10/43')


@pytest.mark.parametrize('task, rows, columns', [
    ('catch', 10, 5), ('catch:4x3', 4, 3)])
def test_catch_rewards_the_catch(task, rows, columns):
  environment = envs.load(task, seed=0)
  for move in (0, 1, 2):
    time_step = environment.reset()
    ball = int(np.argmax(time_step.observation[:columns]))
    rewards = []
    while not time_step.last():
      time_step = environment.step(np.int32(move))
      rewards.append(time_step.reward)
    paddle = {0: 0, 1: columns // 2, 2: columns - 1}[move]
    caught = 1.0 if paddle == ball else -1.0
    assert rewards == [0.0] * (rows - 2) + [caught]
    assert time_step.discount == 0.0


def test_action_repeat_sums_rewards_and_multiplies_discounts():
  environment = wrappers.ActionRepeat(Counter(), 4)
  environment.reset()
  first = environment.step(np.float32([0.5]))
  assert (first.reward, first.discount) == (1 + 2 + 3 + 4, 0.5**4)
  last = environment.step(np.float32([0.5]))
  assert last.last()
  assert (last.reward, last.discount) == (5 + 6, 0.5**2)
  assert last.observation == [6.0]
  assert environment.step(np.float32([0.5])).first()
  with pytest.raises(ValueError, match='action_repeat'):
    wrappers.ActionRepeat(Counter(), 0)


def test_random_start_varies_and_holds_actions():
  inner = Counter()
  environment = wrappers.RandomStart(inner, 5, seed=0)
  starts = set()
  for _ in range(60):
    time_step = environment.reset()
    assert time_step.first() and time_step.reward is None
    starts.add(float(time_step.observation[0]))
  assert starts == {0.0, 1.0, 2.0, 3.0, 4.0, 5.0}
  repeats = np.mean(np.diff(inner.actions) == 0.0)
  assert 0.3 < repeats < 0.9


def test_random_start_survives_ends():
  environment = wrappers.RandomStart(Counter(), 100, seed=0)
  for _ in range(20):
    assert environment.reset().first()
    assert not environment.step(np.float32([0.0])).first()


@pytest.mark.parametrize('task', ['catch', 'dm_control:cartpole/swingup'])
def test_pictures_change(task):
  environment = wrappers.RandomStart(envs.load(task, seed=0), 3, seed=0)
  environment.reset()
  before = envs.render(environment)
  environment.step(environment.action_spec().minimum)
  after = envs.render(environment)
  assert before.dtype == np.uint8 and before.shape[2] == 3
  assert before.shape == after.shape and (before != after).any()


def test_pictures_without_opengl(monkeypatch):
  monkeypatch.setattr(rendering, '_scene', lambda: None)
  environment = envs.load('dm_control:cartpole/swingup', seed=0)
  environment.reset()
  assert envs.render(environment).shape == (240, 320, 3)
  other = envs.load('dm_control:pendulum/swingup', seed=0)
  other.reset()
  with pytest.raises(ValueError, match='OpenGL'):
    envs.render(other)


def test_drawing_shows_the_angle():
  upright, leaning = (
      rendering._draw_cartpole(0.0, angle)  # pylint: disable=protected-access
      for angle in (0.0, np.pi / 2))
  pole = np.array([208, 120, 45])
  rows, columns = np.nonzero((upright == pole).all(-1))
  assert np.ptp(rows) > 5 * np.ptp(columns)
  rows, columns = np.nonzero((leaning == pole).all(-1))
  assert np.ptp(columns) > 4 * np.ptp(rows)
  assert columns.mean() > 160  # To the right.


def test_dm_control_is_imported_quietly_and_late():
  program = (
      'import sys; from tf_muzero import envs; '
      'assert "dm_control" not in sys.modules; '
      'envs.load("dm_control:cartpole/swingup", seed=0).reset(); '
      'from absl import logging; logging.info("still heard")')
  variables = {k: v for k, v in os.environ.items() if k != 'MUJOCO_GL'}
  done = subprocess.run(
      [sys.executable, '-c', program], capture_output=True, text=True,
      check=True, env=variables)
  assert done.stdout == '' and done.stderr == ''


def test_rewards_are_clipped():
  environment = wrappers.ClippedRewards(Counter())
  environment.reset()
  rewards = [environment.step(np.float32([0.0])).reward for _ in range(6)]
  assert rewards == [1.0] * 6
  assert environment.step(np.float32([0.0])).reward is None
  assert environment.reward_spec().maximum == 1.0


@pytest.mark.parametrize('max_steps', [1, 4, 6, 9])
def test_a_time_limit_ends_episodes_without_terminating_them(max_steps):
  environment = wrappers.TimeLimit(Counter(), max_steps)
  for _ in range(2):
    assert environment.step(np.float32([0.0])).first()
    time_steps = [environment.step(np.float32([0.0]))
                  for _ in range(min(max_steps, 6))]
    assert [x.last() for x in time_steps] == (
        [False] * (min(max_steps, 6) - 1) + [True])
    assert time_steps[-1].discount == 0.5
