"""Paths as users give them, and whether something can be written there."""

import contextlib
import os
import re
import uuid
from typing import Iterator

import tensorflow as tf

# TensorFlow takes them for patterns where it reads checkpoints: it then finds
# none, or those of another directory.
_PATTERN = re.compile(r'[\[\]*?\\]')


def checked(path: str, setting: str) -> str:
  """Returns a path as everything else takes it.

  `~` is the home directory, and slashes at the end make no difference. A path
  with one of `[ ] * ? \\` raises ValueError.

  Args:
    path: local or remote.
    setting: what gives it, for the error.
  """
  found = sorted(set(_PATTERN.findall(path)))
  if found:
    raise ValueError(
        f'{setting} must have none of [ ] * ? \\ in its path, since TensorFlow '
        f'takes them for patterns; got {path!r}. Rename it, or give another.')
  path = os.path.expanduser(path)
  return path.rstrip('/') or path[:1]


def absolute(path: str) -> str:
  """Returns a path that holds from any directory."""
  return path if '://' in path else os.path.abspath(path)


def check_local(path: str, setting: str) -> None:
  """Raises ValueError for a path in a bucket or the like."""
  if '://' in path:
    raise ValueError(
        f'{setting} must be on this machine, got {path!r}: name one by '
        f'--{setting}.')


def check_writable(path: str, setting: str) -> None:
  """Raises OSError unless a file can be written beside, or in, a path.

  What the directory lacks of parents is made.

  Args:
    path: of a file that will be written; ends in a slash for a directory.
    setting: what gives it, for the error.
  """
  directory = os.path.dirname(path) or '.'
  trial = os.path.join(directory, f'.trial-{uuid.uuid4().hex}')
  with writing(path, setting):
    tf.io.gfile.makedirs(directory)
    with tf.io.gfile.GFile(trial, 'w') as file:
      file.write('x' * 4096)
    tf.io.gfile.remove(trial)
    if not path.endswith('/') and tf.io.gfile.isdir(path):
      raise IsADirectoryError('it is a directory.')


@contextlib.contextmanager
def writing(path: str, setting: str) -> Iterator[None]:
  """Makes of all errors of a file system an OSError that names the setting."""
  try:
    yield
  except (OSError, tf.errors.OpError) as error:
    reason = (error.message if isinstance(error, tf.errors.OpError)
              else str(error))
    raise OSError(
        f'{path!r} ({setting}) cannot be written: {reason.rstrip(".")}. Is the '
        f'disk full, or the directory of another user? {setting} says where to '
        'write.') from error
