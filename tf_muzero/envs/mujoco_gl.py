"""The variable MUJOCO_GL, which must not matter where nothing is drawn.

MuJoCo and dm_control look at it when they are imported, and fail if it names
what does not work on this machine, or nothing at all. Our own pictures need
neither: see `rendering`.
"""

import contextlib
import os
import sys
from typing import Iterator

from absl import logging

_VARIABLE = 'MUJOCO_GL'
_OFF = 'disabled'


def settle() -> None:
  """Makes MuJoCo importable whatever the variable says, and tells of it.

  A value that works stays, so that environments can draw what they show.
  """
  value = os.environ.get(_VARIABLE)
  if not value or 'mujoco' in sys.modules:
    return
  try:
    import mujoco  # pylint: disable=import-outside-toplevel, unused-import
  # What a missing or broken driver raises is anything.
  except Exception as error:  # pylint: disable=broad-exception-caught
    logging.warning(
        '%s=%s does not work here (%s). It is taken as %r: nothing but '
        'pictures needs it.', _VARIABLE, value, error, _OFF)
    os.environ[_VARIABLE] = _OFF


def is_chosen() -> bool:
  """Returns whether the variable names what draws without a screen."""
  return os.environ.get(_VARIABLE) in ('egl', 'osmesa')


@contextlib.contextmanager
def unless_chosen() -> Iterator[None]:
  """Has what is imported meanwhile look for no screen, if it is not told to."""
  if is_chosen():
    yield
    return
  before = os.environ.get(_VARIABLE)
  os.environ[_VARIABLE] = _OFF
  try:
    yield
  finally:
    if before is None:
      del os.environ[_VARIABLE]
    else:
      os.environ[_VARIABLE] = before
