"""The public datasets, in the formats that TFDS's own builders declare."""

import os
import pathlib
import re

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from tf_muzero.data import episodes as episodes_lib
from tf_muzero.data import public
from tf_muzero.data import understanding
from tf_muzero.data.reading import Reading

_ATARI = ['rlu_atari', 'rlu_atari_checkpoints', 'rlu_atari_checkpoints_ordered']
_CONTROL = {
    'cartpole_swingup': (5, 1), 'cheetah_run': (17, 6),
    'finger_turn_hard': (10, 2), 'fish_swim': (24, 5), 'humanoid_run': (67, 21),
    'manipulator_insert_ball': (44, 5), 'manipulator_insert_peg': (44, 5),
    'walker_stand': (24, 6), 'walker_walk': (24, 6)}
# An entry of its own, numbers and matrices; the others are as one of these.
_READ = ('finger_turn_hard', 'humanoid_run', 'manipulator_insert_ball')


def prepare(data_dir, name, examples):
  """Writes a dataset where TFDS would prepare it, with its own features.

  Args:
    data_dir: of TFDS.
    name: such as 'rlu_control_suite/cartpole_swingup'.
    examples: split -> function from features to its episodes.
  """
  builder = tfds.builder(name, data_dir=str(data_dir), try_gcs=False)
  directory = pathlib.Path(builder.data_dir)
  directory.mkdir(parents=True)
  identity = tfds.core.dataset_info.DatasetIdentity(
      name=builder.name, version=builder.version, data_dir=str(directory),
      module_name='', config_name=builder.builder_config.name)
  writer = tfds.core.SequentialWriter(tfds.core.DatasetInfo(
      builder=identity, features=builder.info.features), 2)
  writer.initialize_splits(list(examples))
  writer.add_examples({split: make(builder.info.features)
                       for split, make in examples.items()})
  writer.close_all()
  return directory


def episode(features, seed=0, **fields):
  """Returns an arbitrary episode of these features, but for some fields."""
  rng = np.random.default_rng(seed)
  num_records = len(next(iter(fields.values()))) if fields else 4

  def draw(feature, leading=()):
    if isinstance(feature, tfds.features.FeaturesDict):
      return {name: draw(entry, leading) for name, entry in feature.items()}
    shape = (*leading, *feature.shape)
    if feature.np_dtype == np.uint8:
      return rng.integers(256, size=shape, dtype=np.uint8)
    if feature.np_dtype in (np.object_, np.str_):
      return b'text'
    if np.issubdtype(feature.np_dtype, np.floating):
      return rng.uniform(-1.0, 1.0, shape).astype(feature.np_dtype)
    return rng.integers(2, size=shape).astype(feature.np_dtype)

  steps = {name: draw(feature, (num_records,))
           for name, feature in features['steps'].feature.items()}
  at = np.arange(num_records)
  steps.update(
      discount=np.ones(num_records, np.float32), is_first=at == 0,
      is_last=at == num_records - 1, is_terminal=np.zeros(num_records, bool))
  metadata = {name: draw(feature) for name, feature in features.items()
              if name != 'steps'}
  return {**metadata, 'steps': {**steps, **{
      name: np.asarray(value, steps[name].dtype)
      for name, value in fields.items()}}}


def _public(path):
  fixtures = os.environ.get('TF_MUZERO_FIXTURES')
  if not fixtures:
    pytest.skip('TF_MUZERO_FIXTURES names no directory of public datasets.')
  return Reading(data_dir=fixtures), path


@pytest.mark.parametrize('task', sorted(_CONTROL))
def test_control_suite(tmp_path, task):
  name, (width, num_actions) = f'rlu_control_suite/{task}', _CONTROL[task]
  stored = []
  def make(features):
    stored.extend(episode(features, seed) for seed in range(3))
    return stored
  prepare(tmp_path, name, {'train': make})
  dataset = episodes_lib.open_dataset(name, Reading(data_dir=str(tmp_path)))
  assert dataset.name == name
  assert dataset.task == 'dm_control:' + task.replace('_', '/', 1)
  assert dataset.spec.action.shape == (num_actions,)
  assert ('touch' in ''.join(dataset.oddities)) == (task == 'finger_turn_hard')
  assert sum(int(np.prod(x.shape)) for x in dataset.spec.observation.values()
             ) == width
  if task not in _READ:
    return
  found = episodes_lib.load_episodes(dataset)
  assert len(found) == len(stored)
  for one, other in zip(found, stored):
    entries = other['steps']['observation']
    flat = np.concatenate([entries[key] for key in sorted(entries)], axis=1)
    assert flat.shape == (4, width)
    np.testing.assert_array_equal(one.observation, flat)
    np.testing.assert_array_equal(
        one.action[:-1], other['steps']['action'][:-1])
    np.testing.assert_array_equal(
        one.reward[:-1], other['steps']['reward'][:-1])
    assert one.discount.tolist() == [1.0] * 4


