"""Observations are flattened in one order."""

from dm_env import specs
import numpy as np
import pytest

from tf_muzero.data import observations


def test_names_are_sorted():
  flat = observations.flatten({
      'b': np.array([[1.0, 2.0]]), 'a': np.array([[3.0]]),
      'c': {'z': np.array([[4.0]]), 'y': np.array([[5.0]])}})
  assert flat.numpy().tolist() == [[3.0, 1.0, 2.0, 5.0, 4.0]]


def test_an_array_stays():
  x = np.arange(6.0).reshape(2, 3)
  assert (observations.flatten(x).numpy() == x).all()


def test_width():
  spec = {'b': specs.Array([2], np.float32, 'b'),
          'a': specs.Array([5], np.float32, 'a')}
  assert observations.width(spec) == 7
  with pytest.raises(ValueError, match='pixels.*vector'):
    observations.width(specs.Array([8, 8, 1], np.uint8, 'pixels'))
