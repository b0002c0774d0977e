"""Ways to improve a policy at a state, which are compared."""

import functools
from typing import Callable, NamedTuple

import tensorflow as tf

from tf_muzero.search import gumbel
from tf_muzero.search import mcts
from tf_muzero.search import one_step
from tf_muzero.types import SearchFn
from tf_muzero.types import SearchOutput

_CLIP = 1.0  # Of an advantage; ROSMO (Liu et al. 2023, recalled).
_PB_C = 1.25  # PUCT's c1; its c2 adds less than 1% at so few simulations.
_HALVINGS = 30  # Of an interval of at most _PB_C.


class Operator(NamedTuple):
  """A way to improve.

  Attributes:
    name: for the table.
    search_fn: makes a `SearchOutput` of roots.
    num_candidates: that it is given where actions are continuous; 0 for as many
      as the agent has.
  """
  name: str
  search_fn: SearchFn
  num_candidates: int = 0


def every(shipped: SearchFn) -> list[Operator]:
  """Returns all of them; the first is the run's own search."""
  return [
      Operator("the run's own", shipped),
      Operator('PUCT, 50, paper', functools.partial(
          mcts.search, num_simulations=50), 20),
      Operator('regularised, 50', functools.partial(
          regularised_search, num_simulations=50), 20),
      *(Operator(f'Gumbel, {n}', functools.partial(
          gumbel.search, num_simulations=n)) for n in (8, 16, 32)),
      Operator('one step, clipped', one_step_search),
      Operator('one step, best', functools.partial(
          one_step_search, improve_fn=best))]


def clipped_advantage(prior_logits: tf.Tensor, q_values: tf.Tensor,
                      value: tf.Tensor) -> tf.Tensor:
  """Returns prior times exp(clipped advantage), normalised, [B, A]."""
  advantage = q_values - value[:, tf.newaxis]
  return tf.nn.softmax(
      prior_logits + tf.clip_by_value(advantage, -_CLIP, _CLIP))


def best(prior_logits: tf.Tensor, q_values: tf.Tensor, value: tf.Tensor
         ) -> tf.Tensor:
  """Returns all weight on the best one, [B, A]."""
  del prior_logits, value
  return tf.one_hot(tf.argmax(q_values, axis=-1), q_values.shape[1])


def one_step_search(parameters, root, recurrent_fn, seed, *, draw_fn=None,
                    execution=None, improve_fn: Callable = clipped_advantage
                    ) -> SearchOutput:
  """Returns what r + gamma V(s') of each candidate says, without a tree."""
  del draw_fn, execution
  q_values = one_step.values(recurrent_fn, parameters, seed, root)
  ones = tf.ones_like(q_values, tf.int32)
  return SearchOutput(
      root.candidates, ones,
      improve_fn(root.prior_logits, q_values, root.value), q_values,
      tf.reduce_sum(tf.nn.softmax(root.prior_logits) * q_values, axis=-1),
      root.value, ones[:, 0])


def regularised_search(parameters, root, recurrent_fn, seed, *,
                       num_simulations: int, **settings) -> SearchOutput:
  """Returns PUCT's tree, with the policy that its visits tend to as weights.

  Args:
    parameters: see `mcts.search`.
    root: likewise.
    recurrent_fn: likewise.
    seed: likewise.
    num_simulations: likewise.
    **settings: likewise.
  """
  output = mcts.search(parameters, root, recurrent_fn, seed,
                       num_simulations=num_simulations, **settings)
  return output._replace(weights=regularised(
      root.prior_logits, output.q_values, num_simulations))


def regularised(prior_logits: tf.Tensor, q_values: tf.Tensor,
                num_simulations: int) -> tf.Tensor:
  """Returns the y that maximises y Q - lambda KL(prior, y), [B, A].

  Q is scaled to [0, 1] by the candidates' own, and lambda is what PUCT's visits
  imply, c1 sqrt(n) / (A + n) (Grill et al. 2020, recalled). Then y is lambda
  prior / (alpha - Q), with the alpha for which it sums to one.

  Args:
    prior_logits: [B, A] of the policy.
    q_values: [B, A] of the tree.
    num_simulations: n.
  """
  lowest = tf.reduce_min(q_values, axis=-1, keepdims=True)
  span = tf.reduce_max(q_values, axis=-1, keepdims=True) - lowest
  q_values = tf.math.divide_no_nan(q_values - lowest, span)
  share = _PB_C * num_simulations**0.5 / (
      q_values.shape[1] + num_simulations) * tf.nn.softmax(prior_logits)
  low = tf.reduce_max(q_values + share, axis=-1, keepdims=True)
  high = tf.reduce_max(q_values, axis=-1, keepdims=True) + tf.reduce_sum(
      share, axis=-1, keepdims=True)
  for _ in range(_HALVINGS):
    alpha = (low + high) / 2
    is_low = tf.reduce_sum(
        share / (alpha - q_values), axis=-1, keepdims=True) > 1.0
    low, high = tf.where(is_low, alpha, low), tf.where(is_low, high, alpha)
  weights = share / (high - q_values)
  return weights / tf.reduce_sum(weights, axis=-1, keepdims=True)