def test_control_suite_is_complete():
  assert sorted(_CONTROL) == sorted(
      tfds.builder_cls('rlu_control_suite').builder_configs)


@pytest.mark.parametrize('builder', _ATARI)
def test_atari(tmp_path, builder):
  """Rewards move to their actions; the last record is a transition."""
  kept = {}
  def make(features):
    # One ends by game over, as TFDS shifts its discounts; one is cut off.
    over = episode(
        features, 0, action=[1, 2, 3, 4], reward=[0, 1, -1, 0],
        discount=[1, 1, 0, 0], is_terminal=[False, False, False, True])
    cut = episode(features, 1, action=[5, 6, 7, 8], reward=[1, 0, 0, 1])
    kept.update(over=over, cut=cut)
    return [over, cut]
  name = f'{builder}/Asterix_run_1'
  split = 'train' if builder == 'rlu_atari' else 'checkpoint_00'
  prepare(tmp_path, name, {split: make})
  dataset = episodes_lib.open_dataset(name, Reading(data_dir=str(tmp_path)))
  assert dataset.task == 'atari:Asterix' and dataset.split == split
  assert dataset.spec.action.num_values == 9
  assert dataset.spec.observation.shape == (84, 84, 1)
  assert 'one step early' in dataset.oddities[0]

  over, cut = episodes_lib.load_episodes(dataset)
  frames = kept['over']['steps']['observation']
  assert (over.observation == np.concatenate([frames, frames[-1:]])).all()
  assert over.action.tolist() == [1, 2, 3, 4, 0]
  assert over.reward.tolist() == [0.0, 0.0, 1.0, -1.0, 0.0]
  assert over.discount.tolist() == [1.0, 1.0, 1.0, 0.0, 1.0]
  assert (cut.observation == kept['cut']['steps']['observation']).all()
  assert cut.action.tolist() == [5, 6, 7, 0]
  assert cut.reward.tolist() == [0.0, 1.0, 0.0, 0.0]
  assert cut.discount.tolist() == [1.0] * 4
  if builder != 'rlu_atari':
    return  # Other features; they are corrected alike.
  assert episodes_lib.lengths(dataset).tolist() == [4, 3]

  over, cut = episodes_lib.load_episodes(episodes_lib.open_dataset(
      name, Reading(data_dir=str(tmp_path), reward_alignment='as_stored')))
  assert over.action.tolist() == [1, 2, 3, 0]
  assert over.reward.tolist() == [0.0, 1.0, -1.0, 0.0]
  assert over.discount.tolist() == [1.0, 1.0, 0.0, 1.0]
  assert cut.reward.tolist() == [1.0, 0.0, 0.0, 0.0]


@pytest.mark.parametrize('name', [
    'd4rl_mujoco_halfcheetah/v2-medium', 'd4rl_mujoco_hopper/v0-medium',
    'd4rl_mujoco_walker2d/v2-medium-replay', 'd4rl_adroit_pen/v0-cloned'])
def test_d4rl(tmp_path, name):
  """A final observation of another episode is dropped; infos are not read."""
  kept = []
  def make(features):
    kept.extend([
        # Cut off, with a foreign end; terminal; and cut off without an end.
        episode(features, 0, discount=[1, 1, 1, 0]),
        episode(features, 1, discount=[1, 1, 0, 0],
                is_terminal=[False, False, False, True]),
        episode(features, 2)])
    return kept
  prepare(tmp_path, name, {'train': make})
  dataset = episodes_lib.open_dataset(name, Reading(data_dir=str(tmp_path)))
  found = episodes_lib.load_episodes(dataset)
  assert [len(x.reward) for x in found] == [3, 4, 4]
  assert episodes_lib.lengths(dataset).tolist() == [2, 3, 3]
  assert found[1].discount.tolist() == [1.0, 1.0, 0.0, 1.0]
  for one, other in zip(found, kept):
    num = len(one.reward)
    np.testing.assert_array_equal(
        one.observation, np.float32(other['steps']['observation'][:num]))
    np.testing.assert_array_equal(
        one.reward[:-1], np.float32(other['steps']['reward'][:num - 1]))


@pytest.mark.parametrize('name, wanted, width', [
    ('rlu_locomotion/humanoid_walls',
     ['walker/joints_pos', 'walker/sensors_gyro'], 59),
    ('robomimic_ph/lift_ph_low_dim', ['object', 'robot0_eef_pos'], 13)])
