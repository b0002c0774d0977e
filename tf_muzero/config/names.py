"""What the names in a gin file stand for: modules, functions and classes."""

import importlib
import pkgutil
import sys
import types
from typing import Any, Callable, NamedTuple

from tf_muzero.config import annotations
from tf_muzero.config import bindings

Symbols = dict[str, Any]  # From the name in a gin file to the module.


class Name(NamedTuple):
  """A reference or macro as the parser sees it."""
  text: str
  is_called: bool
  is_macro: bool


def importable(command_fn: Callable) -> Callable:
  """Returns the command as gin files import it, not as `__main__` has it."""
  if command_fn.__module__ != '__main__':
    return command_fn
  spec = getattr(sys.modules['__main__'], '__spec__', None)
  if spec is None or spec.name is None:
    raise RuntimeError('A command runs as a module: python -m tf_muzero.train.')
  return getattr(importlib.import_module(spec.name), command_fn.__name__)


def import_module(module: str, where: str) -> types.ModuleType:
  """Returns a module; raises ConfigError if there is none of this name."""
  try:
    return importlib.import_module(module)
  except ModuleNotFoundError as error:
    if not f'{module}.'.startswith(f'{error.name}.'):
      raise  # A package that the module needs.
    parent, _, child = module.rpartition('.')
    raise bindings.ConfigError(
        f'{where}: there is no module {module}.'
        f'{annotations.did_you_mean(child, _modules_in(parent))}') from error


def resolve_value(value: Any, where: str, symbols: Symbols) -> Any:
  """Returns a value with its references resolved."""
  if isinstance(value, Name):
    if value.is_macro:
      return bindings.Macro(value.text)
    scope, _, selector = value.text.rpartition('/')
    target = resolve(selector, where, symbols)
    text = f'@{value.text}()' if value.is_called else f'@{value.text}'
    return bindings.Reference(scope, target, value.is_called, text)
  if isinstance(value, dict):
    return {resolve_value(key, where, symbols):
            resolve_value(child, where, symbols)
            for key, child in value.items()}
  if isinstance(value, (list, tuple)):
    return type(value)(
        resolve_value(child, where, symbols) for child in value)
  return value


def resolve(selector: str, where: str, symbols: Symbols) -> Callable:
  """Returns the function or class that `module.name` is in a gin file."""
  first, *rest = selector.split('.')
  if first not in symbols:
    raise bindings.ConfigError(
        f'{where}: {selector} is unknown: nothing imports {first!r}.'
        f'{annotations.did_you_mean(first, symbols)}')
  found = symbols[first]
  for depth, name in enumerate(rest):
    if not hasattr(found, name):
      raise bindings.ConfigError(
          f"{where}: {'.'.join([first, *rest[:depth]])} has no {name!r}."
          f'{annotations.did_you_mean(name, vars(found))}')
    found = getattr(found, name)
  if not callable(found):
    raise bindings.ConfigError(f'{where}: {selector} is no function or class.')
  return found


def bind(statement: tuple[str, str, str, Any], where: str, symbols: Symbols
         ) -> bindings.Binding:
  """Returns a binding with its names resolved.

  Args:
    statement: scope, selector, parameter and value.
    where: file and line.
    symbols: what the names stand for.
  """
  scope, selector, parameter, value = statement
  value = resolve_value(value, where, symbols)
  if not parameter:
    text = f'{scope}/{selector}' if scope else selector
    return bindings.Binding(text, None, '', value, text, where)
  target = resolve(selector, where, symbols)
  if not bindings.can_bind(target, parameter):
    raise bindings.ConfigError(
        f'{where}: {selector} has no parameter {parameter!r}.'
        + annotations.did_you_mean(parameter, annotations.parameters(target)))
  text = f'{scope}/{selector}.{parameter}' if scope else (
      f'{selector}.{parameter}')
  return bindings.Binding(scope, target, parameter, value, text, where)


def _modules_in(package: str) -> list[str]:
  """Returns the names of the modules of a package, if there is one."""
  try:
    paths = importlib.import_module(package).__path__
  except (ImportError, AttributeError, ValueError):
    return []
  return [module.name for module in pkgutil.iter_modules(paths)]
