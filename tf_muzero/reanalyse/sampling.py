"""Draws of windows, in proportion to their weights."""

import tensorflow as tf

from tf_muzero import rng


def draw(seed: tf.Tensor, weights: tf.Tensor, num: int
          ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
  """Draws windows with replacement.

  In two steps, first a segment: sums over all windows would be too coarse.

  Args:
    seed: [2] int32.
    weights: [segments, S], to which probabilities are in proportion.
    num: B.

  Returns:
    Segments [B], states [B], and N P [B]: over all N windows it is 1 on
    average, and always where all weights are equal.
  """
  segment_seed, start_seed = rng.split(seed)
  of_segments = tf.reduce_sum(weights, axis=1)
  segment = _find(of_segments[tf.newaxis], rng.uniform(segment_seed, [1, num])
                  )[0]
  of_states = tf.gather(weights, segment)
  start = _find(of_states, rng.uniform(start_seed, [num, 1]))[:, 0]
  mean = tf.reduce_sum(of_segments) / tf.reduce_sum(
      tf.cast(weights > 0.0, tf.float32))
  return segment, start, tf.gather(of_states, start, batch_dims=1) / mean


def _find(weights: tf.Tensor, u: tf.Tensor) -> tf.Tensor:
  """Returns indices [n, m] at shares u [n, m] of the sums of weights [n, w]."""
  ends = tf.cumsum(weights, axis=1)
  found = tf.searchsorted(ends, u * ends[:, -1:], side='right')
  # A product that is rounded up is of the last one that has a weight.
  last = tf.reduce_max(tf.where(
      weights > 0.0, tf.range(weights.shape[1]), 0), axis=1, keepdims=True)
  return tf.minimum(found, last)
