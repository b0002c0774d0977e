"""Tests of the ways to choose an action."""

import acting_toys
from dm_env import specs
import numpy as np
import pytest
import tensorflow as tf

from tf_muzero import rng
from tf_muzero.acting import modes
from tf_muzero.networks.agent import PlanningModel
from tf_muzero.search import gumbel
from tf_muzero.types import EnvironmentSpec
from tf_muzero.types import RootOutput
from tf_muzero.types import SearchOutput
from tf_muzero.types import StepOutput

_SEED = rng.seed(3)


def _continuous_model(max_scale):
  """A model in which action a has reward -(a - parameter)^2 and value a / 2.

  The mode is 0.5; candidates are -0.8, 0.1, 0.4, times the scale's cap.
  """

  def root_fn(parameters, seed, observation):
    del parameters, seed
    batch_size = tf.shape(observation)[0]
    candidates = tf.constant([[[-0.8], [0.1], [0.4]]]) * min(max_scale, 1.0)
    return RootOutput(
        tf.tile(candidates, [batch_size, 1, 1]), tf.zeros([batch_size, 3]),
        tf.zeros([batch_size]), observation)

  def recurrent_fn(parameters, seed, action, embedding):
    del seed
    reward = -(action[:, 0] - parameters[0] - embedding[:, 0])**2
    value = action[:, 0] / 2.0
    return StepOutput(
        reward, tf.fill(tf.shape(reward), 0.9), (), value, embedding)

  return PlanningModel(
      root_fn, recurrent_fn, draw_fn=None,
      mode_fn=lambda parameters, observation: 0.0 * observation + 0.5,
      sample_fn=lambda parameters, seed, observation: observation + max_scale)


def _discrete_model(max_scale):
  """A model with rewards 0, 1, 2 and next values 0, 9, 0 of three actions."""
  del max_scale

  def root_fn(parameters, seed, observation):
    del parameters, seed
    return RootOutput((), tf.zeros([tf.shape(observation)[0], 3]),
                      observation[:, 0], observation)

  def recurrent_fn(parameters, seed, action, embedding):
    del parameters, seed
    value = tf.gather([0.0, 9.0, 0.0], action)
    return StepOutput(tf.cast(action, tf.float32), embedding[:, 0], (), value,
                      embedding)

  return PlanningModel(root_fn, recurrent_fn, None, None, None)


def test_policy_takes_the_mode():
  act = modes.policy().make_fn(_continuous_model, None)
  np.testing.assert_array_equal(
      act((), _SEED, tf.zeros([2, 1])), [[0.5], [0.5]])


def test_sample_draws_with_the_given_scale():
  act = modes.sample(max_scale=0.25).make_fn(_continuous_model, None)
  np.testing.assert_array_equal(act((), _SEED, tf.zeros([2, 1])), [[0.25]] * 2)


@pytest.mark.parametrize('include_mode, expected', [(True, 0.5), (False, 0.4)])
def test_value_takes_the_best_candidate(include_mode, expected):
  # r + 0.9 V = -(a - 0.3)^2 + 0.45 a: 0.08 at 0.1, 0.17 at 0.4, 0.185 at 0.5.
  act = modes.value(max_scale=1.0, include_mode=include_mode).make_fn(
      _continuous_model, None)
  action = act((tf.constant(0.3),), _SEED, tf.zeros([2, 1]))
  np.testing.assert_allclose(action, [[expected]] * 2)


def test_value_keeps_rows_apart():
  act = modes.value(max_scale=1.0, include_mode=False).make_fn(
      _continuous_model, None)
  # The second row's best reward is at -1.3, far on the left.
  action = act((tf.constant(0.3),), _SEED, tf.constant([[0.0], [-1.6]]))
  np.testing.assert_allclose(action, [[0.4], [-0.8]])


def test_value_of_discrete_actions_counts_the_discount():
  act = modes.value().make_fn(_discrete_model, None)
  # Row 0 has discount 0, so the reward alone decides.
  action = act((), _SEED, tf.constant([[0.0], [0.9]]))
  assert action.dtype == tf.int32
  np.testing.assert_array_equal(action, [2, 1])


def test_value_caps_the_scale():
  act = modes.value(max_scale=0.05, include_mode=False).make_fn(
      _continuous_model, None)
  action = act((tf.constant(0.3),), _SEED, tf.zeros([1, 1]))
  np.testing.assert_allclose(action, [[0.4 * 0.05]])


def test_most_visited_decides_ties_by_q():
  output = SearchOutput(
      (), visit_counts=tf.constant([[3, 3, 1], [0, 2, 1]]), weights=(),
      q_values=tf.constant([[1.0, 2.0, 9.0], [9.0, -5.0, 0.0]]), value=(),
      network_value=(), depth=())
  np.testing.assert_array_equal(modes.most_visited(output), [1, 1])


