"""The same trees as mctx, from what tools/make_search_goldens.py wrote.

Counts and trees are the same exactly, values up to float32 rounding.
"""

import json
import pathlib

import fakes
import numpy as np
import pytest
import tensorflow as tf

from tf_muzero import rng
from tf_muzero.search import gumbel
from tf_muzero.search import mcts
from tf_muzero.search import selection

_GOLDENS = sorted((pathlib.Path(__file__).parent / 'goldens').glob('*.npz'))
# All are searched by the same operations; compiling takes longest.
_COMPILED = ('gumbel_few', 'gumbel_masked', 'muzero_masked')


def _plan(settings, golden, monkeypatch, jit_compile):
  """Returns the SearchOutput, and the Forest that it is of."""
  model = fakes.HashModel(**settings['model'])
  forests = []
  grow = mcts.grow

  def record(*args, **kwargs):
    forests.append(grow(*args, **kwargs))
    return forests[-1]

  monkeypatch.setattr(mcts, 'grow', record)
  options = settings['options']
  if settings['policy'] == 'gumbel':
    search = gumbel.search
    kwargs = dict(gumbel=tf.constant(golden['gumbel']))
    if options:
      kwargs['max_considered'] = options['max_num_considered_actions']
  else:
    search = mcts.search
    kwargs = dict(bounds_fn=selection.sibling_bounds)
    if options:
      kwargs = dict(bounds_fn=lambda node: tuple(
          tf.fill(tf.shape(node.n), options[name])
          for name in ('min_value', 'max_value')))

  @tf.function(jit_compile=jit_compile, autograph=False)
  def run(embedding, invalid):
    output = search(
        (), model.root(embedding), model.recurrent, rng.seed(1),
        num_simulations=settings['num_simulations'], invalid_actions=invalid,
        **kwargs)
    return output, forests[-1]

  return run(fakes.seeds(settings['batch']), golden['invalid'])


@pytest.mark.parametrize('path', _GOLDENS, ids=lambda path: path.stem)
def test_same_tree_as_mctx(path, monkeypatch):
  golden = np.load(path)
  settings = json.loads(str(golden['settings']))
  output, forest = _plan(
      settings, golden, monkeypatch, jit_compile=path.stem in _COMPILED)
  batch, num_nodes = settings['batch'], settings['num_simulations'] + 1
  shape = (batch, num_nodes, settings['model']['num_candidates'])
  child = forest.tree.child.numpy().reshape(shape)
  np.testing.assert_array_equal(
      np.where(child >= 0, child % num_nodes, -1), golden['children'])
  np.testing.assert_array_equal(
      forest.tree.visits.numpy().reshape(shape), golden['child_visits'])
  np.testing.assert_array_equal(
      output.visit_counts, golden['child_visits'][:, 0])
  np.testing.assert_allclose(
      output.value, golden['node_values'][:, 0], rtol=1e-4, atol=1e-5)
  np.testing.assert_allclose(
      output.weights, golden['weights'], rtol=1e-3, atol=1e-5)
  if settings['policy'] == 'gumbel':
    # As mctx chooses: the weights are a softmax of what noise is added to.
    visits = golden['child_visits'][:, 0]
    scores = np.log(np.maximum(golden['weights'], 1e-30)) + golden['gumbel']
    np.testing.assert_array_equal(output.choice, np.where(
        visits == visits.max(-1, keepdims=True), scores, -np.inf).argmax(-1))
  else:
    assert output.choice == ()
  totals = forest.tree.total.numpy().reshape(shape).sum(-1)
  values = forest.tree.network_value.numpy().reshape(shape[:2])
  np.testing.assert_allclose(
      (values + totals) / golden['node_visits'], golden['node_values'],
      rtol=1e-4, atol=1e-4)


def test_there_are_goldens_and_they_are_small():
  assert len(_GOLDENS) >= 10
  assert set(_COMPILED) < {path.stem for path in _GOLDENS}
  assert all(path.stat().st_size < 50_000 for path in _GOLDENS)


def test_considered_visits_by_hand():
  # Four candidates, eight simulations: each once, the better half twice more.
  assert gumbel.considered_visits(4, 8) == [0, 0, 0, 0, 1, 1, 2, 2]
  assert gumbel.considered_visits(1, 3) == [0, 1, 2]
  assert gumbel.considered_visits(4, 3) == [0, 0, 0]


def test_gumbel_visits_at_most_what_is_considered():
  model = fakes.HashModel(10)
  output = gumbel.search(
      (), model.root(fakes.seeds(6)), model.recurrent, rng.seed(1),
      num_simulations=12, max_considered=3)
  np.testing.assert_array_equal(
      np.sum(output.visit_counts.numpy() > 0, axis=-1), [3] * 6)
  np.testing.assert_allclose(np.sum(output.weights, axis=-1), 1.0, rtol=1e-5)
  with pytest.raises(ValueError, match='max_considered'):
    gumbel.search(
        (), model.root(fakes.seeds(6)), model.recurrent, rng.seed(1),
        num_simulations=12, max_considered=0)
