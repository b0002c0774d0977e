"""MuZero's search for a batch of states, with any network.

One loop over simulations; in each, every tree walks to an edge not visited yet,
the network imagines that step for all trees in one call, and the new values are
backed up. Nothing here is compiled: the caller wraps `search` in a
`tf.function`, with `jit_compile=True` where XLA is to be had.
"""

from typing import Callable, NamedTuple

import tensorflow as tf

from tf_muzero import ranges
from tf_muzero import rng
from tf_muzero.search import candidates
from tf_muzero.search import selection
from tf_muzero.search import tree as tree_lib
from tf_muzero.search import updates
from tf_muzero.search.execution import Execution
from tf_muzero.types import DrawFn, Nest, Parameters, RecurrentFn, RootOutput
from tf_muzero.types import SearchOutput

# Networks gone astray must not make NaNs of sums and differences.
_LARGEST_VALUE = 1e20
_LARGEST_LOGIT = 1e9


class Forest(NamedTuple):
  """B whole trees of N nodes; node 0 is the root.

  Attributes:
    tree: the statistics.
    embedding: nest of [N, B, ...] the model's states.
    depth: [B] int32 depth of the deepest node.
  """
  tree: tree_lib.Tree
  embedding: Nest
  depth: tf.Tensor


def number_as_action(seed: tf.Tensor, embedding: Nest, number: tf.Tensor
                     ) -> tf.Tensor:
  """Returns the candidates' numbers: the `DrawFn` of discrete actions."""
  del seed, embedding
  return number


def search(parameters: Parameters, root: RootOutput, recurrent_fn: RecurrentFn,
           seed: tf.Tensor, *, num_simulations: int,
           draw_fn: DrawFn = number_as_action,
           unvisited_fn: selection.UnvisitedFn = selection.unvisited_zero,
           bounds_fn: selection.BoundsFn = selection.tree_bounds,
           min_root_visits: int = 0,
           pb_c_init: float = 1.25,
           pb_c_base: float = 19652.0,
           temperature: float = 1.0,
           invalid_actions: Nest = (),
           execution: Execution = Execution.ANYWHERE
           ) -> SearchOutput:
  """Returns what planning with PUCT says of the roots.

  The results do not depend on the other states of the batch. NaN counts as
  zero, infinity as 1e20, and logits that are NaN as impossible candidates.

  Args:
    parameters: passed to `recurrent_fn`.
    root: the states to plan for; noise and injected actions are already in it,
      see `candidates`.
    recurrent_fn: imagines one step. Discounts beyond [-1, 1] are clipped.
    seed: [2] int32; simulation i splits `rng.fold_in(seed, i)` for `draw_fn`
      and `recurrent_fn`.
    num_simulations: calls of the network, each for the whole batch.
    draw_fn: makes the action of a candidate inside the tree when it is tried
      for the first time. So of candidates that are independent draws from a
      policy, as in Sampled MuZero, those never tried are never drawn.
    unvisited_fn: value of candidates not visited yet; `selection.unvisited_*`.
    bounds_fn: what Q is scaled by; `selection.tree_bounds` or
      `selection.sibling_bounds`.
    min_root_visits: visits that each of the root's candidates gets before any
      gets more.
    pb_c_init: c1 of PUCT.
    pb_c_base: c2 of PUCT.
    temperature: the weights are `visits**(1 / temperature)`, normalised; 0
      means all weight on the most visited.
    invalid_actions: [B, A] bool, true where a root's candidate is forbidden, or
      `()`. A state with no other candidates is treated as having no forbidden
      ones.
    execution: what the operations are chosen for; see `execution.Execution`.
  """
  ranges.at_least(1, num_simulations=num_simulations)
  ranges.at_least(0, temperature=temperature, min_root_visits=min_root_visits,
                  pb_c_init=pb_c_init)
  ranges.above(0, pb_c_base=pb_c_base)
  score_fn = selection.puct(
      num_simulations=num_simulations, unvisited_fn=unvisited_fn,
      bounds_fn=bounds_fn, pb_c_init=pb_c_init, pb_c_base=pb_c_base)
  root, root_score_fn = forbid(root, score_fn, invalid_actions)
  if min_root_visits:
    root_score_fn = selection.force_visits(root_score_fn, min_root_visits)
  forest = grow(
      parameters, root, recurrent_fn, seed, num_simulations=num_simulations,
      prior_fn=tf.nn.softmax, score_fn=score_fn, root_score_fn=root_score_fn,
      draw_fn=draw_fn, execution=execution)
  visits = tree_lib.view_roots(forest.tree).visits
  return summarise(root, forest, _temper(visits, temperature))


