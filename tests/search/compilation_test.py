"""One search, however it is run: eagerly, compiled, in tf.data, exported."""

import functools
import re

import fakes
import numpy as np
import pytest
import tensorflow as tf

from tf_muzero import rng
from tf_muzero.search import mcts
from tf_muzero.search import selection
from tf_muzero.search.execution import Execution
from tf_muzero.types import RootOutput, StepOutput

_BATCH, _SIZE, _CANDIDATES = 6, 8, 5
_function = functools.partial(tf.function, autograph=False)


def _parameters():
  random = np.random.RandomState(0)
  shapes = ((_SIZE + 2, _SIZE), (_SIZE, 2), (_SIZE, 1), (_SIZE, 1))
  return tuple(tf.constant(random.normal(size=s), tf.float32) for s in shapes)


def _view(parameters, embedding):
  """A network's prior, value and embedding with the mean of its policy."""
  mean = tf.matmul(embedding, parameters[1])
  value = tf.matmul(embedding, parameters[2])[:, 0]
  logits = tf.zeros_like(value)[:, tf.newaxis] + tf.zeros([_CANDIDATES])
  return logits, value, (embedding, mean)


def _draw(seed, embedding, num):
  """Returns actions [B, num, 2], or [B, 2] where `num` is a tensor."""
  mean = embedding[1]
  if tf.is_tensor(num):
    return tf.tanh(mean + rng.normal(seed, tf.shape(mean)))
  noise = rng.normal(seed, [tf.shape(mean)[0], num, 2])
  noise = tf.ensure_shape(noise, [mean.shape[0], num, 2])
  return tf.tanh(mean[:, tf.newaxis] + noise)


def _recurrent(parameters, seed, action, embedding):
  del seed
  embedding = tf.tanh(tf.matmul(
      tf.concat([embedding[0], action], axis=-1), parameters[0]))
  reward = tf.matmul(embedding, parameters[3])[:, 0]
  return StepOutput(reward, tf.fill(tf.shape(reward), 0.99),
                    *_view(parameters, embedding))


def _plan(parameters, embedding, seed, execution=Execution.ANYWHERE):
  seeds = rng.split(seed)
  view = _view(parameters, embedding)
  return mcts.search(
      parameters, RootOutput(_draw(seeds[0], view[-1], _CANDIDATES), *view),
      _recurrent, seeds[1], num_simulations=15, min_root_visits=1,
      draw_fn=_draw, unvisited_fn=selection.unvisited_mean,
      execution=execution)


def _inputs(i=0):
  random = np.random.RandomState(i)
  return (tf.constant(random.normal(size=[_BATCH, _SIZE]), tf.float32),
          rng.seed(3, i))


def _assert_same(x, y):
  np.testing.assert_array_equal(x.visit_counts, y.visit_counts)
  for a, b in zip(tf.nest.flatten(x), tf.nest.flatten(y)):
    np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_same_eagerly_compiled_and_in_a_dataset():
  """With one trace for all batches, and shapes that are known."""
  parameters = _parameters()
  expected = [_plan(parameters, *_inputs(i)) for i in range(3)]
  plain = functools.partial(_plan, execution=Execution.PLAIN_GRAPH)
  one_by_one = functools.partial(_plan, execution=Execution.XLA_CPU)
  ways = [_function(_plan), _function(_plan, jit_compile=True),
          _function(plain), _function(one_by_one, jit_compile=True)]
  _assert_same(expected[0], plain(parameters, *_inputs()))
  for way in ways:
    for i in range(3):
      _assert_same(expected[i], way(parameters, *_inputs(i)))
    output = way.get_concrete_function(
        parameters, *_inputs()).structured_outputs
    assert output.candidates.shape == [_BATCH, _CANDIDATES, 2]
    assert output.visit_counts.shape == [_BATCH, _CANDIDATES]
    assert output.value.shape == output.depth.shape == [_BATCH]
    assert way.experimental_get_tracing_count() == 1
    dataset = tf.data.Dataset.from_tensors(_inputs()).map(
        functools.partial(way, parameters))
    _assert_same(expected[0], next(iter(dataset)))


def test_updates_in_place_do_not_reach_constants():
  # All that goes in is constant, and TensorFlow folds what depends on nothing.
  model = fakes.HashModel(3)
  constants = tf.nest.map_structure(
      lambda x: x.numpy(), model.root(fakes.seeds(4)))

  @tf.function(autograph=False)
  def run():
    return mcts.search(
        (), tf.nest.map_structure(tf.constant, constants), model.recurrent,
        rng.seed(1), num_simulations=20, execution=Execution.PLAIN_GRAPH)

  first = tf.nest.map_structure(lambda x: x.numpy(), run())
  for _ in range(3):
    tf.nest.map_structure(np.testing.assert_array_equal, first, run())


