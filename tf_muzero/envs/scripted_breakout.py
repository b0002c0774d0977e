"""A player of Breakout written by hand, as a behaviour.

It sees what an agent sees, frames of any size. What it plays is meant to be
imperfect: stretches of following the ball beside others of fleeing from it.
"""

import math
from typing import Optional

import dm_env
from dm_env import specs
import numpy as np

from tf_muzero import ranges
from tf_muzero.envs import behaviours
from tf_muzero.envs.behaviours import ActFn
from tf_muzero.envs.behaviours import Behaviour
from tf_muzero.envs.behaviours import Setting

_NOOP, _FIRE, _RIGHT, _LEFT = range(4)  # The minimal action set.
# Where things are, as parts of the screen of 210 x 160.
_SIDES = 8 / 160, 152 / 160  # Between the walls.
_BALL_ROWS = 98 / 210, 187 / 210  # Between the bricks and the paddle.
_PADDLE_ROWS = 189 / 210, 193 / 210
_NEAR = 8 / 160  # Half of the paddle: the ball is above it.
_STRETCH_STEPS = (15, 60)  # Steps that a way of playing is kept for.
_PATIENCE = 8  # Steps without a ball in sight, which may be among the bricks.


def breakout_segments(good_share: tuple[float, float] = (0.3, 1.0),
                      noise: float = 0.1) -> Behaviour:
  """Returns stretches of following the ball, of fleeing it, and of neither.

  Each stretch takes 15 to 60 steps. Neither is a random action, held. After
  some steps without a ball a new one is asked for.

  Args:
    good_share: range that the episode's probability of a good stretch is drawn
      from. Of the others 60% flee and 40% are of no control.
    noise: probability that an action is replaced by a random one.
  """
  ranges.ascending(good_share=good_share)
  ranges.within(0, 1, good_share=good_share[0], noise=noise)
  ranges.within(0, 1, good_share=good_share[1])

  def start(setting: Setting, rng: np.random.Generator) -> ActFn:
    spec = setting.spec.action
    if not isinstance(spec, specs.DiscreteArray) or spec.num_values != 4:
      raise ValueError('This player is for atari:Breakout, with its 4 actions '
                       f'and frames; got {setting.spec}.')
    good, left, unseen, direction = rng.uniform(*good_share), 0, 0, 1
    held: Optional[int] = None

    def act(time_step: dm_env.TimeStep) -> np.ndarray:
      nonlocal left, unseen, direction, held
      if left <= 0:
        left, choice = int(rng.integers(*_STRETCH_STEPS)), rng.random()
        direction = 1 if choice < good else -1
        held = (None if choice < good + (1.0 - good) * 0.6
                else int(rng.integers(spec.num_values)))
      left -= 1
      offset = ball_offset(time_step.observation)
      unseen = unseen + 1 if offset is None else 0
      if rng.random() < noise:
        return behaviours.random_action(spec, rng)
      action = _FIRE if unseen > _PATIENCE else held
      if action is None:
        action = _move(direction, offset)
      return np.asarray(action, spec.dtype)
    return act
  return Behaviour(
      f'breakout_segments(good_share={good_share}, noise={noise})', start)


def ball_offset(frame: np.ndarray) -> Optional[float]:
  """Returns how far right of the paddle's middle the ball is.

  Args:
    frame: [H, W, 1] uint8.

  Returns:
    A part of the screen's width; None where there is no ball below the bricks.
  """
  ball, paddle = (_middle(frame, rows) for rows in (_BALL_ROWS, _PADDLE_ROWS))
  return None if ball is None or paddle is None else ball - paddle


def _move(direction: int, offset: Optional[float]) -> int:
  """Returns the action towards (1) or away from (-1) the ball."""
  if offset is None or (direction > 0 and abs(offset) < _NEAR):
    return _NOOP
  return _RIGHT if direction * offset > 0 else _LEFT


def _middle(frame: np.ndarray, rows: tuple[float, float]) -> Optional[float]:
  """Returns the mean column of the light in some rows; None if it is dark."""
  height, width, _ = frame.shape
  top, bottom = (int(np.rint(row * height)) for row in rows)
  left, right = math.ceil(_SIDES[0] * width), math.floor(_SIDES[1] * width)
  light = frame[top:bottom, left:right, 0].sum(axis=0, dtype=np.float64)
  if light.sum() < 1.0:
    return None
  columns = (np.arange(left, right) + 0.5) / width
  return float(columns @ light / light.sum())
