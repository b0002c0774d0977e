"""From a task of one's own to a SavedModel, through all that lies between."""

import json
import os

import acting_toys
import numpy as np
import own_toys
from PIL import Image
import pytest
import tensorflow as tf

from tf_muzero import cli
from tf_muzero import collect
from tf_muzero import envs
from tf_muzero import evaluate
from tf_muzero import export
from tf_muzero import inspect
from tf_muzero import train
from tf_muzero.data import episodes
from tf_muzero.envs import behaviours


def _call(command, files, *bindings, record_in=None):
  return cli.call(cli.configure(command, files, bindings, record_in=record_in))


@pytest.mark.parametrize('task, low, high, num_lines', [
    ('gymnasium:Pendulum-v1', -2.0, 2.0, 500),
    ('push_task:make', -3.0, 5.0, 16)])
@pytest.mark.usefixtures('quick_graphs')
def test_collected_learned_evaluated_and_exported(
    tmp_path, monkeypatch, capsys, task, low, high, num_lines):
  data, run = str(tmp_path / 'data'), str(tmp_path / 'run')
  with own_toys.folder(tmp_path, monkeypatch):
    collect.collect(
        task=task, directory=data, num_episodes=10, seed=1, max_steps=12,
        behaviour=behaviours.uniform(), action_repeat=1)
    dataset = episodes.open_dataset(data)
    assert dataset.task == task
    assert dataset.spec.action == envs.load(task, seed=0).action_spec()
    # Of networks, and all over their range.
    actions = np.concatenate(
        [x.action for x in episodes.load_episodes(dataset)])
    assert -1.0 <= actions.min() < -0.8 and 0.8 < actions.max() <= 1.0
    inspect.inspect(data)
    printed = capsys.readouterr().out
    assert 'problems     none' in printed and f'{high:g}]' in printed

    _call(train.train,
          ['gin/experiment/own_data.gin', 'gin/hardware/smoke.gin'],
          f'RUN_DIRECTORY = {run!r}', f'DATASET = {data!r}',
          'train.train.evaluate_every = 2', 'train.train.jit_compile = False',
          'evaluate.during_training.jit_compile = False',
          'evaluate.during_training.modes = [@modes.sample()]',
          'evaluate.during_training.num_episodes = 1',
          'evaluate.during_training.max_steps = 3', record_in='run_directory')
    with open(os.path.join(run, 'evaluations.jsonl'), encoding='utf8') as file:
      assert 'evaluation/sample' in json.loads(file.readlines()[-1])

    result = _call(
        evaluate.evaluate, [f'{run}/config.gin', 'gin/evaluate.gin'],
        f'evaluate.evaluate.directory = {run!r}',
        'evaluate.evaluate.modes = [@modes.sample()]',
        'evaluate.evaluate.max_steps = 3',
        'evaluate.evaluate.random_start_steps = 0',
        'evaluate.evaluate.jit_compile = False',
        f'evaluate.evaluate.video = {str(tmp_path / "film.gif")!r}',
        'evaluate.evaluate.num_episodes = 2')
    assert result['evaluations'][0]['lengths'] == [3, 3]
    with Image.open(tmp_path / 'film.gif') as film:
      assert film.height == num_lines
    output = _call(
        export.export, [f'{run}/config.gin', 'gin/export.gin'],
        f'export.export.directory = {run!r}',
        'export.export.mode = @modes.sample()',
        'export.export.jit_compile = False')
    again = evaluate.evaluate(output, num_episodes=2, num_environments=2,
                              seed=1, random_start_steps=0, max_steps=3)
    assert again['evaluations'][0]['lengths'] == [3, 3]
  policy = tf.saved_model.load(output)
  chosen, _ = policy.act(
      acting_toys.make_observation(dataset.spec, 64), tf.ones([64], tf.bool),
      policy.get_initial_state(64))
  assert low <= np.min(chosen) < np.max(chosen) <= high
