"""A dataset is written whole, as the public ones are, or not at all."""

import json
import os
import pathlib

from dm_env import specs
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from tests import data_toys
from tf_muzero import envs
from tf_muzero.data import layout
from tf_muzero.data import writing
from tf_muzero.types import EnvironmentSpec


def _played(spec=data_toys.STATE_SPEC, lengths=(3, 1, 4), is_terminal=False):
  rng = np.random.default_rng(0)
  return [data_toys.play(rng, spec, n, is_terminal) for n in lengths]


@pytest.mark.parametrize('is_terminal', [False, True])
def test_tfds_reads_it(tmp_path, is_terminal):
  """Rewards follow their actions; the last record is only an observation."""
  played = _played(is_terminal=is_terminal)
  data_toys.write(tmp_path / 'toy', played, data_toys.STATE_SPEC, task='toy')
  builder = tfds.builder_from_directory(str(tmp_path / 'toy'))
  assert builder.info.metadata['task'] == 'toy'
  assert builder.info.metadata['num_steps'] == 8
  episodes = list(builder.as_dataset(split='train'))
  assert [int(e['episode_id']) for e in episodes] == [0, 1, 2]
  for episode, (time_steps, actions) in zip(episodes, played):
    steps = list(episode['steps'].as_numpy_iterator())
    assert len(steps) == len(time_steps)
    for i, step in enumerate(steps[:-1]):
      assert (step['action'] == actions[i]).all()
      assert step['reward'] == np.float32(time_steps[i + 1].reward)
      assert step['discount'] == time_steps[i + 1].discount
    for i, step in enumerate(steps):
      for name, value in time_steps[i].observation.items():
        assert (step['observation'][name] == value).all()
      is_last = i == len(steps) - 1
      assert step['is_first'] == (i == 0) and step['is_last'] == is_last
      assert step['is_terminal'] == (is_last and is_terminal)


def _public_features(name):
  fixtures = os.environ.get('TF_MUZERO_FIXTURES')
  if not fixtures:
    pytest.skip('TF_MUZERO_FIXTURES names no directory of public datasets.')
  file = pathlib.Path(fixtures) / name / 'features.json'
  return _without_descriptions(tfds.features.FeaturesDict.from_json(
      json.loads(file.read_text())).to_json())


def _without_descriptions(tree):
  """Drops what is told of features; a scalar is a tensor, stored alike."""
  if not isinstance(tree, dict):
    return str(tree).replace('scalar.Scalar', 'tensor_feature.Tensor')
  return {key: _without_descriptions(value) for key, value in tree.items()
          if key not in ('description', 'valueRange')}


def _our_features(spec):
  return _without_descriptions(layout.features(spec).to_json())


def test_layout_is_the_public_one():
  environment = envs.load('dm_control:cartpole/swingup', seed=0)
  assert _our_features(envs.spec(environment)) == _public_features(
      'rlu_control_suite/cartpole_swingup/1.0.0')


def test_layout_of_frames_is_the_public_one():
  spec = EnvironmentSpec(
      specs.Array([84, 84, 1], np.uint8), specs.DiscreteArray(9))
  assert _our_features(spec) == _public_features(
      'rlu_atari/Asterix_run_1/1.3.0')


@pytest.mark.parametrize('change', [
    lambda frame: frame.astype(np.float32), lambda frame: frame[:-1]])
def test_frames_must_be_frames(tmp_path, change):
  (first, *others), actions = _played(data_toys.FRAME_SPEC)[0]
  others[1] = others[1]._replace(observation=change(others[1].observation))
  with pytest.raises(ValueError, match='Frame 2 .* must be uint8 .* got'):
    data_toys.write(tmp_path / 'toy', [([first, *others], actions)],
                    data_toys.FRAME_SPEC)


