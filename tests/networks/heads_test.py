"""Policy heads."""

from dm_env import specs
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tf_muzero import rng
from tf_muzero.networks import heads


def test_head_follows_the_action_spec():
  discrete = heads.make_head(
      specs.DiscreteArray(4, np.int32), num_candidates=9)
  continuous = heads.make_head(
      specs.BoundedArray([3], np.float32, -1.0, 1.0), num_candidates=9)
  assert (discrete.num_parameters, discrete.num_candidates) == (4, 4)
  assert (continuous.num_parameters, continuous.num_candidates) == (6, 9)


def test_categorical_log_prob_and_entropy_of_hand_computed_values():
  head = heads.categorical(3)
  logits = tf.math.log([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]])
  np.testing.assert_allclose(
      np.exp(head.log_prob_fn(logits, tf.constant([[0, 2], [2, 1]]))),
      [[0.5, 0.25], [0.8, 0.1]], rtol=1e-5)
  np.testing.assert_allclose(
      head.entropy_fn(logits)[0], 1.5 * np.log(2.0), rtol=1e-5)
  np.testing.assert_array_equal(head.mode_fn(logits), [0, 2])


def test_categorical_samples_have_the_right_frequencies():
  head = heads.categorical(3)
  logits = tf.math.log(tf.tile([[0.5, 0.3, 0.2]], [20000, 1]))
  actions = head.sample_fn(logits, rng.seed(1)).numpy()
  np.testing.assert_allclose(
      np.bincount(actions) / 20000, [0.5, 0.3, 0.2], atol=0.015)


def test_gaussian_log_prob_agrees_with_tensorflow_probability():
  head = heads.squashed_gaussian(2, num_candidates=5)
  generator = np.random.default_rng(0)
  mean = generator.normal(size=[7, 2]).astype('f')
  log_scale = generator.uniform(-2, 0.5, size=[7, 2]).astype('f')
  actions = np.tanh(generator.normal(size=[7, 5, 2])).astype('f')
  distribution = tfp.distributions.Independent(
      tfp.distributions.TransformedDistribution(
          tfp.distributions.Normal(
              mean[:, np.newaxis], np.exp(log_scale)[:, np.newaxis]),
          tfp.bijectors.Tanh()), 1)
  np.testing.assert_allclose(
      head.log_prob_fn(np.concatenate([mean, log_scale], -1), actions),
      distribution.log_prob(actions), rtol=1e-3, atol=1e-3)


def test_gaussian_log_prob_is_finite_at_the_bounds():
  head = heads.squashed_gaussian(1, num_candidates=2)
  log_probs = head.log_prob_fn(
      tf.zeros([1, 2]), tf.constant([[[-1.0], [1.0]]]))
  assert np.isfinite(log_probs).all()


def test_gaussian_candidates_have_the_right_moments():
  head = heads.squashed_gaussian(1, num_candidates=20000)
  parameters = tf.constant([[0.3, np.log(0.5)]])
  candidates = head.candidates_fn(parameters, rng.seed(3))
  before = np.arctanh(candidates.numpy())
  np.testing.assert_allclose(before.mean(), 0.3, atol=0.02)
  np.testing.assert_allclose(before.std(), 0.5, atol=0.02)
  np.testing.assert_array_equal(head.prior_fn(parameters), np.zeros([1, 20000]))


def test_scale_cap_applies_where_actions_are_drawn_and_only_there():
  free = heads.squashed_gaussian(1, num_candidates=5000)
  capped = heads.squashed_gaussian(1, num_candidates=5000, max_scale=0.05)
  parameters = tf.constant([[0.0, 0.0]])
  candidates = capped.candidates_fn(parameters, rng.seed(1)).numpy()
  np.testing.assert_allclose(np.arctanh(candidates).std(), 0.05, rtol=0.05)
  actions = tf.constant([[[0.4]]])
  np.testing.assert_array_equal(capped.log_prob_fn(parameters, actions),
                                free.log_prob_fn(parameters, actions))


def test_samples_are_the_same_eagerly_and_compiled():
  head = heads.squashed_gaussian(2, num_candidates=4)
  parameters = tf.random.stateless_normal([3, 4], [1, 2])
  compiled = tf.function(head.candidates_fn, jit_compile=True)
  np.testing.assert_allclose(
      compiled(parameters, rng.seed(5)),
      head.candidates_fn(parameters, rng.seed(5)), rtol=1e-4, atol=1e-5)
