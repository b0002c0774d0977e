"""Controllers written by hand, as behaviours: cartpole swing-up.

What they make is meant to be interesting and imperfect: good stretches beside
bad ones, so that there is something to gain by planning.
"""

from typing import Callable

import dm_env
import numpy as np

from tf_muzero import ranges
from tf_muzero.envs.behaviours import ActFn
from tf_muzero.envs.behaviours import Behaviour
from tf_muzero.envs.behaviours import Setting

_GRAVITY = 9.81
_SEGMENT_STEPS = (40, 200)  # Environment steps that a controller is kept for.


def cartpole_swingup(
    observation: dict[str, np.ndarray], pump: float, balance: float) -> float:
  """Returns the force that swings the pole up and keeps it there.

  Away from the top it pumps energy: a push in the direction in which the
  motion of the hinge gains from it, stronger the more energy is missing, and
  weakly back to the centre. Near the top it is a linear feedback.

  Args:
    observation: `position` (x, cos, sin) and `velocity` (of x, of the angle),
      as dm_control gives them; the angle is 0 at the top.
    pump: gain of the pumping; negative pumps the wrong way.
    balance: gain of the balancing; about 1 holds the pole, negative drops it.
  """
  x, cosine, sine = observation['position']
  velocity, spin = observation['velocity']
  if cosine > 0.85 and abs(spin) < 4.0:
    angle = np.arctan2(sine, cosine)
    return balance * (6.0 * angle + 1.5 * spin + 0.3 * x + 0.5 * velocity)
  # Of a uniform pole of length 1, in units of m g l / 2; 0 at rest at the top.
  energy = spin * spin / (3.0 * _GRAVITY) + cosine - 1.0
  return pump * np.sign(spin * cosine + 1e-6) * energy - 0.15 * x


def cartpole_noisy(
    pump: tuple[float, float] = (0.2, 1.0),
    balance: tuple[float, float] = (-1.0, 0.8),
    noise: tuple[float, float] = (0.2, 0.8)) -> Behaviour:
  """Returns one controller an episode, with noise on each action.

  Args:
    pump: range that the episode's gain is drawn from.
    balance: likewise.
    noise: range of the episode's standard deviation of the noise.
  """
  ranges.ascending(pump=pump, balance=balance, noise=noise)
  ranges.at_least(0, noise=noise[0])

  def start(setting: Setting, rng: np.random.Generator) -> ActFn:
    _check_is_swingup(setting)
    gains = rng.uniform(*pump), rng.uniform(*balance)
    deviation = rng.uniform(*noise)
    def act(time_step: dm_env.TimeStep) -> np.ndarray:
      force = cartpole_swingup(time_step.observation, *gains)
      return _action(force + deviation * rng.standard_normal())
    return act
  return Behaviour(
      f'cartpole_noisy(pump={pump}, balance={balance}, noise={noise})', start)


def cartpole_segments(
    good_share: tuple[float, float] = (0.35, 1.0),
    noise: tuple[float, float] = (0.1, 0.6)) -> Behaviour:
  """Returns stretches of good, of bad and of no control, with noise.

  Each stretch takes 40 to 200 environment steps. The bad controller pumps the
  wrong way and does not balance; no control is a random force, held.

  Args:
    good_share: range that the episode's probability of a good stretch is drawn
      from. Of the others 60% are bad and 40% are of no control.
    noise: range of the episode's standard deviation of the noise.
  """
  ranges.ascending(good_share=good_share, noise=noise)
  ranges.within(0, 1, good_share=good_share[0])
  ranges.within(0, 1, good_share=good_share[1])
  ranges.at_least(0, noise=noise[0])

  def start(setting: Setting, rng: np.random.Generator) -> ActFn:
    _check_is_swingup(setting)
    good, deviation = rng.uniform(*good_share), rng.uniform(*noise)
    def draw():
      num_steps = rng.integers(*_SEGMENT_STEPS) // setting.action_repeat
      return max(1, num_steps), _draw_controller(good, rng)

    left, force_fn = draw()
    def act(time_step: dm_env.TimeStep) -> np.ndarray:
      nonlocal left, force_fn
      if left <= 0:
        left, force_fn = draw()
      left -= 1
      force = force_fn(time_step.observation)
      return _action(force + deviation * rng.standard_normal())
    return act
  return Behaviour(
      f'cartpole_segments(good_share={good_share}, noise={noise})', start)


def _draw_controller(
    good: float, rng: np.random.Generator
) -> Callable[[dict[str, np.ndarray]], float]:
  """Returns a function observation -> force, good with probability `good`."""
  choice = rng.random()
  if choice < good + (1.0 - good) * 0.6:
    pump, balance = (
        (rng.uniform(0.6, 1.5), rng.uniform(0.6, 1.0)) if choice < good
        else (-rng.uniform(0.2, 1.2), rng.uniform(-0.6, 0.1)))
    return lambda observation: cartpole_swingup(observation, pump, balance)
  force = rng.uniform(-1.0, 1.0)

  def hold(observation: dict[str, np.ndarray]) -> float:
    # Not into the end of the rail, where nothing moves any more.
    return force - 0.3 * (observation['position'][0]
                          + observation['velocity'][0])
  return hold


def _action(force: float) -> np.ndarray:
  return np.clip([force], -1.0, 1.0).astype(np.float32)


def _check_is_swingup(setting: Setting):
  names = (sorted(setting.spec.observation)
           if isinstance(setting.spec.observation, dict) else [])
  if names != ['position', 'velocity'] or (
      setting.spec.observation['position'].shape != (3,)):
    raise ValueError(
        'This controller is for dm_control:cartpole/swingup, whose observation '
        'is position [3] and velocity [2]; got '
        f'{setting.spec.observation}.')
