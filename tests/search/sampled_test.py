"""Continuous actions: candidates by sampling, with and without injection."""

import numpy as np
import tensorflow as tf

from tf_muzero import rng
from tf_muzero.search import candidates
from tf_muzero.search import mcts
from tf_muzero.search import selection
from tf_muzero.types import RootOutput, StepOutput

_BATCH = 64
_OPTIMUM = tf.constant([0.6, -0.3])


def _toy(num_candidates):
  """Returns root and step of one decision that pays 1 - |action - optimum|."""

  logits, zeros = tf.zeros([_BATCH, num_candidates]), tf.zeros([_BATCH])

  def recurrent_fn(parameters, seed, action, step):
    del parameters, seed
    reward = 1.0 - tf.norm(action - _OPTIMUM, axis=-1)
    reward = tf.where(step == 0, reward, 0.0)
    return StepOutput(reward, zeros, logits, zeros, step + 1)

  actions = tf.tanh(rng.normal(rng.seed(5), [_BATCH, num_candidates, 2]))
  root = RootOutput(actions, logits, zeros, tf.zeros([_BATCH], tf.int32))
  return root, recurrent_fn


def _draw(seed, embedding, number):
  del embedding, number
  return tf.tanh(rng.normal(seed, [_BATCH, 2]))


def _plan(root, recurrent_fn, num_simulations):

  @tf.function(autograph=False)
  def run():
    return mcts.search((), root, recurrent_fn, rng.seed(1),
                       num_simulations=num_simulations, min_root_visits=1,
                       draw_fn=_draw, unvisited_fn=selection.unvisited_mean)

  return run()


def _distance(output):
  """Returns the mean distance from the optimum of the weighted candidates."""
  distance = tf.norm(output.candidates - _OPTIMUM, axis=-1)
  return float(tf.reduce_mean(tf.reduce_sum(output.weights * distance, -1)))


def test_more_candidates_and_more_simulations_come_closer():
  by_candidates = [_distance(_plan(*_toy(k), 100)) for k in (2, 8, 20)]
  assert by_candidates[0] > 1.3 * by_candidates[1] > 1.3 * by_candidates[2]
  by_simulations = [_distance(_plan(*_toy(8), n)) for n in (8, 40, 200)]
  assert by_simulations[0] > 1.2 * by_simulations[1]
  assert by_simulations[1] > 1.1 * by_simulations[2]


def test_actions_inside_the_tree_are_draws_of_the_policy():
  """One fresh draw for each candidate that is tried, whatever its number."""
  means = tf.linspace(-1.0, 1.0, _BATCH)
  logits, zeros = tf.zeros([_BATCH, 10]), tf.zeros([_BATCH])

  def recurrent_fn(parameters, seed, action, embedding):
    del parameters, seed
    return StepOutput(action, zeros + 1.0, logits, zeros, embedding)

  forest = mcts.grow(
      (), RootOutput(tf.zeros([_BATCH, 10]), logits, zeros, means),
      recurrent_fn, rng.seed(3), num_simulations=60, prior_fn=tf.nn.softmax,
      score_fn=lambda node: -node.visits,
      root_score_fn=lambda node: -node.visits,
      draw_fn=lambda seed, mean, number: mean + 0.5 * rng.normal(
          seed, [_BATCH]))
  actions = tf.reshape(forest.tree.reward, [_BATCH, 61])[:, 11:].numpy()
  np.testing.assert_array_equal(forest.tree.reward[1:11], 0.0)  # The root's.
  assert len(np.unique(actions)) == actions.size
  noise = actions - means.numpy()[:, np.newaxis]
  assert abs(noise.mean()) < 4 * 0.5 / np.sqrt(noise.size)
  np.testing.assert_allclose(noise.std(), 0.5, rtol=0.04)
  np.testing.assert_allclose(noise.mean(axis=1), 0.0, atol=0.3)


def test_an_injected_optimum_is_found_and_its_value_known():
  root, recurrent_fn = _toy(8)
  root = candidates.inject(root, tf.tile(_OPTIMUM[tf.newaxis], [_BATCH, 1]),
                           0.25)
  output = _plan(root, recurrent_fn, 60)
  np.testing.assert_array_equal(np.argmax(output.visit_counts, -1), 0)
  np.testing.assert_allclose(output.q_values[:, 0], 1.0, rtol=1e-5)
  assert np.all(output.visit_counts.numpy() >= 1)


def test_an_injected_bad_action_does_not_swallow_the_search():
  root, recurrent_fn = _toy(8)
  root = candidates.inject(root, tf.tile(-_OPTIMUM[tf.newaxis], [_BATCH, 1]),
                           0.25)
  output = _plan(root, recurrent_fn, 60)
  assert np.mean(output.weights[:, 0]) < 0.25
  assert np.mean(np.argmax(output.weights, -1) == 0) < 0.1


def test_equal_candidates_share_what_one_would_get():
  root, recurrent_fn = _toy(4)
  same = root.candidates[:, :1]
  root = root._replace(
      candidates=tf.concat([same, same, root.candidates[:, 2:]], axis=1))
  output = _plan(root, recurrent_fn, 80)
  difference = output.visit_counts[:, 0] - output.visit_counts[:, 1]
  assert np.max(np.abs(difference)) <= 1
  np.testing.assert_allclose(
      output.q_values[:, 0], output.q_values[:, 1], rtol=1e-4)
