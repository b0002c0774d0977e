"""The batched search against a slow tree, node by node."""

import fakes
import numpy as np
import numpy_tree
import pytest
import tensorflow as tf

from tf_muzero import rng
from tf_muzero.search import mcts
from tf_muzero.search import selection

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
         bounds='tree', min_root_visits=0, invalid=(), lockstep=True,
         jit=False):
  """Returns the Tree that `mcts.search` summarises."""
  score_fn = selection.puct(
      unvisited_fn=_UNVISITED[unvisited], bounds_fn=_BOUNDS[bounds],
      pb_c_init=1.25, pb_c_base=19652.0)

  @tf.function(jit_compile=jit, autograph=False)
  def run(embeddings, invalid):
    return mcts.grow(
        (), model.root(embeddings), model.recurrent, rng.seed(1),
        num_simulations=num_simulations, prior_fn=tf.nn.softmax,
        score_fn=score_fn,
        root_score_fn=selection.force_visits(score_fn, min_root_visits),
        invalid_actions=invalid, lockstep=lockstep)

  return run(embeddings, invalid)


def assert_same_tree(tree, b, nodes, depths, num_candidates):
  """Compares tree `b` with the slow tree, node by node."""
  s = tf.nest.map_structure(lambda x: x.numpy(), tree.statistics)
  num_nodes, batch = s.reward.shape
  edges = (num_nodes, batch, num_candidates)
  child = s.child.reshape(edges)[:, b]
  child = np.where(child >= 0, child // batch, -1)
  visits, q = (x.reshape(edges)[:, b] for x in (s.visits, s.q))
  expected = np.full_like(child, -1)
  expected_visits, expected_q = np.zeros_like(visits), np.zeros_like(q)
  for node in nodes:
    for action, kid in node.children.items():
      expected[node.number, action] = kid.number
      expected_visits[node.number, action] = kid.visits
      expected_q[node.number, action] = node.q(action)
  np.testing.assert_array_equal(child, expected)
  np.testing.assert_array_equal(visits, expected_visits)
  close = dict(rtol=1e-4, atol=1e-5)
  np.testing.assert_allclose(q, expected_q, **close)
  for array, name in ((s.reward, 'reward'), (s.discount, 'discount'),
                      (s.network_value, 'network_value'), (s.prior, 'prior')):
    np.testing.assert_allclose(
        array[:, b], [getattr(n, name) for n in nodes], err_msg=name, **close)
  np.testing.assert_array_equal(
      tf.nest.flatten(tree.embedding)[0][:, b], [n.embedding for n in nodes])
  assert tree.depth[b] == max(depths)


@pytest.mark.parametrize('jit,lockstep', [(False, True), (True, True),
                                          (True, False)])
@pytest.mark.parametrize('kwargs,model', [
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
])
def test_agrees_with_the_slow_tree(kwargs, model, jit, lockstep):
  batch, num_simulations = 5, 30
  embeddings = fakes.seeds(batch, start=10)
  tree = grow(model, embeddings, num_simulations=num_simulations, jit=jit,
              lockstep=lockstep, **kwargs)
  for b in range(batch):
    nodes, depths = numpy_tree.plan(
        model, embeddings[b], num_simulations=num_simulations, **kwargs)
    assert_same_tree(tree, b, nodes, depths, model.num_candidates)
