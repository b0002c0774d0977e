"""Errors in the code of others, told with where they happened."""

import contextlib
import importlib
import os
import traceback
from typing import Callable, Iterator

# Files whose lines tell nothing: of this package, and what imports modules.
_OURS = (os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
         os.path.dirname(importlib.__file__), contextlib.__file__, '<frozen')


@contextlib.contextmanager
def told(where_fn: Callable[[], str]) -> Iterator[None]:
  """Makes what goes wrong in another's code one sentence.

  It raises ValueError, or ImportError where that is what happened, with the
  error of that code as its cause.

  Args:
    where_fn: what was done, the sentence's subject, such as `x:make`.
  """
  try:
    yield
  except Exception as error:
    kind = next((kind for kind in (ModuleNotFoundError, ImportError)
                 if isinstance(error, kind)), ValueError)
    raise kind(f'{where_fn()} raised {type(error).__name__}{_place(error)}: '
               f'{getattr(error, "msg", None) or error}') from error


def _place(error: Exception) -> str:
  """Returns file and line of what is not ours, as far as it is known."""
  if isinstance(error, SyntaxError):
    return f' ({error.filename}, line {error.lineno})'
  for frame in traceback.extract_tb(error.__traceback__):
    if not frame.filename.startswith(_OURS):
      return f' ({frame.filename}, line {frame.lineno})'
  return ''
