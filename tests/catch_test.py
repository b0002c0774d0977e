"""Catch, learned offline from random actions, by several algorithms."""

import json
import os

import pytest

from tf_muzero import cli
from tf_muzero import collect
from tf_muzero import train
from tf_muzero.envs import behaviours

# Returns are in [-1, 1]; this is a ball missed in twenty.
_GOOD = 0.9


def _learn(dataset, run_directory, num_steps, algorithms, modes, *bindings):
  """Returns the mean return of each mode at the end."""
  cli.call(cli.configure(
      train.train, ['gin/experiment/catch.gin', *(
          f'gin/algorithm/{name}.gin' for name in algorithms)],
      [f'RUN_DIRECTORY = {run_directory!r}', f'DATASET = {dataset!r}',
       f'train.train.num_steps = {num_steps}',
       f'train.train.evaluate_every = {num_steps}',
       'evaluate.during_training.modes = '
       f'[{", ".join(f"@modes.{mode}()" for mode in modes)}]',
       *bindings], record_in='run_directory'))
  with open(os.path.join(run_directory, 'evaluations.jsonl'),
            encoding='utf8') as file:
    last = json.loads(file.read().splitlines()[-1])
  assert last['step'] == num_steps
  return [last[f'evaluation/{mode}'] for mode in modes]


@pytest.mark.parametrize('algorithms, num_steps, modes, bindings', [
    ([], 1000, ['policy', 'mcts'], []),
    (['crr'], 1000, ['policy'], []),
    (['q_learning'], 700, ['value'], []),
    (['behaviour_cloning'], 300, ['policy'], ['reading.Reading.best = 0.3']),
    (['behaviour_cloning', 'action_values'], 300, ['value'], [])], ids=[
        'MuZero Unplugged', 'critic-regularised regression', 'Q-learning',
        'cloning of the best', 'values of actions'])
@pytest.mark.usefixtures('quick_graphs')
def test_a_small_one_is_learned(
    algorithms, num_steps, modes, bindings, tmp_path):
  dataset, run_directory = str(tmp_path / 'data'), str(tmp_path / 'run')
  collected = collect.collect(
      task='catch:5x3', directory=dataset, num_episodes=200,
      behaviour=behaviours.uniform(), seed=1, action_repeat=1)
  assert sum(collected.returns) / 200 < -0.2
  assert min(_learn(
      dataset, run_directory, num_steps, algorithms, modes,
      'pipeline.Reanalyse.windows_per_segment = 4',
      'train.train.batch_size = 64', 'train.train.deterministic = True',
      *bindings)) >= _GOOD
