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
