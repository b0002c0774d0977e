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


def _collect(directory, task, num_episodes, at_most):
  """Makes a dataset of random actions, whose mean return is a low one."""
  collected = collect.collect(
      task=task, directory=directory, num_episodes=num_episodes,
      behaviour=behaviours.uniform(), seed=1, action_repeat=1)
  assert sum(collected.returns) / num_episodes < at_most


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


@pytest.mark.slow
def test_muzero_unplugged_learns_it(tmp_path):
  dataset, run_directory = str(tmp_path / 'data'), str(tmp_path / 'run')
  _collect(dataset, 'catch', 500, at_most=-0.4)
  policy, mcts = _learn(dataset, run_directory, 1500, [], ['policy', 'mcts'])
  assert policy >= _GOOD and mcts >= _GOOD


@pytest.mark.parametrize('algorithms, mode, bindings', [
    (['behaviour_cloning'], 'policy', ['reading.Reading.best = 0.3']),
    (['behaviour_cloning', 'action_values'], 'value', [])], ids=[
        'cloning of the best', 'values of actions'])
@pytest.mark.usefixtures('quick_graphs')
def test_what_needs_no_model_learns_a_small_one(
    algorithms, mode, bindings, tmp_path):
  dataset, run_directory = str(tmp_path / 'data'), str(tmp_path / 'run')
  _collect(dataset, 'catch:5x3', 200, at_most=-0.2)
  mean, = _learn(
      dataset, run_directory, 300, algorithms, [mode],
      'pipeline.Reanalyse.windows_per_segment = 4',
      'pipeline.Reanalyse.host_jit = False', 'train.train.batch_size = 64',
      'evaluate.during_training.jit_compile = False', *bindings)
  assert mean >= _GOOD
