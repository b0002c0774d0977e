"""Scaling of values, and two-hot encoding."""

import numpy as np
import pytest
import tensorflow as tf

from tf_muzero.networks import value_transform

_VALUES = np.array(
    [-58000.0, -300.0, -1.0, -1e-3, 0.0, 1e-3, 0.5, 3.0, 24.0, 1000.0, 58000.0],
    np.float32)


def test_scale_of_hand_computed_values():
  # sqrt(25) - 1 + 0.024, and the same with the sign turned.
  np.testing.assert_allclose(
      value_transform.scale(tf.constant([24.0, -24.0, 0.0, 3.0])),
      [4.024, -4.024, 0.0, 1.003], rtol=1e-6)


def test_scale_agrees_with_the_formula_in_double_precision():
  x = _VALUES.astype(np.float64)
  expected = np.sign(x) * (np.sqrt(np.abs(x) + 1) - 1) + 0.001 * x
  np.testing.assert_allclose(
      value_transform.scale(_VALUES), expected, rtol=1e-6)


def test_unscale_is_the_inverse():
  np.testing.assert_allclose(
      value_transform.unscale(value_transform.scale(_VALUES)), _VALUES,
      rtol=2e-6, atol=3e-7)


def test_two_hot_between_two_bins():
  support = value_transform.Support(-2.0, 2.0, 5)
  # h(3) = 1.003: 0.997 of it in the bin of 1, the rest in the bin of 2.
  np.testing.assert_allclose(
      support.encode(tf.constant([3.0])), [[0, 0, 0, 0.997, 0.003]], atol=1e-6)


def test_two_hot_sums_to_one_and_has_the_right_mean():
  support = value_transform.Support(-300.0, 300.0, 601)
  probs = support.encode(_VALUES).numpy()
  np.testing.assert_allclose(probs.sum(-1), 1.0, rtol=1e-6)
  assert ((probs > 0).sum(-1) <= 2).all()
  np.testing.assert_allclose(
      probs @ np.linspace(-300.0, 300.0, 601), value_transform.scale(_VALUES),
      rtol=1e-5, atol=1e-5)


def test_decode_is_the_inverse_of_encode():
  support = value_transform.Support(-300.0, 300.0, 601)
  logits = tf.math.log(support.encode(_VALUES) + 1e-30)
  np.testing.assert_allclose(
      support.decode(logits), _VALUES, rtol=1e-4, atol=1e-4)


def test_values_beyond_the_support_are_clipped():
  support = value_transform.Support(-1.0, 1.0, 3)
  np.testing.assert_allclose(
      support.encode(tf.constant([1e6, -1e6])), [[0, 0, 1], [1, 0, 0]])


def test_eager_and_compiled_agree():
  support = value_transform.Support(-300.0, 300.0, 601)
  compiled = tf.function(support.encode, jit_compile=True)
  np.testing.assert_allclose(
      compiled(_VALUES), support.encode(_VALUES), atol=2e-5)


@pytest.mark.parametrize('arguments', [(0.0, 1.0, 1), (1.0, 1.0, 5)])
def test_bad_support_is_refused(arguments):
  with pytest.raises(ValueError, match='must be'):
    value_transform.Support(*arguments)
