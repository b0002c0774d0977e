"""Batches of an exact composition: reanalysed and fresh windows.

The reanalyse fraction f is the share of training windows that come from
reanalysed stored data and not from fresh interaction (MuZero Unplugged, section
3.1): 1 is fully offline, 0 is online only. Each batch holds exactly
round(f B) reanalysed windows, not only in expectation.
"""

import itertools
from typing import Optional

import tensorflow as tf

from tf_muzero.types import Window


def mix(reanalysed: Optional[tf.data.Dataset],
        fresh: Optional[tf.data.Dataset], fraction: float, batch_size: int
        ) -> tf.data.Dataset:
  """Returns batches of `Window`s: first the reanalysed ones, then the fresh.

  Args:
    reanalysed: dataset of `Window`; not looked at where the fraction is 0.
    fresh: dataset of `Window` of the same shapes; not looked at where it is 1.
    fraction: f in [0, 1].
    batch_size: B.
  """
  num_reanalysed = count_reanalysed(fraction, batch_size)
  parts = []
  # Fresh windows are asked for first: stored ones may be of what they played.
  for name, dataset, size in (
      ('fresh', fresh, batch_size - num_reanalysed),
      ('reanalysed', reanalysed, num_reanalysed)):
    if not size:
      continue
    if dataset is None:
      raise ValueError(f'{name} windows must be given for a reanalyse fraction '
                       f'of {fraction}, got None.')
    parts.append(dataset.batch(size, drop_remainder=True))
  if reanalysed is None or fresh is None or len(parts) == 1:
    return parts[0]
  _check_alike(reanalysed.element_spec, fresh.element_spec)
  return tf.data.Dataset.zip(tuple(parts)).map(
      lambda *windows: tf.nest.map_structure(
          lambda *x: tf.concat(x, axis=0), *reversed(windows)))


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
  empty = 'reanalysed' if fraction < 0.5 else 'fresh'
  raise ValueError(
      f'A batch_size of {batch_size} leaves no {empty} windows at a reanalyse '
      f'fraction of {fraction}: it must be >= {smallest}.')


def _has_both(fraction: float, batch_size: int) -> bool:
  return 0 < round(fraction * batch_size) < batch_size


def _check_alike(reanalysed: Window, fresh: Window) -> None:
  for field in Window._fields:
    stored, played = getattr(reanalysed, field), getattr(fresh, field)
    if stored != played:
      raise ValueError(
          f'Reanalysed and fresh windows differ in {field}: {stored} and '
          f'{played}. Are dataset and environment of the same task?')
