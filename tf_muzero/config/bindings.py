"""What a configuration is: a list of bindings, the later ones winning.

Nothing here knows of gin: `cli` reads the files.
"""

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


def unset(bindings: list[Binding]) -> list[str]:
  """Returns the names, of macros or else, that are used but have no value."""
  effective = {binding.key: binding for binding in bindings}
  names = [binding.text for binding in effective.values()
           if binding.value == REQUIRED]
  return names + [
      leaf.name for binding in bindings for leaf in leaves(binding.value)
      if isinstance(leaf, Macro) and leaf != REQUIRED
      and (leaf.name, None, '') not in effective]


def value_of(
    command_fn: Callable, parameter: str, bindings: list[Binding]) -> Any:
  """Returns the command's own value of a parameter, None where it has none."""
  effective = {binding.key: binding for binding in bindings}
  binding = effective.get(('', command_fn, parameter))
  if binding is not None:
    return follow(binding.value, effective)
  default = annotations.parameters(command_fn)[parameter].default
  return None if default is inspect.Parameter.empty else default


def origin(command_fn: Callable, parameter: str, bindings: list[Binding]
           ) -> Optional[Binding]:
  """Returns the binding that has the value of a command's parameter.

  None if nothing binds it, or it by a macro that nothing binds.
  """
  effective = {binding.key: binding for binding in bindings}
  binding = effective.get(('', command_fn, parameter))
  seen = set()
  while binding and isinstance(binding.value, Macro) and (
      binding.value != REQUIRED and binding.key not in seen):
    seen.add(binding.key)
    binding = effective.get((binding.value.name, None, ''))
  return binding


def macro_of(command_fn: Callable, parameter: str, bindings: list[Binding]
             ) -> str:
  """Returns the macro that gives a command's parameter its value, or ''."""
  effective = {binding.key: binding for binding in bindings}
  binding = effective.get(('', command_fn, parameter))
  if binding and isinstance(binding.value, Macro) and (
      binding.value != REQUIRED):
    return binding.value.name
  return ''


def can_bind(target: Callable, parameter: str) -> bool:
  """Returns whether a function takes an argument of this name."""
  found = annotations.parameters(target)
  return any(kind == inspect.Parameter.VAR_KEYWORD
             for kind in (each.kind for each in found.values())) or (
                 parameter in found
                 and found[parameter].kind in _NAMED_KINDS)


def leaves(value: Nest) -> Iterator[Nest]:
  """Yields the literals, macros and references in a value."""
  if isinstance(value, dict):
    value = [*value.keys(), *value.values()]
  if _is_plain(value):
    for child in value:
      yield from leaves(child)
  else:
    yield value


def _is_plain(value: Nest) -> bool:
  """Returns whether a value is a list or tuple without a name."""
  return isinstance(value, (list, tuple)) and not isinstance(
      value, (Macro, Reference))


def follow(value: Nest, effective: dict) -> Nest:
  """Returns a value with its macros replaced by what they stand for."""
  seen = set()
  while isinstance(value, Macro) and value.name not in seen:
    seen.add(value.name)
    binding = effective.get((value.name, None, ''))
    value = value if binding is None else binding.value
  if isinstance(value, dict):
    return {follow(key, effective): follow(child, effective)
            for key, child in value.items()}
  if _is_plain(value):
    return type(value)(follow(child, effective) for child in value)
  return value
