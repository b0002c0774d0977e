"""Tests of what a run directory tells."""

import acting_toys
from dm_env import specs
import numpy as np
import pytest
import tensorflow as tf

from tf_muzero.acting import run_directory
from tf_muzero.types import EnvironmentSpec

_AGENT = acting_toys.make_agent()
_BOUNDED = EnvironmentSpec(
    specs.BoundedArray([50], np.float32, 0.0, 1.0, 'board'),
    specs.DiscreteArray(3, np.int32, 'action'))


@pytest.mark.parametrize(
    'spec', [acting_toys.CONTINUOUS, acting_toys.DISCRETE, _BOUNDED])
def test_task_survives_its_file(tmp_path, spec):
  task = run_directory.Task('dm_control:cartpole/swingup', 4, spec, 1234)
  run_directory.save_task(str(tmp_path), task)
  loaded = run_directory.load_task(str(tmp_path))
  assert loaded == task
  assert type(loaded.spec.action) is type(spec.action)  # pylint: disable=unidiomatic-typecheck


def test_not_a_run_directory(tmp_path):
  with pytest.raises(ValueError, match='not a run directory.*no config.gin'):
    run_directory.load_task(str(tmp_path))
  with pytest.raises(ValueError, match='There is no directory'):
    run_directory.load_task(str(tmp_path / 'nowhere'))
  (tmp_path / 'config.gin').touch()
  with pytest.raises(ValueError, match='has not begun yet.*no task.json'):
    run_directory.load_task(str(tmp_path))


def test_a_run_that_cannot_be_read_says_why():
  with pytest.raises(ValueError, match="run 'none://x' cannot be read: .*none"):
    run_directory.load_task('none://x')


def _save(directory, step, width=8):
  network = acting_toys.make_network(
      acting_toys.make_agent(width), acting_toys.CONTINUOUS, seed=step)
  other = acting_toys.make_network(
      acting_toys.make_agent(width), acting_toys.CONTINUOUS, seed=step + 1)
  optimizer = tf.keras.optimizers.Adam()
  optimizer.build(other.trainable_variables)
  checkpoint = tf.train.Checkpoint(
      network=other, target=network, optimizer=optimizer)
  tf.train.CheckpointManager(
      checkpoint, str(directory / 'checkpoints'), max_to_keep=3
      ).save(checkpoint_number=step)
  return network


def test_restores_the_newest_target_network(tmp_path):
  _save(tmp_path, 100)
  saved = _save(tmp_path, 200)
  network = _AGENT.make_network(acting_toys.CONTINUOUS)
  assert run_directory.restore_network(str(tmp_path), network) == 200
  for restored, expected in zip(network.variables, saved.variables):
    np.testing.assert_array_equal(restored, expected)


def test_no_checkpoint(tmp_path):
  network = _AGENT.make_network(acting_toys.CONTINUOUS)
  with pytest.raises(ValueError, match='has no checkpoint'):
    run_directory.restore_network(str(tmp_path), network)


def test_checkpoint_of_another_network(tmp_path):
  _save(tmp_path, 100, width=16)
  network = _AGENT.make_network(acting_toys.CONTINUOUS)
  with pytest.raises(ValueError, match='[Ss]hape'):
    run_directory.restore_network(str(tmp_path), network)


def test_checkpoint_without_a_target_network(tmp_path):
  tf.train.CheckpointManager(
      tf.train.Checkpoint(step=tf.Variable(1)), str(tmp_path / 'checkpoints'),
      max_to_keep=1).save(checkpoint_number=1)
  network = _AGENT.make_network(acting_toys.CONTINUOUS)
  with pytest.raises(ValueError, match='has other weights than the network'):
    run_directory.restore_network(str(tmp_path), network)
