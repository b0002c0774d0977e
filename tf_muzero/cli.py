"""Runs a command with its gin configuration; the one module that knows gin.

    if __name__ == '__main__':
      cli.run(train, record_in='run_directory')

calls `train()` with the arguments that the files of `--gin_file` and the lines
of `--gin_bindings` give it, after the whole configuration was checked. Files
are found from the working directory, then from the repository's root. The
modules that the files import, and the command's own, can be used in
`--gin_bindings` without an import.
"""

import importlib
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
import tensorflow as tf

from tf_muzero import devices
from tf_muzero.config import annotations
from tf_muzero.config import bindings as bindings_lib
from tf_muzero.config import messages
from tf_muzero.config import names
from tf_muzero.config import recording

ConfigError = bindings_lib.ConfigError
# (run directory, name of an argument -> its value) -> whether all is done there
IsDoneFn = Callable[[str, Callable[[str], Any]], bool]

_GIN_FILE = flags.DEFINE_multi_string(
    'gin_file', [], 'A gin file; repeat for more, later ones win.')
_GIN_BINDINGS = flags.DEFINE_multi_string(
    'gin_bindings', [], "A gin line, such as 'NUM_STEPS = 100'; repeatable.")

# Where gin files are looked for: as given, in the repository, or as installed.
_ROOTS = ('', os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
          os.path.join(sys.prefix, 'share', 'tf_muzero'))
_SWITCH = 'from __gin__ import dynamic_registration'
_ONE_LINE = 10_000  # Columns; gin breaks what is longer.
_QUOTES_HINT = """ (A text needs quotes: --gin_bindings='NAME = "text"'.)"""
for _root in _ROOTS[1:]:
  gin.add_config_file_search_path(_root)
gin.config.register_file_reader(tf.io.gfile.GFile, tf.io.gfile.exists)


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
    command_fn: Callable,
    *,
    positional: Sequence[str] = (),
    options: Mapping[str, str] = types.MappingProxyType({}),
    record_in: str = '',
    is_done_fn: Optional[IsDoneFn] = None,
) -> NoReturn:
  """Parses the command line, calls the command, and exits.

  Args:
    command_fn: the command; its arguments come from gin.
    positional: names of its arguments that are texts and may be given without
      gin, in their order on the command line.
    options: help of other such arguments, that are given as `--name=text`.
    record_in: name of its argument that is the run directory, in which
      `config.gin` and `operative_config.gin` are written.
    is_done_fn: tells where the command will do nothing; nothing is written
      then.
  """
  given = {name: flags.DEFINE_string(name, None, text)
           for name, text in options.items()}

  def main(argv: Sequence[str]) -> None:
    try:
      if len(argv) - 1 > len(positional):
        raise ConfigError(f'Unexpected argument {argv[len(positional) + 1]!r}.')
      call(configure(
          command_fn, _GIN_FILE.value, _GIN_BINDINGS.value,
          arguments={
              **dict(zip(positional, argv[1:])),
              **{name: flag.value for name, flag in given.items()
                 if flag.value is not None}}, record_in=record_in,
          is_done_fn=is_done_fn))
    except messages.EXPECTED as error:
      if os.environ.get('TF_MUZERO_DEBUG'):
        raise
      sys.exit(messages.of(error))
    except KeyboardInterrupt:
      sys.exit('Interrupted.')

  flags.FLAGS.set_default('verbosity', logging.INFO)
  app.run(main)


def configure(
    command_fn: Callable,
    gin_files: Sequence[str],
    gin_bindings: Sequence[str],
    *,
    arguments: Mapping[str, str] = types.MappingProxyType({}),
    record_in: str = '',
    is_done_fn: Optional[IsDoneFn] = None,
) -> Configuration:
  """Returns the command's configuration; raises ConfigError if it is wrong.

  Args:
    command_fn: the command.
    gin_files: names of gin files; later bindings win.
    gin_bindings: lines that follow the files.
    arguments: texts for some of the command's arguments, which follow all.
    record_in: as in `run`.
    is_done_fn: as in `run`.
  """
  command_fn = _importable(command_fn)
  package, _, module = command_fn.__module__.rpartition('.')
  own_import = f'from {package} import {module}' if package else (
      f'import {module}')
  # The imports of all files and the command's own hold for the bindings.
  imports: dict[str, None] = {}
  found, typed = [], []
  for file in gin_files:
    found += _read_file(file, '--gin_file', imports, ())
  preamble = '\n'.join([_SWITCH, *imports, own_import])
  lines = [*gin_bindings, *(f'{module}.{command_fn.__name__}.{key} = {value!r}'
                            for key, value in arguments.items())]
  symbols = _symbols()
  _read(preamble, 'command line', symbols, imports, ())
  for line in lines:
    typed += _read(line, f'--gin_bindings={line!r}', symbols, imports, ())
  used = bindings_lib.check(command_fn, found, typed)
  found += typed
  # What has no value is not in use, or `check` would have said so.
  _hand_over(gin_files, [preamble, *lines, *(
      f'{text} = None' for text in bindings_lib.unset(found))])
  is_bound = any(binding.target is command_fn for binding in found)
  value_fn = lambda name: bindings_lib.value_of(command_fn, name, found)
  directory = os.path.expanduser((record_in and value_fn(record_in)) or '')
  if is_done_fn and is_done_fn(directory, value_fn):
    directory = ''
  return Configuration(
      gin.get_configurable(command_fn) if is_bound else command_fn,
      _config_text(used), directory)


