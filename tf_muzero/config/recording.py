"""Texts that a run directory keeps, such as the run's configuration."""

import contextlib
import difflib
import os
from typing import Callable, Iterator, Optional

from absl import logging
import tensorflow as tf

from tf_muzero import whole_files
from tf_muzero.config import bindings
from tf_muzero.config import files

# The first line of what a run directory has as its config.gin.
MARK = '# Written by a run, which is where this file is.\n'
OPERATIVE = 'operative_config.gin'
_STARTS = 'run.json'  # Has an entry for each time that its training started.


def warn_of_changes(directory: str, name: str, text: str) -> None:
  """Logs the lines in which a text is not what an earlier run had."""
  path = os.path.join(directory, name)
  if not tf.io.gfile.exists(path):
    return
  with tf.io.gfile.GFile(path) as file:
    changes = difflib.ndiff(file.read().splitlines(), text.splitlines())
  for line in changes:
    if line[0] in '+-':
      logging.warning('Changed since the last run here: %s', line)


def write(directory: str, name: str, text: str) -> None:
  """Writes a text into the run directory, whole or not at all."""
  tf.io.gfile.makedirs(directory)
  whole_files.write(os.path.join(directory, name), text)


@contextlib.contextmanager
def recorded(directory: str, text: str, operative_fn: Callable[[], str]
             ) -> Iterator[None]:
  """Writes `config.gin`, and puts back what was there if a command is refused.

  That is when it raises before it has added a start to `run.json`: a run keeps
  the configuration that it was made with.

  Args:
    directory: of the run.
    text: of `config.gin`.
    operative_fn: returns what of it was used, for when the command has ended.
  """
  before = {kept: _content(directory, kept)
            for kept in (files.CONFIG, OPERATIVE)}
  starts = _content(directory, _STARTS)
  warn_of_changes(directory, files.CONFIG, text)
  write(directory, files.CONFIG, text)
  try:
    try:
      yield
    finally:
      write(directory, OPERATIVE, operative_fn())
  except BaseException:
    if _content(directory, _STARTS) == starts:
      for kept, content in before.items():
        if content is not None:
          write(directory, kept, content)
        elif _content(directory, kept) is not None:
          tf.io.gfile.remove(os.path.join(directory, kept))
    raise


def _content(directory: str, name: str) -> Optional[str]:
  path = os.path.join(directory, name)
  if not tf.io.gfile.exists(path):
    return None
  with tf.io.gfile.GFile(path) as file:
    return file.read()


def place_of_run(
    command_fn: Callable, record_in: str, found: list[bindings.Binding],
    typed: list[bindings.Binding]) -> dict[str, str]:
  """Returns where a run is whose own `config.gin` stands elsewhere by now.

  Args:
    command_fn: the command.
    record_in: name of its argument that is the run directory, or ''.
    found: the bindings of all files.
    typed: those that were given beside them, which win.

  Returns:
    From `record_in` to the directory; empty where that is what files say.
  """
  if not record_in:
    return {}
  binding = bindings.origin(command_fn, record_in, [*found, *typed])
  if not binding or binding in typed or not isinstance(binding.value, str):
    return {}
  name = binding.where.rpartition(':')[0]
  if os.path.basename(name) != files.CONFIG:
    return {}
  path = files.find(name, '--gin_file')
  here = os.path.dirname(files.absolute(path))
  if not files.read(path).startswith(MARK) or files.is_same_directory(
      here, os.path.expanduser(binding.value)):
    return {}
  logging.warning('%s names %s, but a run directory is where its %s is: the '
                  'run goes on in %s.', path, binding.value, files.CONFIG, here)
  return {record_in: here}
