"""Which entries of observations are used, and what they become."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from tf_muzero.data import entries
from tf_muzero.data.reading import Reading


def tensor(*shape, dtype=np.float32, **kwargs):
  return tfds.features.Tensor(shape=shape, dtype=dtype, **kwargs)


def dict_of(**parts):
  return tfds.features.FeaturesDict(parts)


def spec_of(feature, image_layout=None):
  """Returns shape and type of what a single entry becomes, and what is told."""
  spec, told = entries.spec_of(feature, image_layout)
  return spec.shape, np.dtype(spec.dtype).name, told


_ROBOT = dict_of(
    robot=dict_of(pos=tensor(3), grip=tensor()), robot2=tensor(1),
    block=dict_of(pos=tensor(2, dtype=np.float64)),
    mode=tensor(dtype=np.int64))


@pytest.mark.parametrize('wanted, paths', [
    (None, ['block/pos', 'mode', 'robot/grip', 'robot/pos', 'robot2']),
    (['robot'], ['robot/grip', 'robot/pos']),
    (['robot/pos', 'mode'], ['mode', 'robot/pos']),
    (('block/pos',), ['block/pos'])])
def test_entries_are_chosen(wanted, paths):
  chosen = entries.choose(_ROBOT, wanted)
  assert [path for path, _ in entries.walk(chosen)] == paths
  spec, _ = entries.spec_of(chosen, None)
  assert [path for path, _ in entries.walk(spec)] == paths


def test_unknown_entries():
  with pytest.raises(ValueError, match="has 'robot/po', but the entries are "
                     'block/pos, mode, robot/grip, robot/pos, robot2'):
    entries.choose(_ROBOT, ['robot/po'])
  with pytest.raises(ValueError, match="has 'pos', but .*no entries.*Leave"):
    entries.choose(tensor(3), ['pos'])
  for wanted in ('pos', []):
    with pytest.raises(ValueError, match='must be a sequence of names'):
      Reading(observation_entries=wanted)


@pytest.mark.parametrize('name', [
    'shape', 'dtype', 'seed', 'joint pos', 'größe', 'a.b-c', 'keys', 'items'])
def test_any_name_is_a_name(name):
  feature = tfds.features.FeaturesDict({name: tensor(2), 'z': tensor(1)})
  chosen = entries.choose(feature, [name])
  assert [path for path, _ in entries.walk(chosen)] == [name]


@pytest.mark.parametrize('shape, dtype, wanted', [
    ((3,), np.float64, ((3,), 'float32')),
    ((), np.int64, ((1,), 'float32')),
    ((), np.bool_, ((1,), 'float32')),
    ((8, 2), np.float32, ((16,), 'float32')),
    ((2, 3, 2), np.float32, ((12,), 'float32')),
    ((19, 19), np.uint8, ((361,), 'float32')),  # A board of Go is no picture.
    ((10, 10, 4), np.uint8, ((10, 10, 4), 'uint8')),
    ((10, 10, 10), np.uint8, ((10, 10, 10), 'uint8')),
    ((64, 48, 3), np.uint8, ((64, 48, 3), 'uint8')),
    ((4, 3, 3), np.uint8, ((4, 3, 3), 'uint8'))])
def test_nothing_to_tell(shape, dtype, wanted):
  assert spec_of(tensor(*shape, dtype=dtype)) == (*wanted, ())


@pytest.mark.parametrize('shape, dtype, image_layout, wanted, words', [
    ((84, 84), np.uint8, None, (84, 84, 1), 'a picture of one channel'),
    ((84, 84), np.bool_, None, (84, 84, 1), 'true is 255'),
    ((10, 10, 4), np.bool_, None, (10, 10, 4), 'false is 0 and true is 255'),
    ((3, 64, 48), np.uint8, 'channels_first', (64, 48, 3),
     'a picture of shape (64, 48, 3)'),
    ((7, 10, 10), np.bool_, 'channels_first', (10, 10, 7), 'true is 255')])
def test_pictures_that_are_told(shape, dtype, image_layout, wanted, words):
  found, name, told = spec_of(tensor(*shape, dtype=dtype), image_layout)
  assert (found, name) == (wanted, 'uint8')
  assert len(told) == 1
  sentence = told[0]
  assert words in sentence
  assert f'stored as {np.dtype(dtype).name}{shape}' in sentence


@pytest.mark.parametrize('shape', [
    (1, 84, 84), (3, 64, 64), (4, 84, 84), (12, 84, 84), (7, 10, 10),
    (3, 48, 64)])
def test_channels_first_is_refused_with_what_to_do(shape):
  with pytest.raises(ValueError) as error:
    spec_of(tensor(*shape, dtype=np.uint8))
  for words in (f'uint8{shape}', "image_layout = 'channels_first'",
                f'a vector of {np.prod(shape)} numbers'):
    assert words in str(error.value)
  assert spec_of(tensor(*shape, dtype=np.uint8), 'channels_last')[0] == shape
  assert spec_of(tensor(*shape, dtype=np.uint8), 'channels_first')[0] == (
      *shape[1:], shape[0])
  assert spec_of(tensor(*shape, dtype=np.uint8), 'flattened')[:2] == (
      (np.prod(shape),), 'float32')


@pytest.mark.parametrize('shape, dtype', [
    ((32, 32, 3), np.float32), ((32, 32, 1), np.uint16), ((84, 84), np.float32),
    ((2, 84, 84, 3), np.uint8), ((10, 10, 4), np.int64)])
def test_other_pictures_are_refused(shape, dtype):
  with pytest.raises(ValueError, match='looks like a picture') as error:
    spec_of(tensor(*shape, dtype=dtype))
  assert '(255 * x).astype(uint8)' in str(error.value)
  assert spec_of(tensor(*shape, dtype=dtype), 'flattened')[0] == (
      np.prod(shape),)


def test_many_channels_are_to_be_confirmed():
  feature = tensor(64, 64, 64, dtype=np.uint8)
  with pytest.raises(ValueError, match='a picture of 64 channels'):
    spec_of(feature)
  assert spec_of(feature, 'channels_last')[0] == (64, 64, 64)


@pytest.mark.parametrize('feature, words', [
    (tensor(0), r"'bad' has the shape \(0,\): there is nothing in it"),
    (tensor(2, 0), 'there is nothing in it'),
    (tfds.features.Text(), 'must be a tensor of numbers'),
    (tensor(3, dtype=np.complex64), 'must be a tensor of numbers'),
    (tfds.features.Image(shape=(None, None, 3)), 'of fixed shape'),
    (tensor(3, 64, 64, dtype=np.uint8), 'channels_first')])
def test_a_bad_entry_is_named_and_may_be_left_out(feature, words):
  with pytest.raises(ValueError, match=words) as error:
    entries.spec_of(dict_of(good=tensor(3), bad=feature), None)
  assert "'bad'" in str(error.value)
  assert 'Reading.observation_entries names the entries' in str(error.value)


def test_images_beside_vectors_name_the_setting():
  """As in rlu_locomotion, robomimic and DMLab."""
  feature = dict_of(walker=dict_of(
      camera=tfds.features.Image(shape=(64, 64, 3)), joints=tensor(5),
      force=tensor(2)), other=tfds.features.Image(shape=(8, 8, 1)))
  with pytest.raises(ValueError) as error:
    entries.spec_of(feature, None)
  for words in ("'other' and 'walker/camera' are images",
                "observation_entries names the entries that are used: "
                "['walker/force', 'walker/joints'] or ['other'] or "
                "['walker/camera']"):
    assert words in str(error.value)
  spec, _ = entries.spec_of(
      entries.choose(feature, ['walker/joints', 'walker/force']), None)
  assert [x.shape for _, x in entries.walk(spec)] == [(2,), (5,)]
  spec, _ = entries.spec_of(entries.choose(feature, ['walker/camera']), None)
  assert spec['walker']['camera'].shape == (64, 64, 3)


@pytest.mark.parametrize('encoding', ['none', 'zlib', 'bytes'])
def test_truth_values_are_decoded(encoding):
  feature = tensor(2, dtype=np.bool_, encoding=encoding)
  stored = np.array([[True, False], [False, True]])
  encoded = tf.constant(
      stored if encoding == 'none' else
      [feature.encode_example(row) for row in stored])
  spec, _ = entries.spec_of(feature, None)
  decoded = entries.decode(feature, encoded, spec, None)
  assert decoded.numpy().tolist() == stored.tolist()


def test_pictures_are_decoded_as_they_are_told():
  stored = np.random.default_rng(0).integers(256, size=(2, 3, 8, 9)).astype(
      np.uint8)
  feature = tensor(3, 8, 9, dtype=np.uint8)
  spec, _ = entries.spec_of(feature, 'channels_first')
  decoded = entries.decode(
      feature, tf.constant(stored), spec, 'channels_first')
  assert (decoded.numpy() == stored.transpose(0, 2, 3, 1)).all()
  planes = stored > 127
  feature = tensor(8, 9, 3, dtype=np.bool_)
  spec, _ = entries.spec_of(feature, None)
  decoded = entries.decode(
      feature, tf.constant(planes.transpose(0, 2, 3, 1)), spec, None)
  assert (decoded.numpy() == 255 * planes.transpose(0, 2, 3, 1)).all()
