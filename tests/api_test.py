"""Runs the examples of docs/api.md, made small."""

import dataclasses
import os
import re

import numpy as np
import pytest

from tests import data_toys
from tests import own_networks
from tests import train_runs
from tf_muzero import cli
from tf_muzero import train
from tf_muzero.learning import losses

pytestmark = pytest.mark.usefixtures('quick_graphs')

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def _examples():
  with open(os.path.join(_ROOT, 'docs', 'api.md'), encoding='utf-8') as file:
    return re.findall(r'^```python\n(.*?)^```', file.read(), re.M | re.S)


_WINDOWS, _SEARCH, _OWN_NETWORK, _SEED = _examples()


def _run(example, **smaller):
  """Runs an example; returns its names."""
  for text, other in smaller.items():
    assert f'{text}=' in example
    example = re.sub(rf'\b{text}=[\d_]+', f'{text}={other}', example)
  names = {'__name__': 'example'}
  exec(example, names)  # pylint: disable=exec-used
  return names


@pytest.fixture(scope='module', name='directory')
def _directory(tmp_path_factory):
  """Returns a directory with a dataset where the examples look for it."""
  directory = tmp_path_factory.mktemp('api')
  rng = np.random.default_rng(0)
  (directory / 'datasets').mkdir()
  data_toys.write(
      directory / 'datasets' / 'mine',
      [data_toys.play(rng, data_toys.STATE_SPEC, 30, i % 2 == 0)
       for i in range(6)], data_toys.STATE_SPEC)
  return directory


def test_reanalysed_windows(directory, monkeypatch):
  monkeypatch.chdir(directory)
  names = _run(_WINDOWS.replace('range(1, 101)', 'range(1, 3)'),
               num_simulations=2, width=8, store_windows=8)
  assert names['step'] == 2
  window, _ = names['store'].next_windows()
  assert window.value.shape == (32, 6)
  np.testing.assert_allclose(
      np.sum(window.weights, axis=-1), np.ones([32, 6]), rtol=1e-5)
  assert np.isfinite(names['metrics']['loss/total'])
  assert sorted(set(window.snapshot_step.numpy())) == [0]


def test_a_search_with_a_model_of_ones_own():
  names = _run(_SEARCH)
  np.testing.assert_array_equal(names['action'], [1, 0, 0])


def test_a_network_of_ones_own_and_a_seed(directory, monkeypatch):
  monkeypatch.chdir(directory)
  example = _OWN_NETWORK.replace(
      "['gin/experiment/own_data.gin']",
      "['gin/experiment/own_data.gin', 'gin/hardware/smoke.gin']")
  names = _run(example, num_steps=2, num_simulations=2)
  assert names['trainer'].step == 2
  assert type(names['trainer'].network).__name__ == 'Plain'
  state = _run(_SEED)['state']
  np.testing.assert_array_equal(state.seed, [[7, 0]] * 4)


def test_the_least_of_a_network_is_trained_and_resumed(directory, tmp_path):
  agent = dataclasses.replace(
      train_runs.make_agent(), network_fn=own_networks.Linear)
  for num_steps in (2, 4):
    trainer = train_runs.run(
        str(directory / 'datasets' / 'mine'), str(tmp_path / 'run'), num_steps,
        agent=agent, loss_weights=losses.LossWeights(1.0, 0.25, 1.0, 0.0, 0.0),
        evaluate_every=0, checkpoint_every=2, clip_targets=True)
    assert trainer.step == num_steps
  assert isinstance(trainer.network, own_networks.Linear)


def test_what_is_no_network_is_refused_before_anything_is_written(
    directory, tmp_path):
  agent = dataclasses.replace(
      train_runs.make_agent(), network_fn=own_networks.Narrow)
  with pytest.raises(ValueError, match='Narrow.predict_heads must return'):
    train_runs.run(str(directory / 'datasets' / 'mine'), str(tmp_path / 'run'),
                   2, agent=agent, clip_targets=True)
  assert not (tmp_path / 'run').exists()


def test_a_network_of_ones_own_by_its_name():
  settings = cli.settings(
      train.train, ['gin/experiment/own_data.gin'],
      ['from tests import own_networks',
       'agent.Agent.network_fn = @own_networks.Linear'],
      run_directory='unused', dataset='unused', num_steps=7)
  assert settings['num_steps'] == 7 and settings['dataset'] == 'unused'
  assert settings['agent'].network_fn.__name__ == 'Linear'
