"""Runs a command with its gin configuration; the one module that knows gin.

    if __name__ == '__main__':
      cli.run(train, positional=('run_directory',), record_in='run_directory')

calls `train()` with the arguments that gin files, the lines of `--gin_bindings`
and the command line give it, after the whole configuration was checked.
`config.files` finds gin files, `config.options` reads the command line. The
modules that the files import, and the command's own, can be used in
`--gin_bindings` without an import.
"""

import contextlib
import os
import sys
import tokenize
import types
from typing import (
    Any, Callable, Mapping, NamedTuple, NoReturn, Optional, Sequence)

from absl import app
from absl import flags
from absl import logging
import gin
from gin import config_parser

from tf_muzero.config import bindings as bindings_lib
from tf_muzero.config import checking
from tf_muzero.config import files
from tf_muzero.config import help as help_lib
from tf_muzero.config import messages
from tf_muzero.config import names
from tf_muzero.config import options
from tf_muzero.config import recording

ConfigError = bindings_lib.ConfigError
files_of_run, files_of_training = files.of_run, files.of_training
define_gin_flags = options.define_gin_flags
# (run directory, name of an argument -> its value) -> whether all is done there
IsDoneFn = Callable[[str, Callable[[str], Any]], bool]
# run directory -> what is entered before anything is written there
HoldFn = Callable[[str], contextlib.AbstractContextManager]
# (arguments of the command line, gin files that are given) -> gin files to read
# before those. With neither, those that do not depend on them.
DefaultFilesFn = Callable[[Mapping[str, Any], Sequence[str]], Sequence[str]]

_SWITCH = 'from __gin__ import dynamic_registration'
_ONE_LINE = 10_000  # Columns; gin breaks what is longer.
_QUOTES_HINT = """ (A text needs quotes: --gin_bindings='NAME = "text"'.)"""


class Configuration(NamedTuple):
  """A checked configuration that gin has taken over.

  Attributes:
    command_fn: the command with its arguments bound.
    text: the gin file that gives the same configuration.
    record_directory: where the run is recorded, empty for nowhere.
  """
  command_fn: Callable[[], Any]
  text: str
  record_directory: str


def run(
    command_fn: Callable, *, positional: Sequence[str] = (),
    default_files_fn: DefaultFilesFn = lambda arguments, gin_files: (),
    record_in: str = '', is_done_fn: Optional[IsDoneFn] = None,
    hold_fn: HoldFn = contextlib.nullcontext) -> NoReturn:
  """Parses the command line, calls the command, and exits.

  Args:
    command_fn: the command; its arguments come from gin, and those of them that
      are texts, numbers or bools also from options `--name=value`.
    positional: names of arguments that may be given by their place; the last
      takes the rest if it is a sequence.
    default_files_fn: which gin files are read without being named.
    record_in: name of its argument that is the run directory, in which
      `config.gin` and `operative_config.gin` are written.
    is_done_fn: tells where the command will do nothing, or another worker
      writes; nothing is written then. What it raises is what is wrong.
    hold_fn: keeps others out of the run directory while it is written into.
  """
  command_fn = names.importable(command_fn)

  def read(argv: Sequence[str]) -> options.Given:
    if help_lib.wants_help(argv) or help_lib.needs_more(
        command_fn, positional, argv):
      print(help_lib.text(
          command_fn, sys.modules[command_fn.__module__], positional,
          help_lib.defaults_of(command_fn, {
              file: _read_file(file, '--gin_file', _Seen({}, []), ())
              for file in default_files_fn({}, ())})))
      sys.exit(len(argv) == 1)
    return options.parse(command_fn, positional, argv)

  def main(given: options.Given) -> None:
    call(configure(
        command_fn, given.gin_files, given.gin_bindings,
        arguments=given.arguments, default_files_fn=default_files_fn,
        record_in=record_in, is_done_fn=is_done_fn), hold_fn)

  flags.FLAGS.set_default('verbosity', logging.INFO)
  app.run(lambda given: messages.exiting(main, given),
          flags_parser=lambda argv: messages.exiting(read, argv))


