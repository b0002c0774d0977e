"""The exact composition of batches: reanalysed and fresh windows.

The reanalyse fraction f is the share of training windows that come from
reanalysed stored data and not from fresh interaction (MuZero Unplugged, section
3.1): 1 is fully offline, 0 is online only. Each batch holds exactly
round(f B) reanalysed windows, not only in expectation.
"""

import itertools


def count_reanalysed(fraction: float, batch_size: int) -> int:
  """Returns round(f B), the reanalysed windows of each batch.

  Args:
    fraction: f in [0, 1].
    batch_size: B.
  """
  if not 0.0 <= fraction <= 1.0:
    raise ValueError(f'fraction must be in [0, 1], got {fraction}.')
  if batch_size < 1:
    raise ValueError(f'batch_size must be >= 1, got {batch_size}.')
  if not 0.0 < fraction < 1.0 or _has_both(fraction, batch_size):
    return round(fraction * batch_size)
  smallest = next(
      size for size in itertools.count(int(0.5 / min(fraction, 1.0 - fraction)))
      if _has_both(fraction, size))
  empty = 'fresh' if round(fraction * batch_size) else 'reanalysed'
  raise ValueError(
      f'A batch_size of {batch_size} leaves no {empty} windows at a reanalyse '
      f'fraction of {fraction}: it must be >= {smallest}.')


def _has_both(fraction: float, batch_size: int) -> bool:
  return 0 < round(fraction * batch_size) < batch_size
