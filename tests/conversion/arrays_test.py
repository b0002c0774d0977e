"""Arrays of all steps, as D4RL has them, become episodes."""

import os

import h5py
import numpy as np
import pytest

from tests import conversion_toys as toys
from tf_muzero import inspect
from tf_muzero.data import episodes as episodes_lib
from tf_muzero.data import layout


@pytest.mark.parametrize('terminal_type', [bool, np.float32, np.uint8])
@pytest.mark.filterwarnings('error::RuntimeWarning')
def test_hdf5(tmp_path, terminal_type, caplog):
  caplog.set_level('INFO', logger='absl')
  rows = toys.steps()
  rows['terminals'] = rows['terminals'].astype(terminal_type)
  toys.write_hdf5(tmp_path / 'hopper.hdf5', {
      **rows, 'infos/qpos': np.zeros([13, 2]), 'metadata/algorithm': b'SAC'})
  dataset = toys.convert(tmp_path / 'hopper.hdf5', tmp_path / 'data',
                         task='gymnasium:Hopper-v5', action_repeat=2)
  toys.check(dataset, rows)
  assert dataset.task == 'gymnasium:Hopper-v5' and dataset.action_repeat == 2
  assert dataset.metadata['source'] == str(tmp_path / 'hopper.hdf5')
  assert dataset.metadata['h5py_version'] == h5py.__version__
  np.testing.assert_allclose(
      dataset.metadata['action_minimum'], rows['actions'].min(axis=0))
  assert 'infos, metadata are not read' in caplog.text
  assert 'what is seen is recorded, action_minimum = [' in caplog.text
  assert os.listdir(tmp_path / 'data')
  inspect.inspect(str(tmp_path / 'data'))


def test_bounds_that_are_given(tmp_path):
  toys.write_hdf5(tmp_path / 'x.h5', toys.steps())
  dataset = toys.convert(tmp_path / 'x.h5', tmp_path / 'data',
                         action_minimum=-2, action_maximum=[2.0, 2.5])
  assert dataset.spec.action.maximum.tolist() == [2.0, 2.5]
  assert dataset.metadata['action_minimum'] == [-2.0, -2.0]
  toys.check(dataset, toys.steps())
  with pytest.raises(ValueError, match='x.h5, rows 0 to 2, step .: action is '
                     'out of bounds.*Nothing was written'):
    toys.convert(tmp_path / 'x.h5', tmp_path / 'other', action_minimum=-0.1,
                 action_maximum=0.1)
  for settings, message in (
      ({'action_minimum': -1.0}, 'must be given together'),
      ({'action_minimum': [1.0] * 3, 'action_maximum': [2.0] * 3},
       'action_minimum must be a number or 2 of them'),
      ({'num_actions': 3}, 'but the actions are floats')):
    with pytest.raises(ValueError, match=message):
      toys.convert(tmp_path / 'x.h5', tmp_path / 'other', **settings)
  assert sorted(os.listdir(tmp_path)) == ['data', 'x.h5']


def test_npz_without_what_follows(tmp_path, caplog):
  """A terminal state stands in for itself; what was cut off loses a step."""
  rows = toys.steps()
  del rows['next_observations']
  np.savez(tmp_path / 'x.npz', **rows)
  dataset = toys.convert(tmp_path / 'x.npz', tmp_path / 'data',
                         action_minimum='-2.0,-2', action_maximum=2.0)
  # The second episode has one row, and so no transition that is known.
  found = episodes_lib.load_episodes(dataset)
  assert [len(x.reward) - 1 for x in found] == [3, 5, 3]
  np.testing.assert_array_equal(
      found[0].observation[-1], found[0].observation[-2])
  np.testing.assert_allclose(
      found[2].observation, rows['observations'][-4:], rtol=1e-6)
  assert found[0].discount[2] == 0.0 and found[2].discount[2] == 1.0
  for message in ('In 2 of 4 episodes, the terminal state is not in the source',
                  'In 2 of 4 episodes, which were cut off, the final',
                  'In 1 of 4 episodes, there is no transition'):
    assert message in caplog.text


