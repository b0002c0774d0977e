"""Where gin files are, and which of them a command reads.

A name such as `gin/train.gin` is looked up as given, then in the package, of
which the folder gin/ is a part where it is installed; in the repository the
folder stands beside the package.
"""

import os
from typing import Optional, Sequence

import tensorflow as tf

from tf_muzero.config import annotations
from tf_muzero.config import bindings

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ROOTS = ('', _PACKAGE if os.path.isdir(os.path.join(_PACKAGE, 'gin'))
         else os.path.dirname(_PACKAGE))
CONFIG = 'config.gin'  # What a run directory calls its own.
_TASK = 'task.json'  # Which it has too, however the run was made.


def find(name: str, where: str) -> str:
  """Returns the path of a gin file; raises ConfigError if there is none."""
  for root in ROOTS:
    path = os.path.join(root, os.path.expanduser(name))
    if is_file(path):
      return path
  raise bindings.ConfigError(_not_found(name, where))


def _not_found(name: str, where: str) -> str:
  """Returns where a file was looked for, and which ones are like it."""
  folders = dict.fromkeys(os.path.abspath(os.path.join(
      root, os.path.dirname(os.path.expanduser(name)))) for root in ROOTS)
  there = {entry for folder in folders if tf.io.gfile.isdir(folder)
           for entry in tf.io.gfile.listdir(folder) if entry.endswith('.gin')}
  return (f'{where}: no gin file {os.path.basename(name)} in '
          f'{" or ".join(folders)}.'
          f'{annotations.did_you_mean(os.path.basename(name), there)}')


def is_file(path: str) -> bool:
  """Returns whether a path is a file, here or in a bucket."""
  return tf.io.gfile.exists(path) and not tf.io.gfile.isdir(path)


def read(path: str) -> str:
  """Returns the text of a file."""
  with tf.io.gfile.GFile(path) as file:
    return file.read()


def of_run(directory: str, name: str, given: Sequence[str]) -> list[str]:
  """Returns the default files of a command that goes on with a run.

  What the run itself was set to comes last, and wins.

  Args:
    directory: of the run.
    name: of the command's own file.
    given: files that the user names; without any, a directory that is no run's
      is an error.
  """
  directory = os.path.expanduser(directory)
  config = os.path.join(directory, CONFIG)
  if is_file(config):
    return [name, config]
  if not given:
    raise bindings.ConfigError(_what_is_missing(directory))
  return [name]


def of_training(directory: Optional[str], default: str, given: Sequence[str]
                ) -> list[str]:
  """Returns the default files of a command that begins a run or goes on.

  Args:
    directory: of the run, None where that is not known yet.
    default: for a run that is new.
    given: files that the user names, which leave no others.
  """
  if given:
    return []
  if directory is None:
    return [default]
  directory = os.path.expanduser(directory)
  config = os.path.join(directory, CONFIG)
  if is_file(config):
    return [config]
  if is_file(os.path.join(directory, _TASK)):
    raise bindings.ConfigError(_what_is_missing(directory))
  return [default]


def _what_is_missing(directory: str) -> str:
  """Returns what is wrong with a directory without `config.gin`."""
  if not tf.io.gfile.exists(directory):
    return f'There is no directory {directory!r}.'
  if not is_file(os.path.join(directory, _TASK)):
    return f'{directory!r} is not a run directory: it has no {CONFIG}.'
  return (f'The run {directory!r} was made by a call from Python and has no '
          f'{CONFIG}. Name the settings that it was made with, --gin_file=..., '
          'or call the command from Python too.')


def merge(defaults: Sequence[str], given: Sequence[str]) -> list[str]:
  """Returns default files and then given ones, none of the former twice.

  A default that is given as well keeps its place among the given ones, and
  those given come after all other defaults that do not follow it.
  """
  pending = list(defaults)
  named = {_identity(each) for each in given}
  merged: list[str] = []
  for name in given:
    while pending and _identity(pending[0]) not in named:
      merged.append(pending.pop(0))
    if pending and _identity(pending[0]) == _identity(name):
      pending.pop(0)
    merged.append(name)
  return merged + [each for each in pending if _identity(each) not in named]


def absolute(path: str) -> str:
  """Returns a path that holds from any directory."""
  return path if '://' in path else os.path.abspath(path)


def is_same_directory(one: str, other: str) -> bool:
  """Returns whether two names are of one directory."""
  return _real(one) == _real(other)


def _identity(name: str) -> str:
  """Returns what two names of one gin file have in common."""
  for root in ROOTS:
    path = os.path.join(root, os.path.expanduser(name))
    if is_file(path):
      return _real(path)
  return name


def _real(path: str) -> str:
  return path.rstrip('/') if '://' in path else os.path.realpath(path)
