"""The term of an agent that tells what actions are worth."""

import tensorflow as tf

from tf_muzero import ranges
from tf_muzero.learning.terms.term import Term
from tf_muzero.learning.terms.term import Unrolled
from tf_muzero.types import Window

NAME = 'action_value'


def action_value(*, weight: float) -> Term:
  """Returns the cross-entropy of Q(s, a) to the value target, in nats.

  Of the first state and its stored action: for `Agent.action_values`, windows
  of no unrolled steps, and targets that are returns.
  """
  ranges.above(0, weight=weight)

  def loss(unrolled: Unrolled, window: Window) -> tf.Tensor:
    _, logits, _, _ = unrolled.agent.step(
        unrolled.network, unrolled.embedding[:, 0], window.action[:, 0], ())
    return tf.nn.softmax_cross_entropy_with_logits(
        unrolled.agent.value_support.encode(window.value[:, :1]),
        logits[:, tf.newaxis])

  # What starts a window has an action, and a value.
  return Term(NAME, weight, loss, lambda window: window.policy_mask[:, :1])