def call(configuration: Configuration) -> Any:
  """Calls the command, recording its configuration in the run directory."""
  directory = configuration.record_directory
  if not devices.is_chief():
    directory = ''  # Of several trainers, one writes.
  if directory:
    recording.warn_of_changes(directory, 'config.gin', configuration.text)
    recording.write(directory, 'config.gin', configuration.text)
  try:
    return configuration.command_fn()
  finally:
    if directory:
      recording.write(
          directory, 'operative_config.gin', gin.operative_config_str())


def _hand_over(gin_files: Sequence[str], lines: Sequence[str]) -> None:
  """Makes a configuration that was found right the one that gin uses."""
  gin.clear_config()
  for file in gin_files:
    gin.parse_config_file(file)
  gin.parse_config(lines)
  gin.finalize()


def _config_text(used: set) -> str:
  """Returns gin's configuration without what is not in use, a line each."""
  symbols = _symbols()
  kept: list[str] = []
  for line in gin.config_str(max_line_length=_ONE_LINE).splitlines():
    found = _read(line, 'gin', symbols, {}, ())
    is_kept = found[0].key in used if found else not line.startswith('#')
    if is_kept and (line or kept[-1]):
      kept.append(line)
  return '\n'.join(kept) + '\n'


def _importable(command_fn: Callable) -> Callable:
  """Returns the command as gin files import it, not as `__main__` has it."""
  if command_fn.__module__ != '__main__':
    return command_fn
  spec = getattr(sys.modules['__main__'], '__spec__', None)
  if spec is None or spec.name is None:
    raise RuntimeError('A command runs as a module: python -m tf_muzero.train.')
  return getattr(importlib.import_module(spec.name), command_fn.__name__)


class _Names(config_parser.ParserDelegate):
  """Makes the parser leave references and macros unresolved."""

  def configurable_reference(
      self, scoped_configurable_name: str, evaluate: bool) -> names.Name:
    return names.Name(scoped_configurable_name, evaluate, False)

  def macro(self, macro_name: str) -> names.Name:
    return names.Name(macro_name, True, True)


def _read_file(
    name: str, where: str, imports: dict, parents: tuple
) -> list[bindings_lib.Binding]:
  """Returns the bindings of a gin file and of what it includes."""
  if name in parents:
    raise ConfigError(f'{where}: {name} includes itself.')
  for root in _ROOTS:
    path = os.path.join(root, name)
    if tf.io.gfile.exists(path) and not tf.io.gfile.isdir(path):
      with tf.io.gfile.GFile(path) as file:
        return _read(file.read(), name, _symbols(), imports, parents)
  roots = [os.path.abspath(root) for root in _ROOTS]
  raise ConfigError(f'{where}: no gin file {name} in any of {roots}.')


def _symbols() -> dict[str, Any]:
  """Returns what a gin file knows without an import."""
  return {'gin': types.SimpleNamespace(singleton=gin.config.singleton)}


def _read(
    text: str, name: str, symbols: dict, imports: dict, parents: tuple
) -> list[bindings_lib.Binding]:
  """Returns the bindings of a text, in order.

  Args:
    text: gin statements.
    name: the text's name in error messages.
    symbols: from name to imported module; the text's imports are added.
    imports: the import statements of all texts, as the keys of a dictionary.
    parents: names of the files that include this one.
  """
  found = []
  try:
    for statement in config_parser.ConfigParser(text, _Names()):
      where = f'{name}:{statement.location.line_num}' if '\n' in text else name
      if isinstance(statement, config_parser.ImportStatement):
        if not statement.module.startswith('__gin__.'):
          imports[statement.format()] = None
          module = names.import_module(statement.module, where)
          symbols[statement.bound_name()] = module if (
              statement.is_from or statement.alias) else (
                  sys.modules[statement.module.split('.')[0]])
      elif isinstance(statement, config_parser.IncludeStatement):
        found += _read_file(statement.filename, where, imports,
                            parents + (name,))
      elif isinstance(statement, config_parser.BindingStatement):
        found.append(_bind(statement, where, symbols))
      else:
        names.resolve(statement.selector, where, symbols)
  except SyntaxError as error:
    where = f'{name}:{error.lineno}' if '\n' in text else name
    reason = error.msg.splitlines()[-1].strip()
    raise ConfigError(f'{where}: {reason}{_QUOTES_HINT}') from error
  except tokenize.TokenError as error:
    where = f'{name}:{error.args[1][0]}' if '\n' in text else name
    raise ConfigError(f'{where}: {error.args[0]}.') from error
  return found


def _bind(
    statement: config_parser.BindingStatement, where: str, symbols: dict
) -> bindings_lib.Binding:
  """Returns a binding with its names resolved."""
  scope, selector, parameter, value, _ = statement
  value = names.resolve_value(value, where, symbols)
  if not parameter:
    text = f'{scope}/{selector}' if scope else selector
    return bindings_lib.Binding(text, None, '', value, text, where)
  target = names.resolve(selector, where, symbols)
  if not bindings_lib.can_bind(target, parameter):
    raise ConfigError(
        f'{where}: {selector} has no parameter {parameter!r}.'
        + annotations.did_you_mean(parameter, annotations.parameters(target)))
  text = f'{scope}/{selector}.{parameter}' if scope else (
      f'{selector}.{parameter}')
  return bindings_lib.Binding(scope, target, parameter, value, text, where)
