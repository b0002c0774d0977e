"""Files that are written whole or not at all."""

import json
from typing import Any, Sequence, Union

import tensorflow as tf


def write(path: str, content: Union[str, bytes]) -> None:
  """Writes a file, local or remote; an old one is there until it is whole."""
  mode = 'wb' if isinstance(content, bytes) else 'w'
  with tf.io.gfile.GFile(path + '.partial', mode) as file:
    file.write(content)
  tf.io.gfile.rename(path + '.partial', path, overwrite=True)


def write_tensors(path: str, tensors: Sequence[Any]) -> None:
  """Writes tensors or arrays as a file, see `write` and `read_tensors`."""
  write(path, tf.io.serialize_tensor(tf.stack(
      [tf.io.serialize_tensor(x) for x in tensors])).numpy())


def read_tensors(path: tf.Tensor, dtypes: Sequence[tf.DType], index: tf.Tensor
                 ) -> list[tf.Tensor]:
  """Returns the tensors of a file, of unknown shapes, inside a graph.

  Args:
    path: of the file.
    dtypes: of the tensors, in their order.
    index: any non-negative number that varies with the dataset's elements;
      reading a constant file name would be folded into a constant.
  """
  parts = tf.io.parse_tensor(
      tf.io.read_file(tf.where(index >= 0, path, '')), tf.string)
  return [tf.io.parse_tensor(parts[i], dtype) for i, dtype in enumerate(dtypes)]


def write_json(path: str, content: Any) -> None:
  """Writes JSON values as a file, see `write`."""
  write(path, json.dumps(content, indent=2) + '\n')
