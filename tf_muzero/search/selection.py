"""Rules that score the candidates of a node, and their parts.

A rule sees G nodes at once, one of each tree that it walks in.
"""

from typing import Callable, NamedTuple

import numpy as np
import tensorflow as tf

_EPSILON = 1e-8  # Smallest range of Q that is scaled to [0, 1]; as in mctx.


class Node(NamedTuple):
  """The statistics of G nodes.

  Attributes:
    trees: [G] int32 numbers of the trees that they are of.
    prior: [G, A] prior of the candidates, as the search's `prior_fn` made it.
    visits: [G, A] float32 visits of each candidate.
    q: [G, A] mean return after each candidate; zero where not visited.
    n: [G] float32 visits of the node: those of its candidates, and one.
    network_value: [G] the network's value of the node.
    q_min: [G] smallest Q seen so far in the whole tree.
    q_max: [G] largest Q seen so far in the whole tree.
  """
  trees: tf.Tensor
  prior: tf.Tensor
  visits: tf.Tensor
  q: tf.Tensor
  n: tf.Tensor
  network_value: tf.Tensor
  q_min: tf.Tensor
  q_max: tf.Tensor


# Node -> scores [G, A]; the highest is taken, the first of equals.
ScoreFn = Callable[[Node], tf.Tensor]
# Node -> (lower, upper), [G] each: what Q is scaled by.
BoundsFn = Callable[[Node], tuple[tf.Tensor, tf.Tensor]]
# (Node, scaled Q [G, A], scaled network value [G, 1]) -> [G, 1]
UnvisitedFn = Callable[[Node, tf.Tensor, tf.Tensor], tf.Tensor]


def tree_bounds(node: Node) -> tuple[tf.Tensor, tf.Tensor]:
  """Returns the smallest and largest Q seen in the tree (MuZero, eq. 5)."""
  return node.q_min, node.q_max


def sibling_bounds(node: Node) -> tuple[tf.Tensor, tf.Tensor]:
  """Returns the range of the node's value and its visited candidates' Q.

  The default of mctx, `qtransform_by_parent_and_siblings`.
  """
  value = node_value(node)
  q = tf.where(node.visits > 0, node.q, value[:, tf.newaxis])
  return (tf.minimum(value, tf.reduce_min(q, axis=-1)),
          tf.maximum(value, tf.reduce_max(q, axis=-1)))


def unvisited_zero(node: Node, scaled_q: tf.Tensor, scaled_value: tf.Tensor
                   ) -> tf.Tensor:
  """Values unvisited candidates at the lower bound (MuZero, appendix B)."""
  del node, scaled_q
  return tf.zeros_like(scaled_value)


def unvisited_mean(node: Node, scaled_q: tf.Tensor, scaled_value: tf.Tensor
                   ) -> tf.Tensor:
  """Values unvisited candidates at the mean Q of the visited ones."""
  del scaled_value
  is_visited = tf.minimum(node.visits, 1.0)
  return (tf.reduce_sum(is_visited * scaled_q, axis=-1, keepdims=True) /
          tf.maximum(tf.reduce_sum(is_visited, axis=-1, keepdims=True), 1.0))


def unvisited_network(node: Node, scaled_q: tf.Tensor, scaled_value: tf.Tensor
                      ) -> tf.Tensor:
  """Values unvisited candidates at the network's value of their node."""
  del node, scaled_q
  return scaled_value


def puct(*, num_simulations: int, unvisited_fn: UnvisitedFn,
         bounds_fn: BoundsFn, pb_c_init: float, pb_c_base: float) -> ScoreFn:
  """Returns MuZero's rule (MuZero, appendix B, equation 2).

  `Qbar(a) + P(a) sqrt(n) / (1 + N(a)) (c1 + log((n + c2 + 1) / c2))` where Qbar
  is Q scaled to [0, 1] by the bounds, and P the prior.
  # Differs from the paper: n is one more than the sum of the N, as in the
  # published pseudocode and in mctx, so that the first choice heeds the prior.

  Args:
    num_simulations: largest n.
    unvisited_fn: scaled value of candidates not visited yet.
    bounds_fn: what Q is scaled by.
    pb_c_init: c1.
    pb_c_base: c2.
  """
  n = np.arange(num_simulations + 1)
  factors = tf.constant(
      np.sqrt(n) * (pb_c_init + np.log((n + pb_c_base + 1.0) / pb_c_base)),
      tf.float32)

  def score(node):
    lower, upper = bounds_fn(node)
    scale = 1.0 / tf.maximum(upper - lower, _EPSILON)[:, tf.newaxis]
    lower = lower[:, tf.newaxis]
    scaled_q = (node.q - lower) * scale
    scaled_value = tf.clip_by_value(
        (node.network_value[:, tf.newaxis] - lower) * scale, 0.0, 1.0)
    scaled_q = tf.where(node.visits > 0, scaled_q,
                        unvisited_fn(node, scaled_q, scaled_value))
    factor = tf.gather(factors, tf.cast(node.n, tf.int32))[:, tf.newaxis]
    return scaled_q + factor * node.prior / (node.visits + 1.0)

  return score


def force_visits(score_fn: ScoreFn, min_visits: int) -> ScoreFn:
  """Returns the rule that visits every candidate `min_visits` times first.

  Among those that lack visits, `score_fn` decides. Candidates with the lowest
  score there is are forbidden and get none.
  """

  def score(node):
    scores = score_fn(node)
    lacks = (node.visits < min_visits) & (scores > scores.dtype.min)
    is_open = lacks | ~tf.reduce_any(lacks, axis=-1, keepdims=True)
    return tf.where(is_open, scores, scores.dtype.min)

  return score


def forbid(score_fn: ScoreFn, invalid: tf.Tensor) -> ScoreFn:
  """Returns the rule for roots where `invalid` [B, A] marks the forbidden."""

  def score(node):
    scores = score_fn(node)
    return tf.where(tf.gather(invalid, node.trees), scores.dtype.min, scores)

  return score


def node_value(node: Node) -> tf.Tensor:
  """Returns [G], the mean of the network's value and all returns since."""
  total = node.network_value + tf.reduce_sum(node.visits * node.q, axis=-1)
  return total / node.n
