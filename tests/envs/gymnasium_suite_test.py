"""Environments of Gymnasium, by their ids and wrapped by hand."""

import sys

import gymnasium
from gymnasium import spaces
import numpy as np
import pytest

from tf_muzero import envs
from tf_muzero.envs import behaviours
from tf_muzero.envs import gymnasium_suite

_INF = float('inf')


class Own(gymnasium.Env):  # pylint: disable=abstract-method
  """Ends after three steps, as it is told to."""

  def __init__(self, observation=spaces.Box(-1, 1, (1,)),
               action=spaces.Discrete(2), terminated=False, truncated=False):
    self.observation_space, self.action_space = observation, action
    self.ends = terminated, truncated
    self.seeds, self.taken = [], []

  def reset(self, *, seed=None, options=None):
    super().reset(seed=seed)
    self.seeds.append(seed)
    self.taken = []
    return self.observation_space.sample(), {}

  def step(self, action):
    assert self.action_space.contains(action), action
    self.taken.append(action)
    ends = self.ends if len(self.taken) == 3 else (False, False)
    return self.observation_space.sample(), 1, *ends, {}


def _of(**settings):
  inner = Own(**settings)
  return inner, gymnasium_suite.of(inner, 'own:make', 5)


@pytest.mark.parametrize('name, low, high, max_steps', [
    ('CartPole-v1', 0, 1, 500), ('Pendulum-v1', -2.0, 2.0, 200),
    ('MountainCarContinuous-v0', -1.0, 1.0, 999)])
def test_real_ones(name, low, high, max_steps):
  environment = envs.load(f'gymnasium:{name}', seed=3)
  spec = environment.action_spec()
  assert (spec.minimum == low).all() and (spec.maximum == high).all()
  assert envs.protocol(environment) == {
      'gymnasium': gymnasium.__version__, 'id': name,
      'max_episode_steps': max_steps}
  environment.close()


def test_an_episode_is_gymnasiums_own():
  ours = gymnasium_suite.load('Pendulum-v1', 3, False)
  theirs = gymnasium.make('Pendulum-v1')
  rng = np.random.default_rng(0)
  time_step, action = ours.reset(), None
  for seed in (3, None):  # The second episode goes on from there.
    observation, _ = theirs.reset(seed=seed)
    while not time_step.last():
      np.testing.assert_array_equal(time_step.observation, observation)
      action = behaviours.random_action(ours.action_spec(), rng)
      time_step = ours.step(action)
      observation, reward, terminated, truncated, _ = theirs.step(action)
      assert time_step.reward == float(reward)
    assert truncated and not terminated
    assert time_step.discount == 1.0  # A time limit is no terminal end.
    time_step = ours.step(action)
    assert time_step.first()


def test_a_fall_is_terminal():
  environment = envs.load('gymnasium:CartPole-v1', seed=0)
  time_step, length = environment.reset(), 0
  while not time_step.last():
    time_step, length = environment.step(np.int32(1)), length + 1
  assert length < 20 and time_step.discount == 0.0


@pytest.mark.parametrize('terminated, truncated, discount', [
    (True, False, 0.0), (False, True, 1.0), (True, True, 0.0)])
def test_terminated_and_truncated_are_kept_apart(
    terminated, truncated, discount):
  _, environment = _of(terminated=terminated, truncated=truncated)
  environment.reset()
  steps = [environment.step(np.int32(1)) for _ in range(3)]
  assert [x.last() for x in steps] == [False, False, True]
  assert steps[-1].discount == discount


def test_only_the_first_reset_is_with_the_seed():
  inner, environment = _of()
  for _ in range(3):
    environment.reset()
  assert inner.seeds == [5, None, None]


@pytest.mark.parametrize('space, shape', [
    (spaces.Box(-_INF, _INF, (), np.float64), (1,)),
    (spaces.Box(0, 9, (2, 3), np.int16), (6,)), (spaces.Discrete(5), (1,)),
    (spaces.MultiBinary(4), (4,)), (spaces.MultiDiscrete([3, 4]), (2,)),
    (spaces.Box(0, 255, (84, 84), np.uint8), (84, 84, 1)),
    (spaces.Box(0, 255, (84, 84, 3), np.uint8), (84, 84, 3))])
