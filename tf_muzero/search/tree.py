"""The arrays of B search trees, and the walks through them.

Node 0 is the root; node i is made by simulation i - 1. Inside, a node has the
flat number `tree * N + node`, an edge `(tree * N + node) * A + candidate`: one
gather finds either, and all of one tree lies together.

Walks go through all trees at once, or through one tree after another: see
`Execution`.
"""

from typing import Callable, NamedTuple

import tensorflow as tf

from tf_muzero.search import selection
from tf_muzero.search import updates
from tf_muzero.search.execution import Execution
from tf_muzero.types import Nest

_HUGE = 1e30  # Bounds of Q before any was seen.


class Tree(NamedTuple):
  """The statistics of B trees of N nodes, flat.

  Attributes:
    child: [B * N * A] int32 flat number of the node behind each edge, or -1.
    visits: [B * N * A] float32 visits of each edge.
    total: [B * N * A] sum of the returns of each edge.
    prior: [B * N, A] prior of each candidate.
    network_value: [B * N] the network's value of each node.
    reward: [B * N] reward of the edge that leads to each node.
    discount: [B * N] discount of that edge.
    edge: [B * N] int32 flat number of that edge; at a root its own edge 0.
    q_min: [B] smallest Q seen in each tree.
    q_max: [B] largest Q seen in each tree.
  """
  child: tf.Tensor
  visits: tf.Tensor
  total: tf.Tensor
  prior: tf.Tensor
  network_value: tf.Tensor
  reward: tf.Tensor
  discount: tf.Tensor
  edge: tf.Tensor
  q_min: tf.Tensor
  q_max: tf.Tensor


class Leaves(NamedTuple):
  """Where a simulation leaves each tree.

  Attributes:
    edge: [B] int32 flat number of the unvisited edge chosen.
    depth: [B] int32 depth of the node to be made behind it.
  """
  edge: tf.Tensor
  depth: tf.Tensor


class NewNodes(NamedTuple):
  """What there is to know of the nodes made by one simulation, one per tree.

  Attributes:
    edge: [B] int32 flat number of the edge that leads to each.
    prior: [B, A] prior of its candidates.
    network_value: [B] the network's value of it.
    reward: [B] reward of the edge.
    discount: [B] discount of the edge.
  """
  edge: tf.Tensor
  prior: tf.Tensor
  network_value: tf.Tensor
  reward: tf.Tensor
  discount: tf.Tensor


def plant(prior: tf.Tensor, value: tf.Tensor, num_simulations: int) -> Tree:
  """Returns trees of one node each, with room for `num_simulations` more."""
  batch, num_candidates = batch_size(value), prior.shape[1]
  num_nodes = (num_simulations + 1) * batch

  def with_room(row):
    room = [[0, 0], [0, num_simulations]] + [[0, 0]] * (row.shape.rank - 1)
    rows = tf.pad(row[:, tf.newaxis], room)
    return tf.reshape(rows, [num_nodes] + row.shape[1:].as_list())

  first = tf.range(batch) * (num_simulations + 1) * num_candidates
  return Tree(
      child=tf.fill([num_nodes * num_candidates], -1),
      visits=tf.zeros([num_nodes * num_candidates]),
      total=tf.zeros([num_nodes * num_candidates]),
      prior=with_room(prior),
      network_value=with_room(value),
      reward=tf.zeros([num_nodes]),
      discount=tf.zeros([num_nodes]),
      edge=with_room(first),
      q_min=tf.zeros_like(value) + _HUGE,
      q_max=tf.zeros_like(value) - _HUGE)


def select(tree: Tree, simulation: tf.Tensor, root_score_fn: selection.ScoreFn,
           score_fn: selection.ScoreFn, num_nodes: int, execution: Execution
           ) -> Leaves:
  """Returns the edges to expand: from each root down to one not visited.

  Args:
    tree: the trees.
    simulation: [] int32 number of this simulation, 0 for the first.
    root_score_fn: scores the root's candidates.
    score_fn: scores the candidates of other nodes.
    num_nodes: N.
    execution: what to suit.
  """
  num_candidates = tree.prior.shape[1]

  def walk(trees, arrays, rows):
    q_min, q_max = rows

    def choose(node, n, fn):
      scores = fn(_view(tree, trees, node, n, q_min, q_max))
      action = tf.argmax(scores, axis=-1, output_type=tf.int32)
      edge = node * num_candidates + action
      return edge, tf.gather(tree.child, edge)

    def step(edge, child, depth):
      is_walking = child >= 0
      # The visits of the edge to a node are those of its own edges, and one.
      next_edge, next_child = choose(
          tf.maximum(child, 0), tf.gather(tree.visits, edge), score_fn)
      return (tf.where(is_walking, next_edge, edge),
              tf.where(is_walking, next_child, -1),
              depth + tf.cast(is_walking, tf.int32))

    n = tf.cast(simulation + 1, tf.float32) + tf.zeros_like(q_min)
    edge, child = choose(trees * num_nodes, n, root_score_fn)
    edge, _, depth = tf.while_loop(
        lambda edge, child, depth: tf.reduce_any(child >= 0), step,
        (edge, child, tf.ones_like(edge)))
    return arrays, Leaves(edge, depth)

  blank = tf.zeros_like(tree.q_min, tf.int32)
  return _for_each(walk, (), (tree.q_min, tree.q_max), Leaves(blank, blank),
                   execution)[1]


