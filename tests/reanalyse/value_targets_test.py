"""Value targets, against plain Python along an episode."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from tf_muzero.reanalyse import value_targets

_DISCOUNT = 0.9
_LENGTH = 12


def _segment(num_transitions, terminal, seed=0):
  """Returns a segment of one episode that ends after `num_transitions`."""
  generator = np.random.default_rng(seed)
  t = np.arange(_LENGTH)
  is_transition = t < num_transitions
  reward = np.where(is_transition, generator.normal(size=_LENGTH), 0.0)
  discount = np.full(_LENGTH, _DISCOUNT)
  if terminal:
    discount[num_transitions - 1] = 0.0
  value = generator.normal(size=_LENGTH)
  exists = t < num_transitions if terminal else t <= num_transitions
  return [x[np.newaxis].astype(np.float32) for x in (
      reward, discount)] + [is_transition[np.newaxis]] + [
          np.where(exists, value, 0.0)[np.newaxis].astype(np.float32)]


def _n_step(reward, discount, is_transition, value, t, num_steps):
  """Returns the n-step return from t by definition."""
  total, factor = 0.0, 1.0
  for _ in range(num_steps):
    if t == _LENGTH - 1 or not is_transition[t]:
      break
    total += factor * reward[t]
    factor *= discount[t]
    t += 1
  return total + factor * value[t]


@pytest.mark.parametrize('num_steps', [0, 1, 3, 5, 20])
@pytest.mark.parametrize('num_transitions', [1, 4, 11, 12])
@pytest.mark.parametrize('terminal', [False, True])
def test_td_is_the_n_step_return(num_steps, num_transitions, terminal):
  reward, discount, is_transition, value = _segment(num_transitions, terminal)
  expected = [_n_step(reward[0], discount[0], is_transition[0], value[0], t,
                      num_steps) for t in range(_LENGTH)]
  other = np.full_like(value, 1e6)
  for fn, values in ((value_targets.td, (other, value)),
                     (value_targets.td_search, (value, other))):
    target = fn(reward, discount, is_transition, *values, num_steps)
    np.testing.assert_allclose(target[0], expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize('fn', [value_targets.td_search, functools.partial(
    value_targets.lambda_search, decay=0.7)])
def test_each_segment_may_look_ahead_by_steps_of_its_own(fn):
  numbers = [1, 5, 0, 3]
  segments = [_segment(4 + 2 * i, i % 2 == 0, seed=i) for i in range(4)]
  together = [np.concatenate(x) for x in zip(*segments)]
  target = fn(*together, together[-1], tf.constant(numbers))
  for i, (segment, number) in enumerate(zip(segments, numbers)):
    np.testing.assert_allclose(
        target[i], fn(*segment, segment[-1], number)[0], rtol=1e-6)


def test_hand_computed_two_step_returns():
  target = value_targets.td(
      np.array([[1.0, 2.0, 4.0]], np.float32),
      np.full([1, 3], 0.5, np.float32), np.array([[True, True, False]]),
      np.zeros([1, 3], np.float32), np.array([[9.0, 9.0, 8.0]], np.float32), 2)
  # 1 + 0.5 * 2 + 0.25 * 8; 2 + 0.5 * 8; the value of the truncated end.
  np.testing.assert_allclose(target, [[4.0, 6.0, 8.0]])


@pytest.mark.parametrize('decay', [0.0, 0.5, 0.9])
def test_lambda_search_mixes_the_returns_of_all_lengths(decay):
  reward, discount, is_transition, value = _segment(12, False)
  num_steps = 4
  target = value_targets.lambda_search(
      reward, discount, is_transition, value, np.zeros_like(value), num_steps,
      decay=decay)
  for t in range(_LENGTH - num_steps):
    returns = [_n_step(reward[0], discount[0], is_transition[0], value[0], t, n)
               for n in range(1, num_steps + 1)]
    weights = [(1 - decay) * decay**n for n in range(num_steps - 1)]
    weights.append(decay**(num_steps - 1))
    np.testing.assert_allclose(
        target[0, t], np.dot(weights, returns), rtol=1e-5, atol=1e-5)


def test_search_is_the_search_value():
  reward, discount, is_transition, value = _segment(5, False)
  target = value_targets.search(
      reward, discount, is_transition, value, np.zeros_like(value), 5)
  np.testing.assert_array_equal(target, value)
