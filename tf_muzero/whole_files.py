"""Files that are written whole or not at all."""

import json
import os
from typing import Any, Sequence, Union

import tensorflow as tf


def write(path: str, content: Union[str, bytes]) -> None:
  """Writes a file, local or remote; an old one is there until it is whole.

  What is no file, such as a pipe or `/dev/null`, is written to and stays.
  """
  mode = 'wb' if isinstance(content, bytes) else 'w'
  is_file = os.path.isfile(path) or not os.path.exists(path)
  partial = path + '.partial' if is_file else path
  with tf.io.gfile.GFile(partial, mode) as file:
    file.write(content)
  if is_file:
    tf.io.gfile.rename(partial, path, overwrite=True)


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
