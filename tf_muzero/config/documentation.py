"""What docstrings say about commands and their arguments."""

import inspect
import re
from typing import Callable

from tf_muzero.config import annotations

_ARGUMENT = re.compile(r'^  (\w+): (.*)$')


def of_arguments(function: Callable) -> dict[str, str]:
  """Returns what a docstring's section Args says, by the argument's name."""
  found: dict[str, str] = {}
  name, is_inside = '', False
  for line in (inspect.getdoc(function) or '').splitlines():
    if not line.startswith(' '):
      is_inside = line == 'Args:' or is_inside and not line
      continue
    first = _ARGUMENT.match(line)
    if is_inside and first:
      name = first[1]
      found[name] = first[2]
    elif is_inside and name:
      found[name] += ' ' + line.strip()
  return found


def how_to_give(command_fn: Callable, name: str) -> str:
  """Returns what to say of a missing argument, '' if it is gin's alone."""
  annotation = annotations.of_parameter(command_fn, name)
  is_option = bool(annotations.kinds(annotation))
  if not is_option and not annotations.is_many(annotation):
    return ''
  said = of_arguments(command_fn).get(name, '').rstrip('.')
  return (f'{name} must be given' + f': --{name}=...' * is_option
          + f' ({said})' * bool(said) + '.')


def first_line(text: str) -> str:
  """Returns the first line of a docstring."""
  return text.strip().partition('\n')[0]
