"""Exploration: draws and noise have the distributions that they claim."""

import numpy as np
import pytest
import tensorflow as tf

from tf_muzero.acting import exploration


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
