"""Files that are written whole or not at all."""

import json
from typing import Any, Union

import tensorflow as tf


def write(path: str, content: Union[str, bytes]) -> None:
  """Writes a file, local or remote; an old one is there until it is whole."""
  mode = 'wb' if isinstance(content, bytes) else 'w'
  with tf.io.gfile.GFile(path + '.partial', mode) as file:
    file.write(content)
  tf.io.gfile.rename(path + '.partial', path, overwrite=True)


def write_json(path: str, content: Any) -> None:
  """Writes JSON values as a file, see `write`."""
  write(path, json.dumps(content, indent=2) + '\n')
