"""The policy's terms."""

import tensorflow as tf

from tf_muzero.learning.terms.term import Term
from tf_muzero.learning.terms.term import Unrolled
from tf_muzero.types import Window


def improved_policy(*, weight: float) -> Term:
  """Returns the cross-entropy of the policy to the search's, in nats."""

  def loss(unrolled: Unrolled, window: Window) -> tf.Tensor:
    log_probs = unrolled.head.log_prob_fn(unrolled.policy, window.candidates)
    return -tf.reduce_sum(window.weights * log_probs, axis=-1)

  return Term('policy', weight, loss, lambda window: window.policy_mask)


def entropy(*, weight: float) -> Term:
  """Returns the negative entropy of the policy, in nats."""

  def loss(unrolled: Unrolled, window: Window) -> tf.Tensor:
    del window
    return -unrolled.head.entropy_fn(unrolled.policy)

  return Term('entropy', weight, loss, lambda window: window.policy_mask)
