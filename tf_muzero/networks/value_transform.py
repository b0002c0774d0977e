"""Values and rewards as categorical distributions over scaled bins."""

import dataclasses
import math
from typing import Optional

import numpy as np
import tensorflow as tf

from tf_muzero import ranges
from tf_muzero.networks import extrema

_EPSILON = 0.001
# A fitted support goes on past the limits by this share of their distance: a
# softmax comes close to its last bin, but never there.
_PADDING = 0.05
_TOLERANCE = 1e-5  # Share of a support that rounding may take a target past it.


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
    start: what a fresh head says, in reward units; by default all bins are as
      probable, and so it says the middle of the support.
  """
  minimum: float
  maximum: float
  num_bins: int
  start: Optional[float] = None

  def __post_init__(self):
    ranges.at_least(2, num_bins=self.num_bins)
    # pylint: disable-next=unnecessary-negation
    if not self.minimum < self.maximum:  # Nor is NaN.
      raise ValueError('minimum must be < maximum, got '
                       f'{self.minimum} and {self.maximum}.')
    if self.start is not None and not (
        self.minimum < scaled(self.start) < self.maximum):
      raise ValueError(f'start must be between {self.lowest:g} and '
                       f'{self.highest:g}, got {self.start}.')

  @property
  def lowest(self) -> float:
    """Least value that it holds, in reward units."""
    return unscaled(self.minimum)

  @property
  def highest(self) -> float:
    """Greatest value that it holds, in reward units."""
    return unscaled(self.maximum)

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

  def clips(self, value: tf.Tensor) -> tf.Tensor:
    """Returns which values [...] in reward units are beyond the ends: bool."""
    slack = _TOLERANCE * (self.maximum - self.minimum)
    scaled_value = scale(value)
    return ((scaled_value < self.minimum - slack)
            | (scaled_value > self.maximum + slack))

  def start_logits(self) -> np.ndarray:
    """Returns [Z] logits of `start`, of all distributions the least certain.

    That is softmax(c b) over the bins b, whose mean grows with c.
    """
    if self.start is None:
      return np.zeros([self.num_bins], np.float32)
    bins = np.linspace(0.0, 1.0, self.num_bins)
    wanted = (scaled(self.start) - self.minimum) / (self.maximum - self.minimum)

    def mean(slope):
      weights = np.exp(slope * (bins - (slope > 0.0)))
      return (weights * bins).sum() / weights.sum()

    low, high = -50.0 * self.num_bins, 50.0 * self.num_bins
    for _ in range(60):
      middle = (low + high) / 2.0
      low, high = (middle, high) if mean(middle) < wanted else (low, middle)
    return (low * (bins - 0.5)).astype(np.float32)

  def decode(self, logits: tf.Tensor) -> tf.Tensor:
    """Returns the value [...] in reward units of the bins' logits [..., Z]."""
    # The mean of a softmax with one division, in half the time of two steps.
    weights = tf.exp(logits - extrema.largest(logits))
    return unscale(tf.linalg.matvec(weights, self._bins())
                   / tf.reduce_sum(weights, axis=-1))

  def _bins(self) -> tf.Tensor:
    return tf.constant(np.linspace(
        self.minimum, self.maximum, self.num_bins, dtype=np.float32))


@dataclasses.dataclass(frozen=True)
class FittedSupport:
  """A support whose limits come from the data: see `fit`.

  Attributes:
    num_bins: Z.
    margin: how many times the data's best and worst values are held.
  """
  num_bins: int
  margin: float

  def __post_init__(self):
    ranges.at_least(2, num_bins=self.num_bins)
    ranges.at_least(1.0, margin=self.margin)

  def fit(self, found: tuple[float, float], possible: tuple[float, float],
          start: float) -> Support:
    """Returns the support of values like those that were found.

    Zero is inside, since what follows an episode is worth that. What is learned
    is better than the data, so more is held than was found: `margin` times as
    much, but nothing that cannot be. In scaled units four times as much is
    about twice as far.

    Args:
      found: least and greatest, in reward units.
      possible: likewise.
      start: what a fresh head says, in reward units.
    """
    low = min(0.0, found[0], max(possible[0], self.margin * found[0]))
    high = max(0.0, found[1], min(possible[1], self.margin * found[1]))
    padding = _PADDING * (scaled(high) - scaled(low)) or 1.0  # All are zero.
    return Support(scaled(low) - padding, scaled(high) + padding, self.num_bins,
                   min(max(start, low), high))

  def decode(self, logits: tf.Tensor) -> tf.Tensor:
    """Raises RuntimeError: it has no limits yet."""
    raise RuntimeError('A FittedSupport has no limits before it is fitted to '
                       'data: see Agent.fitted.')

  encode = clips = decode


def scaled(value: float) -> float:
  """Returns `scale` of a Python number, wherever it is called."""
  size = abs(value)
  return math.copysign(
      size / (math.sqrt(size + 1.0) + 1.0) + _EPSILON * size, value)


def unscaled(scaled_value: float) -> float:
  """Returns `unscale` of a Python number, wherever it is called."""
  c = abs(scaled_value) + (1.0 + _EPSILON)
  u = 2.0 * c / (1.0 + math.sqrt(1.0 + 4.0 * _EPSILON * c))
  return math.copysign((u - 1.0) * (u + 1.0), scaled_value)
