"""A table with a row for each transition: Parquet or CSV, read in parts."""

import collections
import os
import re
from typing import Any, Iterator, NamedTuple, Optional, Sequence

import numpy as np

from tf_muzero.conversion import cells
from tf_muzero.conversion import columns as columns_lib
from tf_muzero.conversion import csv_files
from tf_muzero.conversion import trajectories
from tf_muzero.conversion.trajectories import Trajectory
from tf_muzero.data import foreign

_AT_ONCE = 32_768  # Rows.
# What pyarrow says around the reason that it has, and how it names a column.
_AROUND = re.compile(
    r'^Error creating dataset\..*?input source \'.*?\': |Invalid: '
    r'|CSV parse error: |CSV conversion error ', re.DOTALL)
_COLUMN = re.compile(r'In CSV column #(\d+): ')


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
               check_next_observations: bool,
               text: csv_files.Text = csv_files.Text()
               ) -> trajectories.Source:
  """Returns the episodes of a table.

  The rows of an episode must be together; the table may be larger than memory.

  Args:
    path: of a file, or a directory of Parquet files.
    columns: which are what.
    check_next_observations: whether they must be the observations of the rows
      after.
    text: how the values of CSV are written.
  """
  pyarrow = trajectories.load('pyarrow')
  is_csv = path.lower().endswith(foreign.CSV)
  kind = 'CSV' if is_csv else 'Parquet'
  try:
    file_format = csv_files.file_format(path, text) if is_csv else 'parquet'
    table = _open(path, file_format)
    num_rows = None if is_csv else table.count_rows()
  except (OSError, pyarrow.ArrowException) as error:
    raise ValueError(
        f'{path!r} cannot be read as {kind}: {_reason(error)}') from error
  found = columns_lib.find(columns, table.schema.names, path)
  if is_csv:
    table = _open(
        path, file_format, csv_files.with_floats(table.schema, found))

  def read(settled: collections.Counter) -> Iterator[Trajectory]:
    seen: set[Any] = set()
    name = os.path.basename(path.rstrip('/'))
    try:
      for rows in _episodes(_batches(path, table, found)):
        yield _trajectory(
            name, rows, seen, columns_lib.tells_any_end(found),
            check_next_observations, settled)
    except pyarrow.ArrowException as error:
      raise ValueError(f'{path!r} cannot be read: '
                       f'{_reason(error, table.schema.names)}') from error

  return trajectories.Source(
      f'table in {kind}', '', None, num_rows, {
          'pyarrow_version': pyarrow.__version__,
          'observation_columns': list(found.observation),
          'action_columns': list(found.action)}, read)


def _open(path: str, file_format: Any, schema: Any = None) -> Any:
  """Returns a file, or all files of Parquet in a directory and in its folders.

  Names of folders such as `episode=3` are a column too.

  Args:
    path: of the file or directory.
    file_format: of pyarrow, or its name.
    schema: of pyarrow, None for what the first file has.
  """
  files: Any = path
  if os.path.isdir(path):
    files = sorted(
        os.path.join(folder, name) for folder, _, names in os.walk(path)
        for name in names
        if name.endswith(foreign.PARQUET) and name[0] not in '._')
  return trajectories.load('pyarrow.dataset').dataset(
      files, schema, file_format, partitioning='hive', partition_base_dir=path)


def _reason(error: Exception, names: Sequence[str] = ()) -> str:
  """Returns what pyarrow says, without where in it that is said.

  Args:
    error: of pyarrow.
    names: of the columns, which it counts.
  """
  said = _AROUND.sub('', str(error)).strip()
  column = _COLUMN.match(said)
  if column and int(column[1]) < len(names):
    said = f'column {names[int(column[1])]!r}: {said[column.end():]}'
  return said


def _batches(path: str, table: Any, found: columns_lib.Found
             ) -> Iterator[_Rows]:
  """Yields the rows, some at a time."""
  start = 0
  for batch in table.to_batches(
      columns=found.all(), batch_size=_AT_ONCE, batch_readahead=2,
      fragment_readahead=1):
    if not batch.num_rows:
      continue
    try:
      rows = _rows(batch, found, start)
    except ValueError as error:
      raise ValueError(f'{path!r}: {error}') from error
    yield rows
    start += batch.num_rows


def _rows(batch: Any, found: columns_lib.Found, start: int) -> _Rows:
  """Returns the rows of a part of a table.

  Args:
    batch: of pyarrow.
    found: which columns are what.
    start: number of its first row.
  """
  flags = lambda names: cells.flags(batch, names[0], start) if names else None
  numbers = lambda names: cells.numbers(batch, names, start)
  return _Rows(
      cells.keys(batch, found.episode[0], start), numbers(found.observation),
      numbers(found.action), cells.single(batch, found.reward[0], start),
      flags(found.terminal), flags(found.truncated),
      numbers(found.next_observation) if found.next_observation else None,
      cells.single(batch, found.step[0], start) if found.step else None,
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


def _trajectory(name: str, rows: _Rows, seen: set, tells_any_end: bool,
                checks_next: bool, settled: collections.Counter) -> Trajectory:
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
  is_cut = rows.truncated is None or rows.truncated[-1]
  if not is_terminal and not is_cut:
    settled[trajectories.NO_MARK] += 1
  if is_terminal and is_cut and tells_any_end:
    is_terminal = False
    settled[trajectories.DONE_AND_CUT] += 1
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
  uneven = np.flatnonzero(
      (distances <= 0) | ~np.isclose(distances, distances[:1]))
  if uneven.size:
    i = uneven[0]
    raise ValueError(f'{where}: step {step[i + 1]} follows step '
                     f'{step[i]}, unlike the steps before or after. Are '
                     'rows missing, or twice there? If the column does not '
                     "count steps: --step_column=''.")
  return rows
