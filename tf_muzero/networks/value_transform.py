"""Values and rewards as categorical distributions over scaled bins."""

import dataclasses

import numpy as np
import tensorflow as tf

from tf_muzero.networks import extrema

_EPSILON = 0.001


def scale(value: tf.Tensor) -> tf.Tensor:
  """Returns h(x) = sign(x) (sqrt(|x| + 1) - 1) + 0.001 x.

  Source: Pohlen et al. 2018, proposition A.2; MuZero, appendix F.

  Args:
    value: [...] in reward units.
  """
  # sqrt(x + 1) - 1 = x / (sqrt(x + 1) + 1), which does not cancel near zero.
  return value / (tf.sqrt(tf.abs(value) + 1.0) + 1.0) + _EPSILON * value


def unscale(scaled_value: tf.Tensor) -> tf.Tensor:
  """Returns the inverse of `scale`, in reward units.

  With u = sqrt(|x| + 1), h is the quadratic eps u^2 + u = |y| + 1 + eps; its
  root is taken in the form that does not cancel.

  Args:
    scaled_value: [...].
  """
  c = tf.abs(scaled_value) + (1.0 + _EPSILON)
  u = 2.0 * c / (1.0 + tf.sqrt(1.0 + 4.0 * _EPSILON * c))
  return tf.sign(scaled_value) * (u - 1.0) * (u + 1.0)


@dataclasses.dataclass(frozen=True)
class Support:
  """Z equidistant bins over scaled values, ends included.

  The paper has 601 bins over [-300, 300].

  Attributes:
    minimum: scaled value of the first bin.
    maximum: scaled value of the last bin.
    num_bins: Z.
  """
  minimum: float
  maximum: float
  num_bins: int

  def __post_init__(self):
    if self.num_bins < 2:
      raise ValueError(f'num_bins must be >= 2, got {self.num_bins}.')
    if self.minimum >= self.maximum:
      raise ValueError('minimum must be < maximum, got '
                       f'{self.minimum} and {self.maximum}.')

  def encode(self, value: tf.Tensor) -> tf.Tensor:
    """Returns the two-hot [..., Z] probabilities whose mean is h(value).

    Args:
      value: [...] in reward units; beyond the ends it is clipped.
    """
    scaled_value = tf.clip_by_value(scale(value), self.minimum, self.maximum)
    # The hat function around each bin: linear interpolation, no indices. The
    # difference to the two bins that matter is exact.
    distance = tf.abs(scaled_value[..., tf.newaxis] - self._bins())
    width = (self.maximum - self.minimum) / (self.num_bins - 1)
    return tf.maximum(1.0 - distance / width, 0.0)

  def decode(self, logits: tf.Tensor) -> tf.Tensor:
    """Returns the value [...] in reward units of the bins' logits [..., Z]."""
    # The mean of a softmax with one division, in half the time of two steps.
    weights = tf.exp(logits - extrema.largest(logits))
    return unscale(tf.linalg.matvec(weights, self._bins())
                   / tf.reduce_sum(weights, axis=-1))

  def _bins(self) -> tf.Tensor:
    return tf.constant(np.linspace(
        self.minimum, self.maximum, self.num_bins, dtype=np.float32))
