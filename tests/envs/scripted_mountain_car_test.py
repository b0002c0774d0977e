"""Demonstrations of MountainCar: out of the valley, where chance never gets."""

import numpy as np
import pytest

from tf_muzero import envs
from tf_muzero.envs import behaviours
from tf_muzero.envs import scripted_mountain_car

pytest.importorskip('gymnasium', reason='the extra [gymnasium] is missing')


def _returns(behaviour, num_episodes=10):
  environment = envs.load('gymnasium:MountainCar-v0', seed=1, action_repeat=4)
  setting = behaviours.Setting(envs.spec(environment), 4)
  generator, found = np.random.default_rng(0), []
  for _ in range(num_episodes):
    act, time_step = behaviour.start_fn(setting, generator), environment.reset()
    found.append(0.0)
    while not time_step.last():
      time_step = environment.step(act(time_step))
      found[-1] += time_step.reward
  return np.array(found)


def test_pushing_along_leaves_the_valley_and_noise_makes_it_longer():
  push = scripted_mountain_car.push_along()
  assert (_returns(push) > -200.0).all()
  noisy = _returns(behaviours.noisy(push, 0.3))
  assert _returns(push).mean() > noisy.mean() > -190.0
  assert (_returns(behaviours.uniform()) == -200.0).all()


def test_other_tasks_are_refused():
  setting = behaviours.Setting(envs.spec(envs.load('catch', seed=0)), 1)
  with pytest.raises(ValueError, match='for gymnasium:MountainCar-v0'):
    scripted_mountain_car.push_along().start_fn(
        setting, np.random.default_rng(0))
