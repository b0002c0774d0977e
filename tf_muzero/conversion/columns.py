"""Which columns of a table are what."""

import dataclasses
import re
from typing import NamedTuple, Optional, Sequence, Union

from absl import logging

Names = Union[str, Sequence[str], None]
_OF = r'([._/].*|\d+)?'  # What follows the name of one of several.
_OBSERVATION = r'(observation|obs)s?(?![._/]?next)' + _OF
# By convention: what a column is -> what its name matches.
_PATTERNS = {
    'episode': r'episode(_id)?', 'observation': _OBSERVATION,
    'action': r'actions?([._/]?\d+)?', 'reward': r'rewards?',
    'terminal': r'terminals?|terminated|dones?',
    'truncated': r'truncated|truncations?|timeouts?',
    'next_observation': (
        f'next_{_OBSERVATION}|(observation|obs)s?[._/]?next{_OF}'),
    'step': r'step|timestep'}
_SEVERAL = ('observation', 'action', 'next_observation')
_NEEDED = ('episode', 'observation', 'action', 'reward')


@dataclasses.dataclass(frozen=True)
class Columns:
  """Names of columns; None finds them by convention, '' is for none.

  Of several, a sequence of names, or a text with commas between them; `x*` is
  all whose names begin with x, in the order of the table.

  Attributes:
    episode: which episode a row is of.
    observation: numbers, or lists of numbers.
    action: floats, or one of integers.
    reward: that follows the action.
    terminal: whether the transition ends in a terminal state.
    truncated: whether the episode was cut off after the transition.
    next_observation: what follows the action, as many as of `observation`.
    step: by which the rows of an episode are put in order.
  """
  episode: Optional[str] = None
  observation: Names = None
  action: Names = None
  reward: Optional[str] = None
  terminal: Optional[str] = None
  truncated: Optional[str] = None
  next_observation: Names = None
  step: Optional[str] = None


class Found(NamedTuple):
  """Names of the columns of a table, empty for none; see `Columns`."""
  episode: Sequence[str]
  observation: Sequence[str]
  action: Sequence[str]
  reward: Sequence[str]
  terminal: Sequence[str]
  truncated: Sequence[str]
  next_observation: Sequence[str]
  step: Sequence[str]

  def all(self) -> list[str]:
    """Returns all names."""
    return [name for names in tuple(self) for name in names]


def tells_any_end(found: Found) -> bool:
  """Returns whether ends that were cut off may be marked as terminal, too.

  As of `done`, which environments of Gym before 0.26 gave at time limits.
  """
  return bool(found.terminal and found.truncated) and bool(
      re.fullmatch('dones?', found.terminal[0].strip(), re.IGNORECASE))


def find(columns: Columns, names: Sequence[str], path: str) -> Found:
  """Returns which columns of a table are what, and logs it.

  Args:
    columns: the settings.
    names: of the table's columns.
    path: of the table, for messages.
  """
  found = Found(**{
      field.name: _find(field.name, getattr(columns, field.name), names, path)
      for field in dataclasses.fields(columns)})
  for field in _NEEDED:
    if not getattr(found, field):
      raise ValueError(
          f'{path!r} has no column that is surely the {field}: name it with '
          f'{field}_column{"s" if field in _SEVERAL else ""}. Its columns are '
          f'{", ".join(names)}.')
  if not found.terminal and columns.terminal is None:
    raise ValueError(
        f'{path!r} has no column terminal, terminated or done, so nothing '
        'tells a terminal end from one that was cut off. Name it with '
        "terminal_column, or set terminal_column to '' if no episode ends in a "
        'terminal state.')
  if found.next_observation and len(found.next_observation) != len(
      found.observation):
    raise ValueError(
        f'{path!r} has {len(found.observation)} columns of observations '
        f'({", ".join(found.observation)}) and {len(found.next_observation)} '
        f'of next observations ({", ".join(found.next_observation)}).')
  twice = {name for name in found.all() if found.all().count(name) > 1}
  if twice:
    raise ValueError(f'{path!r}: {", ".join(sorted(twice))} cannot be two '
                     'things at once.')
  for field, chosen in zip(Found._fields, found):
    if chosen:
      logging.info('%s: %s is %s.', path, field, ', '.join(chosen))
  unused = [name for name in names if name not in found.all()]
  if unused:
    logging.info('%s: %s are not read.', path, ', '.join(unused))
  return found


def _find(field: str, wanted: Names, names: Sequence[str], path: str
          ) -> list[str]:
  """Returns the columns of one kind."""
  if wanted is None:
    found = [name for name in names
             if re.fullmatch(_PATTERNS[field], name.strip(), re.IGNORECASE)]
  else:
    if isinstance(wanted, str):
      wanted = [name.strip() for name in wanted.split(',') if name.strip()]
    found = []
    for pattern in wanted:
      matching = (
          [name for name in names if name.strip().startswith(pattern[:-1])]
          if pattern.endswith('*') else
          [name for name in names if pattern in (name, name.strip())])
      if not matching:
        raise ValueError(f'{path!r} has no column {pattern!r} ({field}); it '
                         f'has {", ".join(names)}.')
      found += matching
  if len(found) > 1 and field not in _SEVERAL:
    raise ValueError(f'{path!r} has several columns that may be the {field}: '
                     f'{", ".join(found)}. Name one with {field}_column.')
  return found
