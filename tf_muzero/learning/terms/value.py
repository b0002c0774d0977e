"""The value's term, and the reward's."""

import tensorflow as tf

from tf_muzero.learning.terms.term import Term
from tf_muzero.learning.terms.term import Unrolled
from tf_muzero.types import Window


def value(*, weight: float) -> Term:
  """Returns the cross-entropy of the value to its target, in nats."""

  def loss(unrolled: Unrolled, window: Window) -> tf.Tensor:
    return tf.nn.softmax_cross_entropy_with_logits(
        unrolled.agent.value_support.encode(window.value),
        unrolled.value_logits)

  return Term('value', weight, loss, lambda window: window.value_mask)


def reward(*, weight: float) -> Term:
  """Returns the cross-entropy of unrolled rewards to stored ones, in nats.

  Of sums of rewards, where an agent tells those: `value_prefix.ValuePrefix`.
  """

  def loss(unrolled: Unrolled, window: Window) -> tf.Tensor:
    agent = unrolled.agent
    return tf.nn.softmax_cross_entropy_with_logits(
        agent.reward_support.encode(agent.reward_targets(window.reward)),
        unrolled.reward_logits)

  return Term('reward', weight, loss, lambda window: window.reward_mask,
              is_of_steps=True)
