"""Demonstrations of the deep sea."""

import numpy as np
import pytest

from tf_muzero import envs
from tf_muzero.envs import behaviours
from tf_muzero.envs import scripted_deep_sea


@pytest.mark.parametrize('task, seed', [
    ('deep_sea:20', 42), ('deep_sea:9/7', 7)])
def test_a_diver_who_knows_the_way_finds_the_treasure(task, seed):
  environment = envs.load(task, seed=0)
  act = scripted_deep_sea.always_right(seed).start_fn(
      behaviours.Setting(envs.spec(environment), 1), np.random.default_rng(0))
  time_step, total = environment.reset(), 0.0
  while not time_step.last():
    time_step = environment.step(act(time_step))
    total += time_step.reward
  assert total == pytest.approx(0.99)


def test_other_tasks_are_refused():
  setting = behaviours.Setting(envs.spec(envs.load('catch', seed=0)), 1)
  with pytest.raises(ValueError, match='is for deep_sea:N'):
    scripted_deep_sea.always_right().start_fn(setting, np.random.default_rng(0))
