"""Exploration: draws and noise have the distributions that they claim."""

import dataclasses

from dm_env import specs
import numpy as np
import pytest
import tensorflow as tf

from tests import reanalyse_toys
from tf_muzero.acting import exploration
from tf_muzero.types import EnvironmentSpec
from tf_muzero.types import Improved


@pytest.mark.parametrize('temperature, expected', [
    (1.0, [0.1, 0.3, 0.6]), (0.5, [1 / 46, 9 / 46, 36 / 46]),
    (0.0, [0.0, 0.0, 1.0])])
def test_actions_follow_visits_and_temperature(temperature, expected):
  weights = tf.tile([[0.1, 0.3, 0.6, 0.0]], [50_000, 1])
  index = exploration.draw(weights, temperature, tf.constant([3, 4]))
  shares = np.bincount(index, minlength=4) / len(index)
  np.testing.assert_allclose(shares, expected + [0.0], atol=0.01)


def test_noise_is_a_distribution():
  noise = exploration.root_noise(np.random.default_rng(0), 1000, 4, 0.25)
  assert noise.shape == (1000, 4) and noise.dtype == np.float32
  np.testing.assert_allclose(noise.sum(axis=1), 1.0, rtol=1e-5)
  # Var of a component of Dir(alpha) is (1/A)(1 - 1/A) / (A alpha + 1).
  np.testing.assert_allclose(noise.var(axis=0), 3 / 16 / 2, rtol=0.15)


def _prefer_the_second(unused_model, unused_search, unused_parameters,
                       unused_seed, segments):
  """Returns an improvement of three actions."""
  weights = tf.tile([[[0.0, 1.0, 0.0]]], [*segments.reward.shape, 1])
  return Improved(tf.zeros_like(weights, tf.int32) + tf.range(3), weights,
                  tf.zeros_like(segments.reward),
                  tf.zeros_like(segments.reward), {})


@pytest.mark.parametrize('fraction', [0.0, 0.25])
def test_noise_that_has_no_root_is_told(fraction, caplog):
  decide = exploration.make_decide_fn(
      dataclasses.replace(reanalyse_toys.reanalyse(num_simulations=1),
                          improvement_fn=_prefer_the_second), None,
      EnvironmentSpec(specs.Array([1], np.float32),
                      specs.DiscreteArray(3, np.int32)), [tf.TensorShape([1])],
      root_noise_fraction=fraction, seed=0)
  played, _ = decide(tf.zeros([1]), tf.zeros([2, 1, 1]), tf.fill([2, 3], 1 / 3),
                     [0, 0], tf.constant(0.0))
  np.testing.assert_array_equal(played, [1, 1])
  assert ('no root for root_noise_fraction=0.25' in caplog.text) == bool(
      fraction)
