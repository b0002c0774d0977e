"""Runs whose files are not on a disk, as on an object store.

`ram://` is a file system of TensorFlow that Python's own functions do not see.
"""

import json

import tensorflow as tf

from tests import train_runs
from tf_muzero import cli
from tf_muzero import collect
from tf_muzero import evaluate
from tf_muzero.acting import run_directory
from tf_muzero.envs import behaviours
from tf_muzero.learning import checkpoints


def test_a_run_is_written_and_read(tmp_path):
  dataset = str(tmp_path / 'catch')
  collect.collect(
      task='catch', directory=dataset, num_episodes=4, seed=1,
      behaviour=behaviours.uniform(), action_repeat=1)
  directory = 'ram://bucket/run'
  trainer = train_runs.run(
      dataset, directory, 2, checkpoint_every=2, snapshot_every=1)
  with tf.io.gfile.GFile(f'{directory}/metrics.jsonl') as file:
    steps = [json.loads(line)['step'] for line in file.read().splitlines()]
  assert steps == [1, 2]
  files = tf.io.gfile.glob(f'{directory}/*/*')
  for kind in ('snapshots/latest', 'tensorboard/events'):
    assert any(f'/{kind}' in name for name in files), kind
  assert run_directory.load_task(directory).name == 'catch'
  assert run_directory.restore_network(
      directory, trainer.target_network) == 2
  start = checkpoints.find(
      f'{directory}/checkpoints', tf.distribute.get_strategy())
  assert start.step == 2 and start.position
  checkpoints.restore(trainer, start)


def test_a_configuration_is_read():
  path = 'ram://bucket/config.gin'
  with tf.io.gfile.GFile(path, 'w') as file:
    file.write('from __gin__ import dynamic_registration\n'
               'from tf_muzero import evaluate\n'
               'evaluate.evaluate.num_episodes = 3\n')
  configuration = cli.configure(
      evaluate.evaluate, [path],
      [f'evaluate.evaluate.{name} = 1' for name in (
          'num_environments', 'seed', 'random_start_steps')],
      arguments={'directory': 'ram://bucket/run'})
  assert 'num_episodes = 3' in configuration.text
