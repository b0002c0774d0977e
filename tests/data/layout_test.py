"""Any RLDS layout is read, or it is said why not."""

from dm_env import specs
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from tests import data_toys
from tf_muzero.data import episodes as episodes_lib
from tf_muzero.data.reading import Reading
from tf_muzero.types import EnvironmentSpec


def test_scalars_of_shape_one(tmp_path):
  """As reward and discount are in rlu_rwrl."""
  scalar = tfds.features.Tensor(shape=(1,), dtype=np.float32)
  data_toys.write_raw(
      tmp_path / 'raw', data_toys.raw_features(reward=scalar, discount=scalar),
      [data_toys.raw_steps(reward=np.float32([[1.0], [2.0], [9.0]]),
                           discount=np.float32([[1.0], [1.0], [0.0]]))])
  checked, = episodes_lib.read(episodes_lib.open_dataset(
      str(tmp_path / 'raw'), Reading(terminal_from='discount')))
  assert checked.episode.discount.tolist() == [1.0, 1.0, 1.0]
  assert checked.episode.reward.tolist() == [1.0, 2.0, 0.0]
  assert checked.episode.action.tolist() == [[0.5], [0.5], [0.0]]
  assert checked.episode.observation.dtype == np.float32
  assert checked.episode.observation[1].tolist() == [4.0, 5.0, 6.0, 7.0]


def test_nested_observations(tmp_path):
  part = lambda size, **kwargs: tfds.features.Tensor(
      shape=(size,), dtype=np.float32, **kwargs)
  data_toys.write_raw(
      tmp_path / 'raw', data_toys.raw_features(observation={
          'walker': {'z': part(1, encoding='zlib'), 'a': part(2)},
          'count': tfds.features.Scalar(np.int64)}),
      [data_toys.raw_steps(observation={
          'walker': {'z': np.float32([[5.0]] * 3),
                     'a': np.float32([[3.0, 4.0]] * 3)},
          'count': np.int64([7, 8, 9])})])
  episode, = episodes_lib.load_episodes(
      episodes_lib.open_dataset(str(tmp_path / 'raw')))
  assert episode.observation.tolist() == [
      [7.0, 3.0, 4.0, 5.0], [8.0, 3.0, 4.0, 5.0], [9.0, 3.0, 4.0, 5.0]]


@pytest.mark.parametrize('feature', [
    tfds.features.Image(shape=(4, 3, 3)),
    tfds.features.Tensor(shape=(4, 3, 3), dtype=np.uint8),
    tfds.features.Tensor(shape=(4, 3, 3), dtype=np.uint8, encoding='zlib'),
    tfds.features.Tensor(shape=(4, 3, 3), dtype=np.uint8, encoding='bytes'),
    {'pixels': tfds.features.Image(shape=(4, 3, 3), encoding_format='png')}])
def test_frames_encoded_and_plain(tmp_path, feature):
  frames = np.random.default_rng(0).integers(
      256, size=(3, 4, 3, 3), dtype=np.uint8)
  stored = {'pixels': frames} if isinstance(feature, dict) else frames
  data_toys.write_raw(
      tmp_path / 'raw', data_toys.raw_features(observation=feature),
      [data_toys.raw_steps(observation=stored)])
  dataset = episodes_lib.open_dataset(str(tmp_path / 'raw'))
  entry, = tf.nest.flatten(dataset.spec.observation)
  assert entry.shape == (4, 3, 3) and entry.dtype == np.uint8
  episode, = episodes_lib.load_episodes(dataset)
  assert episode.observation.dtype == np.uint8
  assert (episode.observation == frames).all()
  assert episodes_lib.episodes(dataset).element_spec.observation.shape == (
      [None, 4, 3, 3])


def test_classes_are_actions(tmp_path):
  data_toys.write_raw(
      tmp_path / 'raw',
      data_toys.raw_features(action=tfds.features.ClassLabel(num_classes=6)),
      [data_toys.raw_steps(action=[5, 1, 0])])
  dataset = episodes_lib.open_dataset(str(tmp_path / 'raw'))
  assert dataset.spec.action.num_values == 6
  episode, = episodes_lib.load_episodes(dataset)
  assert episode.action.tolist() == [5, 1, 0]
  assert episode.action.dtype == np.int32


@pytest.mark.parametrize('steps, words', [
    ({'action': tfds.features.Text()}, 'action must be'),
    ({'reward': tfds.features.Tensor(shape=(3,), dtype=np.float32)},
     'reward must be a scalar'),
    ({'observation': {'eye': tfds.features.Image(shape=(None, 4, 1))}},
     "Image 'eye' must be of uint8 and of fixed shape"),
    ({'observation': {'eye': tfds.features.Image(shape=(4, 4, 1)),
                      'ear': np.float32}},
     "there are ear, eye, of which 'eye' is an image.*observation_entries "
     r"names the entries that are used: \['ear'\] or \['eye'\]"),
    ({'observation': tfds.features.Text()}, 'must be a tensor'),
])
def test_unreadable_layouts(tmp_path, steps, words):
  data_toys.write_raw(tmp_path / 'raw', data_toys.raw_features(**steps), [])
  with pytest.raises(ValueError, match=words) as error:
    episodes_lib.open_dataset(str(tmp_path / 'raw'))
  assert str(tmp_path / 'raw') in str(error.value)


def test_fields_must_be_there(tmp_path):
  features = tfds.features.FeaturesDict({'steps': tfds.features.Dataset({
      'observation': np.float32, 'action': np.int64})})
  data_toys.write_raw(tmp_path / 'raw', features, [])
  with pytest.raises(ValueError, match='no reward, only action, observation'):
    episodes_lib.open_dataset(str(tmp_path / 'raw'))
  data_toys.write_raw(tmp_path / 'flat', tfds.features.FeaturesDict(
      {'action': np.int64}), [])
  with pytest.raises(ValueError, match="nested dataset 'steps'"):
    episodes_lib.open_dataset(str(tmp_path / 'flat'))


@pytest.mark.parametrize('channels', [1, 2, 3, 4, 5])
def test_frames_of_any_number_of_channels_are_read(tmp_path, channels):
  spec = EnvironmentSpec(
      specs.BoundedArray([16, 12, channels], np.uint8, 0, 255),
      specs.DiscreteArray(3))
  rng = np.random.default_rng(0)
  played = data_toys.play(rng, spec, 3)
  data_toys.write(tmp_path / 'toy', [played], spec)
  episode, = episodes_lib.load_episodes(
      episodes_lib.open_dataset(str(tmp_path / 'toy')))
  np.testing.assert_array_equal(
      episode.observation, np.stack([x.observation for x in played[0]]))