@pytest.mark.parametrize('include_mode', [True, False])
def test_mcts_searches_with_the_mode_as_candidate_0(include_mode):
  roots = []

  def search(parameters, root, recurrent_fn, seed, *, draw_fn):
    del parameters, recurrent_fn, seed, draw_fn
    roots.append(root)
    return SearchOutput(
        root.candidates, tf.constant([[1, 5, 1]]), (), tf.zeros([1, 3]), (),
        (), ())

  act = modes.mcts(max_scale=1.0, include_mode=include_mode).make_fn(
      _continuous_model, search)
  action = act((), _SEED, tf.zeros([1, 1]))
  np.testing.assert_allclose(action, [[0.1]])
  np.testing.assert_allclose(
      roots[0].candidates[0, :, 0], [0.5 if include_mode else -0.8, 0.1, 0.4])
  np.testing.assert_allclose(
      tf.nn.softmax(roots[0].prior_logits), [[1 / 3] * 3], rtol=1e-6)


def test_mcts_takes_what_a_search_chooses():
  def search(*arguments, **keywords):
    return acting_toys.search(*arguments, **keywords)._replace(
        choice=tf.constant([1, 0]))

  act = modes.mcts().make_fn(_discrete_model, search)
  np.testing.assert_array_equal(act((), _SEED, tf.ones([2, 1])), [1, 0])


@pytest.mark.parametrize('gumbel_scale', [0.0, 1.0])
def test_mcts_with_gumbel_s_search_takes_the_best_that_it_considers(
    gumbel_scale):
  outputs = []

  def search(parameters, root, recurrent_fn, seed, *, draw_fn):
    del draw_fn
    outputs.append(gumbel.search(
        parameters, root, lambda *x: recurrent_fn(*x)._replace(
            prior_logits=tf.zeros([len(x[2]), 3])), seed, num_simulations=2,
        max_considered=2, value_scale=1.0, gumbel_scale=gumbel_scale))
    return outputs[-1]

  act = modes.mcts().make_fn(_discrete_model, search)
  action = act((), _SEED, tf.ones([64, 1])).numpy()
  # Two are visited once each. Action 1 is worth 10, action 2 is worth 2.
  considered = outputs[0].visit_counts.numpy() > 0
  best = np.where(considered[:, 1], 1, 2)
  np.testing.assert_array_equal(action, best)
  assert (best == 2).any() == (gumbel_scale == 1.0)


def test_mcts_of_discrete_actions():
  act = modes.mcts().make_fn(_discrete_model, acting_toys.search)
  np.testing.assert_array_equal(act((), _SEED, tf.ones([2, 1])), [2, 2])


def test_mcts_needs_a_search():
  with pytest.raises(ValueError, match='search_fn must be given'):
    modes.mcts().make_fn(_discrete_model, None)


def _told(candidates, weights):
  """Returns a search that says so of each state, and chooses the first one."""
  def search(parameters, root, recurrent_fn, seed, *, draw_fn):
    del parameters, recurrent_fn, seed, draw_fn
    batch = root.value.shape[0]
    tile = lambda x: tf.tile(tf.constant(x)[tf.newaxis], [
        batch, *[1] * np.ndim(x)])
    return SearchOutput(
        tile(candidates) if candidates else (), tile([1, 1, 1]), tile(weights),
        tile([0.0, 0.0, 0.0]), root.value, root.value, tile(1), tile(0))
  return search


_CONTINUOUS = EnvironmentSpec(
    specs.Array([1], 'f'), specs.BoundedArray([1], 'f', -1.0, 1.0))
_DISCRETE = EnvironmentSpec(specs.Array([1], 'f'), specs.DiscreteArray(3))


def test_the_mean_of_continuous_candidates():
  mean = _told([[0.5], [-1.0], [0.25]], [0.5, 0.5, 0.4])
  shared = _told((), [0.2, 0.3, 0.5])
  mode = modes.mcts(continuous_fn=mean, averages=True)
  assert modes.searches([mode, modes.policy()], shared, _CONTINUOUS) == [mean]
  act = mode.make_fn(_continuous_model, mean)
  np.testing.assert_allclose(
      act((), _SEED, tf.zeros([2, 1])), [[-0.15]] * 2, rtol=1e-6)
  act = modes.mcts().make_fn(_continuous_model, mean)
  np.testing.assert_allclose(act((), _SEED, tf.zeros([2, 1])), [[0.5]] * 2)


def test_discrete_actions_have_no_mean():
  mode = modes.mcts(
      continuous_fn=_told((), [1.0, 0.0, 0.0]), averages=True)
  shared = _told((), [0.2, 0.3, 0.5])
  assert modes.searches([mode, modes.policy()], shared, _DISCRETE) == [shared]
  act = mode.make_fn(_discrete_model, shared)
  np.testing.assert_array_equal(act((), _SEED, tf.zeros([2, 1])), [0, 0])
