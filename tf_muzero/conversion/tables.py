"""A table with a row for each transition: Parquet or CSV, read in parts."""

import collections
import os
from typing import Any, Iterator, NamedTuple, Optional, Sequence

import numpy as np

from tf_muzero.conversion import columns as columns_lib
from tf_muzero.conversion import trajectories
from tf_muzero.conversion.trajectories import Trajectory
from tf_muzero.data import foreign

_AT_ONCE = 32_768  # Rows.


class _Rows(NamedTuple):
  """N rows; those that a table lacks are None.

  Attributes:
    episode: [N] what tells episodes apart.
    observation: [N, D].
    action: [N, n] floats or [N] integers.
    reward: [N].
    terminal: [N] bool.
    truncated: [N] bool.
    next_observation: [N, D].
    step: [N].
    number: [N] of the row in the table.
  """
  episode: np.ndarray
  observation: np.ndarray
  action: np.ndarray
  reward: np.ndarray
  terminal: Optional[np.ndarray]
  truncated: Optional[np.ndarray]
  next_observation: Optional[np.ndarray]
  step: Optional[np.ndarray]
  number: np.ndarray


def open_table(path: str, columns: columns_lib.Columns, *,
               check_next_observations: bool) -> trajectories.Source:
  """Returns the episodes of a table.

  The rows of an episode must be together; the table may be larger than memory.

  Args:
    path: of a file, or a directory of Parquet files.
    columns: which are what.
    check_next_observations: whether they must be the observations of the rows
      after.
  """
  pyarrow = trajectories.load('pyarrow')
  datasets = trajectories.load('pyarrow.dataset')
  is_csv = path.lower().endswith(foreign.CSV)
  try:
    table = datasets.dataset(
        path, format=_csv_format(path) if is_csv else 'parquet')
    num_rows = None if is_csv else table.count_rows()
  except (OSError, pyarrow.ArrowException) as error:
    raise ValueError(f'{path!r} cannot be read as '
                     f'{"CSV" if is_csv else "Parquet"}: {error}') from error
  if is_csv:
    _check_separator(table.schema.names, path)
  found = columns_lib.find(columns, table.schema.names, path)
  if is_csv:
    table = datasets.dataset(path, _with_floats(table.schema, found),
                             format=_csv_format(path))

  def read(settled: collections.Counter) -> Iterator[Trajectory]:
    seen: set[Any] = set()
    name = os.path.basename(path.rstrip('/'))
    try:
      for rows in _episodes(_batches(table, found)):
        yield _trajectory(
            name, rows, seen, check_next_observations, settled)
    except pyarrow.ArrowException as error:
      raise ValueError(f'{path!r} cannot be read: {error}') from error

  return trajectories.Source(
      f'table in {"CSV" if is_csv else "Parquet"}', '', None, num_rows, {
          'pyarrow_version': pyarrow.__version__,
          'observation_columns': list(found.observation),
          'action_columns': list(found.action)}, read)


def _csv_format(path: str) -> Any:
  """Returns how values are separated, by the name of a file."""
  csv = trajectories.load('pyarrow.csv')
  return trajectories.load('pyarrow.dataset').CsvFileFormat(csv.ParseOptions(
      delimiter='\t' if '.tsv' in path.lower()[-7:] else ','))


def _check_separator(names: Sequence[str], path: str) -> None:
  """Raises ValueError where commas are surely not what separates values."""
  for separator in (';', '\t', '|'):
    if len(names) == 1 and separator in names[0]:
      raise ValueError(
          f'{path!r} has {separator!r} between its values, it seems: its only '
          f'column is {names[0]!r}. In CSV there must be commas, and in files '
          'called .tsv tabs.')


def _with_floats(schema: Any, found: columns_lib.Found) -> Any:
  """Returns a schema in which what may be any number is a float.

  The types of CSV are guessed by its first rows, which may be of whole numbers.
  """
  pyarrow = trajectories.load('pyarrow')
  for name in [*found.observation, *found.reward, *found.next_observation]:
    i = schema.get_field_index(name)
    if pyarrow.types.is_integer(schema.field(i).type):
      schema = schema.set(i, pyarrow.field(name, pyarrow.float64()))
  return schema


def _batches(table: Any, found: columns_lib.Found) -> Iterator[_Rows]:
  """Yields the rows, some at a time."""
  start = 0
  for batch in table.to_batches(
      columns=found.all(), batch_size=_AT_ONCE, batch_readahead=2,
      fragment_readahead=1):
    if not batch.num_rows:
      continue
    yield _rows(batch, found, start)
    start += batch.num_rows


def _rows(batch: Any, found: columns_lib.Found, start: int) -> _Rows:
  """Returns the rows of a part of a table.

  Args:
    batch: of pyarrow.
    found: which columns are what.
    start: number of its first row.
  """
  flags = lambda names: _flags(batch, names[0], start) if names else None
  numbers = lambda names: _numbers(batch, names, start)
  single = lambda names: _single(numbers(names), names[0])
  return _Rows(
      _keys(batch, found.episode[0], start), numbers(found.observation),
      numbers(found.action), single(found.reward),
      flags(found.terminal), flags(found.truncated),
      numbers(found.next_observation) if found.next_observation else None,
      single(found.step) if found.step else None,
      np.arange(start, start + batch.num_rows))