def test_discrete_actions(tmp_path, caplog):
  rows = toys.steps(is_discrete=True)
  np.savez(tmp_path / 'x.npz', **rows)
  dataset = toys.convert(tmp_path / 'x.npz', tmp_path / 'data')
  assert dataset.spec.action.num_values == 3
  assert 'num_actions = 3 is recorded' in caplog.text
  found = episodes_lib.load_episodes(dataset)
  assert np.concatenate([x.action[:-1] for x in found]).tolist() == (
      rows['actions'].tolist())
  dataset = toys.convert(tmp_path / 'x.npz', tmp_path / 'more', num_actions=7)
  assert dataset.spec.action.num_values == 7
  rows['actions'] += 4
  np.savez(tmp_path / 'y.npz', **rows)
  dataset = toys.convert(tmp_path / 'y.npz', tmp_path / 'late', num_actions=3,
                         action_start=4)
  assert dataset.metadata['action_start'] == 4
  assert np.concatenate([
      x.action[:-1] for x in episodes_lib.load_episodes(dataset)]).tolist() == (
          (rows['actions'] - 4).tolist())


def test_frames_and_groups(tmp_path):
  rows = toys.steps(is_discrete=True)
  rng = np.random.default_rng(0)
  frames = rng.integers(256, size=(13, 6, 5, 3), dtype=np.uint8)
  np.savez(tmp_path / 'x.npz', **{
      **rows, 'observations': frames,
      'next_observations': np.roll(frames, -1, axis=0)})
  dataset = toys.convert(tmp_path / 'x.npz', tmp_path / 'frames')
  assert layout.is_image(dataset.spec.observation)
  found = episodes_lib.load_episodes(dataset)
  np.testing.assert_array_equal(found[0].observation, frames[:4])
  stacks = rng.integers(256, size=(13, 9, 8, 6), dtype=np.uint8)
  np.savez(tmp_path / 'y.npz', **{
      **rows, 'observations': stacks,
      'next_observations': np.roll(stacks, -1, axis=0)})
  dataset = toys.convert(tmp_path / 'y.npz', tmp_path / 'stacks')
  np.testing.assert_array_equal(
      episodes_lib.load_episodes(dataset)[0].observation, stacks[:4])
  np.savez(tmp_path / 'z.npz', **{
      **rows, 'observations': stacks.transpose([0, 3, 1, 2])[:, :3],
      'next_observations': stacks.transpose([0, 3, 1, 2])[:, :3]})
  with pytest.raises(ValueError, match='channels do not come last'):
    toys.convert(tmp_path / 'z.npz', tmp_path / 'first',
                 check_next_observations=False)
  with h5py.File(tmp_path / 'x.h5', 'w') as file:
    for name, values in rows.items():
      if name.endswith('observations'):
        file[f'{name}/b/position'] = values[:, :2]
        file[f'{name}/a'] = values[:, 2]
      else:
        file[name] = values
  dataset = toys.convert(tmp_path / 'x.h5', tmp_path / 'groups')
  episode = episodes_lib.load_episodes(dataset)[0]
  np.testing.assert_allclose(
      episode.observation[:3], rows['observations'][:3, [2, 0, 1]], rtol=1e-6)


def test_cuts_without_timeouts(tmp_path, caplog):
  rows = toys.steps()
  del rows['timeouts']
  toys.write_hdf5(tmp_path / 'followed.h5', rows)
  toys.check(toys.convert(tmp_path / 'followed.h5', tmp_path / 'a'), rows)
  assert 'the end is where the next observation is not' in caplog.text
  del rows['next_observations']
  toys.write_hdf5(tmp_path / 'x.h5', rows)
  with pytest.raises(ValueError, match='no timeouts.*Give max_episode_steps'):
    toys.convert(tmp_path / 'x.h5', tmp_path / 'b')
  read = lambda name, limit: [
      len(x.reward) - 1 for x in episodes_lib.load_episodes(toys.convert(
          tmp_path / 'x.h5', tmp_path / name, max_episode_steps=limit))]
  assert read('c', 0) == [3, 6, 3]
  # Rows 0-2, 3-6, 7-8, 9-12; two of them have a terminal end.
  assert read('d', 4) == [3, 3, 2, 3]


