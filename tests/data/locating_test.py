"""A dataset is found by its name, or it is said how to get it."""

import importlib.util

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from tests import data_toys
from tests.data import public_test
from tf_muzero.data import episodes as episodes_lib
from tf_muzero.data import locating
from tf_muzero.data.reading import Reading

_NAME = 'rlu_control_suite/cartpole_swingup'


def test_newest_version(tmp_path, monkeypatch):
  directory = public_test.prepare(
      tmp_path, _NAME, {'train': lambda f: [public_test.episode(f)]})
  find = lambda name: locating.find_directory(name, str(tmp_path), False)
  assert find(_NAME) == find(f'{_NAME}:1.0.0') == str(directory)
  newer = directory.parent / '1.10.0'
  newer.mkdir()
  for file in directory.iterdir():
    (newer / file.name).write_bytes(file.read_bytes())
  (directory.parent / '2.0.0').mkdir()  # Was not finished.
  assert find(_NAME) == str(newer) and find(f'{_NAME}:1.0.0') == str(directory)
  assert find(str(directory)) == str(directory)
  monkeypatch.setenv('HOME', str(directory.parent))
  assert find('~/1.0.0') == str(directory)


@pytest.mark.parametrize('name, needs_beam', [
    (_NAME, True), ('rlu_atari/Pong_run_3', True),
    ('rlu_atari_checkpoints/Pong_run_3', True),
    ('rlu_atari_checkpoints_ordered/Pong_run_3', False),
    ('d4rl_mujoco_halfcheetah/v2-medium', False)])
def test_how_to_prepare(tmp_path, name, needs_beam):
  with pytest.raises(ValueError) as error:
    locating.find_directory(name, str(tmp_path), False)
  for words in (repr(name), f'tfds build {name} --data_dir={tmp_path}',
                'prepare = True', 'gs://tfds-data/datasets'):
    assert words in str(error.value)
  assert ('apache-beam' in str(error.value)) == needs_beam


@pytest.mark.parametrize('name, words', [
    ('rlu_atary/Pong_run_1', 'is it rlu_atari'),
    ('rlu_atari/Pong_run_7', 'needs a configuration .*rlu_atari/Pong_run_'),
    ('rlu_atari', 'needs a configuration .* there are 230'),
    ('datasets/nowhere', 'no directory'), ('./x', "no directory './x'")])
def test_wrong_names(tmp_path, name, words):
  with pytest.raises(ValueError, match=words):
    locating.find_directory(name, str(tmp_path), False)


@pytest.mark.parametrize('made, given, words', [
    ('x.h5', 'x.h5', r"x.h5' is not a dataset yet\. Make one of it: tf-muzero "
                     r"convert .*/x\.h5 datasets/x$"),
    ('my x.csv.gz', 'my x.csv.gz', "convert '.*/my x.csv.gz' 'datasets/my x'$"),
    ('d/a=1/x.parquet', 'd', 'convert .*/d datasets/d$'),
    ('m-v0/data/metadata.json', 'm-v0', 'convert .*/m-v0 datasets/m-v0$'),
    ('x.txt', 'x.txt', 'There is no directory'),
    ('d/x.txt', 'd', 'is not a dataset: it has no')])
def test_what_can_be_converted_is_told_how(tmp_path, made, given, words):
  (tmp_path / made).parent.mkdir(parents=True, exist_ok=True)
  (tmp_path / made).touch()
  with pytest.raises(ValueError, match=words):
    locating.find_directory(str(tmp_path / given), None, False)


@pytest.mark.parametrize('name, end', [
    ('D4RL/pen/human-v2', 'D4RL_pen_human-v2'), ('toy/some-v0', 'toy_some-v0')])
def test_ids_of_minari_are_told_how(tmp_path, monkeypatch, name, end):
  monkeypatch.chdir(tmp_path)
  with pytest.raises(ValueError, match=(
      f'If .* is a Minari .* convert {name} datasets/{end}$')):
    locating.find_directory(name, str(tmp_path), False)


def test_beam_is_asked_for(tmp_path, monkeypatch):
  monkeypatch.setattr(importlib.util, 'find_spec', lambda name: None)
  with pytest.raises(ImportError, match='pip install apache-beam'):
    locating.find_directory(_NAME, str(tmp_path), True)


class MuzeroTestRlds(tfds.core.GeneratorBasedBuilder):
  """A dataset that TFDS can prepare without a network."""
  VERSION = tfds.core.Version('3.0.0')

  def _info(self):
    return tfds.core.DatasetInfo(
        builder=self, features=data_toys.raw_features())

  def _split_generators(self, dl_manager):
    del dl_manager
    return {'train': self._generate_examples()}

  def _generate_examples(self):
    yield 0, data_toys.raw_steps()


def test_prepared_when_asked(tmp_path):
  reading = Reading(data_dir=str(tmp_path), prepare=True)
  for _ in range(2):  # Prepared, then found.
    dataset = episodes_lib.open_dataset('muzero_test_rlds', reading)
    assert dataset.directory == str(tmp_path / 'muzero_test_rlds' / '3.0.0')
    episode, = episodes_lib.load_episodes(dataset)
    assert np.allclose(episode.reward, [1.0, 2.0, 0.0])


def _write_toy(directory):
  data_toys.write(directory, [data_toys.play(
      np.random.default_rng(0), data_toys.BOARD_SPEC, 3)], data_toys.BOARD_SPEC)
  return str(directory)


def test_the_reason_that_the_system_gives(tmp_path, monkeypatch):
  _write_toy(tmp_path / 'toy')
  with pytest.raises(ValueError, match="'nowhere' not implemented"):
    locating.find_directory('nowhere://a/b', None, False)
  with pytest.raises(ValueError, match="'nowhere' not implemented"):
    locating.find_directory(_NAME, 'nowhere://a/b', False)

  stat = tf.io.gfile.stat
  def denied(path):
    if 'toy' in str(path):
      raise tf.errors.PermissionDeniedError(None, None, f'{path}; no, not you')
    return stat(path)
  monkeypatch.setattr(tf.io.gfile, 'stat', denied)
  monkeypatch.setattr(tf.io.gfile, 'isdir', lambda path: False)
  with pytest.raises(ValueError, match='toy. cannot be read: .*no, not you'):
    locating.find_directory(str(tmp_path / 'toy'), None, False)


@pytest.mark.parametrize('name', ['a[0]', 'b*', 'c?d', '[!x] y', 'größe'])
def test_any_directory_is_a_directory(tmp_path, name):
  """Of names that stand for several files where files are looked for."""
  directory = _write_toy(tmp_path / name / 'toy[1]*')
  _write_toy(tmp_path / 'a0' / 'toy1')
  dataset = episodes_lib.open_dataset(directory)
  assert len(episodes_lib.load_episodes(dataset)) == 1
