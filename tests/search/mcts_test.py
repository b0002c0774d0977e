"""The batched search against a slow tree, node by node."""

import functools

import fakes
import numpy as np
import numpy_tree
import pytest
import tensorflow as tf

from tf_muzero import rng
from tf_muzero.search import mcts
from tf_muzero.search import selection
from tf_muzero.search.execution import Execution
from tf_muzero.types import RootOutput, StepOutput

_UNVISITED = {
    'zero': selection.unvisited_zero,
    'mean': selection.unvisited_mean,
    'network': selection.unvisited_network,
}
_BOUNDS = {
    'tree': selection.tree_bounds,
    'siblings': selection.sibling_bounds,
}


def grow(model, embeddings, *, num_simulations, unvisited='zero',
         bounds='tree', min_root_visits=0, invalid=(),
         execution=Execution.ANYWHERE, jit=False):
  """Returns the Tree that `mcts.search` summarises."""
  score_fn = selection.puct(
      num_simulations=num_simulations,
      unvisited_fn=_UNVISITED[unvisited], bounds_fn=_BOUNDS[bounds],
      pb_c_init=1.25, pb_c_base=19652.0)

  @tf.function(jit_compile=jit, autograph=False)
  def run(embeddings, invalid):
    root, root_score_fn = mcts.forbid(model.root(embeddings), score_fn, invalid)
    return mcts.grow(
        (), root, model.recurrent, rng.seed(1),
        num_simulations=num_simulations, prior_fn=tf.nn.softmax,
        score_fn=score_fn,
        root_score_fn=selection.force_visits(root_score_fn, min_root_visits),
        draw_fn=model.draw, execution=execution)

  return run(embeddings, invalid)


@functools.lru_cache(maxsize=None)
def slow_tree(model, number, num_simulations, kwargs):
  """Returns nodes and depths of the slow tree of root `number`."""
  return numpy_tree.plan(model, fakes.seeds(1, start=number)[0].numpy(),
                         num_simulations=num_simulations, **dict(kwargs))


def assert_same_tree(forest, b, nodes, depths, num_candidates):
  """Compares tree `b` with the slow tree, node by node."""
  batch = forest.depth.shape[0]
  tree = tf.nest.map_structure(
      lambda x: x.numpy().reshape([batch, -1])[b], forest.tree)
  edges = (-1, num_candidates)
  child = tree.child.reshape(edges)
  child = np.where(child >= 0, child % len(tree.reward), -1)
  visits, total = tree.visits.reshape(edges), tree.total.reshape(edges)
  expected = np.full_like(child, -1)
  expected_visits, expected_q = np.zeros_like(visits), np.zeros_like(total)
  for node in nodes:
    for action, kid in node.children.items():
      expected[node.number, action] = kid.number
      expected_visits[node.number, action] = kid.visits
      expected_q[node.number, action] = node.q(action)
  np.testing.assert_array_equal(child, expected)
  np.testing.assert_array_equal(visits, expected_visits)
  close = dict(rtol=1e-4, atol=1e-5)
  np.testing.assert_allclose(total / np.maximum(visits, 1), expected_q, **close)
  for name in ('reward', 'discount', 'network_value'):
    np.testing.assert_allclose(
        getattr(tree, name), [getattr(n, name) for n in nodes], err_msg=name,
        **close)
  np.testing.assert_allclose(
      tree.prior.reshape(edges), [n.prior for n in nodes], **close)
  np.testing.assert_array_equal(
      tf.nest.flatten(forest.embedding)[0][:, b], [n.embedding for n in nodes])
  assert forest.depth[b] == max(depths)


_MODELS = [
    ({}, fakes.HashModel(6)),
    (dict(unvisited='mean'), fakes.HashModel(6, terminal_share=0.3)),
    (dict(unvisited='network'), fakes.HashModel(5, value_scale=40.0)),
    (dict(bounds='siblings'), fakes.HashModel(6, discount=1.0)),
    (dict(bounds='siblings', unvisited='mean', min_root_visits=2),
     fakes.HashModel(9, discount=-1.0)),
    (dict(min_root_visits=1, unvisited='mean'),
     fakes.HashModel(8, action_size=2)),
    (dict(min_root_visits=3), fakes.HashModel(30, discount=0.0)),
    ({}, fakes.HashModel(1)),
    ({}, fakes.HashModel(2, action_size=1, terminal_share=1.0)),
]


