"""Actions of any kind are read in their own range, or it is said why not."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from tests import data_toys
from tf_muzero import actions as actions_lib
from tf_muzero.data import action_values
from tf_muzero.data import episodes as episodes_lib
from tf_muzero.data import stored_actions
from tf_muzero.data.reading import Reading


def tensor(*shape, dtype=np.float32):
  return tfds.features.Tensor(shape=shape, dtype=dtype)


_ARM = tfds.features.FeaturesDict({
    'grip': tensor(),
    'arm': {'b': tensor(2), 'a': tensor(1, dtype=np.float64)}})


@pytest.mark.parametrize('feature, width', [
    (tensor(), 1), (tensor(3), 3), (tensor(1, dtype=np.float64), 1),
    (_ARM, 4)])
def test_vectors(feature, width):
  spec = stored_actions.spec_of(feature, {}, Reading())
  assert spec.shape == (width,) and spec.dtype == np.float32
  assert (spec.minimum == -1.0).all() and (spec.maximum == 1.0).all()


def test_entries_are_concatenated_in_sorted_order():
  decoded = stored_actions.decode(_ARM, {
      'grip': tf.constant([1.0, 2.0]), 'arm': {
          'b': tf.constant([[3.0, 4.0], [5.0, 6.0]]),
          'a': tf.constant([[7.0], [8.0]], tf.float64)}})
  assert decoded.numpy().tolist() == [[7, 3, 4, 1], [8, 5, 6, 2]]


@pytest.mark.parametrize('metadata, settings, low, high', [
    ({'action_minimum': [0, -2], 'action_maximum': [5, 2]}, {},
     [0, -2], [5, 2]),
    ({'action_minimum': 0, 'action_maximum': 5.5}, {}, [0, 0], [5.5, 5.5]),
    ({'action_minimum': 0, 'action_maximum': 5},
     {'action_minimum': -3.0, 'action_maximum': (1, 2)}, [-3, -3], [1, 2])])
def test_bounds(metadata, settings, low, high):
  spec = stored_actions.spec_of(tensor(2), metadata, Reading(**settings))
  assert spec.minimum.tolist() == low and spec.maximum.tolist() == high


@pytest.mark.parametrize('metadata, settings, words', [
    ({'action_minimum': [0, 0, 0], 'action_maximum': 1}, {},
     r'action_minimum of the metadata must be a number or 2 .* \[0, 0, 0\]'),
    ({'action_minimum': 'low', 'action_maximum': 1}, {}, "got 'low'"),
    ({'action_maximum': 1}, {}, 'together; there is no action_minimum'),
    ({}, {'action_minimum': 1.0, 'action_maximum': [2.0, 1.0]},
     r'component 1 has \[1.0, 1.0\]'),
    ({}, {'action_minimum': 0.0, 'action_maximum': float('inf')}, 'finite'),
    ({}, {'num_actions': 4}, 'num_actions is given, but the actions are vec')])
def test_bad_bounds(metadata, settings, words):
  with pytest.raises(ValueError, match=words):
    stored_actions.spec_of(tensor(2), metadata, Reading(**settings))


def test_settings_are_checked():
  for settings, words in (
      ({'action_minimum': 0.0}, 'must be given together'),
      ({'num_actions': '4'}, "must be an integer, got '4'"),
      ({'num_actions': 0}, 'num_actions must be >= 1'),
      ({'image_layout': 'chw'}, 'image_layout must be one of')):
    with pytest.raises(ValueError, match=words):
      Reading(**settings)


@pytest.mark.parametrize('shape', [(), (1,)])
@pytest.mark.parametrize('dtype', [np.int64, np.uint8])
def test_integers(shape, dtype):
  feature = tensor(*shape, dtype=dtype)
  spec = stored_actions.spec_of(feature, {'num_actions': 300}, Reading())
  assert (spec.shape, spec.num_values, spec.maximum) == ((), 300, 299)
  spec = stored_actions.spec_of(
      feature, {'num_actions': 5}, Reading(num_actions=4, action_start=1))
  assert (spec.minimum, spec.maximum) == (1, 4)
  stored = tf.constant(np.zeros([3, *shape], dtype))
  decoded = stored_actions.decode(feature, stored)
  assert decoded.shape == (3,) and decoded.dtype == tf.int64


@pytest.mark.parametrize('feature, metadata, words', [
    (tensor(dtype=np.bool_), {}, r'bool\[\]; store it as an integer, 0 for'),
    (tensor(2, dtype=np.int32), {}, r'int32\[2\].*Number all combinations'),
    (tensor(2, 2), {}, 'must be a vector of floats or a single integer'),
    (tensor(0), {}, 'must be a vector of floats or a single integer'),
    (tfds.features.Text(), {}, 'must be a vector of floats'),
    (tfds.features.FeaturesDict({'a': tensor(2), 'b': np.int64}), {},
     "vectors of floats.*'b' is"),
    (tensor(dtype=np.int64), {'num_actions': '4'},
     "num_actions of the metadata must be an integer, got '4'. Correct it, or "
     'set num_actions in reading.Reading'),
    (tensor(dtype=np.int64), {'num_actions': 4, 'action_start': 2**31},
     'must fit in 31 bits'),
    (tensor(dtype=np.int64), {'num_actions': 0}, 'must be >= 1')])
def test_other_actions_are_refused_with_what_to_do(feature, metadata, words):
  with pytest.raises(ValueError, match=words):
    stored_actions.spec_of(feature, metadata, Reading())


def write(directory, feature, *actions, **metadata):
  """Writes an episode for each of some actions of three records."""
  data_toys.write_raw(directory, data_toys.raw_features(action=feature), [
      data_toys.raw_steps(action=np.asarray(x, feature.np_dtype))
      for x in actions])
  (directory / 'metadata.json').write_text(
      str(metadata).replace("'", '"'))
  return lambda **settings: episodes_lib.open_dataset(
      str(directory), Reading(**settings))


def test_own_bounds_are_scaled_and_named(tmp_path):
  open_ = write(tmp_path / 'raw', tensor(2), [[0, 1], [50, 100], [0, 0]],
                [[1, 0], [0, 100.05], [0, 0]])
  with pytest.raises(ValueError) as error:
    episodes_lib.load_episodes(open_())
  for words in (
      'episode 0, step 1: action is out of bounds: component 0 is 50, and its '
      'bounds are [-1, 1]', 'In 2 of 2 episodes', 'action_minimum = [0, 0] and '
      'action_maximum = [50, 100.05]', 'reading.Reading'):
    assert words in str(error.value)
  with pytest.raises(ValueError, match='not one good episode.*In 2 of 2'):
    episodes_lib.load_episodes(open_(on_bad_episode='skip'))
  with pytest.raises(tf.errors.InvalidArgumentError,
                     match='not one good episode'):
    list(episodes_lib.episodes(open_(on_bad_episode='skip'), repeat=True))
  one, other = episodes_lib.load_episodes(
      open_(action_minimum=0.0, action_maximum=[50.0, 100.0]))
  np.testing.assert_allclose(
      one.action, [[-1, -.98], [1, 1], [0, 0]], atol=1e-6)
  assert other.action[1, 1] == 1.0  # And not a bit more.


def test_integers_are_checked_before_they_are_narrowed(tmp_path):
  open_ = write(tmp_path / 'raw', tensor(dtype=np.int64),
                [1, 2**32 + 1, 0], num_actions=4)
  with pytest.raises(ValueError, match=f'it is {2**32 + 1}, and they go from 0 '
                     'to 3'):
    episodes_lib.load_episodes(open_())


def test_a_start_is_offered(tmp_path):
  open_ = write(tmp_path / 'raw', tensor(dtype=np.int64), [1, 4, 0],
                num_actions=4)
  with pytest.raises(ValueError, match='go from 1 to 4, and 0 to 3 was '
                     'expected. .* action_start = 1 or num_actions = 5'):
    episodes_lib.load_episodes(open_())
  episode, = episodes_lib.load_episodes(open_(action_start=1))
  assert episode.action.tolist() == [0, 3, 0]
  episode, = episodes_lib.load_episodes(open_(num_actions=5))
  assert episode.action.tolist() == [1, 4, 0]


def test_the_greatest_action_tells_their_number(tmp_path, caplog):
  open_ = write(tmp_path / 'raw', tensor(1, dtype=np.int64),
                [[2], [1], [99]], [[6], [3], [-7]])
  dataset = open_()
  assert dataset.spec.action.num_values == 7
  assert 'the greatest one seen is 6, so there are 7' in dataset.tellings[-1]
  assert 'action_start = 1' in dataset.tellings[-1]
  assert open_(action_start=1).spec.action.num_values == 6
  assert not open_(num_actions=9).tellings
  assert [x.action.tolist() for x in episodes_lib.load_episodes(dataset)] == [
      [2, 1, 0], [6, 3, 0]]
  assert 'nothing tells how many actions there are' in caplog.text


def test_what_takes_hours_is_not_counted(tmp_path):

  open_ = write(tmp_path / 'raw', tensor(dtype=np.int64), [1, 4, 0])
  dataset = open_(num_actions=9)
  unknown = dataclasses.replace(
      dataset, approximate_steps=10**9, spec=dataset.spec._replace(
          action=actions_lib.Integers(stored_actions.UNKNOWN)))
  with pytest.raises(ValueError, match='1000000000 to look at: num_actions in'):
    action_values.complete(unknown)
  huge = write(tmp_path / 'huge', tensor(dtype=np.int64), [1, 2**40, 0])
  with pytest.raises(ValueError, match=f'they go from 1 to {2**40}'):
    huge()
