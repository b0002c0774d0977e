"""Checks of a configuration against the signatures it binds, before any work.

A configuration is a list of bindings, the later ones winning. Nothing here
knows of gin: `cli` reads the files and calls `check`.
"""

import collections
import inspect
from typing import Any, Callable, Iterator, NamedTuple, Optional

from tf_muzero.config import annotations

Nest = Any  # A nested structure of Python values, references and macros.


class ConfigError(ValueError):
  """What a user gave wrong in a gin file or on the command line."""


class Macro(NamedTuple):
  """A use of a named value, `%NAME`; `%gin.REQUIRED` is one of them."""
  name: str


class Reference(NamedTuple):
  """A use of a function, `@scope/module.name`, or `@...()` of its result."""
  scope: str
  target: Callable
  is_called: bool
  text: str


class Binding(NamedTuple):
  """One line `scope/module.name.parameter = value`, or `NAME = value`.

  Attributes:
    scope: the part before the last `/`, often empty; of a macro its name.
    target: the function or class whose parameter is bound, None for a macro.
    parameter: the parameter's name, empty for a macro.
    value: literals, macros and references.
    text: the left side, as it was written.
    where: file and line.
  """
  scope: str
  target: Optional[Callable]
  parameter: str
  value: Nest
  text: str
  where: str

  @property
  def key(self) -> tuple:
    return self.scope, self.target, self.parameter


REQUIRED = Macro('gin.REQUIRED')
_NAMED_KINDS = (inspect.Parameter.POSITIONAL_OR_KEYWORD,
                inspect.Parameter.KEYWORD_ONLY)


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
      _check_macros(binding, effective)
  _check_required(command_fn, '', effective)
  for binding in effective.values():
    if binding.key in used and binding.target is not None:
      _check_type(binding, binding.target, effective)
  return used


def unset(bindings: list[Binding]) -> list[str]:
  """Returns the names, of macros or else, that are used but have no value."""
  effective = {binding.key: binding for binding in bindings}
  names = [binding.text for binding in effective.values()
           if binding.value == REQUIRED]
  return names + [
      leaf.name for binding in bindings for leaf in _leaves(binding.value)
      if isinstance(leaf, Macro) and leaf != REQUIRED
      and (leaf.name, None, '') not in effective]


def value_of(
    command_fn: Callable, parameter: str, bindings: list[Binding]) -> Any:
  """Returns the command's own value of a parameter, None where it has none."""
  effective = {binding.key: binding for binding in bindings}
  binding = effective.get(('', command_fn, parameter))
  if binding is not None:
    return _follow(binding.value, effective)
  default = annotations.parameters(command_fn)[parameter].default
  return None if default is inspect.Parameter.empty else default


def can_bind(target: Callable, parameter: str) -> bool:
  """Returns whether a function takes an argument of this name."""
  found = annotations.parameters(target)
  return any(kind == inspect.Parameter.VAR_KEYWORD
             for kind in (each.kind for each in found.values())) or (
                 parameter in found
                 and found[parameter].kind in _NAMED_KINDS)


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
      for leaf in _leaves(binding.value):
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


def _leaves(value: Nest) -> Iterator[Nest]:
  """Yields the literals, macros and references in a value."""
  if isinstance(value, dict):
    value = [*value.keys(), *value.values()]
  if _is_plain(value):
    for child in value:
      yield from _leaves(child)
  else:
    yield value


def _is_plain(value: Nest) -> bool:
  """Returns whether a value is a list or tuple without a name."""
  return isinstance(value, (list, tuple)) and not isinstance(
      value, (Macro, Reference))


def _follow(value: Nest, effective: dict) -> Nest:
  """Returns a value with its macros replaced by what they stand for."""
  seen = set()
  while isinstance(value, Macro) and value.name not in seen:
    seen.add(value.name)
    binding = effective.get((value.name, None, ''))
    value = value if binding is None else binding.value
  if isinstance(value, dict):
    return {_follow(key, effective): _follow(child, effective)
            for key, child in value.items()}
  if _is_plain(value):
    return type(value)(_follow(child, effective) for child in value)
  return value


def _raise_unused(
    command_fn: Callable, binding: Binding, effective: dict) -> None:
  """Raises for a binding that is not reached."""
  hint = ''
  if binding.target is None:
    hint = annotations.did_you_mean(binding.text, [
        leaf.name for each in effective.values() if each != binding
        for leaf in _leaves(each.value) if isinstance(leaf, Macro)])
  raise ConfigError(
      f'{binding.where}: nothing uses {binding.text}: '
      f'{command_fn.__module__}.{command_fn.__name__} does not reach it.{hint}')


def _check_required(target: Callable, scope: str, effective: dict) -> None:
  """Raises if a function that gin will call has a parameter with no value."""
  bound = {binding.parameter: binding for binding in effective.values()
           if binding.target is target and _applies(binding.scope, scope)}
  for name, parameter in annotations.parameters(target).items():
    if (parameter.kind in _NAMED_KINDS and name not in bound
        and parameter.default is inspect.Parameter.empty):
      module = target.__module__.rsplit('.', 1)[-1]
      text = f'{scope}/' * bool(scope) + f'{module}.{target.__name__}.{name}'
      raise ConfigError(
          f"{text} has no value: bind it in a gin file or with "
          f"--gin_bindings='{text} = ...'.")
  for binding in bound.values():
    for leaf in _leaves(_follow(binding.value, effective)):
      if isinstance(leaf, Reference) and leaf.is_called:
        _check_required(leaf.target, leaf.scope or scope, effective)


def _check_macros(binding: Binding, effective: dict) -> None:
  """Raises if a binding uses a macro that has no value."""
  for leaf in _leaves(binding.value):
    if leaf == REQUIRED:
      raise ConfigError(
          f"{binding.where}: {binding.text} must be given: "
          f"--gin_bindings='{binding.text} = ...'.")
    if isinstance(leaf, Macro) and (leaf.name, None, '') not in effective:
      names = [key[0] for key in effective if key[1] is None]
      raise ConfigError(
          f"{binding.where}: {binding.text} uses %{leaf.name}, which has no "
          f"value: --gin_bindings='{leaf.name} = ...'."
          f'{annotations.did_you_mean(leaf.name, names)}')


def _check_type(
    binding: Binding, target: Callable, effective: dict) -> None:
  """Raises if a value does not fit the annotation of its parameter."""
  annotation = annotations.of_parameter(target, binding.parameter)
  value = _follow(binding.value, effective)
  problem = annotations.mismatch(_stand_in(value), annotation)
  if problem:
    raise ConfigError(
        f'{binding.where}: {binding.text} must be '
        f'{annotations.describe(annotation)}, got {problem}.')


def _stand_in(value: Nest) -> Nest:
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
