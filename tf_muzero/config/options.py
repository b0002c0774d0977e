"""What of a command's arguments a command line can give without gin.

These are the arguments that may be a text, a number or a bool: each is an
option `--name=value`. Some commands take some of them by their place too.
"""

import inspect
import math
import re
from typing import Any, Callable, Container, NamedTuple, Sequence

from absl import flags

from tf_muzero.config import annotations
from tf_muzero.config import bindings

_NONE = type(None)


class Given(NamedTuple):
  """What a command line says.

  Attributes:
    arguments: values of the command's arguments, by name.
    gin_files: of `--gin_file`.
    gin_bindings: of `--gin_bindings`.
  """
  arguments: dict[str, Any]
  gin_files: list[str]
  gin_bindings: list[str]


def of_command(command_fn: Callable) -> dict[str, inspect.Parameter]:
  """Returns the arguments that are options, by name."""
  return {name: parameter
          for name, parameter in annotations.parameters(command_fn).items()
          if annotations.kinds(annotations.of_parameter(command_fn, name))}


def define_gin_flags(flag_values: flags.FlagValues) -> None:
  """Defines the flags that give a command its gin configuration."""
  flags.DEFINE_multi_string(
      'gin_file', [], 'A file of settings; repeat for more, later ones win.',
      flag_values=flag_values)
  flags.DEFINE_multi_string(
      'gin_bindings', [], "A setting, such as 'NUM_STEPS = 100'; repeatable.",
      flag_values=flag_values)


def parse(command_fn: Callable, positional: Sequence[str],
          argv: Sequence[str]) -> Given:
  """Returns what a command line says; raises ConfigError if it is wrong.

  Flags of libraries, such as `--verbosity`, take effect.

  Args:
    command_fn: the command.
    positional: names of the arguments that may be given by their place; the
      last takes all that follow if it is a sequence.
    argv: the command line, with the program's name.
  """
  own = flags.FlagValues()
  own.set_gnu_getopt(True)
  define_gin_flags(own)
  known = of_command(command_fn)
  for name in known:
    if bool in annotations.kinds(annotations.of_parameter(command_fn, name)):
      flags.DEFINE_bool(name, None, '', flag_values=own)
    else:
      flags.DEFINE_string(name, None, '', flag_values=own)
  try:
    words = flags.FLAGS(own(argv, known_only=True))[1:]
  except flags.IllegalFlagValueError as error:
    raise bindings.ConfigError(_illegal(str(error), known)) from error
  except flags.UnrecognizedFlagError as error:
    raise bindings.ConfigError(
        f'There is no option --{error.flagname}.' + annotations.did_you_mean(
            f'--{error.flagname}', [f'--{name}' for name in own])) from error
  except (flags.Error, ValueError) as error:
    raise bindings.ConfigError(f'{error}.') from error
  arguments = _by_place(command_fn, positional, words)
  for name in known:
    value = own[name].value
    if value is None:
      continue
    if name in arguments:
      raise bindings.ConfigError(
          f'{name} is given twice: {arguments[name]} and --{name}={value}.')
    arguments[name] = _read(
        name, value, annotations.of_parameter(command_fn, name))
  return Given(arguments, own['gin_file'].value or [],
               own['gin_bindings'].value or [])


def _illegal(said: str, known: Container[str]) -> str:
  """Returns what to say where absl could not read an option.

  Args:
    said: by absl, `flag --name=value: reason`.
    known: names of the command's own options, of which it reads the bools.
  """
  found = re.match(r'flag (--(\w+)=(.*?)): \(', said, re.DOTALL)
  if not found or found[2] not in known:
    return f'{said}.'
  return (f'{found[1]}: {found[2]} must be true or false, got {found[3]!r}: '
          f'--{found[2]} or --no{found[2]}.')


def _by_place(command_fn: Callable, positional: Sequence[str],
              words: Sequence[str]) -> dict[str, Any]:
  """Returns the arguments that are given by their place."""
  found: dict[str, Any] = dict(zip(positional, words))
  if len(words) >= len(positional) > 0 and takes_many(
      command_fn, positional[-1]):
    found[positional[-1]] = list(words[len(positional) - 1:])
  elif len(words) > len(positional):
    raise bindings.ConfigError(
        f'Unexpected argument {words[len(positional)]!r}.')
  return found


def takes_many(command_fn: Callable, name: str) -> bool:
  """Returns whether an argument that is given by its place takes the rest."""
  return annotations.is_many(annotations.of_parameter(command_fn, name))


def _read(name: str, value: Any, annotation: Any) -> Any:
  """Returns the value that a text stands for."""
  kinds = annotations.kinds(annotation)
  if not isinstance(value, str):
    return value  # Of a bool, absl has read it.
  for kind in (int, float):
    if kind in kinds:
      try:
        number = kind(value)
      except ValueError:
        continue
      if math.isfinite(number):
        return number
  if _NONE in kinds and value == 'None':
    return None
  if str in kinds:
    return value
  raise bindings.ConfigError(
      f'--{name}={value}: {name} must be {annotations.describe(annotation)}, '
      f'got {value!r}.')