def test_observations_of_all_spaces(space, shape):
  space.seed(0)
  _, environment = _of(observation=space)
  seen = environment.reset().observation
  assert environment.observation_spec().shape == seen.shape == shape
  environment.observation_spec().validate(seen)


def test_a_dict_of_spaces_is_a_dict_of_vectors():
  space = spaces.Dict(arm=spaces.Dict(pos=spaces.Box(-1, 1, (3,))),
                      mode=spaces.Discrete(3))
  _, environment = _of(observation=space)
  seen = environment.reset().observation
  assert seen['arm']['pos'].shape == (3,) and seen['mode'].shape == (1,)


@pytest.mark.parametrize('space, given', [
    (spaces.Discrete(3, start=1), np.int32(3)),
    (spaces.Box(-3.0, 2.0, (), np.float32), np.float32([2.0])),
    (spaces.Box(-0.1, 0.1, (2, 2), np.float64), np.float32([0.1] * 4)),
    (spaces.Dict(b=spaces.Box(0, 1, (1,)), a=spaces.Box(0, 1, (2,))),
     np.float32([0.0, 0.5, 1.0]))])
def test_actions_are_of_the_space(space, given):
  inner, environment = _of(action=space)
  environment.reset()
  environment.action_spec().validate(given)
  environment.step(given)  # It asserts that its space contains the action.
  if isinstance(space, spaces.Discrete):
    assert {inner.taken[0]: 'hashable'} and inner.taken[0] == 3


@pytest.mark.parametrize('action, words', [
    (spaces.MultiDiscrete([2, 3]), r'the action has the space MultiDiscrete'),
    (spaces.Tuple([spaces.Discrete(2)]), r'has the space Tuple\(Discrete\(2'),
    (spaces.Dict(a=spaces.MultiBinary(2)), "the action 'a' .*MultiBinary"),
    (spaces.Box(-_INF, _INF, (2,)), r'component 0 has \[-inf, inf\]')])
def test_actions_that_cannot_be_chosen_are_refused(action, words):
  with pytest.raises(ValueError, match='own:make: .*' + words):
    _of(action=action)


def test_observations_that_cannot_be_seen_are_refused():
  space = spaces.Dict(said=spaces.Text(5))
  with pytest.raises(ValueError, match="observation 'said' has the space Text"):
    _of(observation=space)


@pytest.mark.parametrize('name, words', [
    ('CartPol-v1', 'no task .gymnasium:CartPol-v1.*CartPole'),
    ('nothing:Here-v0', 'nothing'), ('', 'gymnasium:')])
def test_unknown_ids_are_told(name, words):
  with pytest.raises((ValueError, ImportError), match=words):
    envs.load(f'gymnasium:{name}', seed=0)


def test_missing_package_names_the_extra(monkeypatch):
  monkeypatch.setitem(sys.modules, 'gymnasium', None)
  with pytest.raises(ImportError, match=(
      r'pip install tf-muzero\[gymnasium\]')):
    envs.load('gymnasium:CartPole-v1', seed=0)


def test_pictures_where_they_are_asked_for():
  task = 'gymnasium:CartPole-v1'
  environment = envs.load(task, seed=0, is_drawn=True, action_repeat=2)
  environment.reset()
  assert envs.render(environment).shape == (400, 600, 3)
  environment.close()
  environment = envs.load(task, seed=0)
  environment.reset()
  with pytest.raises(ValueError, match='render_mode is None'):
    envs.render(environment)


def test_without_pictures_is_told_before_work():
  gymnasium.register('NoPictures-v0', Own)
  envs.load('gymnasium:NoPictures-v0', seed=0).close()
  with pytest.raises(ValueError, match='no pictures of .* without .rgb_array'):
    envs.load('gymnasium:NoPictures-v0', seed=0, is_drawn=True)


def test_its_noise_is_not_what_whoever_plays_draws():
  """Both are seeded alike: a start would tell the first action."""
  environment = envs.load('gymnasium:Pendulum-v1', seed=1)
  cosine, sine, _ = environment.reset().observation
  start = np.arctan2(sine, cosine)
  action, = behaviours.random_action(
      environment.action_spec(), np.random.default_rng(1))
  assert abs(start / np.pi - action / 2.0) > 0.01
