"""Self-supervision of gin/algorithm, as a whole training of two steps."""

import json

import numpy as np
import pytest

from tf_muzero import cli
from tf_muzero import collect
from tf_muzero import train
from tf_muzero.acting import run_directory
from tf_muzero.envs import behaviours
from tf_muzero.learning import optimizers

pytestmark = pytest.mark.usefixtures('quick_graphs')

_FILES = ['efficientzero', 'muzero_ssl', 'muzero_ssl_spr',
          'muzero_ssl_simsiam', 'muzero_ssl_contrastive']
_KINDS = {
    'vectors': ('catch', 'gin/experiment/catch.gin',
                'gin/hardware/smoke.gin'),
    'frames': ('atari:Breakout/42', 'gin/experiment/breakout_laptop.gin',
               'gin/hardware/smoke_pixels.gin')}
_TERMS = {'efficientzero': 'simsiam', 'muzero_ssl': 'reconstruction'}


@pytest.fixture(scope='module', name='datasets')
def _datasets(tmp_path_factory):
  """Returns a function from a kind to a dataset of it."""
  made = {}

  def get(kind):
    if kind not in made:
      made[kind] = str(tmp_path_factory.mktemp('data') / 'dataset')
      collect.collect(
          task=_KINDS[kind][0], directory=made[kind], num_episodes=2, seed=1,
          behaviour=behaviours.uniform(), action_repeat=1,
          max_steps=40 if kind == 'frames' else None)
    return made[kind]

  return get


def _configure(name, kind, run, dataset, *bindings):
  _, experiment, smoke = _KINDS[kind]
  return cli.configure(
      train.train, [experiment, f'gin/algorithm/{name}.gin', smoke], [
          f'RUN_DIRECTORY = {run!r}', f'DATASET = {dataset!r}', *bindings],
      record_in='run_directory')


@pytest.mark.parametrize('kind', _KINDS)
@pytest.mark.parametrize('name', _FILES)
def test_all_of_a_file_is_used(name, kind, tmp_path):
  assert _configure(name, kind, str(tmp_path / 'run'), 'nowhere')


# Reconstruction of vectors: gin/experiment/catch.gin has it.
@pytest.mark.parametrize('name, kind', [
    ('efficientzero', 'vectors'), ('efficientzero', 'frames'),
    ('muzero_ssl', 'frames')])
def test_two_steps_are_learned(name, kind, datasets, tmp_path):
  run = str(tmp_path / 'run')
  smaller = [
      'value_prefix.ValuePrefix.units = 4',
      'value_prefix.ValuePrefix.num_features = 3',
      'consistency.simsiam.projector = [8, 4]',
      'consistency.simsiam.predictor = [3, 4]']
  bindings = smaller if name == 'efficientzero' else []
  trainer = cli.call(_configure(name, kind, run, datasets(kind), *bindings))
  assert trainer.step == 2
  with open(f'{run}/metrics.jsonl', encoding='utf-8') as file:
    last = json.loads(file.readlines()[-1])
  assert np.isfinite(last[f'loss/{_TERMS[name]}'])
  # Of what is saved, to act takes the network without heads.
  assert run_directory.restore_network(run, trainer.target_network) == 2


def test_the_learning_rate_of_efficientzero():
  optimizer = optimizers.momentum(
      30, learning_rate=0.2, warmup_steps=4, decay_steps=10, decay_rate=0.1,
      momentum_factor=0.9, weight_decay=1e-4, gradient_clip=5.0)
  rate = optimizer._learning_rate  # pylint: disable=protected-access
  np.testing.assert_allclose(
      [rate(0), rate(2), rate(4), rate(13), rate(14), rate(24)],
      [0.0, 0.1, 0.2, 0.2, 0.02, 0.002], rtol=1e-6)