def grow(parameters: Parameters, root: RootOutput, recurrent_fn: RecurrentFn,
         seed: tf.Tensor, *, num_simulations: int,
         prior_fn: Callable[[tf.Tensor], tf.Tensor],
         score_fn: selection.ScoreFn, root_score_fn: selection.ScoreFn,
         draw_fn: DrawFn = number_as_action,
         execution: Execution = Execution.ANYWHERE
         ) -> Forest:
  """Returns the trees of a search; see `search` for the arguments.

  Args:
    parameters: passed to `recurrent_fn`.
    root: the states to plan for.
    recurrent_fn: imagines one step.
    seed: [2] int32.
    num_simulations: calls of the network.
    prior_fn: logits [B, A] -> what the scores read as `Node.prior`.
    score_fn: scores candidates inside the trees.
    root_score_fn: scores the root's candidates.
    draw_fn: makes the actions of candidates inside the trees.
    execution: what to suit.
  """
  _check(root, num_simulations)
  num_nodes, num_candidates = num_simulations + 1, root.prior_logits.shape[1]
  make_room = lambda x: _with_room(x, num_simulations)
  update = updates.of(execution)
  forest = update.own(Forest(
      tree_lib.plant(prior_fn(finite_logits(root.prior_logits)),
                     finite_value(root.value), num_simulations),
      tf.nest.map_structure(make_room, root.embedding),
      tf.zeros_like(root.value, tf.int32)))
  batch = tree_lib.batch_size(root.value)

  def simulate(i, forest):
    leaves = tree_lib.select(
        forest.tree, i, root_score_fn, score_fn, num_nodes, execution)
    parent = leaves.edge // num_candidates
    candidate = leaves.edge % num_candidates
    # Embeddings lie node by node: a simulation writes one block.
    row = (parent % num_nodes) * batch + parent // num_nodes
    embedding = _gather_flat(forest.embedding, row)
    draw_seed, step_seed = rng.split(rng.fold_in(seed, i))
    action = draw_fn(draw_seed, embedding, candidate)
    if not _is_nothing(root.candidates):
      action = candidates.where(parent % num_nodes == 0, tf.gather(
          root.candidates, candidate, batch_dims=1), action)
    step = recurrent_fn(parameters, step_seed, action, embedding)
    new = tree_lib.NewNodes(
        leaves.edge, prior_fn(finite_logits(step.prior_logits)),
        finite_value(step.value), finite_value(step.reward),
        finite_value(step.discount, 1.0))
    put = lambda nodes, node: update.put(
        nodes, tf.reshape(i + 1, [1]),
        tf.cast(node, nodes.dtype)[tf.newaxis])
    return i + 1, Forest(
        tree_lib.back_up(forest.tree, i + 1, new, num_nodes, execution),
        tf.nest.map_structure(put, forest.embedding, step.embedding),
        tf.maximum(forest.depth, leaves.depth))

  return tf.while_loop(lambda i, _: i < num_simulations, simulate,
                       (tf.constant(0), forest))[1]


