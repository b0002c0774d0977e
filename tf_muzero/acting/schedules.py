"""Numbers that change while a run learns, as functions of the learner step."""

import bisect
from typing import Callable, Sequence, Union

import numpy as np

from tf_muzero import ranges

# A number, or a function of the learner step.
Schedule = Union[float, Callable[[int], float]]


def at(schedule: Schedule, step: int) -> float:
  """Returns the number at a learner step."""
  return float(schedule(step) if callable(schedule) else schedule)


def linear(*, first: float, last: float, num_steps: int
           ) -> Callable[[int], float]:
  """Returns a number that goes from the first to the last value, and stays.

  Args:
    first: at learner step 0.
    last: at `num_steps` and after.
    num_steps: learner steps.
  """
  ranges.at_least(0, first=first, last=last)
  ranges.at_least(1, num_steps=num_steps)
  return lambda step: float(np.interp(step, [0, num_steps], [first, last]))


def stairs(*, values: Sequence[float], until: Sequence[int]
           ) -> Callable[[int], float]:
  """Returns a number that changes at once, such as MuZero's temperature.

  Args:
    values: one after the other.
    until: learner step, for each of them but the last, from which the next one
      holds; ascending.
  """
  ranges.some(values=values)
  ranges.at_least(0, **{f'values[{i}]': x for i, x in enumerate(values)})
  if len(until) != len(values) - 1 or list(until) != sorted(until):
    raise ValueError(
        'until must be ascending and have a learner step for each of the '
        f'{len(values)} values but the last, got {tuple(until)}.')
  return lambda step: float(values[bisect.bisect_right(until, step)])
