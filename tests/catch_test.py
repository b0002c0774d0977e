"""Catch, learned offline from random actions by the experiment's gin file."""

import json
import os

from tf_muzero import cli
from tf_muzero import collect
from tf_muzero import train
from tf_muzero.envs import behaviours


def test_catch_is_learned_from_random_actions(tmp_path):
  dataset, run_directory = str(tmp_path / 'data'), str(tmp_path / 'run')
  collected = collect.collect(
      task='catch', directory=dataset, num_episodes=500,
      behaviour=behaviours.uniform(), seed=1, action_repeat=1)
  assert sum(collected.returns) / 500 < -0.4
  cli.call(cli.configure(
      train.train, ['gin/experiment/catch.gin'],
      [f'RUN_DIRECTORY = "{run_directory}"', f'DATASET = "{dataset}"',
       'train.train.evaluate_every = 1500',
       'evaluate.during_training.modes = [@modes.policy(), @modes.mcts()]'],
      record_in='run_directory'))
  with open(os.path.join(run_directory, 'evaluations.jsonl'),
            encoding='utf8') as file:
    last = json.loads(file.read().splitlines()[-1])
  assert last['step'] == 1500
  # Returns are in [-1, 1]; 0.9 is a ball missed in twenty.
  assert last['evaluation/policy'] >= 0.9
  assert last['evaluation/mcts'] >= 0.9
