"""Python functions of arrays, called by a `tf.data.Dataset`."""

from typing import Callable, Sequence

import numpy as np
import tensorflow as tf

from tf_muzero.types import Nest


def call(fn: Callable[..., Sequence[np.ndarray]], specs: Nest, *args: tf.Tensor
         ) -> Nest:
  """Returns the flat arrays of a Python function as a nest of these specs."""
  flat = tf.numpy_function(fn, args, [x.dtype for x in tf.nest.flatten(specs)])
  return tf.nest.pack_sequence_as(specs, [
      tf.ensure_shape(x, spec.shape)
      for x, spec in zip(flat, tf.nest.flatten(specs))])
