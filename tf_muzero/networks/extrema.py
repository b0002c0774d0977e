"""Smallest and largest entries, in a form that is fast on a CPU too.

XLA on a CPU uses vector instructions for the maxima of two arrays, but not for
those along an axis: so an axis is folded before it is reduced.
"""

import tensorflow as tf

_FOLDED = 32  # Size of an axis that is not worth folding.
_EPSILON = 1e-5  # Keeps the range of a constant embedding off zero.


def largest(x: tf.Tensor) -> tf.Tensor:
  """Returns the largest entries of the last axis, [..., 1]."""
  size = x.shape[-1]
  while size > _FOLDED:
    half = (size + 1) // 2  # Of an odd size the middle is in both halves.
    x = tf.maximum(x[..., :half], x[..., size - half:])
    size = half
  return tf.reduce_max(x, axis=-1, keepdims=True)


def to_unit_range(embedding: tf.Tensor) -> tf.Tensor:
  """Returns embeddings [B, ...] scaled to [0, 1] each (MuZero, appendix G)."""
  flat = tf.reshape(embedding, [-1, embedding.shape[1:].num_elements()])
  low, high = -largest(-flat), largest(flat)
  return tf.reshape((flat - low) / (high - low + _EPSILON),
                    [-1, *embedding.shape[1:]])
