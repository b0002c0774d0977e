"""Whether a value fits the annotation of the parameter it is given to.

Conservative: what cannot be judged (Any, tensors, type variables, functions
that do not say what they return) fits.
"""

import collections.abc
import difflib
import inspect
import types
import typing
from typing import Any, Callable, Iterable, Literal, NamedTuple, Union

_NONE = type(None)
# Python 3.10 has a second kind of union, for annotations `X | Y`.
_UNIONS = (Union, getattr(types, 'UnionType', Union))


class Function(NamedTuple):
  """A value that is a function or class itself."""
  target: Callable
  text: str

  def __repr__(self) -> str:
    return f'the function {self.text}'


class ResultOf(NamedTuple):
  """A value that is what a function returns or a class constructs."""
  target: Callable
  text: str

  def __repr__(self) -> str:
    return f'the result of {self.text}'


def of_parameter(target: Callable, parameter: str) -> Any:
  """Returns the annotation of a parameter, Any where it has none."""
  return _hints(constructor(target)).get(parameter, Any)


def constructor(target: Callable) -> Callable:
  """Returns the function whose arguments a call of `target` takes."""
  if not inspect.isclass(target):
    return target
  for base in inspect.getmro(target):
    for name in ('__init__', '__new__'):
      if name in vars(base):
        return getattr(base, name)
  raise AssertionError('object has a constructor.')


def parameters(target: Callable) -> dict[str, inspect.Parameter]:
  """Returns the parameters that a call of `target` takes."""
  found = list(inspect.signature(constructor(target)).parameters.values())
  found = found[1:] if inspect.isclass(target) else found  # Without self.
  return {parameter.name: parameter for parameter in found}


def mismatch(value: Any, annotation: Any) -> str:
  """Returns a description of the value if it does not fit, else ''."""
  if _is_unjudged(annotation):
    return ''
  if isinstance(value, ResultOf):
    return _result_mismatch(value, annotation)
  origin = typing.get_origin(annotation)
  arguments = typing.get_args(annotation)
  if origin in _UNIONS:
    fits = any(not mismatch(value, option) for option in arguments)
  elif origin is Literal:
    fits = value in arguments
  elif annotation in (None, _NONE):
    fits = value is None
  elif isinstance(value, Function):
    fits = not inspect.isclass(origin or annotation) or _holds_functions(
        origin or annotation)
  elif annotation is float:
    fits = isinstance(value, (int, float)) and not isinstance(value, bool)
  elif annotation is int:
    fits = isinstance(value, int) and not isinstance(value, bool)
  elif inspect.isclass(origin or annotation):
    return _container_mismatch(value, origin or annotation, arguments)
  else:
    fits = True
  return '' if fits else repr(value)


def describe(annotation: Any) -> str:
  """Returns an annotation as a person would write it."""
  if typing.get_origin(annotation) in _UNIONS:
    options = typing.get_args(annotation)
    return ' or '.join(describe(option) for option in options)
  if typing.get_origin(annotation) is Literal:
    return ' or '.join(map(repr, typing.get_args(annotation)))
  if annotation is _NONE:
    return 'None'
  if inspect.isclass(annotation) and not typing.get_args(annotation):
    return annotation.__name__
  return str(annotation).replace('typing.', '').replace(
      'collections.abc.', '')


def kinds(annotation: Any) -> tuple:
  """Returns the types of the values that a text can be read as.

  Of str, int, float, bool, and beside one of these of None.
  """
  origin = typing.get_origin(annotation)
  if origin in _UNIONS:
    found = sum((kinds(option) or (option,) * (option is _NONE)
                 for option in typing.get_args(annotation)), ())
    return () if found == (_NONE,) else found
  if origin is Literal:
    return tuple(dict.fromkeys(map(type, typing.get_args(annotation))))
  return (annotation,) if annotation in (str, int, float, bool) else ()


def is_many(annotation: Any) -> bool:
  """Returns whether the values are sequences."""
  return typing.get_origin(annotation) is collections.abc.Sequence


def did_you_mean(name: str, known: Iterable[str]) -> str:
  """Returns ' Did you mean ...?' if there are names close to this one."""
  close = difflib.get_close_matches(name, sorted(set(known)))
  return f' Did you mean {" or ".join(close)}?' if close else ''


def _hints(target: Callable) -> dict[str, Any]:
  try:
    return typing.get_type_hints(target)
  except (TypeError, NameError, AttributeError):
    return {}


def _holds_functions(expected: type) -> bool:
  """Returns whether a function can be a value of this class."""
  return expected in (collections.abc.Callable, type, object) or (
      issubclass(type(mismatch), expected))


def _container_mismatch(value: Any, expected: type, arguments: tuple) -> str:
  """Returns what is wrong with a literal where a class is expected."""
  if expected is collections.abc.Callable:
    return '' if callable(value) else repr(value)
  is_sequence = isinstance(value, (list, tuple))
  if is_sequence and issubclass(list, expected) or (
      is_sequence and expected is tuple):
    return _elements_mismatch(value, expected, arguments)
  if isinstance(value, str) and expected is not str and (
      issubclass(expected, collections.abc.Iterable)
      or expected is collections.abc.Iterable):
    return repr(value)
  if not isinstance(value, expected):
    return repr(value)
  if isinstance(value, dict) and len(arguments) == 2:
    problems = [mismatch(key, arguments[0]) or mismatch(child, arguments[1])
                for key, child in value.items()]
    return next((problem for problem in problems if problem), '')
  return ''


def _elements_mismatch(value: Any, expected: type, arguments: tuple) -> str:
  """Returns what is wrong with the elements of a list or tuple."""
  if expected is tuple and arguments and arguments[-1] is not Ellipsis:
    if len(value) != len(arguments):
      return f'{value!r} of length {len(value)}'
    expects = arguments
  else:
    expects = arguments[:1] * len(value)
  problems = [f'{mismatch(child, kind)} in {value!r}'
              for child, kind in zip(value, expects) if mismatch(child, kind)]
  return next(iter(problems), '')


def _result_mismatch(value: ResultOf, annotation: Any) -> str:
  """Returns the result's type if it is known and cannot fit, else ''."""
  result = value.target
  if not inspect.isclass(result):
    result = _hints(result).get('return', Any)
  if _is_unjudged(result) or not inspect.isclass(result):
    return ''
  options = (typing.get_args(annotation)
             if typing.get_origin(annotation) in _UNIONS else (annotation,))
  for option in options:
    option = typing.get_origin(option) or option
    if _is_unjudged(option) or not inspect.isclass(option):
      return ''
    if issubclass(result, option) or issubclass(option, result):
      return ''
    if (option, result) == (float, int):
      return ''
  return f'{value!r}, of type {result.__name__}'


def _is_unjudged(annotation: Any) -> bool:
  """Returns whether everything counts as fitting an annotation."""
  return annotation in (Any, object) or getattr(
      annotation, '_is_protocol', False)
