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


def test_scale_of_python_numbers():
  for value in _VALUES.astype(np.float64):
    scaled = value_transform.scaled(value)
    assert scaled == pytest.approx(float(value_transform.scale(value)))
    assert value_transform.unscaled(scaled) == pytest.approx(value)


def test_what_is_clipped():
  support = value_transform.Support(-1.0, 2.0, 4)
  ends = [support.lowest, support.highest]
  assert ends == pytest.approx([-2.98806, 7.95235], abs=1e-4)
  assert support.clips(tf.constant(
      [-3.01, *ends, 0.0, 7.99])).numpy().tolist() == [
          True, False, False, False, True]


@pytest.mark.parametrize('found, possible, held', [
    ((1.0, 20.0), (0.0, 100.0), (0.0, 80.0)),  # Four times as good.
    ((1.0, 60.0), (0.0, 100.0), (0.0, 100.0)),  # Better than best is not.
    ((-650.0, -0.1), (-1600.0, 0.0), (-1600.0, 0.0)),
    ((-1.0, 1.0), (-100.0, 100.0), (-4.0, 4.0)),
    ((-2.0, 3.0), (-np.inf, np.inf), (-8.0, 12.0)),  # Nothing is discounted.
    ((1e-4, 2e-4), (0.0, 1e-3), (0.0, 8e-4)),
])
def test_fitted_limits(found, possible, held):
  support = value_transform.FittedSupport(121, 4.0).fit(found, possible, 0.5)
  width = support.maximum - support.minimum
  for value, end, sign in ((held[0], support.minimum, 1.0),
                           (held[1], support.maximum, -1.0)):
    # A little more, for a softmax does not reach the last bin.
    assert value_transform.scaled(value) == pytest.approx(
        end + sign * width * 0.05 / 1.1, abs=1e-4 * width)


def test_a_support_of_nothing_but_zeros_has_a_width():
  support = value_transform.FittedSupport(5, 1.0).fit(
      (0.0, 0.0), (0.0, 0.0), 0.0)
  assert (support.minimum, support.maximum) == (-1.0, 1.0)


@pytest.mark.parametrize('start', [-1590.0, -500.0, -20.0, 0.0])
def test_a_fresh_head_says_the_start(start):
  support = value_transform.FittedSupport(121, 4.0).fit(
      (-650.0, 0.0), (-1600.0, 0.0), start)
  assert float(support.decode(tf.constant([support.start_logits()]))[0]) == (
      pytest.approx(start, abs=0.05, rel=1e-3))


def test_without_a_start_all_bins_are_as_probable():
  assert not value_transform.Support(-2.0, 22.0, 9).start_logits().any()


@pytest.mark.parametrize('wrong', [
    {'num_bins': 1}, {'margin': 0.5}, {'margin': float('nan')}])
def test_wrong_settings_of_fitting(wrong):
  with pytest.raises(ValueError, match=f'{next(iter(wrong))} must be >='):
    value_transform.FittedSupport(**{'num_bins': 9, 'margin': 2.0, **wrong})


def test_what_is_not_fitted_cannot_be_used():
  with pytest.raises(RuntimeError, match='fitted'):
    value_transform.FittedSupport(9, 2.0).decode(tf.zeros([1, 9]))
