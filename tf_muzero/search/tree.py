"""The arrays of B search trees, and the walks through them.

Node 0 is the root; node i is made by simulation i - 1. Inside, a node has the
flat number `node * B + tree`, an edge `(node * B + tree) * A + candidate`: one
gather finds either, and a row of one node is contiguous.

Walks go through all trees at once (`lockstep`), or through one tree after
another. The results are the same. The first suits a plain graph, where each
operation costs microseconds; the second suits XLA on a CPU, where an operation
on one tree costs nanoseconds and no tree waits for the deepest one.
"""

from typing import Callable, NamedTuple

import tensorflow as tf

from tf_muzero.search import selection
from tf_muzero.types import Nest

_HUGE = 1e30  # Bounds of Q before any was seen.


class Statistics(NamedTuple):
  """What changes along a path; the state of B trees but their embeddings.

  Attributes:
    prior: [N, B, A] prior of each candidate.
    network_value: [N, B] the network's value of each node.
    reward: [N, B] reward of the edge that leads to each node.
    discount: [N, B] discount of that edge.
    edge: [N, B] int32 number of that edge; at roots their own edge 0.
    child: [N * B * A] int32 flat number of the node behind each edge, or -1.
    visits: [N * B * A] float32 visits of each edge.
    q: [N * B * A] mean return of each edge.
    q_min: [B] smallest Q seen in each tree.
    q_max: [B] largest Q seen in each tree.
  """
  prior: tf.Tensor
  network_value: tf.Tensor
  reward: tf.Tensor
  discount: tf.Tensor
  edge: tf.Tensor
  child: tf.Tensor
  visits: tf.Tensor
  q: tf.Tensor
  q_min: tf.Tensor
  q_max: tf.Tensor


class Leaves(NamedTuple):
  """Where a simulation leaves each tree.

  Attributes:
    edge: [B] int32 the unvisited edge chosen.
    depth: [B] int32 depth of the node to be made behind it.
  """
  edge: tf.Tensor
  depth: tf.Tensor


def plant(prior: tf.Tensor, value: tf.Tensor, num_simulations: int
          ) -> Statistics:
  """Returns trees of one node each, with room for `num_simulations` more."""
  num_candidates = prior.shape[1]
  batch = batch_size(value)
  num_edges = (num_simulations + 1) * batch * num_candidates
  zeros = tf.zeros_like(value)
  return Statistics(
      prior=with_room(prior, num_simulations),
      network_value=with_room(value, num_simulations),
      reward=with_room(zeros, num_simulations),
      discount=with_room(zeros, num_simulations),
      edge=with_room(tf.range(batch) * num_candidates, num_simulations),
      child=tf.fill([num_edges], -1),
      visits=tf.zeros([num_edges]),
      q=tf.zeros([num_edges]),
      q_min=zeros + _HUGE,
      q_max=zeros - _HUGE)


def select(statistics: Statistics, root_score_fn: selection.ScoreFn,
           score_fn: selection.ScoreFn, invalid: Nest, lockstep: bool
           ) -> Leaves:
  """Returns the edges to expand: from each root down to one not visited."""
  batch = batch_size(statistics.q_min)

  def walk(trees, leaves):
    found = _descend(statistics, trees, root_score_fn, score_fn, invalid)
    return tf.nest.map_structure(
        lambda x, y: _put(x, trees, y), leaves, found)

  blank = tf.zeros_like(statistics.edge[0])
  return _for_each(walk, batch, Leaves(blank, blank), lockstep)


def back_up(statistics: Statistics, first: tf.Tensor, lockstep: bool
            ) -> Statistics:
  """Returns the trees with the values of their newest nodes backed up.

  Args:
    statistics: the trees, with the newest nodes' rows already written.
    first: [] int32 flat number of the newest node of tree 0.
    lockstep: see the module.
  """
  batch = batch_size(statistics.q_min)
  return _for_each(
      lambda trees, s: _ascend(s, trees, first + trees),
      batch, statistics, lockstep)


def root_node(statistics: Statistics) -> selection.Node:
  """Returns the statistics of all roots."""
  trees = tf.range(batch_size(statistics.q_min))
  return _node(statistics, trees, statistics.q_min, statistics.q_max)


def with_room(row: tf.Tensor, num_rows: int) -> tf.Tensor:
  """Returns [1 + num_rows, ...]: `row`, then zeros."""
  room = tf.zeros_like(row)[tf.newaxis]
  room = tf.repeat(room, num_rows, axis=0)
  return tf.concat([row[tf.newaxis], room], axis=0)