def configure(
    command_fn: Callable, gin_files: Sequence[str],
    gin_bindings: Sequence[str], *,
    arguments: Mapping[str, Any] = types.MappingProxyType({}),
    default_files_fn: DefaultFilesFn = lambda arguments, gin_files: (),
    record_in: str = '', is_done_fn: Optional[IsDoneFn] = None
    ) -> Configuration:
  """Returns the command's configuration; raises ConfigError if it is wrong.

  Args:
    command_fn: the command.
    gin_files: names of gin files; later bindings win.
    gin_bindings: lines that follow the files.
    arguments: values of some of the command's arguments, which follow all.
    default_files_fn, record_in, is_done_fn: as in `run`.
  """
  command_fn = names.importable(command_fn)
  package, _, module = command_fn.__module__.rpartition('.')
  own_import = f'from {package} import {module}' if package else (
      f'import {module}')
  seen = _Seen({}, [])
  found, typed = [], []
  for file in files.merge(default_files_fn(arguments, gin_files), gin_files):
    found += _read_file(file, '--gin_file', seen, ())
  # The imports of all files and the command's own hold for the bindings.
  scope = _Scope(_symbols(), [])
  _read('\n'.join([_SWITCH, *seen.imports, own_import]), 'command line', scope,
        seen, ())
  for line in gin_bindings:
    typed += _read(line, f'--gin_bindings={line!r}', scope, seen, ())
  arguments = {**recording.place_of_run(command_fn, record_in, found, typed),
               **arguments}
  for name, value in arguments.items():
    text = bindings_lib.macro_of(command_fn, name, [*found, *typed]) or (
        f'{module}.{command_fn.__name__}.{name}')
    typed += [binding._replace(text=f'--{name}') for binding in _read(
        f'{text} = {value!r}', f'--{name}={value}', scope, seen, ())]
  used = checking.check(command_fn, found, typed)
  found += typed
  # What has no value is not in use, or `check` would have said so.
  _hand_over([*seen.pieces, '\n'.join(scope.imports + [
      f'{text} = None' for text in bindings_lib.unset(found)])])
  is_bound = any(binding.target is command_fn for binding in found)
  value_fn = lambda name: bindings_lib.value_of(command_fn, name, found)
  directory = os.path.expanduser((record_in and value_fn(record_in)) or '')
  if is_done_fn and is_done_fn(directory, value_fn):
    directory = ''
  return Configuration(
      gin.get_configurable(command_fn) if is_bound else command_fn,
      _config_text(used), directory)


def settings(
    command_fn: Callable, gin_files: Sequence[str],
    gin_bindings: Sequence[str] = (), **arguments: Any) -> dict[str, Any]:
  """Returns a command's arguments, made, for a call from Python.

  For the arguments see `configure`; those beyond them are the command's own.
  """
  configuration = configure(
      command_fn, gin_files, gin_bindings, arguments=arguments)
  return {**arguments, **gin.get_bindings(configuration.command_fn)}


def call(configuration: Configuration,
         hold_fn: HoldFn = contextlib.nullcontext) -> Any:
  """Calls the command, recording its configuration in the run directory."""
  directory = configuration.record_directory
  if not directory:
    return configuration.command_fn()
  with hold_fn(directory), recording.recorded(
      directory, configuration.text, gin.operative_config_str):
    return configuration.command_fn()


def _hand_over(pieces: Sequence[str]) -> None:
  """Makes a configuration that was found right the one that gin uses."""
  gin.clear_config()
  for piece in pieces:
    gin.parse_config(piece)
  gin.finalize()


def _config_text(used: set) -> str:
  """Returns gin's configuration without what is not in use, a line each."""
  scope = _Scope(_symbols(), [])
  kept: list[str] = []
  for line in gin.config_str(max_line_length=_ONE_LINE).splitlines():
    found = _read(line, 'gin', scope, _Seen({}, []), ())
    is_kept = found[0].key in used if found else not line.startswith('#')
    if is_kept and (line or kept[-1]):
      kept.append(line)
  return recording.MARK + '\n'.join(kept) + '\n'


