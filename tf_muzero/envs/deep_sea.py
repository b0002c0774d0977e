"""Deep sea: a reward that only one sequence of actions leads to.

By the rules of bsuite (Osband et al. 2020, "Behaviour Suite for Reinforcement
Learning"), the deterministic variant: the same steps as its version 0.3.6 takes
in all dives of 1, 2, 5 and 8 cells.
"""

import dm_env
from dm_env import specs
import numpy as np

_MOVE_COST = 0.01  # Of a dive that always goes right.
MAPPING_SEED = 42  # bsuite's.


class DeepSea(dm_env.Environment):
  """A diver sinks through N rows of N columns, one row a step.

  He starts at the top left. One of the actions 0 and 1 moves him right, which
  costs 0.01 / N, the other one left, which costs nothing; which one it is was
  drawn for each cell. Who moves right in the last column finds the treasure, a
  reward of 1: that is the last step of a dive that has gone right N times, with
  a return of 0.99. Actions at random do so once in 2^N episodes. The end, after
  N steps, is terminal.

  The observation is the grid, row by row: one where the diver is; all zeros at
  the end.
  """

  def __init__(self, size: int, mapping_seed: int):
    """Initialises the environment, in which nothing is random.

    Args:
      size: N.
      mapping_seed: of the actions that move right; with the seed 42 the
        mapping is bsuite's.
    """
    if size < 1:
      raise ValueError(f'The size of deep_sea must be >= 1, got {size}.')
    self._size = size
    self._moves_right = mapping(size, mapping_seed)
    self._row, self._column = size, 0

  def reset(self) -> dm_env.TimeStep:
    self._row = self._column = 0
    return dm_env.restart(self._observation())

  def step(self, action: np.ndarray) -> dm_env.TimeStep:
    if self._row == self._size:
      return self.reset()
    goes_right = int(action) == self._moves_right[self._row, self._column]
    last = self._size - 1
    reward = -_MOVE_COST / self._size * goes_right
    reward += float(goes_right and self._column == last)
    self._row += 1
    self._column = min(max(
        self._column + (1 if goes_right else -1), 0), last)
    end = (dm_env.termination if self._row == self._size else
           dm_env.transition)
    return end(float(reward), self._observation())

  def observation_spec(self) -> specs.Array:
    return specs.BoundedArray(
        [self._size**2], np.float32, 0.0, 1.0, 'board')

  def action_spec(self) -> specs.DiscreteArray:
    return specs.DiscreteArray(2, np.int32, 'action')

  def right(self) -> int:
    """Returns the action that moves right from where the diver is."""
    return int(self._moves_right[self._row, self._column])

  def board(self) -> np.ndarray:
    """Returns the grid as a picture, [N, N] float32."""
    board = np.zeros([self._size, self._size], np.float32)
    if self._row < self._size:
      board[self._row, self._column] = 1.0
    return board

  def _observation(self) -> np.ndarray:
    return self.board().reshape(-1)


def mapping(size: int, mapping_seed: int) -> np.ndarray:
  """Returns the action that moves right from each cell, [N, N]."""
  return np.random.RandomState(mapping_seed).binomial(1, 0.5, [size, size])


def load(name: str, seed: int) -> DeepSea:
  """Returns the environment of `N` or `N/SEED`, the seed of its mapping.

  Args:
    name: such as `8`; without a seed it is bsuite's.
    seed: not used, since nothing is random.
  """
  del seed
  size, _, mapping_seed = name.partition('/')
  if not size.isdecimal() or not (mapping_seed or '0').isdecimal():
    raise ValueError(
        "The task is 'deep_sea:N', such as 'deep_sea:8', or 'deep_sea:N/SEED' "
        f"with the seed of its actions, got {'deep_sea:' + name!r}.")
  return DeepSea(int(size), int(mapping_seed or MAPPING_SEED))
