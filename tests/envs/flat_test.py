"""Environments of any shapes and types are shown flat, or refused."""

from collections import OrderedDict

import dm_env
from dm_env import specs
import numpy as np
import pytest

from tf_muzero import actions
from tf_muzero.envs import flat
from tf_muzero.envs import flat_actions
from tf_muzero.envs import flat_observations
from tf_muzero.envs import wrappers


class Own(dm_env.Environment):
  """Gives what it is told to, and keeps the actions that it gets."""

  def __init__(self, observation=None, action=None, values=(), rewards=()):
    self.observation = observation or specs.Array([1], np.float64)
    self.action = action or specs.BoundedArray([1], np.float64, -1.0, 1.0)
    self.values, self.rewards, self.taken = list(values), list(rewards), []

  def reset(self):
    return dm_env.restart(self._value())

  def step(self, action):
    self.taken.append(action)
    reward = self.rewards.pop(0) if self.rewards else 0.0
    if len(self.taken) % 3:
      return dm_env.transition(reward, self._value())
    return dm_env.termination(reward, self._value())

  def observation_spec(self):
    return self.observation

  def action_spec(self):
    return self.action

  def _value(self):
    return self.values.pop(0) if self.values else np.zeros([1])


def test_entries_of_all_kinds_are_flat_float32_vectors():
  spec = OrderedDict(
      speed=specs.Array([], np.float64), alarm=specs.Array([], bool),
      grid=specs.Array([2, 2], np.int64), arm={
          'pos': specs.BoundedArray([2], np.float16, 0.0, 1.0),
          'level': specs.DiscreteArray(4)})
  value = OrderedDict(
      arm={'level': 3, 'pos': np.float16([0.5, 1.0])}, speed=1.5, alarm=True,
      grid=np.int64([[1, 2], [3, 4]]))
  environment = flat.Flat(Own(spec, values=[value]), 'own')
  seen = environment.reset().observation
  np.testing.assert_equal(seen, {
      'speed': np.float32([1.5]), 'alarm': np.float32([1.0]),
      'grid': np.float32([1, 2, 3, 4]),
      'arm': {'pos': np.float32([0.5, 1.0]), 'level': np.float32([3.0])}})
  assert environment.observation_spec() == {
      'speed': specs.Array([1], np.float32),
      'alarm': specs.Array([1], np.float32),
      'grid': specs.Array([4], np.float32),
      'arm': {'pos': specs.Array([2], np.float32),
              'level': specs.Array([1], np.float32)}}


def test_an_array_that_the_environment_writes_into_again_is_copied():
  kept = np.zeros([1])
  environment = flat.Flat(Own(values=[kept]), 'own')
  seen = environment.reset().observation
  kept[0] = 7.0
  assert seen == [0.0]


@pytest.mark.parametrize('shape, seen', [
    ([8, 9, 3], (8, 9, 3)), ([24, 25], (24, 25, 1)), ([8, 9], (72,))])
def test_frames_stay_frames(shape, seen):
  frame = np.arange(np.prod(shape)).reshape(shape).astype(np.uint8)
  environment = flat.Flat(
      Own(specs.Array(shape, np.uint8), values=[frame]), 'own')
  assert environment.observation_spec().shape == seen
  np.testing.assert_array_equal(
      environment.reset().observation, frame.reshape(seen))


def test_a_picture_of_truth_values_is_black_and_white():
  frame = np.arange(10 * 10 * 4).reshape([10, 10, 4]) % 3 == 0
  environment = flat.Flat(
      Own(specs.Array(frame.shape, bool), values=[frame]), 'own')
  seen = environment.reset().observation
  assert seen.dtype == environment.observation_spec().dtype == np.uint8
  np.testing.assert_array_equal(seen, 255 * frame)