def test_frames_come_with_the_metadata_of_rlu_atari(tmp_path):
  played = _played(data_toys.FRAME_SPEC)
  data_toys.write(tmp_path / 'toy', played, data_toys.FRAME_SPEC)
  builder = tfds.builder_from_directory(str(tmp_path / 'toy'))
  for i, episode in enumerate(builder.as_dataset(split='train')):
    assert int(episode['checkpoint_id']) == 0
    assert int(episode['episode_id']) == i
    assert float(episode['episode_return']) == pytest.approx(
        sum(t.reward for t in played[i][0][1:]), rel=1e-5)


def test_layout_of_a_board():
  spec = data_toys.BOARD_SPEC
  steps = layout.features(spec)['steps'].feature
  assert steps['observation'].shape == (3,)
  assert steps['action'].np_dtype == np.int64


def test_files_have_their_number(tmp_path):
  data_toys.write(tmp_path / 'toy', _played(lengths=[1] * 7),
                  data_toys.STATE_SPEC, episodes_per_file=3)
  builder = tfds.builder_from_directory(str(tmp_path / 'toy'))
  assert builder.info.splits['train'].shard_lengths == [3, 3, 1]


def test_many_long_episodes_are_written_as_they_come(tmp_path):
  lengths = [600, 600, 5, 600]
  data_toys.write(tmp_path / 'toy', _played(lengths=lengths),
                  data_toys.STATE_SPEC)
  builder = tfds.builder_from_directory(str(tmp_path / 'toy'))
  found = [len(e['steps']) - 1 for e in builder.as_dataset(split='train')]
  assert found == lengths


def test_empty_directory_is_taken(tmp_path):
  (tmp_path / 'toy').mkdir()
  data_toys.write(f'{tmp_path}/toy/', _played(), data_toys.STATE_SPEC)
  assert (tmp_path / 'toy' / 'dataset_info.json').exists()
  assert os.listdir(tmp_path) == ['toy']


def test_existing_directory_is_left_alone(tmp_path):
  (tmp_path / 'toy').mkdir()
  (tmp_path / 'toy' / 'precious').write_text('x')
  with pytest.raises(ValueError, match='exists already'):
    data_toys.write(tmp_path / 'toy', _played(), data_toys.STATE_SPEC)
  assert os.listdir(tmp_path / 'toy') == ['precious']


def test_nothing_is_left_of_a_failure(tmp_path):
  def fail():
    yield from _played()
    raise ZeroDivisionError
  with pytest.raises(ZeroDivisionError):
    data_toys.write(tmp_path / 'toy', fail(), data_toys.STATE_SPEC)
  assert not os.listdir(tmp_path)


def test_nothing_is_left_of_no_episodes(tmp_path):
  data_toys.write(tmp_path / 'toy', [], data_toys.STATE_SPEC)
  assert not os.listdir(tmp_path)


def test_appears_only_at_the_end(tmp_path):
  def watch():
    for episode in _played(lengths=[700, 700, 700]):
      assert not (tmp_path / 'toy').exists()
      yield episode
  data_toys.write(tmp_path / 'toy', watch(), data_toys.STATE_SPEC,
                  episodes_per_file=1)
  assert os.listdir(tmp_path) == ['toy']


@pytest.mark.parametrize('make_error', [
    lambda: tf.errors.ResourceExhaustedError(None, None, 'No space left'),
    lambda: OSError(28, 'No space left')])
def test_full_disk(tmp_path, monkeypatch, make_error):
  def close(self):
    raise make_error()
  monkeypatch.setattr(tfds.core.SequentialWriter, 'close_all', close)
  with pytest.raises(OSError, match='toy.*none of it was kept.*No space left'):
    data_toys.write(tmp_path / 'toy', _played(), data_toys.STATE_SPEC)
  assert not os.listdir(tmp_path)