def put_row(rows: tf.Tensor, i: tf.Tensor, row: tf.Tensor) -> tf.Tensor:
  """Returns `rows` [N, ...] with number `i` replaced by `row` [...]."""
  row = tf.cast(row, rows.dtype)
  return tf.tensor_scatter_nd_update(
      rows, tf.reshape(i, [1, 1]), row[tf.newaxis])


def batch_size(per_tree: tf.Tensor):
  """Returns B of a [B, ...] tensor: a number where known, else a tensor."""
  static = per_tree.shape[0]
  return tf.shape(per_tree)[0] if static is None else static


def _for_each(fn: Callable, batch, state: NamedTuple, lockstep: bool):
  """Returns the state after `fn(trees, state)` has been through all trees."""
  if lockstep:
    return fn(tf.range(batch), state)
  return tf.while_loop(
      lambda b, _: b < batch,
      lambda b, s: (b + 1, fn(b[tf.newaxis], s)),
      (tf.constant(0), state))[1]


def _descend(statistics, trees, root_score_fn, score_fn, invalid) -> Leaves:
  """Returns the leaves of the given trees, [G] each."""
  num_candidates = statistics.prior.shape[2]
  q_min = tf.gather(statistics.q_min, trees)
  q_max = tf.gather(statistics.q_max, trees)

  def choose(node, fn):
    scores = fn(_node(statistics, node, q_min, q_max))
    action = tf.argmax(scores, axis=-1, output_type=tf.int32)
    edge = node * num_candidates + action
    return edge, tf.gather(statistics.child, edge)

  def root_scores(node):
    if isinstance(invalid, tuple):
      return root_score_fn(node)
    is_invalid = tf.gather(invalid, trees)
    scores = root_score_fn(node._replace(invalid=is_invalid))
    return tf.where(is_invalid, scores.dtype.min, scores)

  def step(edge, child, depth):
    is_walking = child >= 0
    next_edge, next_child = choose(tf.maximum(child, 0), score_fn)
    return (tf.where(is_walking, next_edge, edge),
            tf.where(is_walking, next_child, -1),
            depth + tf.cast(is_walking, tf.int32))

  edge, child = choose(trees, root_scores)
  edge, _, depth = tf.while_loop(
      lambda edge, child, depth: tf.reduce_any(child >= 0),
      step, (edge, child, tf.ones_like(edge)))
  return Leaves(edge, depth)


def _ascend(s: Statistics, trees, leaf) -> Statistics:
  """Returns the trees with the values of nodes `leaf` [G] backed up."""
  batch = batch_size(s.q_min)
  rewards, discounts, edges, values = (
      tf.reshape(x, [-1])
      for x in (s.reward, s.discount, s.edge, s.network_value))
  num_candidates = s.prior.shape[2]

  def step(node, returns, visits, q, q_min, q_max):
    is_climbing = node >= batch
    edge = tf.gather(edges, node)
    returns = tf.gather(rewards, node) + tf.gather(discounts, node) * returns
    old_visits, old_q = tf.gather(visits, edge), tf.gather(q, edge)
    new_visits = old_visits + 1.0
    new_q = old_q + (returns - old_q) / new_visits
    new_q = tf.where(is_climbing, new_q, old_q)
    visits = _put(visits, edge, tf.where(is_climbing, new_visits, old_visits))
    q_min = tf.where(is_climbing, tf.minimum(q_min, new_q), q_min)
    q_max = tf.where(is_climbing, tf.maximum(q_max, new_q), q_max)
    # The parent of a root is itself.
    return (edge // num_candidates, returns, visits, _put(q, edge, new_q),
            q_min, q_max)

  _, _, visits, q, q_min, q_max = tf.while_loop(
      lambda node, *_: tf.reduce_any(node >= batch), step,
      (leaf, tf.gather(values, leaf), s.visits, s.q,
       tf.gather(s.q_min, trees), tf.gather(s.q_max, trees)))
  return s._replace(
      child=_put(s.child, tf.gather(edges, leaf), leaf), visits=visits, q=q,
      q_min=_put(s.q_min, trees, q_min), q_max=_put(s.q_max, trees, q_max))


def _node(statistics, node, q_min, q_max) -> selection.Node:
  """Returns the statistics of the nodes of the given flat numbers [G]."""
  num_candidates = statistics.prior.shape[2]

  def rows(x):
    return tf.gather(tf.reshape(x, [-1, num_candidates]), node)

  return selection.Node(
      rows(statistics.prior), rows(statistics.visits), rows(statistics.q),
      tf.gather(tf.reshape(statistics.network_value, [-1]), node),
      q_min, q_max)


def _put(x: tf.Tensor, indices: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
  """Returns `x` with `values` at distinct `indices`, [G] each."""
  return tf.tensor_scatter_nd_update(x, indices[:, tf.newaxis], values)