def test_entries_beside_images(tmp_path, name, wanted, width):
  """Their layouts, as TFDS declares them; robomimic has many entries."""
  prepare(tmp_path, name, {'train': lambda features: [episode(features)]})
  read = lambda **settings: episodes_lib.open_dataset(
      name, Reading(data_dir=str(tmp_path), **settings))
  if name.startswith('rlu'):
    with pytest.raises(ValueError, match="'walker/egocentric_camera' is an im"):
      read()
    camera = read(observation_entries=['walker/egocentric_camera'])
    assert camera.spec.observation['walker']['egocentric_camera'].shape == (
        64, 64, 3)
  found, = episodes_lib.load_episodes(read(observation_entries=wanted))
  assert found.observation.shape == (4, width)


def test_dmlab(tmp_path):
  name = 'rlu_dmlab_explore_object_rewards_few/training_0'
  prepare(tmp_path, name, {'train': lambda features: [episode(features)]})
  with pytest.raises(ValueError, match="'pixels' is an image"):
    episodes_lib.open_dataset(name, Reading(data_dir=str(tmp_path)))
  dataset = episodes_lib.open_dataset(name, Reading(
      data_dir=str(tmp_path), observation_entries=['pixels']))
  assert dataset.spec.action.num_values == 15
  assert dataset.spec.observation['pixels'].shape == (72, 96, 3)
  found, = episodes_lib.load_episodes(dataset)
  assert found.observation.shape == (4, 72, 96, 3)


def test_an_alignment_of_rewards_is_no_other_correction():
  known = public.lookup('d4rl_mujoco_hopper', 'v2-medium')
  for alignment in (None, 'as_stored', 'realigned'):
    assert Reading(reward_alignment=alignment).adapter(known, '') is (
        known.adapter)


def test_a_spurious_is_terminal_is_known():
  """As TFDS writes rlu_rwrl, whose features it reads from the net."""
  scalar = tfds.features.Tensor(shape=(1,), dtype=np.float32)
  features = tfds.features.FeaturesDict({'steps': tfds.features.Dataset({
      'observation': {'height': scalar}, 'action': scalar, 'reward': scalar,
      'discount': scalar, 'is_first': np.bool_, 'is_last': np.bool_,
      'is_terminal': np.bool_})})
  known = public.lookup('rlu_rwrl', 'walker_walk_combined_challenge_none_1')
  found = understanding.understand(features, {}, known, Reading())
  assert found.terminal_from == 'discount'
  steps = found.adapter({
      'reward': tf.constant([[1.0], [2.0], [0.0]]),
      'discount': tf.constant([[1.0], [1.0], [0.0]]),
      'is_terminal': tf.constant([False, False, True])})
  assert steps['discount'].numpy()[:2].tolist() == [1.0, 1.0]
  chosen = Reading(terminal_from='is_terminal')
  assert understanding.understand(
      features, {}, known, chosen).terminal_from == 'is_terminal'


def test_numbers_of_actions():
  ale_py = pytest.importorskip('ale_py', reason='needs ale-py')
  roms = pytest.importorskip('ale_py.roms')
  ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)
  configs = tfds.builder_cls('rlu_atari').builder_configs
  assert {name.partition('_run_')[0] for name in configs} == set(
      public.NUM_ACTIONS)
  for game, number in public.NUM_ACTIONS.items():
    rom = re.sub(r'(?<!^)(?=[A-Z])', '_', game).lower()
    ale = ale_py.ALEInterface()
    ale.loadROM(roms.get_rom_path(rom))
    assert len(ale.getMinimalActionSet()) == number, game


def test_score_in_the_frames_changes_with_realigned_rewards():
  """A real episode: its digits change at these transitions and no others."""
  reading, name = _public('rlu_atari/Asterix_run_1')
  played, = episodes_lib.load_episodes(episodes_lib.open_dataset(name, reading))
  assert len(played.reward) == 310 + 1 and played.discount[-2] == 0.0
  assert played.reward.sum() == 17.0
  digits = played.observation[:310, 73:77, 42:50, 0].astype(np.int32)
  score_changes = (digits[1:] != digits[:-1]).any(axis=(1, 2))
  np.testing.assert_array_equal(score_changes, played.reward[:309] != 0.0)

  as_stored, = episodes_lib.load_episodes(episodes_lib.open_dataset(
      name, Reading(data_dir=reading.data_dir, reward_alignment='as_stored')))
  assert len(as_stored.reward) == 310 and as_stored.discount[-2] == 0.0
  assert np.mean(score_changes[as_stored.reward[:309] != 0.0]) < 0.2
