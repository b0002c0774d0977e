"""Behaviours act within bounds, alike for a seed, as good as promised."""

from dm_env import specs
import numpy as np
import pytest

from tf_muzero import envs
from tf_muzero.envs import behaviours
from tf_muzero.envs import scripted
from tf_muzero.types import EnvironmentSpec

_CONTINUOUS = specs.BoundedArray([2], np.float32, -1.0, 1.0)
_DISCRETE = specs.DiscreteArray(3)


def setting(action):
  return behaviours.Setting(EnvironmentSpec(None, action), 1)


def constant(action):
  return behaviours.Behaviour('constant', lambda s, r: lambda t: action)


def returns(behaviour, action_repeat, num_episodes, seed=1):
  """Returns the sum of rewards of some episodes."""
  environment = envs.load('dm_control:cartpole/swingup', seed=seed,
                          action_repeat=action_repeat)
  where = behaviours.Setting(envs.spec(environment), action_repeat)
  rng = np.random.default_rng(seed)
  totals = []
  for _ in range(num_episodes):
    act, total = behaviour.start_fn(where, rng), 0.0
    time_step = environment.reset()
    while not time_step.last():
      time_step = environment.step(act(time_step))
      total += time_step.reward
    totals.append(total)
  return np.array(totals)


def test_uniform_covers_the_actions():
  rng = np.random.default_rng(0)
  act = behaviours.uniform().start_fn(setting(_CONTINUOUS), rng)
  actions = np.stack([act(None) for _ in range(200)])
  assert actions.dtype == np.float32
  assert actions.min() < -0.9 and actions.max() > 0.9
  act = behaviours.uniform().start_fn(setting(_DISCRETE), rng)
  assert {int(act(None)) for _ in range(50)} == {0, 1, 2}


def test_noise_is_of_its_size_and_stays_in_bounds():
  behaviour = behaviours.noisy(constant(np.float32([0.0, 0.95])), 0.2)
  act = behaviour.start_fn(setting(_CONTINUOUS), np.random.default_rng(0))
  actions = np.stack([act(None) for _ in range(1000)])
  assert actions[:, 0].std() == pytest.approx(0.2, rel=0.1)
  assert actions.max() == 1.0
  wide = specs.BoundedArray([2], np.float32, [-1.0, 10.0], [1.0, 30.0])
  act = behaviours.noisy(constant(np.float32([0.0, 20.0])), 0.2).start_fn(
      setting(wide), np.random.default_rng(0))
  actions = np.stack([act(None) for _ in range(1000)])
  assert actions.std(axis=0) == pytest.approx([0.2, 2.0], rel=0.1)
  behaviour = behaviours.noisy(constant(np.int32(1)), 0.3)
  act = behaviour.start_fn(setting(_DISCRETE), np.random.default_rng(0))
  others = np.mean([act(None) != 1 for _ in range(1000)])
  assert others == pytest.approx(0.2, abs=0.04)
  with pytest.raises(ValueError, match='noise'):
    behaviours.noisy(behaviour, -0.1)


def test_mixture_keeps_its_weights():
  behaviour = behaviours.mixture(
      [constant(np.int32(i)) for i in range(3)], [2.0, 0.0, 6.0])
  rng = np.random.default_rng(0)
  actions = [int(behaviour.start_fn(setting(_DISCRETE), rng)(None))
             for _ in range(400)]
  assert np.bincount(actions, minlength=3) / 400 == pytest.approx(
      [0.25, 0.0, 0.75], abs=0.07)
  for weights in ([1.0], [0.0, 0.0], [1.0, -1.0]):
    with pytest.raises(ValueError, match='weight'):
      behaviours.mixture([behaviour] * 2, weights)


def test_controller_swings_up_and_holds():
  good = scripted.cartpole_noisy((1.0, 1.0), (1.0, 1.0), (0.05, 0.05))
  bad = scripted.cartpole_noisy((-1.0, -1.0), (-0.3, -0.3), (0.05, 0.05))
  assert returns(good, 1, 2).min() > 500.0
  assert returns(bad, 1, 2).max() < 250.0


@pytest.mark.parametrize('action_repeat', [1, 4])
def test_segments_are_of_mixed_quality(action_repeat):
  totals = returns(scripted.cartpole_segments(), action_repeat, 12, seed=2)
  assert 280.0 < totals.mean() < 480.0
  assert totals.min() < 250.0 < 500.0 < totals.max()


def test_noisy_controller_is_mediocre():
  totals = returns(scripted.cartpole_noisy(), 4, 8)
  assert 230.0 < totals.mean() < 480.0


def test_controllers_refuse_other_tasks():
  environment = envs.load('catch', seed=0)
  where = behaviours.Setting(envs.spec(environment), 1)
  for behaviour in (scripted.cartpole_segments(), scripted.cartpole_noisy()):
    with pytest.raises(ValueError, match='cartpole/swingup'):
      behaviour.start_fn(where, np.random.default_rng(0))


def test_same_seed_same_episodes():
  behaviour = scripted.cartpole_segments()
  assert returns(behaviour, 10, 2, seed=5) == pytest.approx(
      returns(behaviour, 10, 2, seed=5), abs=0.0)
