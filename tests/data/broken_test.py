"""What is broken on disk is named."""

import numpy as np
import pytest
import tensorflow as tf

from tests import data_toys
from tf_muzero.data import episodes as episodes_lib
from tf_muzero.data import survey as survey_lib


def test_bad_value_is_named(tmp_path):
  good = data_toys.raw_steps()
  bad = data_toys.raw_steps(reward=np.float32([1.0, np.nan, 0.0]))
  data_toys.write_raw(tmp_path / 'raw', data_toys.raw_features(), [good, bad])
  dataset = episodes_lib.open_dataset(str(tmp_path / 'raw'))
  words = r'raw-train.tfrecord-00000, episode 1.*step.*1.*reward is not finite'
  with pytest.raises(ValueError, match=words):
    episodes_lib.load_episodes(dataset)
  with pytest.raises(ValueError, match=words):
    survey_lib.survey(dataset, 0.9)
  with pytest.raises(tf.errors.InvalidArgumentError, match='(?s)' + words):
    list(episodes_lib.episodes(dataset).as_numpy_iterator())


def test_no_dataset(tmp_path):
  with pytest.raises(ValueError, match='no directory'):
    episodes_lib.open_dataset(str(tmp_path / 'nowhere'))
  with pytest.raises(ValueError, match='no dataset_info.json'):
    episodes_lib.open_dataset(str(tmp_path))
  directory = _files(tmp_path)[0].parent
  with pytest.raises(ValueError, match=f'is it {directory}'):
    episodes_lib.open_dataset(str(tmp_path))


@pytest.mark.parametrize('name', ['dataset_info.json', 'features.json'])
@pytest.mark.parametrize('content', [None, '{', '{}'])
def test_broken_description(tmp_path, name, content):
  file = _files(tmp_path)[0].parent / name
  file.unlink()
  if content:
    file.write_text(content)
  with pytest.raises(ValueError, match=str(tmp_path / 'toy')):
    episodes_lib.open_dataset(str(tmp_path / 'toy'))


def _files(tmp_path):
  data_toys.write(tmp_path / 'toy', [
      data_toys.play(np.random.default_rng(i), data_toys.STATE_SPEC, length)
      for i, length in enumerate([3, 1, 8, 5, 2, 7, 4])],
                  data_toys.STATE_SPEC, episodes_per_file=3)
  return sorted((tmp_path / 'toy').glob('*tfrecord*'))


def test_another_format(tmp_path):
  info = _files(tmp_path)[0].parent / 'dataset_info.json'
  info.write_text(info.read_text().replace(
      '"fileFormat": "tfrecord"', '"fileFormat": "array_record"'))
  with pytest.raises(ValueError, match='array_record.*tfds convert_format'):
    episodes_lib.open_dataset(str(tmp_path / 'toy'))


def test_missing_file(tmp_path):
  _files(tmp_path)[1].unlink()
  with pytest.raises(ValueError, match='lacks 1 of its 3 files.*00001'):
    episodes_lib.open_dataset(str(tmp_path / 'toy'))


def test_truncated_file(tmp_path):
  file = _files(tmp_path)[2]
  file.write_bytes(file.read_bytes()[:-1])
  with pytest.raises(ValueError, match='truncated'):
    episodes_lib.open_dataset(str(tmp_path / 'toy'))


def test_flipped_byte(tmp_path):
  file = _files(tmp_path)[1]
  content = bytearray(file.read_bytes())
  content[-30] ^= 4  # In the last of three episodes.
  file.write_bytes(bytes(content))
  dataset = episodes_lib.open_dataset(str(tmp_path / 'toy'))
  with pytest.raises(ValueError, match='00001, episode 2 .*corrupted'):
    episodes_lib.load_episodes(dataset)
