"""Parameter snapshots: how new weights reach a dataset, here or elsewhere.

A snapshot is one file with the learner step and all parameters in one vector.
It is written beside and renamed over the previous one, so that a reader sees
the old or the new one and never a part. On an object store the upload itself
is atomic.
"""

import os
from typing import Sequence

import tensorflow as tf

from tf_muzero import whole_files
from tf_muzero.types import Parameters

_NAME = 'latest'


def publish(directory: str, step: int, parameters: Parameters) -> None:
  """Makes `parameters` the newest snapshot in `directory`.

  Args:
    directory: local or remote; made if missing.
    step: learner step of the parameters.
    parameters: float32 tensors.
  """
  tf.io.gfile.makedirs(directory)
  vector = tf.concat([tf.reshape(x, [-1]) for x in parameters], axis=0)
  whole_files.write_tensors(
      os.path.join(directory, _NAME), [tf.constant(step, tf.int64), vector])


def read(directory: str, index: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
  """Returns the newest snapshot's step and parameter vector, inside a graph.

  Args:
    directory: where `publish` writes.
    index: see `whole_files.read_tensors`.
  """
  step, vector = whole_files.read_tensors(
      os.path.join(directory, _NAME), [tf.int64, tf.float32], index)
  return tf.reshape(step, []), vector


def unpack(vector: tf.Tensor, shapes: Sequence[tf.TensorShape]) -> Parameters:
  """Returns the parameters of these shapes out of a snapshot's vector."""
  sizes = [shape.num_elements() for shape in shapes]
  vector = tf.ensure_shape(vector, [sum(sizes)])
  return tuple(tf.reshape(x, shape)
               for x, shape in zip(tf.split(vector, sizes), shapes))
