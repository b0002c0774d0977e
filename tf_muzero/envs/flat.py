"""Any environment of `dm_env`, seen and acted in as agents see and act.

What an environment gives is checked too: what is not finite, or not as its own
specs say, is told with its step, before it is learned from.
"""

import math
from typing import Any

from absl import logging
import dm_env
from dm_env import specs
import numpy as np

from tf_muzero.envs import flat_actions
from tf_muzero.envs import flat_observations
from tf_muzero.envs import foreign
from tf_muzero.envs import wrappers
from tf_muzero.types import Nest

_LONG_EPISODE = 100_000  # Steps after which that it goes on is told.


class Flat(wrappers.Wrapper):
  """An environment of flat vectors or one frame, and of one kind of action.

  Each entry of an observation is a float32 vector, whatever its shape and type
  of number, in nested dicts as the environment has them; but what is surely a
  picture is a uint8 frame [H, W, C]. Actions are a float32 vector, of all of
  the environment's floats in sorted order of their names and within their own
  bounds, or one int32. The environment gets them as it asks for them. Rewards
  and discounts are Python floats.
  """

  def __init__(self, environment: dm_env.Environment, task: str):
    """Initialises the environment.

    Args:
      environment: to show flat; raises ValueError where that cannot be.
      task: its id, for messages.
    """
    super().__init__(environment)
    self._task = task
    try:
      self._observation_spec = flat_observations.seen(
          environment.observation_spec())
      own_actions = environment.action_spec()
      self._action_spec = flat_actions.taken(own_actions)
      self._native_fn = flat_actions.native_fn(own_actions)
    except ValueError as error:
      raise ValueError(f'{task}: {error}') from error
    self._num_episodes, self._num_steps = 0, 0
    self._is_over = True

  def reset(self) -> dm_env.TimeStep:
    self._num_episodes += 1
    self._num_steps, self._is_over = 0, False
    with foreign.told(lambda: f'{self._task}: reset {self._num_episodes}'):
      time_step = super().reset()
    return dm_env.restart(self._see(time_step))

  def step(self, action: np.ndarray) -> dm_env.TimeStep:
    if self._is_over:
      return self.reset()
    native = self._native_fn(action)
    self._num_steps += 1
    with foreign.told(self._where):
      time_step = super().step(native)
    self._is_over = time_step.last()
    if time_step.first():
      raise ValueError(f'{self._where()} is the first of an episode, though '
                       'the one before it did not end.')
    if self._num_steps == _LONG_EPISODE:
      logging.warning(
          '%s has had %d steps in an episode, which goes on; max_steps would '
          'cut it off.', self._task, self._num_steps)
    return dm_env.TimeStep(
        time_step.step_type, self._number('reward', time_step.reward),
        self._number('discount', time_step.discount), self._see(time_step))

  def observation_spec(self) -> Nest:
    return self._observation_spec

  def action_spec(self) -> specs.BoundedArray:
    return self._action_spec

  def reward_spec(self) -> specs.Array:
    return specs.Array((), np.float64, 'reward')

  def discount_spec(self) -> specs.BoundedArray:
    return specs.BoundedArray((), np.float64, 0.0, 1.0, 'discount')

  def _where(self) -> str:
    return (f'{self._task}: step {self._num_steps} of episode '
            f'{self._num_episodes}')

  def _number(self, name: str, value: Any) -> float:
    """Returns a reward or a discount, if it is one."""
    if isinstance(value, float):  # As most are, at every step.
      number = float(value)
    else:
      number = float(np.reshape(value, ())) if (
          value is not None and np.size(value) == 1) else math.nan
    if not math.isfinite(number):
      raise ValueError(f'{self._where()} has the {name} {value}, which must be '
                       'one finite number.')
    if name == 'discount' and not 0.0 <= number <= 1.0:
      raise ValueError(
          f'{self._where()} has the discount {value}, which must be in [0, 1].')
    return number

  def _see(self, time_step: dm_env.TimeStep) -> Nest:
    try:
      return flat_observations.see(
          time_step.observation, self._observation_spec)
    except ValueError as error:
      raise ValueError(f'{self._where()}: {error}') from error
