"""Catch: move a paddle under a falling ball; tiny, discrete, built in."""

import math
import re

import dm_env
from dm_env import specs
import numpy as np

from tf_muzero import rng

_MOVES = (-1, 0, 1)
# Whoever plays may draw from the seed itself, and must not know the columns.
_STREAM = 0xBA11


class Catch(dm_env.Environment):
  """A ball falls down a board, one row a step.

  The observation is the board, row by row: one where the ball is and one where
  the paddle is, in the last row. Actions 0, 1, 2 move the paddle left, not at
  all, right. The reward of the last step is 1 if the paddle is under the ball,
  else -1; all others are 0. The end is terminal.
  """

  def __init__(self, seed: int, num_rows: int = 10, num_columns: int = 5):
    """Initialises the environment.

    Args:
      seed: of the columns that balls fall in.
      num_rows: one more than an episode has steps.
      num_columns: of the board.
    """
    if num_rows < 2 or num_columns < 2:
      raise ValueError('Catch needs two rows and two columns, got '
                       f'{num_rows} and {num_columns}.')
    self._board_size = num_rows, num_columns
    self._rng = np.random.default_rng(rng.derive(seed, _STREAM))
    self._ball_row, self._ball_column, self._paddle = 0, 0, 0
    self._is_over = True

  def reset(self) -> dm_env.TimeStep:
    self._ball_row = 0
    num_columns = self._board_size[1]
    self._ball_column = int(self._rng.integers(num_columns))
    self._paddle = num_columns // 2
    self._is_over = False
    return dm_env.restart(self._observation())

  def step(self, action: np.ndarray) -> dm_env.TimeStep:
    if self._is_over:
      return self.reset()
    num_rows, num_columns = self._board_size
    self._paddle = min(
        max(self._paddle + _MOVES[int(action)], 0), num_columns - 1)
    self._ball_row += 1
    if self._ball_row < num_rows - 1:
      return dm_env.transition(0.0, self._observation())
    self._is_over = True
    reward = 1.0 if self._paddle == self._ball_column else -1.0
    return dm_env.termination(reward, self._observation())

  def observation_spec(self) -> specs.Array:
    return specs.BoundedArray(
        [math.prod(self._board_size)], np.float32, 0.0, 1.0, 'board')

  def action_spec(self) -> specs.DiscreteArray:
    return specs.DiscreteArray(len(_MOVES), np.int32, 'action')

  def board(self) -> np.ndarray:
    """Returns the board as a picture, [rows, columns] float32."""
    board = np.zeros(self._board_size, np.float32)
    board[self._ball_row, self._ball_column] = 1.0
    board[-1, self._paddle] = 1.0
    return board

  def _observation(self) -> np.ndarray:
    return self.board().reshape(-1)


def load(name: str, seed: int) -> Catch:
  """Returns the game.

  Args:
    name: such as `5x3`, its rows and columns; without one it has 10 and 5.
    seed: of the columns that balls fall in.
  """
  if not name:
    return Catch(seed)
  if not re.fullmatch(r'\d+x\d+', name):
    raise ValueError("The task is 'catch', or 'catch:ROWSxCOLUMNS' such as "
                     f"'catch:5x3', got {'catch:' + name!r}.")
  return Catch(seed, *map(int, name.split('x')))
