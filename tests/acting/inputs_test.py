"""Tests of what a policy takes."""

from dm_env import specs
import numpy as np
import pytest
import tensorflow as tf

from tf_muzero.acting import inputs

_STATE = {'robot': {'pose': specs.Array([4], np.float32)},
          'height': specs.Array([1], np.float32)}
_FRAME = specs.Array([6, 5, 1], np.uint8, 'screen')


@pytest.fixture(params=['static', 'dynamic'], name='take')
def _take(request):
  """Returns `take` where shapes are known, and where they come out later."""
  if request.param == 'static':
    return lambda observation, known, num: inputs.take(
        observation, known, tf.zeros([num], tf.bool))

  def dynamic(observation, known, num):
    observation = tf.nest.map_structure(tf.convert_to_tensor, observation)
    # Restored functions see nothing else of the shapes.
    graph = tf.function(
        lambda *flat: inputs.take(tf.nest.pack_sequence_as(
            observation, flat[1:]), known, flat[0]),
        input_signature=[tf.TensorSpec([None], tf.bool), *(
            tf.TensorSpec(None, x.dtype)
            for x in tf.nest.flatten(observation))])
    return graph(tf.zeros([num], tf.bool), *tf.nest.flatten(observation))

  return dynamic


def test_vectors_of_any_shape_and_type(take):
  known = inputs.observation_specs(_STATE)
  taken = take({'robot': {'pose': np.arange(12).reshape(3, 2, 2)},
                'height': np.array([False, True, True])}, known, 3)
  np.testing.assert_array_equal(
      taken['robot']['pose'], np.arange(12.0).reshape(3, 4))
  np.testing.assert_array_equal(taken['height'], [[0.0], [1.0], [1.0]])
  assert {x.dtype for x in tf.nest.flatten(taken)} == {tf.float32}
  assert taken['robot']['pose'].shape == (3, 4)


@pytest.mark.parametrize('value', [3e38, -3e38, 1e300, -1e300])
def test_what_is_finite_stays_so(take, value):
  taken = take({'robot': {'pose': np.full([1, 4], value)}, 'height': [[0.5]]},
               inputs.observation_specs(_STATE), 1)
  np.testing.assert_array_equal(
      taken['robot']['pose'],
      np.full([1, 4], np.clip(value, tf.float32.min, tf.float32.max), 'f'))


@pytest.mark.parametrize('pose, height, message', [
    (np.zeros([2, 5]), np.zeros([2]), r'robot/pose.*numbers \[., 4\]'),
    (np.zeros([4]), np.zeros([2]), 'robot/pose'),
    (np.zeros([1, 4]), np.zeros([2]), 'robot/pose'),
    (np.zeros([4, 2]), np.zeros([2]), 'robot/pose'),
    (np.zeros([2, 4]), np.zeros([3]), r'height.*numbers \[., 1\] or \[.\]'),
    (np.full([2, 4], np.nan), np.zeros([2]), 'robot/pose.*finite.*NaN'),
    (np.zeros([2, 4]), np.full([2], -np.inf), 'height.*finite.*Inf'),
    (np.zeros([2, 4], np.complex64), np.zeros([2]), 'robot/pose'),
    (np.array([['a'] * 4] * 2), np.zeros([2]), 'robot/pose'),
])
def test_other_vectors_are_refused_by_name(take, pose, height, message):
  with pytest.raises((ValueError, tf.errors.InvalidArgumentError),
                     match=message):
    take({'robot': {'pose': pose}, 'height': height},
         inputs.observation_specs(_STATE), 2)


@pytest.mark.parametrize('shape', [[2, 6, 5, 1], [2, 6, 5]])
def test_frames(take, shape):
  frames = np.arange(60, dtype=np.uint8).reshape(shape)
  taken = take(frames, inputs.observation_specs(_FRAME), 2)
  np.testing.assert_array_equal(taken, frames.reshape([2, 6, 5, 1]))
  assert taken.dtype == tf.uint8


@pytest.mark.parametrize('frames', [
    np.zeros([2, 6, 5, 1]), np.zeros([2, 5, 6, 1], np.uint8),
    np.zeros([2, 1, 6, 5], np.uint8), np.zeros([2, 30], np.uint8),
    np.zeros([6, 5, 1], np.uint8), np.zeros([6, 5], np.uint8)],
                         ids=lambda x: f'{x.dtype} {x.shape}')
def test_other_frames_are_refused(take, frames):
  with pytest.raises((ValueError, tf.errors.InvalidArgumentError), match=(
      r'The observation must be uint8 \[., 6, 5, 1\] or \[., 6, 5\]')):
    take(frames, inputs.observation_specs(_FRAME), 2)


def test_lists_are_entries_and_others_are_dropped():
  taken = inputs.take(
      {'robot': {'pose': [[1, 2, 3, 4]], 'twist': 'left'}, 'height': [0.5]},
      inputs.observation_specs(_STATE), tf.zeros([1], tf.bool))
  np.testing.assert_array_equal(taken['robot']['pose'], [[1, 2, 3, 4]])
  np.testing.assert_array_equal(taken['height'], [[0.5]])


def test_a_missing_entry_is_named():
  with pytest.raises(ValueError, match='must have pose, .* it has twist'):
    inputs.take({'robot': {'twist': np.zeros([1, 4])}, 'height': [1.0]},
                inputs.observation_specs(_STATE), tf.zeros([1], tf.bool))


def test_variants_are_few():
  one = inputs.observation_specs(_STATE)
  others = ['float16', 'int32', 'int64', 'uint8', 'bool']
  kinds = lambda known, stored=(): [
      [x.dtype.name for x in tf.nest.flatten(nest)]
      for nest in inputs.variants(known, stored)]
  assert kinds(one) == [
      ['float32', 'float32'], ['float32', 'float64'],
      ['float64', 'float32'], ['float64', 'float64'],
      *([x, x] for x in others)]
  assert kinds(one, {'robot': {'pose': 'float64'}, 'height': 'int64'}) == [
      *kinds(one), ['int64', 'float64']]
  assert kinds(inputs.observation_specs(_FRAME)) == [['uint8']]
  many = inputs.observation_specs(
      {name: specs.Array([1], np.float32) for name in 'abcdefgh'})
  assert kinds(many) == [[x] * 8 for x in ('float32', 'float64', *others)]
