"""Tests of `tf_muzero.actions`."""

import copy

from dm_env import specs
import numpy as np
import pytest
import tensorflow as tf

from tf_muzero import actions

_RANGE = actions.bounded([2], [0.0, -4.0], [5.0, 2.0])
_UNIT = specs.BoundedArray([2], np.float32, -1.0, 1.0)


@pytest.mark.parametrize('convert', [np.float32, tf.constant])
def test_bounds_become_minus_one_and_one_and_back(convert):
  own = np.array([[0, -4], [2.5, -1], [5, 2]], np.float32)
  unit = np.array([[-1, -1], [0, 0], [1, 1]], np.float32)
  there = actions.to_network(convert(own), _RANGE)
  back = actions.to_environment(convert(unit), _RANGE)
  np.testing.assert_allclose(there, unit, atol=1e-6)
  np.testing.assert_allclose(back, own, atol=1e-6)
  assert np.asarray(there).dtype == np.asarray(back).dtype == np.float32


def test_what_is_rounded_stays_within_bounds():
  spec = actions.bounded([1], 0.1, 0.7)
  back = actions.to_environment(
      np.nextafter(np.float32(1), np.float32(2))[np.newaxis], spec)
  assert back <= spec.maximum


def test_unit_actions_are_not_touched():
  action = np.array([0.3, -1.0], np.float32)
  assert actions.to_network(action, _UNIT) is action
  assert actions.to_environment(action, _UNIT) is action


def test_integers_are_counted_from_zero_and_back():
  spec = actions.Integers(4, start=1)
  np.testing.assert_array_equal(
      actions.to_network(np.array([1, 4]), spec), [0, 3])
  np.testing.assert_array_equal(
      actions.to_environment(tf.constant([0, 3]), spec), [1, 4])
  assert (spec.minimum, spec.maximum, spec.num_values) == (1, 4, 4)
  assert spec.validate(np.int32(4)) == 4
  with pytest.raises(ValueError):
    spec.validate(np.int32(0))
  copied = copy.deepcopy(spec)
  assert copied.start == 1 and copied == spec
  assert actions.start_of(specs.DiscreteArray(3)) == 0


@pytest.mark.parametrize('low, high', [
    ([0.0, 1.0], [1.0, 1.0]), ([0.0, -np.inf], [1.0, 0.0]),
    ([0.0, 0.0], [1.0, np.nan]), ([0.0, -3e38], [1.0, 3e38])])
def test_a_component_without_a_range_is_named(low, high):
  with pytest.raises(ValueError, match='component 1'):
    actions.bounded([2], low, high)
