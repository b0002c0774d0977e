"""Checks of a configuration against the signatures it binds, before any work.

`cli` reads the bindings and calls `check`.
"""

import collections
import inspect
from typing import Callable

from tf_muzero.config import annotations
from tf_muzero.config import bindings as bindings_lib
from tf_muzero.config import documentation
from tf_muzero.config.bindings import Binding
from tf_muzero.config.bindings import ConfigError
from tf_muzero.config.bindings import Macro
from tf_muzero.config.bindings import Reference


def check(
    command_fn: Callable, files: list[Binding], typed: list[Binding]) -> set:
  """Returns the keys of the bindings in use, or raises ConfigError.

  These are wrong: a binding that the command reaches by no chain of
  references, a macro without a value, a parameter of a called function without
  one, and a value that does not fit its annotation. A binding of a file may
  also be reached through what a later binding replaces, and from another
  command: one may use the file of another.

  Args:
    command_fn: the command.
    files: the bindings of all files, in order.
    typed: the bindings that were given beside them, which win.
  """
  effective = {binding.key: binding for binding in [*files, *typed]}
  used = _reach([command_fn], list(effective.values()))
  known = _reach([command_fn, *_commands(files)], [*files, *typed])
  for bindings, reached in ((typed, used), (files, known)):
    for binding in bindings:
      if binding.key not in reached:
        _raise_unused(command_fn, binding, effective)
  for binding in effective.values():
    if binding.key in used:
      _check_macros(command_fn, binding, effective)
  _check_required(command_fn, command_fn, '', effective)
  for binding in effective.values():
    if binding.key in used and binding.target is not None:
      _check_type(binding, binding.target, effective)
  return used


def _commands(bindings: list[Binding]) -> list[Callable]:
  """Returns the commands among what is bound: `name.name`, by convention."""
  return [binding.target for binding in bindings
          if binding.target is not None and binding.target.__name__
          == binding.target.__module__.rpartition('.')[-1]]


def _reach(commands: list[Callable], bindings: list[Binding]) -> set:
  """Returns the keys of all bindings that calling the commands can use."""
  by_target = collections.defaultdict(list)
  by_macro = collections.defaultdict(list)
  for binding in bindings:
    if binding.target is None:
      by_macro[binding.scope].append(binding)
    else:
      by_target[binding.target].append(binding)
  used, seen = set(), set()
  pending = [('', command) for command in commands]
  while pending:
    scope, target = pending.pop()
    if (scope, target) in seen:
      continue
    seen.add((scope, target))
    values = [binding for binding in by_target[target]
              if _applies(binding.scope, scope)]
    while values:
      binding = values.pop()
      used.add(binding.key)
      for leaf in bindings_lib.leaves(binding.value):
        if isinstance(leaf, Macro):
          values += [each for each in by_macro[leaf.name]
                     if each.key not in used]
          used.update(each.key for each in by_macro[leaf.name])
        elif isinstance(leaf, Reference):
          pending.append((leaf.scope or scope, leaf.target))
          if not leaf.is_called:  # Called later, maybe from elsewhere.
            pending.append((leaf.scope, leaf.target))
  return used


def _applies(bound_scope: str, scope: str) -> bool:
  """Returns whether a binding in `bound_scope` is in force within `scope`."""
  return not bound_scope or f'{scope}/'.startswith(f'{bound_scope}/')


def _raise_unused(
    command_fn: Callable, binding: Binding, effective: dict) -> None:
  """Raises for a binding that is not reached."""
  hint = ''
  if binding.target is None:
    hint = annotations.did_you_mean(binding.text, [
        leaf.name for each in effective.values() if each != binding
        for leaf in bindings_lib.leaves(each.value)
        if isinstance(leaf, Macro)])
  raise ConfigError(
      f'{binding.where}: nothing uses {binding.text}: '
      f'{command_fn.__module__}.{command_fn.__name__} does not reach it.{hint}')


def _check_required(command_fn: Callable, target: Callable, scope: str,
                    effective: dict) -> None:
  """Raises if a function that gin will call has a parameter with no value."""
  bound = {binding.parameter: binding for binding in effective.values()
           if binding.target is target and _applies(binding.scope, scope)}
  for name, parameter in annotations.parameters(target).items():
    if (name not in bound and bindings_lib.can_bind(target, name)
        and parameter.default is inspect.Parameter.empty):
      module = target.__module__.rsplit('.', 1)[-1]
      text = f'{scope}/' * bool(scope) + f'{module}.{target.__name__}.{name}'
      said = documentation.how_to_give(target, name) if (
          target is command_fn and not scope) else ''
      raise ConfigError(said or (
          f"{text} has no value: bind it in a gin file or with "
          f"--gin_bindings='{text} = ...'."))
  for binding in bound.values():
    value = bindings_lib.follow(binding.value, effective)
    for leaf in bindings_lib.leaves(value):
      if isinstance(leaf, Reference) and leaf.is_called:
        _check_required(
            command_fn, leaf.target, leaf.scope or scope, effective)


def _check_macros(
    command_fn: Callable, binding: Binding, effective: dict) -> None:
  """Raises if a binding uses a macro that has no value."""
  for leaf in bindings_lib.leaves(binding.value):
    if leaf == bindings_lib.REQUIRED:
      raise ConfigError(
          f"{binding.where}: {binding.text} must be given: "
          f"{_option(command_fn, binding, effective)}"
          f"--gin_bindings='{binding.text} = ...'.")
    if isinstance(leaf, Macro) and (leaf.name, None, '') not in effective:
      names = [key[0] for key in effective if key[1] is None]
      raise ConfigError(
          f"{binding.where}: {binding.text} uses %{leaf.name}, which has no "
          f"value: --gin_bindings='{leaf.name} = ...'."
          f'{annotations.did_you_mean(leaf.name, names)}')


def _option(command_fn: Callable, binding: Binding, effective: dict) -> str:
  """Returns how the command line can give a binding's value, if it can."""
  names = [name for name in annotations.parameters(command_fn)
           if bindings_lib.origin(
               command_fn, name, list(effective.values())) is binding]
  return f'--{names[0]}=... or ' if names else ''


def _check_type(
    binding: Binding, target: Callable, effective: dict) -> None:
  """Raises if a value does not fit the annotation of its parameter."""
  annotation = annotations.of_parameter(target, binding.parameter)
  value = bindings_lib.follow(binding.value, effective)
  problem = annotations.mismatch(_stand_in(value), annotation)
  if problem:
    raise ConfigError(
        f'{binding.where}: {binding.text} must be '
        f'{annotations.describe(annotation)}, got {problem}.')


def _stand_in(value: bindings_lib.Nest) -> bindings_lib.Nest:
  """Returns a value with references as the functions or results they are."""
  if isinstance(value, Reference):
    if value.is_called:
      return annotations.ResultOf(value.target, value.text)
    return annotations.Function(value.target, value.text)
  if isinstance(value, dict):
    return {key: _stand_in(child) for key, child in value.items()}
  if isinstance(value, (list, tuple)):
    return type(value)(_stand_in(child) for child in value)
  return value