# All of them as laptops search. XLA walks one tree at a time, or all at once
# where no loop is left to it: each option and kind of action once. What neither
# compiles nor works in place is searched with masks too, below.
@pytest.mark.parametrize('jit,execution,kwargs,model', [
    (jit, execution, *_MODELS[i]) for jit, execution, cases in (
        (False, Execution.PLAIN_GRAPH, range(len(_MODELS))),
        (True, Execution.XLA_CPU, (1, 2, 4, 5, 6, 7)),
        (True, Execution.ANYWHERE, (0, 4, 5)),
        (False, Execution.ANYWHERE, (4, 5))) for i in cases])
def test_agrees_with_the_slow_tree(kwargs, model, jit, execution):
  batch, num_simulations = 5, 30
  embeddings = fakes.seeds(batch, start=10)
  tree = grow(model, embeddings, num_simulations=num_simulations, jit=jit,
              execution=execution, **kwargs)
  for b in range(batch):
    assert_same_tree(
        tree, b, *slow_tree(model, b + 10, num_simulations,
                            tuple(kwargs.items())), model.num_candidates)


def search(model, embeddings, invalid=(), jit=False, **kwargs):
  """Returns the SearchOutput of a compiled or plain search."""

  @tf.function(jit_compile=jit, autograph=False)
  def run(embeddings, invalid):
    return mcts.search(
        (), model.root(embeddings), model.recurrent, rng.seed(1),
        invalid_actions=invalid, **kwargs)

  return run(embeddings, invalid)


@pytest.mark.parametrize('batch,num_simulations', [(1, 1), (1, 50), (64, 12)])
def test_sizes_and_masks_agree_with_the_slow_tree(batch, num_simulations):
  model = fakes.HashModel(4, terminal_share=0.2)
  invalid = np.random.RandomState(0).uniform(size=[batch, 4]) < 0.4
  invalid[:, 2] = False
  embeddings = fakes.seeds(batch)
  tree = grow(model, embeddings, num_simulations=num_simulations,
              invalid=invalid, min_root_visits=1)
  for b in range(min(batch, 10)):
    assert_same_tree(tree, b, *numpy_tree.plan(
        model, embeddings[b].numpy(), num_simulations=num_simulations,
        invalid=invalid[b], min_root_visits=1), 4)


def test_output_is_of_the_tree():
  model, num_simulations = fakes.HashModel(5, terminal_share=0.2), 25
  embeddings = fakes.seeds(4)
  output = search(model, embeddings, num_simulations=num_simulations)
  for b in range(4):
    nodes, depths = numpy_tree.plan(
        model, embeddings[b].numpy(), num_simulations=num_simulations)
    root = nodes[0]
    visits = np.zeros(5)
    q = np.full(5, root.value)
    for action, child in root.children.items():
      visits[action], q[action] = child.visits, root.q(action)
    np.testing.assert_array_equal(output.visit_counts[b], visits)
    np.testing.assert_allclose(output.weights[b], visits / visits.sum(),
                               rtol=1e-6)
    np.testing.assert_allclose(output.q_values[b], q, rtol=1e-4)
    np.testing.assert_allclose(output.value[b], root.value, rtol=1e-4)
    np.testing.assert_allclose(output.network_value[b], root.network_value)
    assert output.depth[b] == max(depths)


def test_temperature():
  model, kwargs = fakes.HashModel(4), dict(num_simulations=20)
  embeddings = fakes.seeds(3)
  visits = search(model, embeddings, **kwargs).visit_counts.numpy()
  half = search(model, embeddings, temperature=0.5, **kwargs).weights
  np.testing.assert_allclose(
      half, visits**2 / (visits**2).sum(-1, keepdims=True), rtol=1e-5)
  greedy = search(model, embeddings, temperature=0.0, **kwargs).weights
  np.testing.assert_array_equal(greedy, np.eye(4)[visits.argmax(-1)])