class _Names(config_parser.ParserDelegate):
  """Makes the parser leave references and macros unresolved."""

  def configurable_reference(
      self, scoped_configurable_name: str, evaluate: bool) -> names.Name:
    return names.Name(scoped_configurable_name, evaluate, False)

  def macro(self, macro_name: str) -> names.Name:
    return names.Name(macro_name, True, True)


class _Scope(NamedTuple):
  """What a file's statements, or those of a command line, have in common.

  Attributes:
    symbols: from name to imported module.
    imports: the import statements.
  """
  symbols: dict[str, Any]
  imports: list[str]


class _Seen(NamedTuple):
  """What was read.

  Attributes:
    imports: the import statements of all texts, as the keys of a dictionary.
    pieces: what gin is to be given, in order: files as far as to an include,
      what it includes, and the rest, so that gin has no files to look for.
  """
  imports: dict[str, None]
  pieces: list[str]


def _read_file(name: str, where: str, seen: _Seen, parents: tuple
               ) -> list[bindings_lib.Binding]:
  """Returns the bindings of a gin file and of what it includes."""
  if name in parents:
    raise ConfigError(f'{where}: {name} includes itself.')
  return _read(files.read(files.find(name, where)), name,
               _Scope(_symbols(), []), seen, parents)


def _symbols() -> dict[str, Any]:
  """Returns what a gin file knows without an import."""
  return {'gin': types.SimpleNamespace(singleton=gin.config.singleton)}


def _read(text: str, name: str, scope: _Scope, seen: _Seen, parents: tuple
          ) -> list[bindings_lib.Binding]:
  """Returns the bindings of a text, in order.

  Args:
    text: gin statements.
    name: the text's name in error messages.
    scope: the text's imports are added.
    seen: imports and the text are added.
    parents: names of the files that include this one.
  """
  found, lines, first, header = [], text.splitlines(), 0, list(scope.imports)
  try:
    for statement in config_parser.ConfigParser(text, _Names()):
      where = f'{name}:{statement.location.line_num}' if '\n' in text else name
      if isinstance(statement, config_parser.ImportStatement):
        _import(statement, where, scope, seen)
      elif isinstance(statement, config_parser.IncludeStatement):
        last = statement.location.line_num - 1
        seen.pieces.append('\n'.join([*header, *lines[first:last]]))
        first, header = last + 1, list(scope.imports)
        found += _read_file(statement.filename, where, seen, parents + (name,))
      elif isinstance(statement, config_parser.BindingStatement):
        found.append(names.bind(statement[:4], where, scope.symbols))
      else:
        names.resolve(statement.selector, where, scope.symbols)
  except SyntaxError as error:
    where = f'{name}:{error.lineno}' if '\n' in text else name
    reason = error.msg.splitlines()[-1].strip()
    raise ConfigError(f'{where}: {reason}{_QUOTES_HINT}') from error
  except tokenize.TokenError as error:
    where = f'{name}:{error.args[1][0]}' if '\n' in text else name
    raise ConfigError(f'{where}: {error.args[0]}.') from error
  seen.pieces.append('\n'.join([*header, *lines[first:]]))
  return found


def _import(statement: config_parser.ImportStatement, where: str,
            scope: _Scope, seen: _Seen) -> None:
  """Adds what a statement imports."""
  scope.imports.append(statement.format())
  if statement.module.startswith('__gin__.'):
    if {scope.imports[0], statement.format()} != {_SWITCH}:
      raise ConfigError(f'{where}: the first import has to be `{_SWITCH}`.')
  else:
    seen.imports[statement.format()] = None
    module = names.import_module(statement.module, where)
    scope.symbols[statement.bound_name()] = module if (
        statement.is_from or statement.alias) else (
            sys.modules[statement.module.split('.')[0]])