@pytest.mark.parametrize('spec, words', [
    ({'arm': {'pos': specs.Array([0], np.float32)}},
     r"own: observation 'arm/pos' is float32\[0\], which has no elements"),
    ({'said': specs.StringArray([])}, "'said' is object.* no array of numbers"),
    ({'z': specs.Array([1], np.complex64)}, "'z' is complex64"),
    ({'arm': ()}, "'arm' is a tuple"), ({}, 'no entries'),
    (specs.Array([3, 64, 64], np.uint8), r'\[3, 64, 64\].*do not come last'),
    (specs.Array([9, 9, 40], np.uint8), 'do not come last'),
])
def test_an_entry_that_cannot_be_used_is_named(spec, words):
  environment = Own()
  environment.observation = spec
  with pytest.raises(ValueError, match=words):
    flat.Flat(environment, 'own')


def test_a_picture_of_floats_is_told(caplog):
  flat_observations.seen({'eye': specs.Array([64, 64, 3], np.float32)})
  assert 'a vector of 12288 numbers' in caplog.text


@pytest.mark.parametrize('value, words', [
    (np.float64([np.nan]), 'step 2 of episode 1: .*not finite: element 0 is'),
    (np.float64([1e300]), 'not finite'),
    (np.zeros([2]), r'must have 1 elements.*got float64\[2\]')])
@pytest.mark.filterwarnings('ignore:overflow')
def test_a_bad_observation_is_told_with_its_step(value, words):
  environment = flat.Flat(
      Own(values=[np.zeros([1]), np.zeros([1]), value]), 'own')
  environment.reset()
  environment.step(np.float32([0.0]))
  with pytest.raises(ValueError, match=words):
    environment.step(np.float32([0.0]))


def test_entries_that_are_not_of_the_spec_are_told():
  environment = flat.Flat(Own(
      {'a': specs.Array([1], np.float32)}, values=[{'b': 0.0}]), 'own')
  with pytest.raises(ValueError, match=r"entries \['a'\].*got \['b'\]"):
    environment.reset()


@pytest.mark.parametrize('reward', [np.nan, np.inf, None, np.zeros([2])])
def test_a_bad_reward_is_told_with_its_step(reward):
  environment = flat.Flat(Own(rewards=[0.0, reward]), 'own')
  environment.reset()
  environment.step(np.float32([0.0]))
  with pytest.raises(ValueError, match='own: step 2 of episode 1 .*reward'):
    environment.step(np.float32([0.0]))


def test_rewards_are_python_floats_and_an_end_is_followed_by_a_start():
  environment = flat.Flat(Own(rewards=[np.float32([1.5]), 2]), 'own')
  assert environment.step(np.float32([0.0])).first()
  steps = [environment.step(np.float32([0.0])) for _ in range(4)]
  assert [x.reward for x in steps] == [1.5, 2.0, 0.0, None]
  assert all(isinstance(x.reward, float) for x in steps[:3])
  assert [x.discount for x in steps] == [1.0, 1.0, 0.0, None]


@pytest.mark.parametrize('spec, given, own', [
    (specs.BoundedArray([], np.float64, -2.0, 2.0), np.float32([1.5]),
     np.float64(1.5)),
    (specs.BoundedArray([2, 1], np.float32, -2.0, [[2.0], [3.0]]),
     np.float32([1.5, 2.5]), np.float32([[1.5], [2.5]])),
    (specs.BoundedArray([1], np.float64, -0.1, 0.1), np.float32([0.1]),
     np.float64([0.1])),  # As float32 it is beyond.
    (OrderedDict(turn=specs.BoundedArray([], np.float32, -1.0, 1.0),
                 gas=specs.BoundedArray([2], np.float32, 0.0, 1.0)),
     np.float32([0.25, 0.5, -1.0]),
     {'gas': np.float32([0.25, 0.5]), 'turn': np.float32(-1.0)}),
    (specs.BoundedArray([], np.int64, 1, 4), np.int32(4), np.int64(4)),
    (specs.BoundedArray([1], np.int32, 0, 2), np.int32(1), np.int32([1])),
    (specs.Array([], bool), np.int32(1), np.bool_(True)),
    (specs.DiscreteArray(5), np.int32(2), np.int32(2)),
])
def test_the_environment_gets_actions_as_it_asks_for_them(spec, given, own):
  inner = Own(action=spec)
  environment = flat.Flat(inner, 'own')
  environment.action_spec().validate(given)
  environment.reset()
  environment.step(given)
  np.testing.assert_equal(dict(inner.taken[0]) if isinstance(own, dict)
                          else inner.taken[0], own)
  if not isinstance(own, dict):
    assert inner.taken[0].dtype == own.dtype == spec.dtype


