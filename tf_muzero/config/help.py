"""What `--help` shows of a command, for a terminal of 80 columns."""

import inspect
import textwrap
import types
import typing
from typing import (
    Any, Callable, Iterator, Literal, Mapping, NamedTuple, Sequence)

from tf_muzero.config import annotations
from tf_muzero.config import bindings
from tf_muzero.config import documentation
from tf_muzero.config import options

_WIDTH = 80
_PLACEHOLDERS = {str: 'TEXT', int: 'INTEGER', float: 'NUMBER'}
_GIN = '''\
All settings, these and more, can be given by gin, too:
  --gin_file=FILE
      A file of settings; repeat it for more, later ones win.
  --gin_bindings=LINE
      A setting; repeatable. For example
      --gin_bindings='{example} = ...'
Options win over gin. --helpfull shows the flags of the libraries too.'''


class Default(NamedTuple):
  """What a gin file gives an argument where nothing else does."""
  value: Any
  file: str


def defaults_of(
    command_fn: Callable, files: Mapping[str, list[bindings.Binding]]
) -> dict[str, Default]:
  """Returns what files give a command's options.

  Args:
    command_fn: the command.
    files: the bindings of each file, by its name.
  """
  found = {}
  for file, bound in files.items():
    for name in options.of_command(command_fn):
      binding = bindings.origin(command_fn, name, bound)
      if binding and not isinstance(binding.value, tuple):  # Without a value.
        found[name] = Default(binding.value, file)
  return found


def wants_help(argv: Sequence[str]) -> bool:
  """Returns whether a command line asks for help."""
  return any(word in ('--help', '-help', '-h', '-?') for word in argv[1:])


def needs_more(command_fn: Callable, positional: Sequence[str],
               argv: Sequence[str]) -> bool:
  """Returns whether nothing is given to a command that needs something."""
  return len(argv) == 1 and (bool(positional) or any(
      parameter.default is inspect.Parameter.empty
      for parameter in annotations.parameters(command_fn).values()))


def text(command_fn: Callable, module: types.ModuleType,
         positional: Sequence[str], defaults: Mapping[str, Default]) -> str:
  """Returns the help of a command.

  Args:
    command_fn: the command.
    module: which it is in, and says what it does.
    positional: names of the arguments that may be given by their place.
    defaults: of arguments, by gin files that are read unless others are given.
  """
  known = options.of_command(command_fn)
  parameters = annotations.parameters(command_fn)
  name = command_fn.__module__.rpartition('.')[-1]
  places = ' '.join(_place(command_fn, each, defaults) for each in positional)
  parts = [f'tf-muzero {name} {places}'.rstrip() + ' [--option=value ...]',
           inspect.cleandoc(module.__doc__ or '')]
  if positional:
    parts.append('\n'.join([
        'Arguments:', *_described(command_fn, positional, str.upper, {})]))
  own = {default.file for default in defaults.values()}
  note = f', with * what {" and ".join(sorted(own))} says' if own else ''
  parts.append('\n'.join([f'Options [and defaults{note}]:', *_described(
      command_fn, [each for each in known if each not in positional],
      lambda each: _option(command_fn, each), defaults)]))
  wired = [each for each in parameters
           if each not in known and each not in positional]
  example = f'{name}.{command_fn.__name__}.{(wired or list(parameters))[0]}'
  parts.append(_GIN.format(example=example))
  if wired:
    parts.append(textwrap.fill(
        f'By gin alone: {", ".join(wired)}.', _WIDTH))
  return '\n\n'.join(parts)


def _place(command_fn: Callable, name: str,
           defaults: Mapping[str, Default]) -> str:
  """Returns how the usage line shows an argument that has a place."""
  shown = name.upper()
  if options.takes_many(command_fn, name):
    shown += ' ...'
  default = annotations.parameters(command_fn)[name].default
  is_needed = default is inspect.Parameter.empty and name not in defaults
  return shown if is_needed else f'[{shown}]'


def _option(command_fn: Callable, name: str) -> str:
  """Returns how an option is given."""
  annotation = annotations.of_parameter(command_fn, name)
  kinds = annotations.kinds(annotation)
  if bool in kinds:
    return f'--[no]{name}'
  if typing.get_origin(annotation) is Literal:
    return f'--{name}={"|".join(map(str, typing.get_args(annotation)))}'
  return f'--{name}={_PLACEHOLDERS[str if str in kinds else kinds[0]]}'


def _described(
    command_fn: Callable, names: Sequence[str], title_fn: Callable[[str], str],
    defaults: Mapping[str, Default]) -> Iterator[str]:
  """Yields lines about arguments: what they are, and their defaults."""
  documented = documentation.of_arguments(command_fn)
  for name in names:
    said = documented.get(name, '')
    said = said[:1].upper() + said[1:]
    default = annotations.parameters(command_fn)[name].default
    if name in defaults:
      said += f' [{defaults[name].value} *]'
    elif default not in (None, '', inspect.Parameter.empty):
      said += f' [{default}]'
    yield f'  {title_fn(name)}'
    if said:
      yield textwrap.fill(
          said.strip(), _WIDTH, initial_indent=' ' * 6,
          subsequent_indent=' ' * 6, break_on_hyphens=False)
