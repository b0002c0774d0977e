"""Columns of a table, as pyarrow has them, as arrays of numbers."""

from typing import Any, Sequence

import numpy as np

from tf_muzero.conversion import csv_files
from tf_muzero.conversion import trajectories

_TRUTH = {'true': True, 'false': False, '1': True, '0': False}


def keys(batch: Any, name: str, start: int) -> np.ndarray:
  """Returns [N] of a column that has a value in each row.

  Args:
    batch: of pyarrow, N rows.
    name: of the column.
    start: number of the first row.
  """
  column = _plain(batch.column(name))
  _check_complete(column, name, start)
  values = column.to_numpy(zero_copy_only=False)
  if hasattr(column.type, 'value_type') or column.type.num_fields:
    raise ValueError(f'Column {name!r} must have one value in each row, got '
                     f'{column.type}.')
  is_float = values.dtype.kind == 'f'
  missing = np.flatnonzero(np.isnan(values)) if is_float else np.zeros([0], int)
  if missing.size:
    raise ValueError(f'Column {name!r} is {values[missing[0]]} in row '
                     f'{start + missing[0]}.')
  return values


def flags(batch: Any, name: str, start: int) -> np.ndarray:
  """Returns [N] bool of a column of truth values, whatever its type."""
  values = keys(batch, name, start)
  if values.dtype == object:
    values = np.array([_TRUTH.get(str(x).strip().lower(), x) for x in values],
                      object)
  wrong = np.flatnonzero(~np.isin(values, (0, 1)))
  if wrong.size:
    raise ValueError(f'Column {name!r} must be true or false, or 1 or 0; in '
                     f'row {start + wrong[0]} it is {values[wrong[0]]!r}.')
  return values.astype(bool)


def single(batch: Any, name: str, start: int) -> np.ndarray:
  """Returns [N] of a column of numbers."""
  values = numbers(batch, [name], start)
  if values.shape[1] != 1:
    raise ValueError(f'Column {name!r} must have one number in each row, got '
                     f'lists of {values.shape[1]}.')
  return values[:, 0]


def numbers(batch: Any, names: Sequence[str], start: int) -> np.ndarray:
  """Returns [N, D] of columns of numbers, or of lists of as many numbers.

  Args:
    batch: of pyarrow, N rows.
    names: of the columns.
    start: number of the first row.
  """
  parts = []
  for name in names:
    values = column = _plain(batch.column(name))
    width = 1
    if hasattr(column, 'flatten') and hasattr(column.type, 'value_type'):
      _check_complete(column, name, start)
      values = _plain(column.flatten())
      width = max(len(values) // max(len(column), 1), 1)
    # Floats that are missing are NaN in its episode, which is told or skipped.
    if not trajectories.load('pyarrow').types.is_floating(values.type):
      _check_complete(values, name, start, width)
    values = values.to_numpy(zero_copy_only=False)
    if values.dtype.kind not in 'fiub':
      raise ValueError(f'Column {name!r} must be of numbers, got {column.type}'
                       f'{_which_text(values, start, width)}')
    if len(values) % len(column) or (values is not column and _differ(column)):
      raise ValueError(f'Column {name!r} must have lists of one length.')
    parts.append(values.reshape([len(column), -1]))
  return np.concatenate(parts, axis=-1)


def _plain(column: Any) -> Any:
  """Returns a column with its values themselves, decimals as floats."""
  pyarrow = trajectories.load('pyarrow')
  if hasattr(column, 'dictionary_decode'):
    column = column.dictionary_decode()
  if pyarrow.types.is_decimal(column.type):
    return column.cast(pyarrow.float64())
  return column


def _which_text(values: np.ndarray, start: int, width: int) -> str:
  """Returns which value is not a number, if they are texts."""
  for i, value in enumerate(values):
    if isinstance(value, str):
      try:
        float(value)
      except ValueError:
        return (f': in row {start + i // width} it is {value!r}.'
                f'{csv_files.about_number(value)}')
  return '.'


def _check_complete(
    column: Any, name: str, start: int, width: int = 1) -> None:
  """Raises ValueError for values that are missing, `width` of them a row."""
  if column.null_count:
    row = np.flatnonzero(column.is_null().to_numpy(zero_copy_only=False))[0]
    raise ValueError(
        f'Column {name!r} has no value in row {start + row // width}.')


def _differ(column: Any) -> bool:
  """Returns whether lists of a column are of different lengths."""
  if not hasattr(column, 'value_lengths'):
    return False
  lengths = column.value_lengths().to_numpy(zero_copy_only=False)
  return len(lengths) > 0 and lengths.min() != lengths.max()