@pytest.mark.parametrize('change, message', [
    ({'rewards': None}, 'must have the arrays .* no rewards, only actions'),
    ({'rewards': np.zeros(7)}, 'different numbers of rows: .*rewards 7'),
    ({'rewards': np.zeros([13, 2])}, 'rewards must be one number'),
    ({'rewards': np.float32(1.0)}, 'rewards .* is a single number'),
    ({'terminals': np.full(13, 0.5)}, 'terminals must be 0 or 1, got 0.5 in'),
    ({'observations': np.full([13, 3], np.nan)},
     'x.h5, rows 0 to 2, step 0: observation is not finite'),
    ({'actions': np.zeros([13, 2], np.int64)}, 'number their combinations'),
    ({'actions': np.zeros([13, 2])}, 'Component 0 of the actions is 0.0 in'),
    ({'actions': np.full(13, -1)}, 'integers from -1 to -1: give action_start'),
    ({'next_observations': np.zeros([13, 3])}, 'step 0: the next observation '
     'is not the observation of the step after it'),
    ({'rewards': None, 'rewards/mine': np.zeros(13)},
     'rewards .* must be an array, and is a group of mine'),
    ({'observations': np.full([13], b'x')}, 'no array of numbers'),
    ({'observations': np.full([13, 3], b'x')}, 'no array of numbers')])
def test_arrays_that_do_not_fit_are_told(tmp_path, change, message):
  rows = {k: v for k, v in {**toys.steps(), **change}.items() if v is not None}
  if 'observations' in change:
    del rows['next_observations']
  toys.write_hdf5(tmp_path / 'x.h5', rows)
  with pytest.raises(ValueError, match=message):
    toys.convert(tmp_path / 'x.h5', tmp_path / 'data')
  assert os.listdir(tmp_path) == ['x.h5']


def test_bad_episodes_are_left_out(tmp_path, caplog):
  rows = toys.steps()
  rows['rewards'][4] = np.inf
  toys.write_hdf5(tmp_path / 'x.h5', rows)
  with pytest.raises(ValueError, match='rows 4 to 8, step 0: reward is not'):
    toys.convert(tmp_path / 'x.h5', tmp_path / 'data')
  dataset = toys.convert(tmp_path / 'x.h5', tmp_path / 'data',
                         on_bad_episode='skip')
  assert dataset.num_episodes == 3 and dataset.num_steps == 8
  assert 'rows 4 to 8, step 0: reward is not finite' in caplog.text


def test_an_empty_npz_is_told(tmp_path):
  (tmp_path / 'x.npz').write_text('')
  with pytest.raises(ValueError, match='cannot be read as npz'):
    toys.convert(tmp_path / 'x.npz', tmp_path / 'data')


def test_choices_that_are_stored_as_floats_are_told(tmp_path, caplog):
  rows = toys.steps(is_discrete=True)
  rows['actions'] = rows['actions'].astype(np.float64)
  np.savez(tmp_path / 'x.NPZ.npz', **rows)
  os.rename(tmp_path / 'x.NPZ.npz', tmp_path / 'x.NPZ')
  assert toys.convert(tmp_path / 'x.NPZ', tmp_path / 'data'
                      ).spec.action.maximum == [2.0]
  assert 'all are whole numbers' in caplog.text


@pytest.mark.parametrize('settings, message', [
    ({'max_episode_steps': 5}, 'has timeouts, .*leave out max_episode_steps'),
    ({'reward_column': 'gain'}, 'The column of the reward is of a table')])
def test_what_would_not_be_used_is_refused(tmp_path, settings, message):
  toys.write_hdf5(tmp_path / 'x.h5', toys.steps())
  with pytest.raises(ValueError, match=message):
    toys.convert(tmp_path / 'x.h5', tmp_path / 'data', **settings)