def _episodes(batches: Iterator[_Rows]) -> Iterator[_Rows]:
  """Yields the rows of one episode after the other."""
  pending: list[_Rows] = []
  for rows in batches:
    changes = np.flatnonzero(rows.episode[1:] != rows.episode[:-1]) + 1
    edges = [0, *changes, len(rows.episode)]
    for start, stop in zip(edges, edges[1:]):
      part = _take(rows, slice(start, stop))
      if pending and pending[0].episode[0] != part.episode[0]:
        yield _join(pending)
        pending = []
      pending.append(part)
  if pending:
    yield _join(pending)


def _take(rows: _Rows, which: Any) -> _Rows:
  parts: list[Any] = [None if x is None else x[which] for x in rows]
  return _Rows(*parts)


def _join(parts: list[_Rows]) -> _Rows:
  joined: list[Any] = [None if xs[0] is None else np.concatenate(xs)
                       for xs in zip(*parts)]
  return _Rows(*joined)


def _trajectory(name: str, rows: _Rows, seen: set, checks_next: bool,
                settled: collections.Counter) -> Trajectory:
  """Returns the episode of some rows."""
  key = rows.episode[0]
  where = (f'{name}, episode {key}, rows {rows.number[0]} to '
           f'{rows.number[-1]}')
  if key in seen:
    raise ValueError(
        f'{where}: rows of this episode stand before those of another one too. '
        'Put those of each episode together, for example with '
        "pyarrow.parquet.read_table(path).sort_by([('episode', 'ascending'), "
        "('step', 'ascending')]).")
  seen.add(key)
  rows = _in_order(rows, where)
  for flags, word in ((rows.terminal, 'terminal'),
                      (rows.truncated, 'truncated')):
    early = np.flatnonzero(flags[:-1]) if flags is not None else np.zeros([0])
    if early.size:
      raise ValueError(f'{where}: row {rows.number[early[0]]} is {word}, and '
                       'other rows of the episode follow.')
  is_terminal = rows.terminal is not None and bool(rows.terminal[-1])
  if not is_terminal and rows.truncated is not None and not rows.truncated[-1]:
    settled[trajectories.NO_MARK] += 1
  final = None
  if rows.next_observation is not None:
    if checks_next:
      trajectories.check_follows(
          rows.observation, rows.next_observation, where)
    final = rows.next_observation[-1]
  return trajectories.of_rows(
      rows.observation, trajectories.action_vector(rows.action, where),
      rows.reward, is_terminal, final, where, settled)


def _in_order(rows: _Rows, where: str) -> _Rows:
  """Returns the rows by their steps, none of which may be missing."""
  if rows.step is None:
    return rows
  order = np.argsort(rows.step, kind='stable')
  step, rows = rows.step[order], _take(rows, order)
  distances = np.diff(step)
  uneven = np.flatnonzero((distances <= 0) | (distances != distances[:1]))
  if uneven.size:
    i = uneven[0]
    raise ValueError(f'{where}: step {step[i + 1]} follows step '
                     f'{step[i]}, unlike the steps before or after. Are '
                     'rows missing, or twice there?')
  return rows


def _keys(batch: Any, name: str, start: int) -> np.ndarray:
  """Returns [N] of a column that has a value in each row."""
  column = batch.column(name)
  if hasattr(column, 'dictionary_decode'):
    column = column.dictionary_decode()
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


def _single(values: np.ndarray, name: str) -> np.ndarray:
  """Returns [N] of [N, 1]."""
  if values.shape[1] != 1:
    raise ValueError(f'Column {name!r} must have one number in each row, got '
                     f'lists of {values.shape[1]}.')
  return values[:, 0]


def _check_complete(column: Any, name: str, start: int) -> None:
  if column.null_count:
    row = np.flatnonzero(column.is_null().to_numpy(zero_copy_only=False))[0]
    raise ValueError(f'Column {name!r} has no value in row {start + row}.')


def _flags(batch: Any, name: str, start: int) -> np.ndarray:
  """Returns [N] bool of a column of truth values, whatever its type."""
  values = _keys(batch, name, start)
  wrong = np.flatnonzero(~np.isin(values, (0, 1)))
  if wrong.size:
    raise ValueError(f'Column {name!r} must be true or false, or 1 or 0; in '
                     f'row {start + wrong[0]} it is {values[wrong[0]]!r}.')
  return values.astype(bool)


def _numbers(batch: Any, names: Any, start: int) -> np.ndarray:
  """Returns [N, D] of columns of numbers, or of lists of as many numbers."""
  parts = []
  for name in names:
    column = batch.column(name)
    _check_complete(column, name, start)
    values = column
    if hasattr(column, 'flatten') and hasattr(column.type, 'value_type'):
      values = column.flatten()
      _check_complete(values, name, start)
    values = values.to_numpy(zero_copy_only=False)
    if values.dtype.kind not in 'fiub':
      raise ValueError(f'Column {name!r} must be of numbers, got '
                       f'{column.type}.')
    if len(values) % len(column) or (values is not column and _differ(column)):
      raise ValueError(f'Column {name!r} must have lists of one length.')
    parts.append(values.reshape([len(column), -1]))
  return np.concatenate(parts, axis=-1)


def _differ(column: Any) -> bool:
  """Returns whether lists of a column are of different lengths."""
  if not hasattr(column, 'value_lengths'):
    return False
  lengths = column.value_lengths().to_numpy(zero_copy_only=False)
  return len(lengths) > 0 and lengths.min() != lengths.max()