def test_action_specs_have_the_environments_bounds():
  spec = flat_actions.taken({'b': specs.BoundedArray([], np.float64, 0.0, 5.0),
                     'a': specs.BoundedArray([1, 2], np.float32, -1.0, 2.0)})
  assert spec == specs.BoundedArray(
      [3], np.float32, [-1.0, -1.0, 0.0], [2.0, 2.0, 5.0])
  spec = flat_actions.taken(specs.BoundedArray([], np.int64, -1, 1))
  assert isinstance(spec, actions.Integers)
  assert (spec.start, spec.num_values) == (-1, 3)


@pytest.mark.parametrize('spec, words', [
    (specs.Array([2], np.float32), r'component 0 has \[-inf, inf\]'),
    (specs.BoundedArray([2], np.float32, [0, 1], 1), 'component 1'),
    (specs.BoundedArray([3], np.int64, 0, 4), r'one integer.*int64\[3\]'),
    ({'a': specs.DiscreteArray(2), 'b': specs.DiscreteArray(2)}, 'a int32'),
    ({'a': specs.DiscreteArray(2), 'b': specs.BoundedArray([1], 'f4', 0, 1)},
     r'a int32\[\], b float32\[1\]'),
    (specs.Array([], np.int64), r'integer in \[-9223372036854775808'),
    ((specs.DiscreteArray(2), specs.DiscreteArray(2)), 'dicts of arrays'),
    (specs.StringArray([]), 'object')])
def test_actions_that_cannot_be_chosen_are_refused(spec, words):
  with pytest.raises(ValueError, match='own: .*' + words):
    flat.Flat(Own(action=spec), 'own')


def test_wrappers_work_around_it():
  inner = Own(action=specs.BoundedArray([], np.int64, 1, 4))
  environment = wrappers.TimeLimit(wrappers.ActionRepeat(
      wrappers.RandomStart(flat.Flat(inner, 'own'), 4, seed=0), 2), 1)
  for _ in range(30):
    assert environment.step(np.int32(4)).first()
    assert environment.step(np.int32(4)).last()
  assert {int(x) for x in inner.taken} == {1, 2, 3, 4}


def test_an_episode_without_an_end_is_told(monkeypatch, caplog):
  monkeypatch.setattr(flat, '_LONG_EPISODE', 2)
  environment = flat.Flat(Own(), 'own')
  environment.reset()
  for _ in range(2):
    environment.step(np.float32([0.0]))
  assert caplog.text.count('max_steps would cut it off') == 1


def test_a_start_without_an_end_is_told():
  inner = Own()
  environment = flat.Flat(inner, 'own')
  environment.reset()
  inner.step = lambda action: inner.reset()
  with pytest.raises(ValueError, match='step 1 .*first of an episode'):
    environment.step(np.float32([0.0]))


def test_a_frame_that_lies_on_its_side_is_told():
  environment = flat.Flat(Own(
      specs.Array([8, 9, 3], np.uint8),
      values=[np.zeros([9, 8, 3], np.uint8)]), 'own')
  with pytest.raises(ValueError, match=r'uint8\[8, 9, 3\].*uint8\[9, 8, 3\]'):
    environment.reset()
