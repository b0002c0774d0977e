"""CSV: how the text of a table is read, and what it begins with."""

import csv
import re
from typing import Any, NamedTuple, Optional

from tf_muzero.conversion import columns as columns_lib
from tf_muzero.conversion import trajectories
from tf_muzero.data import foreign

_TAB = 'tab'
_HEAD = 65_536  # Bytes that are looked at.
_DECIMAL_COMMA = re.compile(r' *[+-]?\d*,\d+([eE][+-]?\d+)? *')


class Text(NamedTuple):
  """How values are written.

  Attributes:
    separator: one character, or `tab`; None for what the file's name says:
      tabs in .tsv, else commas.
    decimal_point: `.` or `,`.
    column_names: of a file whose first row is none of names; a text with commas
      between them, or a sequence.
  """
  separator: Optional[str] = None
  decimal_point: str = '.'
  column_names: columns_lib.Names = None

  def names(self) -> list[str]:
    """Returns the names that are given, none by default."""
    if isinstance(self.column_names, str):
      return [name.strip() for name in self.column_names.split(',')]
    return list(self.column_names or ())


def check(path: str, text: Text) -> None:
  """Raises ValueError where settings of CSV are given for something else."""
  if text != Text() and not path.lower().endswith(foreign.CSV):
    raise ValueError('separator, decimal_point and column_names are of CSV '
                     f'({", ".join(foreign.CSV)}), and {path!r} is none.')


def file_format(path: str, text: Text) -> Any:
  """Returns pyarrow's format; raises ValueError where it cannot be right.

  Args:
    path: of the file.
    text: settings.
  """
  options = trajectories.load('pyarrow.csv')
  separator = _separator(path, text)
  if text.decimal_point not in ('.', ','):
    raise ValueError("decimal_point must be '.' or ',', got "
                     f'{text.decimal_point!r}.')
  if not text.column_names:
    _check_header(path, separator)
  return trajectories.load('pyarrow.dataset').CsvFileFormat(
      options.ParseOptions(delimiter=separator),
      convert_options=options.ConvertOptions(decimal_point=text.decimal_point),
      read_options=options.ReadOptions(column_names=text.names()))


def with_floats(schema: Any, found: columns_lib.Found) -> Any:
  """Returns a schema in which what may be any number is a float.

  The types of CSV are guessed by its first rows, which may be of whole numbers.

  Args:
    schema: of pyarrow.
    found: which columns are what.
  """
  pyarrow = trajectories.load('pyarrow')
  for name in [*found.observation, *found.reward, *found.next_observation]:
    i = schema.get_field_index(name)
    if pyarrow.types.is_integer(schema.field(i).type):
      schema = schema.set(i, pyarrow.field(name, pyarrow.float64()))
  return schema


def about_number(value: str) -> str:
  """Returns what to do about a text where a number should be."""
  return (" Decimal commas are read with decimal_point = ','."
          if _DECIMAL_COMMA.fullmatch(value) else '')


def _separator(path: str, text: Text) -> str:
  """Returns the character between values."""
  if text.separator is None:
    return '\t' if '.tsv' in path.lower()[-7:] else ','
  separator = '\t' if text.separator == _TAB else text.separator
  if len(separator) != 1:
    raise ValueError(f'separator must be one character, or {_TAB!r}, got '
                     f'{text.separator!r}.')
  return separator


def _check_header(path: str, separator: str) -> None:
  """Raises ValueError where the first row is not the names of columns."""
  with trajectories.load('pyarrow').input_stream(path) as file:
    head = file.read(_HEAD).decode('utf-8', 'replace')
  names = next(csv.reader(head.splitlines(), delimiter=separator), [])
  if not names:
    raise ValueError(f'{path!r} is empty.')
  for other in (';', '\t', '|', ','):
    if len(names) == 1 and other in names[0]:
      setting = _TAB if other == '\t' else other
      raise ValueError(
          f'{path!r} has {other!r} between its values, it seems: its only '
          f'column is {names[0]!r}. Set separator = {setting!r}.')
  if 2 * sum(map(_is_number, names)) > len(names):
    raise ValueError(
        f'{path!r} has no names in its first row, it seems: '
        f'{", ".join(names[:4])}, ... Name its {len(names)} columns with '
        "column_names = 'episode,step,...'.")
  twice = sorted({name for name in names if names.count(name) > 1})
  if twice:
    raise ValueError(f'{path!r} has several columns called '
                     f'{", ".join(map(repr, twice))}: rename them.')


def _is_number(text: str) -> bool:
  try:
    float(text.replace(',', '.'))
  except ValueError:
    return False
  return True
