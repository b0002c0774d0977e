"""Datasets of Minari, as its own collector makes them, become ours."""

import sys
import types

import gymnasium
import minari
import numpy as np
import pytest
import tree

from tests import conversion_toys as toys
from tf_muzero.conversion import minari_source
from tf_muzero.data import episodes as episodes_lib
from tf_muzero.data import foreign


def record(path, monkeypatch, name, num_episodes, make=gymnasium.make,
           **kwargs):
  """Makes a dataset with Minari's own collector; returns its id."""
  monkeypatch.setenv('MINARI_DATASETS_PATH', str(path))
  # The one function of JAX that the collector uses; JAX need not be there.
  tree_util = types.ModuleType('jax.tree_util')
  tree_util.tree_map = lambda fn, first, *others: tree.map_structure_up_to(
      first, fn, first, *others)
  monkeypatch.setitem(sys.modules, 'jax', types.ModuleType('jax'))
  monkeypatch.setitem(sys.modules, 'jax.tree_util', tree_util)
  sys.modules['jax'].tree_util = tree_util
  environment = minari.DataCollector(make(name, **kwargs))
  environment.action_space.seed(0)
  for i in range(num_episodes):
    environment.reset(seed=i)
    for _ in range(12):
      _, _, terminated, truncated, _ = environment.step(
          environment.action_space.sample())
      if terminated or truncated:
        break
  dataset = environment.create_dataset('toy/random-v0')
  environment.close()
  return dataset


@pytest.mark.parametrize('name', ['CartPole-v1', 'Pendulum-v1'])
def test_minari(tmp_path, monkeypatch, name):
  made = record(tmp_path, monkeypatch, name, 4, max_episode_steps=10)
  monkeypatch.setattr(  # No environment is made.
      gymnasium, 'make', lambda *_, **__: pytest.fail('made an environment'))
  dataset = toys.convert('toy/random-v0', tmp_path / 'data')
  assert dataset.task == f'gymnasium:{name}'
  assert dataset.metadata['minari_version'] == minari.__version__
  found = episodes_lib.load_episodes(dataset)
  wanted = list(made.iterate_episodes())
  assert len(found) == len(wanted) == 4
  for one, other in zip(found, wanted):
    np.testing.assert_array_equal(one.observation, other.observations)
    np.testing.assert_array_equal(one.reward[:-1], np.float32(other.rewards))
    assert one.discount[-2] == 1.0 - other.terminations[-1]
    action = one.action[:-1] * (2.0 if name == 'Pendulum-v1' else 1)
    np.testing.assert_allclose(action, other.actions, rtol=1e-6, atol=1e-6)
  by_path = toys.convert(tmp_path / 'toy' / 'random-v0', tmp_path / 'more')
  assert by_path.num_steps == dataset.num_steps == made.total_steps


class _Robot(gymnasium.Env):  # pylint: disable=abstract-method
  """Observations in nested dicts, and actions that count from 1."""
  observation_space = gymnasium.spaces.Dict({
      'arm': gymnasium.spaces.Dict({
          'angle': gymnasium.spaces.Box(-1.0, 1.0, (2,), np.float64)}),
      'floor': gymnasium.spaces.Discrete(4)})
  action_space = gymnasium.spaces.Discrete(3, start=1)

  def reset(self, *, seed=None, options=None):
    super().reset(seed=seed)
    return self.observation_space.sample(), {}

  def step(self, action):
    return self.observation_space.sample(), 1.0, False, False, {}


def test_minari_of_nested_observations(tmp_path, monkeypatch):
  made = record(tmp_path, monkeypatch, '', 2, lambda _: _Robot())
  dataset = toys.convert('toy/random-v0', tmp_path / 'data')
  assert dataset.task == '' and dataset.metadata['action_start'] == 1
  episode, other = episodes_lib.load_episodes(dataset)[0], made[0]
  np.testing.assert_allclose(episode.observation, np.concatenate([
      other.observations['arm']['angle'],
      other.observations['floor'][:, np.newaxis]], axis=-1), rtol=1e-6)
  np.testing.assert_array_equal(episode.action[:-1], other.actions - 1)


class _Words(_Robot):  # pylint: disable=abstract-method
  observation_space = gymnasium.spaces.Dict({
      'said': gymnasium.spaces.Text(3)})


def test_a_dataset_of_tfds_is_none_of_minari(tmp_path):
  (tmp_path / 'metadata.json').write_text('{}')
  assert foreign.kind_of(str(tmp_path)) == 'minari'
  (tmp_path / 'features.json').write_text('{}')
  assert foreign.kind_of(str(tmp_path)) is None


@pytest.mark.parametrize('low, high', [
    (-np.finfo('f').max, np.finfo('f').max), (-np.inf, np.inf), (1.0, 1.0)])
def test_a_range_that_is_none_may_be_told(low, high):
  box = gymnasium.spaces.Box(low, high, [2], np.float32)
  # pylint: disable-next=protected-access
  assert minari_source._action_spec(box) is None


def test_minari_of_words_is_refused(tmp_path, monkeypatch):
  record(tmp_path, monkeypatch, '', 1, lambda _: _Words())
  with pytest.raises(ValueError, match="The observation 'said' has the space "
                     r'Text.*cannot be used'):
    toys.convert('toy/random-v0', tmp_path / 'data')
  with pytest.raises(ValueError, match="no file 'toy/other-v0', nor a Minari"):
    toys.convert('toy/other-v0', tmp_path / 'data')
