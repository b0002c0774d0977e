"""Injection and root noise, by hand."""

import numpy as np
import pytest
import tensorflow as tf

from tf_muzero.search import candidates
from tf_muzero.types import RootOutput


def _root(logits, num_dimensions=2):
  logits = tf.constant(logits, tf.float32)
  actions = tf.random.stateless_uniform(
      logits.shape + [num_dimensions], [1, 2])
  return RootOutput(actions, logits, tf.zeros(logits.shape[:1]), ())


def test_injected_action_has_its_mass_and_the_rest_is_in_proportion():
  probs = np.array([[0.5, 0.2, 0.3], [0.1, 0.1, 0.8]])
  root = _root(np.log(probs) + 5.0)
  action = tf.constant([[0.25, -0.5], [1.0, 0.0]])
  injected = candidates.inject(root, action, 0.25)
  np.testing.assert_array_equal(injected.candidates[:, 0], action)
  np.testing.assert_array_equal(
      injected.candidates[:, 1:], root.candidates[:, 1:])
  np.testing.assert_allclose(
      tf.nn.softmax(injected.prior_logits),
      [[0.25, 0.75 * 0.4, 0.75 * 0.6], [0.25, 0.75 / 9, 0.75 * 8 / 9]],
      rtol=1e-5)


def test_injection_into_one_candidate_and_wrong_arguments():
  action = tf.constant([[0.25, -0.5]])
  injected = candidates.inject(_root([[3.0]]), action, 0.25)
  np.testing.assert_array_equal(injected.candidates, action[:, tf.newaxis])
  np.testing.assert_allclose(tf.nn.softmax(injected.prior_logits), [[1.0]])
  with pytest.raises(ValueError, match='prior_mass'):
    candidates.inject(_root([[3.0, 1.0]]), action, 1.5)
  with pytest.raises(ValueError, match='candidates'):
    candidates.inject(_root([[3.0]])._replace(candidates=()), action, 0.5)


def test_noise_mixes_probabilities():
  root = _root(np.log([[0.5, 0.25, 0.25]]))
  noisy = candidates.add_root_noise(root, tf.constant([[0.0, 0.0, 1.0]]), 0.25)
  np.testing.assert_allclose(
      tf.nn.softmax(noisy.prior_logits), [[0.375, 0.1875, 0.4375]], rtol=1e-5)
  certain = candidates.add_root_noise(
      root, tf.constant([[0.0, 0.0, 1.0]]), 1.0)
  np.testing.assert_allclose(
      tf.nn.softmax(certain.prior_logits), [[0.0, 0.0, 1.0]], atol=1e-6)
  with pytest.raises(ValueError, match='fraction'):
    candidates.add_root_noise(root, tf.zeros([1, 3]), 1.5)
