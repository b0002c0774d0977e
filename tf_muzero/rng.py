"""Random numbers that are the same eagerly, compiled, and on a TPU.

A seed is a [2] int32 tensor. It is split or folded, never reused. All numbers
are made from the full-range integer bits of the Philox generator, the only
ones that TensorFlow draws alike with and without XLA.
"""

from typing import Sequence

import numpy as np
import tensorflow as tf

_TINY = 2.0**-25  # Keeps a uniform number off zero; half of its resolution.
_LARGEST = 1.0 - 2.0**-24  # Of float32 below one, which it would round to.


def seed(*numbers: int) -> tf.Tensor:
  """Returns the [2] int32 seed of up to two Python integers."""
  if not 1 <= len(numbers) <= 2:
    raise ValueError(f'seed takes one or two integers, got {numbers}.')
  return tf.constant((numbers + (0,))[:2], tf.int32)


def derive(seed_: int, *numbers: int) -> int:
  """Returns a Python integer that descends from a seed; itself for zeros.

  Args:
    seed_: 0 to 2^31 - 1.
    *numbers: what the seed is for, such as the number of a host.
  """
  if not any(numbers):
    return seed_
  return int(np.random.SeedSequence(
      [seed_, *numbers]).generate_state(1)[0] >> 1)


def fold_in(seed_: tf.Tensor, number: tf.Tensor) -> tf.Tensor:
  """Returns the [2] int32 seed number `number` that descends from `seed_`."""
  number = tf.cast(number, tf.int32)
  return _bits(tf.stack([seed_[0], seed_[1] ^ (number * 2 + 1)]), [2])


def split(seed_: tf.Tensor, num: int = 2) -> list[tf.Tensor]:
  """Returns `num` independent seeds, each [2] int32."""
  return tf.unstack(_bits(seed_, [num, 2]))


def uniform(seed_: tf.Tensor, shape: Sequence) -> tf.Tensor:
  """Returns float32 numbers in (0, 1) of the given shape."""
  bits = tf.bitwise.right_shift(
      tf.bitcast(_bits(seed_, shape), tf.uint32), tf.constant(8, tf.uint32))
  number = tf.cast(tf.cast(bits, tf.int32), tf.float32) * 2.0**-24 + _TINY
  return tf.minimum(number, _LARGEST)


def normal(seed_: tf.Tensor, shape: Sequence) -> tf.Tensor:
  """Returns standard normal float32 numbers, by the inverse of their CDF."""
  return tf.math.ndtri(uniform(seed_, shape))


def gumbel(seed_: tf.Tensor, shape: Sequence) -> tf.Tensor:
  """Returns standard Gumbel float32 numbers."""
  return -tf.math.log(-tf.math.log(uniform(seed_, shape)))


def _bits(seed_: tf.Tensor, shape: Sequence) -> tf.Tensor:
  return tf.random.stateless_uniform(
      shape, seed_, minval=None, maxval=None, dtype=tf.int32, alg='philox')
