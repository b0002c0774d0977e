"""Which arrays are taken for pictures, in an environment and in a dataset."""

from typing import Any, Sequence

import numpy as np

DTYPES = (np.uint8, np.bool_)  # That a picture can have.
MOST_CHANNELS = 16  # That a last side is taken for, unless it is said.
_SIDE = 24  # Both sides of a picture of one channel: the board of Go has 19.
_LEAST_SIDE = 8  # Two sides as long as this, of other numbers: as of a picture.


def looks_like_one(shape: Sequence[int], dtype: Any) -> bool:
  """Returns whether an array is likely a picture, in whatever order of sides.

  Args:
    shape: of the array.
    dtype: of its numbers; those in [0, 1] may be floats.
  """
  if len(shape) == 3 and dtype in DTYPES:
    return True
  if len(shape) == 2:
    return min(shape) >= _SIDE
  return len(shape) > 2 and sorted(shape)[-2] >= _LEAST_SIDE


def looks_channels_first(shape: Sequence[int]) -> bool:
  """Returns whether [C, H, W] is more likely than [H, W, C]."""
  first, middle, last = shape
  return last > 4 and first < min(middle, last) and (
      first <= 4 or middle == last)
