"""Gumbel MuZero's search: sequential halving at the root, completed Q-values.

Danihelka et al. 2022, "Policy improvement by planning with Gumbel". It keeps
its guarantee of policy improvement at few simulations; same seam as `mcts`.
"""

import math

import numpy as np
import tensorflow as tf

from tf_muzero import ranges
from tf_muzero import rng
from tf_muzero.search import mcts
from tf_muzero.search import selection
from tf_muzero.search import tree as tree_lib
from tf_muzero.search.execution import Execution
from tf_muzero.types import DrawFn, Nest, Parameters, RecurrentFn, RootOutput
from tf_muzero.types import SearchOutput

_EPSILON = 1e-8  # Smallest range of completed Q that is scaled to [0, 1].
_TINY = 1e-30  # Smallest prior of a visited candidate.
_LOWEST = -1e9  # A lone candidate is visited however low its score.


def search(parameters: Parameters, root: RootOutput, recurrent_fn: RecurrentFn,
           seed: tf.Tensor, *, num_simulations: int,
           draw_fn: DrawFn = mcts.number_as_action,
           max_considered: int = 16,
           value_scale: float = 0.1,
           visit_offset: float = 50.0,
           gumbel_scale: float = 1.0,
           gumbel: Nest = (),
           invalid_actions: Nest = (),
           execution: Execution = Execution.ANYWHERE
           ) -> SearchOutput:
  """Returns what planning with Gumbel MuZero says of the roots.

  The weights are `softmax(logits + sigma(completed Q))`. The choice is the best
  of the candidates that are left when halving ends, by the same logits and
  noise (algorithm 2): about a sample of the policy, or without noise its best.

  Args:
    parameters: passed to `recurrent_fn`.
    root: the states to plan for.
    recurrent_fn: imagines one step; see `mcts.search`.
    seed: [2] int32, of the noise at the root and of `recurrent_fn`.
    num_simulations: calls of the network, each for the whole batch.
    draw_fn: makes actions of candidates; see `mcts.search`.
    max_considered: m, how many of the root's candidates are visited at most.
    value_scale: c_scale of sigma (section 3.4).
    visit_offset: c_visit of sigma.
    gumbel_scale: factor of the noise; 0 makes the search deterministic.
    gumbel: [B, A] noise to use instead of drawing it, or `()`.
    invalid_actions: [B, A] bool or `()`; see `mcts.search`.
    execution: see `mcts.search`.
  """
  ranges.at_least(1, num_simulations=num_simulations,
                  max_considered=max_considered)
  ranges.at_least(0, value_scale=value_scale, visit_offset=visit_offset,
                  gumbel_scale=gumbel_scale)
  noise_seed, search_seed = rng.split(seed)
  if isinstance(gumbel, tuple):
    gumbel = rng.gumbel(noise_seed, tf.shape(root.prior_logits))
  gumbel = gumbel * gumbel_scale
  complete_fn = _completion(value_scale, visit_offset)
  root, root_score_fn = mcts.forbid(
      root, _halving(gumbel, root, invalid_actions, complete_fn,
                     num_simulations, max_considered), invalid_actions)
  forest = mcts.grow(
      parameters, root, recurrent_fn, search_seed,
      num_simulations=num_simulations, prior_fn=tf.nn.log_softmax,
      score_fn=_interior(complete_fn), root_score_fn=root_score_fn,
      draw_fn=draw_fn, execution=execution)
  node = tree_lib.view_roots(forest.tree)
  logits = node.prior + complete_fn(node)
  is_last = tf.equal(
      node.visits, tf.reduce_max(node.visits, axis=-1, keepdims=True))
  return mcts.summarise(root, forest, tf.nn.softmax(logits))._replace(
      choice=tf.argmax(tf.where(is_last, gumbel + logits, -np.inf), axis=-1,
                       output_type=tf.int32))


def considered_visits(num_considered: int, num_simulations: int) -> list[int]:
  """Returns the visits that a candidate must have to be chosen next.

  Sequential halving (Karnin et al. 2013) as a sequence over simulations: all
  considered candidates are visited in turn, then the better half of them.
  """
  if num_considered <= 1:
    return list(range(num_simulations))
  num_phases = math.ceil(math.log2(num_considered))
  visits, remaining = [0] * num_considered, num_considered
  sequence: list[int] = []
  while len(sequence) < num_simulations:
    for _ in range(max(1, num_simulations // (num_phases * remaining))):
      sequence.extend(visits[:remaining])
      visits[:remaining] = [v + 1 for v in visits[:remaining]]
    remaining = max(2, remaining // 2)
  return sequence[:num_simulations]


def _completion(value_scale: float, visit_offset: float) -> selection.ScoreFn:
  """Returns sigma(completed Q) of a node, its prior being log-probabilities."""

  def complete(node):
    is_visited = node.visits > 0
    prior = tf.where(is_visited, tf.maximum(tf.exp(node.prior), _TINY), 0.0)
    total = tf.reduce_sum(prior, axis=-1)
    expected_q = tf.reduce_sum(prior * node.q, axis=-1) / tf.maximum(
        total, _TINY)
    # The mixed value of appendix D, equation 33.
    mixed = (node.network_value + (node.n - 1.0) * expected_q) / node.n
    q = tf.where(is_visited, node.q, mixed[:, tf.newaxis])
    low = tf.reduce_min(q, axis=-1, keepdims=True)
    high = tf.reduce_max(q, axis=-1, keepdims=True)
    most = tf.reduce_max(node.visits, axis=-1, keepdims=True)
    return (visit_offset + most) * value_scale * (
        (q - low) / tf.maximum(high - low, _EPSILON))

  return complete


def _interior(complete_fn: selection.ScoreFn) -> selection.ScoreFn:
  """Returns the rule of other nodes: visits as the improved policy has them.

  Section 5, equation 14.
  """

  def score(node):
    policy = tf.nn.softmax(node.prior + complete_fn(node))
    return policy - node.visits / node.n[:, tf.newaxis]

  return score


def _halving(gumbel, root, invalid_actions, complete_fn, num_simulations,
             max_considered) -> selection.ScoreFn:
  """Returns the rule of the root: Gumbel top-k and sequential halving."""
  shape = root.prior_logits.shape
  most = min(max_considered, shape[1])
  table = tf.constant(np.array(
      [considered_visits(m, num_simulations) for m in range(most + 1)]),
                      tf.float32)
  num_valid = tf.fill(tf.shape(root.value), shape[1])
  if not isinstance(invalid_actions, tuple):
    num_valid -= tf.reduce_sum(tf.cast(invalid_actions, tf.int32), axis=-1)
    num_valid = tf.where(num_valid > 0, num_valid, shape[1])
  num_considered = tf.minimum(num_valid, most)

  def score(node):
    scores = tf.gather(gumbel, node.trees) + node.prior + complete_fn(node)
    simulation = tf.cast(node.n, tf.int32) - 1
    considered = tf.gather_nd(table, tf.stack(
        [tf.gather(num_considered, node.trees), simulation], axis=-1))
    return tf.where(node.visits == considered[:, tf.newaxis],
                    tf.maximum(scores, _LOWEST), scores.dtype.min)

  return score
