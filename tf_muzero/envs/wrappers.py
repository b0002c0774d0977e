"""Environments around environments."""

from typing import Any

import dm_env
from dm_env import specs
import numpy as np

from tf_muzero.envs import behaviours

_MAX_HELD = 10  # Steps that a random action of `RandomStart` is held for.


class Wrapper(dm_env.Environment):
  """Does what the environment inside does."""

  def __init__(self, environment: dm_env.Environment):
    self._environment = environment

  @property
  def environment(self) -> dm_env.Environment:
    """The environment inside."""
    return self._environment

  def reset(self) -> dm_env.TimeStep:
    return self._environment.reset()

  def step(self, action: np.ndarray) -> dm_env.TimeStep:
    return self._environment.step(action)

  def observation_spec(self) -> Any:
    return self._environment.observation_spec()

  def action_spec(self) -> Any:
    return self._environment.action_spec()

  def reward_spec(self) -> specs.Array:
    return self._environment.reward_spec()

  def discount_spec(self) -> specs.BoundedArray:
    return self._environment.discount_spec()

  def close(self):
    self._environment.close()


def innermost(environment: dm_env.Environment) -> Any:
  """Returns the environment that is within all wrappers."""
  while isinstance(environment, Wrapper):
    environment = environment.environment
  return environment


class ActionRepeat(Wrapper):
  """Holds each action for a number of steps.

  The reward is the sum of theirs and the discount the product. An episode that
  ends meanwhile ends there.
  """

  def __init__(self, environment: dm_env.Environment, num_repeats: int):
    """Initialises the environment.

    Args:
      environment: to step.
      num_repeats: steps that an action is held for.
    """
    if num_repeats < 1:
      raise ValueError(f'action_repeat must be >= 1, got {num_repeats}.')
    super().__init__(environment)
    self._num_repeats = num_repeats

  def step(self, action: np.ndarray) -> dm_env.TimeStep:
    reward, discount = 0.0, 1.0
    for _ in range(self._num_repeats):
      time_step = self._environment.step(action)
      if time_step.first():  # The action was for an episode that was over.
        return time_step
      reward += time_step.reward
      discount *= time_step.discount
      if time_step.last():
        break
    return time_step._replace(reward=reward, discount=discount)

  def reward_spec(self) -> specs.Array:
    inner = self._environment.reward_spec()
    return specs.Array(inner.shape, inner.dtype, inner.name)  # Sums: no bounds.


class ClippedRewards(Wrapper):
  """Clips rewards to [-1, 1], as those of `rlu_atari` are.

  For what is learned from; a score is the sum of rewards that are not clipped.
  """

  def step(self, action: np.ndarray) -> dm_env.TimeStep:
    time_step = self._environment.step(action)
    if time_step.first():
      return time_step
    return time_step._replace(reward=min(max(time_step.reward, -1.0), 1.0))

  def reward_spec(self) -> specs.BoundedArray:
    inner = self._environment.reward_spec()
    return specs.BoundedArray(inner.shape, inner.dtype, -1.0, 1.0, inner.name)


class TimeLimit(Wrapper):
  """Cuts episodes off after a number of steps; that is no terminal end."""

  def __init__(self, environment: dm_env.Environment, max_steps: int):
    """Initialises the environment.

    Args:
      environment: to step.
      max_steps: after which an episode ends, if it did not before.
    """
    if max_steps < 1:
      raise ValueError(f'max_steps must be >= 1, got {max_steps}.')
    super().__init__(environment)
    self._max_steps = max_steps
    self._num_steps = max_steps

  def reset(self) -> dm_env.TimeStep:
    self._num_steps = 0
    return self._environment.reset()

  def step(self, action: np.ndarray) -> dm_env.TimeStep:
    if self._num_steps >= self._max_steps:
      return self.reset()
    time_step = self._environment.step(action)
    self._num_steps = 0 if time_step.first() else self._num_steps + 1
    if self._num_steps >= self._max_steps:
      return time_step._replace(step_type=dm_env.StepType.LAST)
    return time_step


class RandomStart(Wrapper):
  """Starts episodes after a random number of random steps.

  For starts that differ more than the task's own. The steps count against the
  task's time limit, their rewards are lost. Each action is drawn uniformly and
  held for 1 to 10 steps.
  """

  def __init__(self, environment: dm_env.Environment, max_steps: int,
               seed: int):
    """Initialises the environment.

    Args:
      environment: to start elsewhere.
      max_steps: most steps to make, of `environment`; the number is uniform
        from 0.
      seed: of their number and of the actions.
    """
    if max_steps < 0:
      raise ValueError(f'max_steps must be >= 0, got {max_steps}.')
    super().__init__(environment)
    self._max_steps = max_steps
    self._rng = np.random.default_rng(seed)
    self._is_over = True

  def reset(self) -> dm_env.TimeStep:
    time_step = self._environment.reset()
    num_steps = int(self._rng.integers(self._max_steps + 1))
    while num_steps > 0:
      action = behaviours.random_action(self.action_spec(), self._rng)
      held = min(num_steps, int(self._rng.integers(1, _MAX_HELD + 1)))
      num_steps -= held
      for _ in range(held):
        time_step = self._environment.step(action)
        if time_step.last():
          time_step = self._environment.reset()
    self._is_over = False
    return dm_env.restart(time_step.observation)

  def step(self, action: np.ndarray) -> dm_env.TimeStep:
    if self._is_over:
      return self.reset()
    time_step = self._environment.step(action)
    self._is_over = time_step.last()
    return time_step
