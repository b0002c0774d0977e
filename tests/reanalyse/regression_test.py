"""Critic-regularised regression, on models that one can compute by hand."""

import functools

import numpy as np
import tensorflow as tf

from tf_muzero.networks.agent import PlanningModel
from tf_muzero.reanalyse import improvement
from tf_muzero.types import RootOutput
from tf_muzero.types import Segment
from tf_muzero.types import StepOutput

_PRIOR = np.array([0.5, 0.25, 0.25])
_CANDIDATES = np.array([[-1.0], [0.0], [0.5]], np.float32)


def _model(candidates):
  """An action a has the reward 2 a, and the value 10 of an observed 1 next."""

  def root_fn(parameters, seed, observation):
    del parameters, seed
    size = tf.shape(observation)[0]
    return RootOutput(
        candidates if isinstance(candidates, tuple) else tf.tile(
            candidates[tf.newaxis], [size, 1, 1]),
        tf.tile(tf.constant(np.log(_PRIOR), tf.float32)[tf.newaxis], [size, 1]),
        7.0 * observation[:, 0], observation)

  def recurrent_fn(parameters, seed, action, embedding):
    del parameters, seed
    reward = 2.0 * tf.cast(tf.reshape(action, [-1]), tf.float32)
    return StepOutput(reward, tf.fill(tf.shape(reward), 0.9), (),
                      10.0 * embedding[:, 0], embedding)

  return PlanningModel(root_fn, recurrent_fn, None, None, None)


def _segments(action):
  """Returns a segment with these actions, [1, S, ...], of a whole episode."""
  shape = action.shape[:2]
  return Segment(
      observation=np.ones([*shape, 1], np.float32), action=action,
      reward=np.zeros(shape, np.float32), discount=np.ones(shape, 'f'),
      is_state=np.ones(shape, bool),
      is_transition=np.array([[True] * (shape[1] - 1) + [False]]))


def _improve(action, candidates, filter_fn):
  return improvement.crr_improvement(
      _model(candidates), None, (), tf.constant([0, 1]),
      _segments(np.array(action)[np.newaxis]), filter_fn=filter_fn)


def test_discrete_actions():
  # Values 9, 11, 13 of the actions; the policy's mean is 10.5.
  improved = _improve(
      np.array([0, 1, 2, 0], np.int32), (), improvement.binary_filter)
  np.testing.assert_allclose(
      improved.diagnostics['advantage'], [[-1.5, 0.5, 2.5, -1.5]], rtol=1e-6)
  np.testing.assert_array_equal(improved.weights, [[[0], [1], [1], [0]]])
  np.testing.assert_array_equal(improved.candidates, [[[0], [1], [2], [0]]])
  np.testing.assert_array_equal(improved.value, [[7, 7, 7, 7]])
  np.testing.assert_array_equal(improved.network_value, [[7, 7, 7, 7]])


def test_continuous_actions():
  # Values 7, 9, 10 of the candidates; their mean is 26 / 3.
  action = np.array([[-0.5], [0.25], [1.0]], np.float32)
  improved = _improve(
      action, _CANDIDATES, functools.partial(
          improvement.exponential_filter, temperature=2.0, max_weight=3.0))
  advantage = np.array([8.0, 9.5, 11.0]) - 26 / 3
  np.testing.assert_allclose(
      improved.diagnostics['advantage'], [advantage], rtol=1e-5)
  np.testing.assert_allclose(
      improved.weights[0, :, 0], np.minimum(np.exp(advantage / 2.0), 3.0),
      rtol=1e-5)
  np.testing.assert_allclose(improved.weights[0, 2, 0], 3.0)  # Of e^1.17.
  np.testing.assert_array_equal(
      improved.candidates, action[np.newaxis, :, np.newaxis])


def test_a_softmax_has_a_mean_of_one_over_what_counts():
  improved = _improve(
      np.array([0, 1, 2], np.int32), (), functools.partial(
          improvement.softmax_filter, temperature=2.0))
  share = np.exp([0.0, 1.0])
  np.testing.assert_allclose(
      improved.weights[0, :, 0], [*(2.0 * share / share.sum()), 0.0], rtol=1e-5)


def test_q_learning_takes_the_best_of_the_samples_and_the_stored_action():
  # A value is 9 + 2 a; the last state has no stored action.
  action = np.array([[[0.75], [-0.5], [1.0]]], np.float32)
  improved = improvement.q_improvement(
      _model(_CANDIDATES), None, (), tf.constant([0, 1]),
      _segments(action), epsilon=0.3)
  np.testing.assert_allclose(
      improved.candidates[0, :, :, 0],
      [[0.75, 0.0, 0.5], [-0.5, 0.0, 0.5], [-1.0, 0.0, 0.5]])
  np.testing.assert_allclose(improved.weights[0], [
      [0.8, 0.1, 0.1], [0.1, 0.1, 0.8], [0.1, 0.1, 0.8]], rtol=1e-5)
  np.testing.assert_allclose(improved.value, [[10.5, 10.0, 10.0]])
  np.testing.assert_allclose(improved.network_value, [[7.0, 7.0, 7.0]])