def _bandit(rewards):
  """Returns root and step of a bandit: arm a pays rewards[a], then the end."""
  rewards = tf.constant(rewards, tf.float32)

  def view(batch):
    return tf.zeros([batch, len(rewards)]), tf.zeros([batch])

  def recurrent(parameters, seed, action, embedding):
    del parameters, seed
    logits, value = view(embedding.shape[0])
    reward = tf.where(embedding > 0, 0.0, tf.gather(rewards, action))
    return StepOutput(
        reward, tf.zeros_like(value), logits, value, embedding + 1)

  return RootOutput((), *view(2), tf.zeros([2], tf.int32)), recurrent


def test_bandit_finds_the_best_arm():
  root, recurrent = _bandit([0.1, 0.5, 0.9, 0.3])
  output = mcts.search((), root, recurrent, rng.seed(1), num_simulations=60,
                       min_root_visits=1)
  np.testing.assert_array_equal(np.argmax(output.visit_counts, -1), [2, 2])
  np.testing.assert_allclose(
      output.q_values[0], [0.1, 0.5, 0.9, 0.3], rtol=1e-5)
  assert output.weights[0, 2] > 0.7
  # The root's value: the network's 0, then what each visit paid.
  paid = tf.reduce_sum(
      tf.cast(output.visit_counts, tf.float32) * [0.1, 0.5, 0.9, 0.3], -1)
  np.testing.assert_allclose(output.value, paid / 61.0, rtol=1e-5)


def test_bandit_first_visits_by_hand():
  # Priors uniform over 2. Simulation 1: tie, so arm 0, Q = 1; the bounds are
  # one point, so it scales to 0. Simulation 2: arm 1 for its fewer visits; Q =
  # 0. Then Q scales to (1, 0): sqrt(3) * 1.25 / 2 / 2 = 0.54 more for both.
  root, recurrent = _bandit([1.0, 0.0])
  for num, visits in ((1, [1, 0]), (2, [1, 1]), (3, [2, 1]), (5, [4, 1])):
    output = mcts.search((), root, recurrent, rng.seed(1), num_simulations=num)
    np.testing.assert_array_equal(output.visit_counts[0], visits)


def test_states_do_not_depend_on_each_other():
  model = fakes.HashModel(6, terminal_share=0.1)
  kwargs = dict(num_simulations=20)
  embeddings = fakes.seeds(12)
  whole = search(model, embeddings, **kwargs)
  order = np.random.RandomState(0).permutation(12)
  permuted = search(model, tf.gather(embeddings, order), **kwargs)
  for x, y in zip(tf.nest.flatten(whole), tf.nest.flatten(permuted)):
    np.testing.assert_array_equal(x.numpy()[order], y)
  alone = search(model, embeddings[7:8], **kwargs)
  for x, y in zip(tf.nest.flatten(whole), tf.nest.flatten(alone)):
    np.testing.assert_array_equal(x[7:8], y)


def test_wrong_arguments_are_errors():
  model = fakes.HashModel(3)
  root = model.root(fakes.seeds(2))
  run = lambda root=root, **kwargs: mcts.search(
      (), root, model.recurrent, rng.seed(1),
      **{'num_simulations': 2, **kwargs})
  with pytest.raises(ValueError, match='num_simulations'):
    run(num_simulations=0)
  with pytest.raises(ValueError, match='temperature'):
    run(temperature=-1.0)
  with pytest.raises(ValueError, match='prior_logits'):
    run(root._replace(prior_logits=tf.zeros([2, 0])))
  with pytest.raises(ValueError, match='root.value'):
    run(root._replace(value=tf.zeros([3])))
  with pytest.raises(ValueError, match='root.embedding'):
    run(root._replace(embedding=tf.zeros([3, 4])))
  with pytest.raises(ValueError, match='invalid_actions'):
    run(invalid_actions=tf.zeros([2, 4], tf.bool))
  with pytest.raises(ValueError, match='min_root_visits'):
    run(min_root_visits=-1)