def back_up(tree: Tree, number: tf.Tensor, new: NewNodes, num_nodes: int,
            execution: Execution) -> Tree:
  """Returns the trees with new nodes added and their values backed up.

  Args:
    tree: the trees.
    number: [] int32 number of the new nodes in their trees.
    new: the nodes.
    num_nodes: N.
    execution: what to suit.
  """
  arrays = Tree(*tree)._replace(q_min=(), q_max=())
  update = updates.of(execution)

  def grow(trees, arrays, rows):
    new, q_min, q_max = rows
    roots = trees * num_nodes
    node = roots + number
    arrays = arrays._replace(
        child=update.put(arrays.child, new.edge, node),
        **{name: update.put(getattr(arrays, name), node, getattr(new, name))
           for name in NewNodes._fields})
    visits, total, q_min, q_max = _climb(
        arrays, roots, node, new.network_value, q_min, q_max, update)
    return arrays._replace(visits=visits, total=total), (q_min, q_max)

  blank = tf.zeros_like(tree.q_min)
  arrays, (q_min, q_max) = _for_each(
      grow, arrays, (new, tree.q_min, tree.q_max), (blank, blank), execution)
  return arrays._replace(q_min=q_min, q_max=q_max)


def view_roots(tree: Tree) -> selection.Node:
  """Returns the statistics of all roots."""
  trees = tf.range(batch_size(tree.q_min))
  num_nodes = tf.size(tree.network_value) // tf.size(trees)
  node = _view(tree, trees, trees * num_nodes, (), tree.q_min, tree.q_max)
  return node._replace(n=1.0 + tf.reduce_sum(node.visits, axis=-1))


def batch_size(per_tree: tf.Tensor):
  """Returns B of a [B, ...] tensor: a number where known, else a tensor."""
  static = per_tree.shape[0]
  return tf.shape(per_tree)[0] if static is None else static


def _for_each(fn: Callable, arrays: Nest, rows: Nest, results: Nest,
              execution: Execution):
  """Returns `arrays, results` after `fn` has been through all trees.

  Args:
    fn: (trees [G], arrays, rows [G, ...] of these trees) -> (arrays, results
      [G, ...] of these trees).
    arrays: nest of arrays of all trees.
    rows: nest of [B, ...], what to read.
    results: nest of [B, ...], room for what is found.
    execution: decides whether G is B, or 1.
  """
  batch = batch_size(tf.nest.flatten(rows)[-1])
  if execution is not Execution.XLA_CPU:
    return fn(tf.range(batch), arrays, rows)

  def step(b, arrays, results):
    trees = b[tf.newaxis]
    row = tf.nest.map_structure(lambda x: tf.gather(x, trees), rows)
    arrays, found = fn(trees, arrays, row)
    results = tf.nest.map_structure(
        lambda x, y: updates.of(execution).put(x, trees, y), results, found)
    return b + 1, arrays, results

  return tf.while_loop(lambda b, *_: b < batch, step,
                       (tf.constant(0), arrays, results))[1:]


def _climb(tree: Tree, roots, node, returns, q_min, q_max,
           update: updates.Copies):
  """Returns the visits, totals and bounds after values [G] are backed up."""
  num_candidates = tree.prior.shape[1]

  def step(node, returns, visits, total, q_min, q_max):
    is_climbing = node > roots
    edge = tf.gather(tree.edge, node)
    returns = (tf.gather(tree.reward, node) +
               tf.gather(tree.discount, node) * returns)
    # Only additions read the old arrays, so XLA updates them in place.
    visits = update.add(visits, edge, tf.cast(is_climbing, tf.float32))
    total = update.add(total, edge, tf.where(is_climbing, returns, 0.0))
    q = tf.gather(total, edge) / tf.maximum(tf.gather(visits, edge), 1.0)
    q_min = tf.where(is_climbing, tf.minimum(q_min, q), q_min)
    q_max = tf.where(is_climbing, tf.maximum(q_max, q), q_max)
    # The parent of a root is itself.
    parent = update.after(q, edge) // num_candidates
    return parent, returns, visits, total, q_min, q_max

  return tf.while_loop(
      lambda node, *_: tf.reduce_any(node > roots), step,
      (node, returns, tree.visits, tree.total, q_min, q_max))[2:]


def _view(tree: Tree, trees, node, n, q_min, q_max) -> selection.Node:
  """Returns the statistics of the nodes of the given flat numbers [G]."""
  num_candidates = tree.prior.shape[1]

  def edges(x):
    if node.shape[0] == 1:  # XLA sees that no more than these are read.
      return tf.slice(x, node * num_candidates, [num_candidates])[tf.newaxis]
    return tf.gather(tf.reshape(x, [-1, num_candidates]), node)

  visits = edges(tree.visits)
  return selection.Node(
      trees, tf.gather(tree.prior, node), visits,
      edges(tree.total) / tf.maximum(visits, 1.0), n,
      tf.gather(tree.network_value, node), q_min, q_max)
