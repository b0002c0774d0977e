"""Who acts while data is collected: random actions, noise, mixtures.

A behaviour starts anew with each episode; what starts then is a function
time_step -> action, which may remember what it needs for the episode.
"""

from typing import Any, Callable, NamedTuple, Sequence

import dm_env
from dm_env import specs
import numpy as np

from tf_muzero import ranges
from tf_muzero.types import EnvironmentSpec


class Setting(NamedTuple):
  """Where a behaviour is to act.

  Attributes:
    spec: what it sees and does.
    action_repeat: environment steps that each action is held for.
  """
  spec: EnvironmentSpec
  action_repeat: int


ActFn = Callable[[dm_env.TimeStep], np.ndarray]


class Behaviour(NamedTuple):
  """A way to act.

  Attributes:
    name: with its settings, for the metadata of datasets.
    start_fn: (setting, rng) -> act_fn of one episode.
  """
  name: str
  start_fn: Callable[[Setting, np.random.Generator], ActFn]


def uniform() -> Behaviour:
  """Returns a behaviour that draws each action uniformly."""
  def start(setting: Setting, rng: np.random.Generator) -> ActFn:
    return lambda time_step: random_action(setting.spec.action, rng)
  return Behaviour('uniform', start)


def noisy(behaviour: Behaviour, noise: float) -> Behaviour:
  """Returns a behaviour with its actions disturbed, each on its own.

  Args:
    behaviour: to disturb.
    noise: standard deviation of what is added to a continuous action, in halves
      of its range: the noise itself where that is [-1, 1]. What comes out is
      clipped to the bounds. Of discrete actions, the probability that one is
      replaced by a random one.
  """
  ranges.at_least(0, noise=noise)

  def start(setting: Setting, rng: np.random.Generator) -> ActFn:
    act, spec = behaviour.start_fn(setting, rng), setting.spec.action
    def disturbed(time_step: dm_env.TimeStep) -> np.ndarray:
      action = act(time_step)
      if isinstance(spec, specs.DiscreteArray):
        return random_action(spec, rng) if rng.random() < noise else action
      half_range = 0.5 * (spec.maximum - spec.minimum)
      action = action + noise * rng.standard_normal(spec.shape) * half_range
      return np.clip(action, spec.minimum, spec.maximum).astype(spec.dtype)
    return disturbed
  return Behaviour(f'noisy({behaviour.name}, {noise})', start)


def mixture(behaviours: Sequence[Behaviour], weights: Sequence[float]
            ) -> Behaviour:
  """Returns a behaviour that is another one in each episode.

  Args:
    behaviours: to choose from.
    weights: relative frequencies of theirs.
  """
  if len(behaviours) != len(weights) or not weights:
    raise ValueError(
        'mixture needs one weight for each of one or more behaviours, got '
        f'{len(behaviours)} behaviours and {len(weights)} weights.')
  if min(weights) < 0.0 or sum(weights) <= 0.0:
    raise ValueError(
        f'weights must be >= 0 and not all 0, got {tuple(weights)}.')
  probabilities = np.asarray(weights, np.float64) / sum(weights)

  def start(setting: Setting, rng: np.random.Generator) -> ActFn:
    chosen = behaviours[rng.choice(len(behaviours), p=probabilities)]
    return chosen.start_fn(setting, rng)
  names = ', '.join(f'{p:.3g} {behaviour.name}'
                    for p, behaviour in zip(probabilities, behaviours))
  return Behaviour(f'mixture({names})', start)


def random_action(spec: Any, rng: np.random.Generator) -> np.ndarray:
  """Returns an action drawn uniformly from within its bounds."""
  if isinstance(spec, specs.DiscreteArray):
    return np.asarray(
        rng.integers(spec.minimum, spec.maximum + 1), spec.dtype)
  return rng.uniform(spec.minimum, spec.maximum, spec.shape).astype(spec.dtype)
