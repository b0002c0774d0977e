"""Observations are flattened in one order."""

from dm_env import specs
import numpy as np
import pytest
import tensorflow as tf

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


def test_stacks_are_concatenated_slices():
  for shape in [(5,), (4, 6, 2)]:
    x = np.random.default_rng(0).integers(256, size=[3, 7, *shape]).astype('u1')
    stacked = observations.stack(tf.constant(x), 4)
    assert stacked.dtype == tf.uint8
    assert stacked.shape == [3, 4, *shape[:-1], 4 * shape[-1]]
    for t in range(4):
      np.testing.assert_array_equal(
          stacked[:, t], np.concatenate([x[:, t + i] for i in range(4)], -1))
    np.testing.assert_array_equal(observations.stack(tf.constant(x), 1), x)


def test_model_input_is_what_flatten_and_stack_make():
  frame = specs.Array([8, 6, 3], np.uint8, 'pixels')
  vectors = {'a': specs.Array([2], np.float32), 'b': specs.Array([3], 'f')}
  for spec, shape in ((frame, (8, 6, 12)), (vectors, (20,))):
    found = observations.model_input(spec, 4)
    made = observations.stack(observations.flatten(tf.nest.map_structure(
        lambda x: tf.zeros([1, 4, *x.shape], x.dtype), spec)), 4)[0, 0]
    assert found.shape == shape == made.shape and found.dtype == made.dtype