def test_what_could_not_be_written_is_not_written_again(tmp_path, monkeypatch):
  write = tfds.core.SequentialWriter.add_examples

  def fail_once(self, examples):
    monkeypatch.setattr(tfds.core.SequentialWriter, 'add_examples', write)
    write(self, examples)
    raise OSError(122, 'Quota exceeded')

  monkeypatch.setattr(tfds.core.SequentialWriter, 'add_examples', fail_once)
  with pytest.raises(OSError, match='none of it was kept.*Quota exceeded'):
    with writing.new_dataset(
        str(tmp_path / 'toy'), name='toy', spec=data_toys.STATE_SPEC,
        metadata={}, episodes_per_file=2) as add:
      for episode in _played(lengths=[3000]):
        with pytest.raises(OSError):  # As `collect`, which keeps the others.
          add(writing.played(*episode, data_toys.STATE_SPEC))
  assert not os.listdir(tmp_path)


def test_bad_values_are_refused(tmp_path):
  time_steps, actions = _played()[2]
  actions[2] = np.float32([0.0, 2.0])
  with pytest.raises(ValueError, match='new episode 1, step 2: action is out'):
    data_toys.write(tmp_path / 'toy', [_played()[0], (time_steps, actions)],
                    data_toys.STATE_SPEC)
  assert not os.listdir(tmp_path)


def test_records_must_fit():
  time_steps, actions = _played()[0]
  for bad in ((time_steps, actions[1:]), (time_steps[:1], [])):
    with pytest.raises(ValueError, match='action between each two'):
      writing.played(*bad, data_toys.STATE_SPEC)


def test_settings_are_checked(tmp_path):
  with pytest.raises(ValueError, match='episodes_per_file'):
    data_toys.write(tmp_path / 'toy', _played(), data_toys.STATE_SPEC,
                    episodes_per_file=0)


def test_leftovers_are_told_of(tmp_path, caplog):
  (tmp_path / '.toy.partial-1').mkdir()
  data_toys.write(tmp_path / 'toy', _played(), data_toys.STATE_SPEC)
  assert '.toy.partial-1 is of a program that was killed' in caplog.text


def test_integers_stay_integers(tmp_path):
  spec = EnvironmentSpec(*data_toys.BOARD_SPEC)
  data_toys.write(tmp_path / 'toy', _played(spec), spec)
  builder = tfds.builder_from_directory(str(tmp_path / 'toy'))
  assert builder.info.metadata['num_actions'] == 4
  step = next(iter(next(iter(builder.as_dataset(split='train')))['steps']))
  assert step['action'].dtype == tf.int64


def test_a_directory_that_cannot_be_replaced(tmp_path, monkeypatch):
  (tmp_path / 'real').mkdir()
  (tmp_path / 'link').symlink_to(tmp_path / 'real')
  data_toys.write(tmp_path / 'link', _played(), data_toys.STATE_SPEC)
  assert (tmp_path / 'real' / 'dataset_info.json').exists()
  (tmp_path / 'here').mkdir()
  monkeypatch.chdir(tmp_path / 'here')
  data_toys.write('.', _played(), data_toys.STATE_SPEC)
  assert (tmp_path / 'here' / 'dataset_info.json').exists()
  (tmp_path / 'mount').mkdir()
  monkeypatch.setattr(os.path, 'ismount', lambda path: path.endswith('/mount'))
  with pytest.raises(ValueError, match='a file system is mounted'):
    data_toys.write(tmp_path / 'mount', _played(), data_toys.STATE_SPEC)


def test_what_cannot_get_its_name_is_kept(tmp_path, monkeypatch):
  def rename(*_, **__):
    raise tf.errors.FailedPreconditionError(None, None, 'Busy.')
  with monkeypatch.context() as patch:
    patch.setattr(tf.io.gfile, 'rename', rename)
    with pytest.raises(OSError, match="it is whole in '(.*)': Busy"):
      data_toys.write(tmp_path / 'toy', _played(), data_toys.STATE_SPEC)
  name, = os.listdir(tmp_path)
  assert (tmp_path / name / 'dataset_info.json').exists()
