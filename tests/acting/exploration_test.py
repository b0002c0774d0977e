"""Decisions that explore, of an improvement that does not search."""

import dataclasses

from dm_env import specs
import numpy as np
import pytest
import tensorflow as tf

from tests import reanalyse_toys
from tf_muzero.acting import exploration
from tf_muzero.types import EnvironmentSpec
from tf_muzero.types import Improved


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