def test_seed_decides():
  parameters = _parameters()
  embedding, seed = _inputs()
  first = _plan(parameters, embedding, seed)
  other = _plan(parameters, embedding, rng.seed(4))
  assert np.any(first.candidates != other.candidates)
  assert np.any(first.value != other.value)


def test_same_in_a_saved_model_of_any_batch_size(tmp_path):
  parameters = _parameters()
  module = tf.Module()
  module.plan = _function(
      lambda x, s: _plan(parameters, x, s)._asdict(),
      input_signature=[tf.TensorSpec([None, _SIZE], tf.float32),
                       tf.TensorSpec([2], tf.int32)])
  tf.saved_model.save(module, str(tmp_path))
  loaded = tf.saved_model.load(str(tmp_path))
  embedding, seed = _inputs()
  for batch in (1, 4, _BATCH):
    expected = _plan(parameters, embedding[:batch], seed)
    got = loaded.plan(embedding[:batch], seed)
    _assert_same(expected, type(expected)(**got))


@pytest.mark.parametrize('jit', [False, True])
@pytest.mark.parametrize('bounds_fn', [selection.tree_bounds,
                                       selection.sibling_bounds])
def test_hostile_networks_give_finite_results(jit, bounds_fn):
  model = fakes.HashModel(4)

  def spoil(x, embedding):
    # Every third state is hit, by one thing or another.
    for i, bad in enumerate((np.nan, np.inf, -np.inf, 3e38)):
      hit = tf.reshape(embedding % 12 == i, [-1] + [1] * (x.shape.rank - 1))
      x = tf.where(hit, tf.cast(bad, x.dtype), x)
    return x

  def recurrent(*args):
    step = model.recurrent(*args)
    return step._replace(
        **{name: spoil(getattr(step, name), step.embedding)
           for name in ('reward', 'discount', 'prior_logits', 'value')})

  @tf.function(jit_compile=jit, autograph=False)
  def run(embedding):
    root = model.root(embedding)
    root = root._replace(
        value=spoil(root.value, embedding),
        prior_logits=spoil(root.prior_logits, embedding))
    return mcts.search(
        (), root, recurrent, rng.seed(1), num_simulations=20,
        unvisited_fn=selection.unvisited_network, bounds_fn=bounds_fn)

  output = run(fakes.seeds(48))
  for name in ('weights', 'q_values', 'value'):
    assert np.all(np.isfinite(getattr(output, name))), name
  np.testing.assert_array_equal(
      tf.reduce_sum(output.visit_counts, -1), [20] * 48)
  np.testing.assert_allclose(tf.reduce_sum(output.weights, -1), 1.0, rtol=1e-5)


def test_no_valid_action_means_no_mask():
  model = fakes.HashModel(4)
  run = lambda mask: mcts.search(
      (), model.root(fakes.seeds(3)), model.recurrent, rng.seed(1),
      num_simulations=10, invalid_actions=mask)
  free = run(())
  masked = run(tf.constant(
      [[True] * 4, [False] * 4, [True, True, False, True]]))
  np.testing.assert_array_equal(masked.visit_counts[:2], free.visit_counts[:2])
  np.testing.assert_array_equal(masked.visit_counts[2], [0, 0, 10, 0])


def test_one_impossible_candidate_in_the_prior_is_left_alone():
  model = fakes.HashModel(3)
  root = model.root(fakes.seeds(2))
  logits = tf.constant([[0.0, -np.inf, 0.0], [np.nan, 0.0, 0.0]])
  output = mcts.search(
      (), root._replace(prior_logits=logits), model.recurrent, rng.seed(1),
      num_simulations=1)
  assert output.visit_counts[0, 1] == 0
  assert output.visit_counts[1, 0] == 0


@pytest.mark.parametrize('execution', [Execution.ANYWHERE, Execution.XLA_CPU])
@pytest.mark.parametrize('kwargs', [
    dict(min_root_visits=1, unvisited_fn=selection.unvisited_mean),
    dict(bounds_fn=selection.sibling_bounds)])
def test_loops_do_not_copy_the_tree(execution, kwargs):
  batch, num_simulations, model = 40, 30, fakes.HashModel(7, action_size=3)

  @tf.function(jit_compile=True, autograph=False)
  def run(embedding):
    return mcts.search((), model.root(embedding), model.recurrent, rng.seed(1),
                       num_simulations=num_simulations, execution=execution,
                       draw_fn=model.draw, **kwargs)

  program = run.experimental_get_compiler_ir(fakes.seeds(batch))(
      stage='optimized_hlo')
  num_edges = batch * (num_simulations + 1) * 7
  bodies = program[:program.index('ENTRY ')]
  assert 'while(' in bodies
  for shape in re.findall(r' = \w+\[([\d,]*)\]\S* copy\(', bodies):
    size = np.prod([int(n) for n in shape.split(',') if n])
    assert size < num_edges, f'a loop copies [{shape}]'