def summarise(root: RootOutput, forest: Forest, weights: tf.Tensor
              ) -> SearchOutput:
  """Returns what grown trees say of their roots."""
  node = tree_lib.view_roots(forest.tree)
  value = selection.node_value(node)
  return SearchOutput(
      candidates=root.candidates,
      visit_counts=tf.cast(node.visits, tf.int32),
      weights=weights,
      q_values=tf.where(node.visits > 0, node.q, value[:, tf.newaxis]),
      value=value,
      network_value=root.value,
      depth=forest.depth)


def forbid(root: RootOutput, score_fn: selection.ScoreFn,
           invalid_actions: Nest) -> tuple[RootOutput, selection.ScoreFn]:
  """Returns a root without prior for forbidden candidates, and its rule."""
  if _is_nothing(invalid_actions):
    return root, score_fn
  invalid = tf.cast(invalid_actions, tf.bool)
  shape = root.prior_logits.shape
  if not invalid.shape.is_compatible_with(shape):
    raise ValueError(
        f'invalid_actions must be [B, A] = {shape}, got {invalid.shape}.')
  invalid &= ~tf.reduce_all(invalid, axis=-1, keepdims=True)
  logits = finite_logits(root.prior_logits)
  root = root._replace(
      prior_logits=tf.where(invalid, -_LARGEST_LOGIT, logits))
  return root, selection.forbid(score_fn, invalid)


def finite_value(x: tf.Tensor, largest: float = _LARGEST_VALUE) -> tf.Tensor:
  """Returns `x` as float32, NaN as zero, clipped to a range."""
  x = tf.cast(x, tf.float32)
  x = tf.where(tf.math.is_nan(x), 0.0, x)
  return tf.clip_by_value(x, -largest, largest)


def finite_logits(x: tf.Tensor) -> tf.Tensor:
  """Returns `x` as float32, NaN as impossible, infinities as huge."""
  x = tf.cast(x, tf.float32)
  x = tf.where(tf.math.is_nan(x), -_LARGEST_LOGIT, x)
  return tf.clip_by_value(x, -_LARGEST_LOGIT, _LARGEST_LOGIT)


def _temper(visits: tf.Tensor, temperature: float) -> tf.Tensor:
  """Returns `visits**(1 / temperature)`, normalised over candidates."""
  largest = tf.reduce_max(visits, axis=-1, keepdims=True)
  if temperature == 0.0:
    best = tf.argmax(visits, axis=-1)
    return tf.one_hot(best, visits.shape[-1])
  powers = (visits / largest)**(1.0 / temperature)
  return powers / tf.reduce_sum(powers, axis=-1, keepdims=True)


def _with_room(row: tf.Tensor, num_rows: int) -> tf.Tensor:
  """Returns [1 + num_rows, ...]: `row`, then zeros."""
  room = [[0, num_rows]] + [[0, 0]] * row.shape.rank
  return tf.pad(row[tf.newaxis], room)


def _gather_flat(nest: Nest, indices: tf.Tensor) -> Nest:
  """Returns entries of arrays whose first two dimensions count as one."""

  def gather(x):
    return tf.gather(tf.reshape(x, [-1] + x.shape[2:].as_list()), indices)

  return tf.nest.map_structure(gather, nest)


def _is_nothing(nest: Nest) -> bool:
  return isinstance(nest, tuple) and not nest


def _check(root: RootOutput, num_simulations: int):
  """Raises ValueError where the arguments cannot be searched."""
  ranges.at_least(1, num_simulations=num_simulations)
  shape = root.prior_logits.shape
  if shape.rank != 2 or not shape[1]:
    raise ValueError(
        f'root.prior_logits must be [B, A] with A >= 1 known, got {shape}.')
  expected = [('value', root.value, shape[:1])]
  expected += [('candidates', x, shape)
               for x in tf.nest.flatten(root.candidates)]
  expected += [('embedding', x, shape[:1])
               for x in tf.nest.flatten(root.embedding)]
  for name, x, leading in expected:
    if not x.shape[:leading.rank].is_compatible_with(leading):
      raise ValueError(
          f'root.{name} must begin with {leading}, got shape {x.shape}.')
