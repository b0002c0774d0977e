"""An environment as an agent knows it, who may have seen less of it.

RL Unplugged's finger.turn_hard, for example, was recorded without `touch`,
which the task shows today. What the data has is what the agent sees.
"""

from typing import Any

import dm_env
from dm_env import specs
import numpy as np

from tf_muzero.envs import wrappers
from tf_muzero.types import EnvironmentSpec
from tf_muzero.types import Nest


_TOLERANCE = 1e-5  # Of the bounds, as a share of their range.


def match(environment: dm_env.Environment, spec: EnvironmentSpec
          ) -> dm_env.Environment:
  """Returns the environment with observations as an agent expects them.

  Entries that the agent does not know are dropped. One that is missing, and
  shapes, types or actions that differ, raise ValueError; so do actions of the
  agent that are out of the environment's bounds.

  Args:
    environment: of the agent's task.
    spec: what the agent sees and does.
  """
  _check('action', environment.action_spec(), spec.action)
  _check_bounds(environment.action_spec(), spec.action)
  own = environment.observation_spec()
  _check_all('observation', select(own, spec.observation), spec.observation)
  if _has_same_entries(own, spec.observation) and (
      environment.action_spec() == spec.action):
    return environment
  return _Matched(environment, spec)


def select(observation: Nest, known: Nest) -> Nest:
  """Returns the entries of an observation that an agent knows.

  Args:
    observation: array, or nest of dicts of them.
    known: nest of the same kind whose names are wanted.
  """
  if not isinstance(known, dict):
    return observation
  if not isinstance(observation, dict):
    raise ValueError(f'The observation must have entries {sorted(known)}, got '
                     'a single array.')
  missing = sorted(known.keys() - observation.keys())
  if missing:
    raise ValueError(
        f'The observation must have {", ".join(missing)}, which the agent was '
        f'trained with; it has {", ".join(sorted(observation))}.')
  return {name: select(observation[name], x) for name, x in known.items()}


class _Matched(wrappers.Wrapper):
  """Shows only the entries and takes only the actions that are known."""

  def __init__(self, environment: dm_env.Environment, spec: EnvironmentSpec):
    super().__init__(environment)
    self._spec = spec

  def reset(self) -> dm_env.TimeStep:
    return self._select(super().reset())

  def step(self, action: np.ndarray) -> dm_env.TimeStep:
    return self._select(super().step(action))

  def observation_spec(self) -> Nest:
    return select(super().observation_spec(), self._spec.observation)

  def action_spec(self) -> specs.Array:
    return self._spec.action

  def _select(self, time_step: dm_env.TimeStep) -> dm_env.TimeStep:
    return time_step._replace(
        observation=select(time_step.observation, self._spec.observation))


def _has_same_entries(own: Nest, known: Nest) -> bool:
  if not isinstance(own, dict):
    return True
  return own.keys() == known.keys() and all(
      _has_same_entries(entry, known[name]) for name, entry in own.items())


def _check_all(name: str, own: Nest, known: Nest) -> None:
  """Checks every entry."""
  if isinstance(known, dict):
    for key, entry in known.items():
      _check_all(f'{name} {key!r}', own[key], entry)
  else:
    _check(name, own, known)


def _check(name: str, own: Any, known: specs.Array) -> None:
  """Raises ValueError where an array of the environment is another."""
  are_discrete = all(isinstance(x, specs.DiscreteArray) for x in (own, known))

  def describe(x):
    if isinstance(x, dict):
      return f'entries {", ".join(sorted(x))}'
    text = f'{np.dtype(x.dtype).name}{list(x.shape)}'
    return f'{text} of {x.minimum} to {x.maximum}' if are_discrete else text

  if describe(own) != describe(known):
    how = (' If the data has not all actions, tell their number with '
           'reading.Reading.num_actions.' if are_discrete else '')
    raise ValueError(f'The {name} of the environment is {describe(own)}, but '
                     f'the agent was trained with {describe(known)}.{how}')


def _check_bounds(own: specs.Array, known: specs.Array) -> None:
  """Raises ValueError where an agent acts out of an environment's bounds."""
  if isinstance(own, specs.DiscreteArray):
    return  # `_check` compares them.
  low, high, lowest, highest = (np.broadcast_to(x, own.shape) for x in (
      own.minimum, own.maximum, known.minimum, known.maximum))
  slack = _TOLERANCE * (high - low)
  beyond = (lowest < low - slack) | (highest > high + slack)
  for i in np.flatnonzero(beyond):
    raise ValueError(
        f'Component {i} of the action is in [{low[i]:g}, {high[i]:g}] in the '
        f'environment, but the agent was trained with actions in '
        f'[{lowest[i]:g}, {highest[i]:g}]. Tell the bounds that '
        "the data's actions have, with action_minimum and action_maximum in "
        'its metadata or in reading.Reading.')
