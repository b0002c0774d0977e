"""The range of the actions: given, told by the source, or seen."""

from typing import Optional, Sequence, Union

from absl import logging
from dm_env import specs
import numpy as np

from tf_muzero import actions
from tf_muzero import ranges

Bound = Union[float, str, Sequence[float]]
_LARGEST = np.finfo(np.float32).max / 4  # So that ranges are finite, too.
_MOST_INTEGERS = 2**31 - 1


class Seen:
  """The least and the greatest action of each component, so far."""

  def __init__(self):
    """Initialises it: nothing was seen."""
    self._low = self._high = np.zeros([0])
    self._is_empty = self._is_whole = True

  def add(self, action: np.ndarray) -> None:
    """Adds finite actions [T] or [T, n], T > 0."""
    low, high = action.min(axis=0), action.max(axis=0)
    self._low = low if self._is_empty else np.minimum(self._low, low)
    self._high = high if self._is_empty else np.maximum(self._high, high)
    self._is_empty = False
    self._is_whole &= not (action % 1).any()

  def integers(self) -> specs.DiscreteArray:
    """Returns the spec of integers from 0 to the greatest."""
    low, high = int(self._low), int(self._high)
    if low < 0:
      raise ValueError(f'Actions are integers from {low} to {high}: give '
                       'action_start and num_actions.')
    logging.warning(
        'Actions are integers from %d to %d, and nothing tells their range: '
        'num_actions = %d is recorded%s.', low, high, high + 1,
        '' if low == 0 else f', from 0 on; with action_start = {low} they '
        'would begin there')
    return actions.Integers(high + 1)

  def vector(self) -> specs.BoundedArray:
    """Returns the spec of vectors between the least and the greatest."""
    low, high = (np.asarray(x, np.float32) for x in (self._low, self._high))
    constant = np.flatnonzero(low >= high)
    if constant.size:
      raise ValueError(
          f'Component {constant[0]} of the actions is {low[constant[0]]} in '
          'every transition, so that the data does not show their range: give '
          'action_minimum and action_maximum.')
    if self._is_whole:
      logging.warning(
          'Actions are floats, and all are whole numbers: they count as '
          'amounts, not as choices. If they number choices, store them as '
          'integers.')
    logging.warning(
        'Nothing tells the range of the actions: what is seen is recorded, '
        'action_minimum = %s and action_maximum = %s. Give them where the '
        'environment has others.', low.tolist(), high.tolist())
    return actions.bounded(low.shape, low, high)


def given(is_discrete: bool, width: int, *, minimum: Optional[Bound],
          maximum: Optional[Bound], number: Optional[int],
          start: Optional[int]) -> Optional[specs.Array]:
  """Returns the spec that settings give, None where they give none.

  Args:
    is_discrete: whether the actions are integers.
    width: n of vectors.
    minimum: of vectors, a number or one for each component, which may be a
      text with commas between them.
    maximum: likewise.
    number: of integers.
    start: the least of them, by default 0.
  """
  if (minimum is None) != (maximum is None):
    raise ValueError('action_minimum and action_maximum must be given '
                     f'together, got {minimum!r} and {maximum!r}.')
  if start is not None and number is None:
    raise ValueError('action_start must be given together with num_actions.')
  if is_discrete and minimum is not None:
    raise ValueError('action_minimum is given, but the actions are integers.')
  if not is_discrete and number is not None:
    raise ValueError('num_actions is given, but the actions are floats.')
  if number is not None:
    ranges.at_least(1, num_actions=number)
    return actions.Integers(number, start or 0)
  if minimum is None:
    return None
  return actions.bounded([width], _numbers('action_minimum', minimum, width),
                         _numbers('action_maximum', maximum, width))


def _numbers(name: str, bound: Optional[Bound], width: int) -> np.ndarray:
  """Returns [width] numbers of a bound."""
  try:
    found = np.asarray(
        bound.split(',') if isinstance(bound, str) else bound, np.float32)
  except (TypeError, ValueError):
    found = np.zeros([0, 0], np.float32)
  if found.shape not in ((), (1,), (width,)):
    raise ValueError(
        f'{name} must be a number or {width} of them, got {bound!r}.')
  return np.broadcast_to(found, [width])


def unknown(is_discrete: bool, width: int) -> specs.Array:
  """Returns a spec that any action is within, until their range is seen."""
  if is_discrete:
    return actions.Integers(_MOST_INTEGERS, -(2**30))
  return actions.bounded([width], -_LARGEST, _LARGEST)
