"""Catch, learned offline from random actions, by each algorithm."""

import json
import os

import pytest

from tf_muzero import cli
from tf_muzero import collect
from tf_muzero import train
from tf_muzero.envs import behaviours

pytestmark = pytest.mark.usefixtures('quick_graphs')


@pytest.fixture(scope='module', name='dataset')
def _dataset(tmp_path_factory):
  """Returns a dataset of a small board; a ball in three is caught by chance."""
  directory = str(tmp_path_factory.mktemp('data') / 'catch')
  collected = collect.collect(
      task='catch:5x3', directory=directory, num_episodes=200,
      behaviour=behaviours.uniform(), seed=1, action_repeat=1)
  assert sum(collected.returns) / 200 < -0.2
  return directory


@pytest.mark.parametrize('algorithms, modes, bindings', [
    ([], ['policy', 'mcts'], []),
    (['crr'], ['policy'], []),
    (['q_learning'], ['value'], []),
    (['behaviour_cloning'], ['policy'], ['reading.Reading.best = 0.3']),
    (['behaviour_cloning', 'action_values'], ['value'], [])], ids=[
        'MuZero Unplugged', 'CRR', 'Q-learning', 'cloning of the best',
        'values of actions'])
def test_catch_is_learned_from_random_actions(
    algorithms, modes, bindings, dataset, tmp_path):
  cli.call(cli.configure(
      train.train, ['gin/experiment/catch.gin', *(
          f'gin/algorithm/{name}.gin' for name in algorithms)],
      [f'RUN_DIRECTORY = {str(tmp_path)!r}', f'DATASET = {dataset!r}',
       'pipeline.Reanalyse.windows_per_segment = 4',
       'pipeline.Reanalyse.host_jit = False',
       'train.train.num_steps = 300', 'train.train.batch_size = 64',
       'train.train.evaluate_every = 300',
       'evaluate.during_training.jit_compile = False',
       'evaluate.during_training.modes = '
       f'[{", ".join(f"@modes.{mode}()" for mode in modes)}]',
       *bindings], record_in='run_directory'))
  with open(os.path.join(tmp_path, 'evaluations.jsonl'),
            encoding='utf8') as file:
    last = json.loads(file.read().splitlines()[-1])
  assert last['step'] == 300
  # Returns are in [-1, 1]; 0.9 is a ball missed in twenty.
  played = {mode: last[f'evaluation/{mode}'] for mode in modes}
  assert all(mean >= 0.9 for mean in played.values()), played
