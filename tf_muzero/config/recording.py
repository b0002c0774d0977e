"""Texts that a run directory keeps, such as the run's configuration."""

import difflib
import os

from absl import logging
import tensorflow as tf


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
  path = os.path.join(directory, name)
  tf.io.gfile.makedirs(directory)
  with tf.io.gfile.GFile(f'{path}.part', 'w') as file:
    file.write(text)
  tf.io.gfile.rename(f'{path}.part', path, overwrite=True)
