"""Rewards told by their sum: EfficientZero's value prefix.

When a reward comes is hard to say; how much comes in a few steps is not. So
what a network tells of a step goes through an LSTM, which predicts the sum of
the rewards since it was reset (Ye et al. 2021, section 4.2). Its memory goes
with the embedding, and the search takes the difference of two sums.
"""

import dataclasses

from absl import logging
import numpy as np
import tensorflow as tf

from tf_muzero import ranges
from tf_muzero.keras2 import keras


@dataclasses.dataclass(frozen=True)
class ValuePrefix:
  """How a sum of rewards is told.

  Attributes:
    num_steps: after as many the sum and the LSTM begin anew. What follows then
      is learned from windows of more steps only.
    num_features: what the network gives in place of the reward's logits.
    units: of the LSTM.
  """
  num_steps: int
  num_features: int
  units: int

  def __post_init__(self):
    ranges.at_least(1, num_steps=self.num_steps, units=self.units,
                    num_features=self.num_features)

  def compare(self, unroll_steps: int) -> None:
    """Warns where sums that a search asks for are not learned."""
    if unroll_steps < self.num_steps:
      logging.warning(
          'A value prefix tells sums of up to %d rewards, and windows have %d '
          'steps: longer sums are not learned, but searched with. Set '
          'train.train.unroll_steps or value_prefix.ValuePrefix.num_steps.',
          self.num_steps, unroll_steps)

  def sums(self, reward: tf.Tensor) -> tf.Tensor:
    """Returns what is to be told at each step.

    Args:
      reward: [B, K] of the steps that follow a reset.

    Returns:
      [B, K]; not discounted, as its authors have it.
    """
    return tf.concat([
        tf.cumsum(reward[:, first:first + self.num_steps], axis=1)
        for first in range(0, max(reward.shape[1], 1), self.num_steps)], axis=1)


class Head(keras.Model):
  """The LSTM, whose output tells the sum.

  A memory is [B, M] float32: the LSTM's state, the sum that was told last in
  reward units, and the number of steps since the reset.
  """

  def __init__(self, settings: ValuePrefix, num_bins: int):
    """Creates it with all its variables.

    Args:
      settings: its sizes.
      num_bins: Z of a sum.
    """
    super().__init__(name='value_prefix')
    self._settings = settings
    self._cell = keras.layers.LSTMCell(settings.units, name='lstm')
    self._cell.build([None, settings.num_features])
    # No zeros here: networks may begin with features of zero, and where both
    # are nothing, nothing is learned.
    self._logits = keras.layers.Dense(
        num_bins, kernel_initializer='lecun_normal', name='sum')
    self._logits.build([None, settings.units])
    self.built = True

  def start(self, logits: np.ndarray) -> None:
    """Sets what it says before it has learned anything: [Z]."""
    self._logits.bias.assign(logits)

  def no_memory(self, batch_size: tf.Tensor) -> tf.Tensor:
    """Returns the memory [B, M] of states that nothing was imagined before."""
    return tf.zeros([batch_size, 2 * self._settings.units + 2])

  def remembered(self, memory: tf.Tensor) -> tf.Tensor:
    """Returns the memory [B, M] that a step begins with; none after a reset."""
    is_old = memory[:, -1:] < self._settings.num_steps
    return tf.where(is_old, memory, 0.0)

  def tell(self, features: tf.Tensor, memory: tf.Tensor
           ) -> tuple[tf.Tensor, list[tf.Tensor]]:
    """Returns the logits [B, Z] of the sum, and the LSTM's new state.

    Args:
      features: [B, num_features] of the step.
      memory: what it begins with.
    """
    units = self._settings.units
    out, state = self._cell(
        features, [memory[:, :units], memory[:, units:2 * units]])
    return self._logits(out), state
