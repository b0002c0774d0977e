"""The training command: resuming, repeating, and refusing."""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import types

import numpy as np
import pytest
import tensorflow as tf

from tests import data_toys
from tests import train_runs
from tf_muzero import collect
from tf_muzero import evaluate
from tf_muzero.acting import modes
from tf_muzero.data import reading
from tf_muzero.envs import behaviours
from tf_muzero.learning import checkpoints
from tf_muzero.learning import interruption
from tf_muzero.reanalyse import service as service_lib

pytestmark = pytest.mark.usefixtures('quick_graphs')


@pytest.fixture(scope='module', name='dataset')
def _dataset(tmp_path_factory):
  directory = str(tmp_path_factory.mktemp('data') / 'catch')
  collect.collect(
      task='catch', directory=directory, num_episodes=12,
      behaviour=behaviours.uniform(), seed=1, action_repeat=1)
  return directory


@pytest.fixture(scope='module', name='whole')
def _whole(dataset, tmp_path_factory):
  """Returns the directory of a run of 20 steps that nothing stopped."""
  directory = str(tmp_path_factory.mktemp('whole') / 'run')
  train_runs.run(dataset, directory, 20)
  return directory


def _in_process(*arguments):
  return subprocess.run(
      [sys.executable, '-m', 'tests.train_runs', *map(str, arguments)],
      check=False, capture_output=True, text=True)


def _weights(run_directory):
  """Returns all values of the last checkpoint by name."""
  reader = tf.train.load_checkpoint(
      tf.train.latest_checkpoint(os.path.join(run_directory, 'checkpoints')))
  return {name: reader.get_tensor(name)
          for name in reader.get_variable_to_shape_map()
          if 'save_counter' not in name and 'OBJECT_GRAPH' not in name}


def _metrics(run_directory):
  """Returns the lines of metrics.jsonl without what the clock decides."""
  with open(os.path.join(run_directory, 'metrics.jsonl'),
            encoding='utf8') as file:
    return [{name: value for name, value in json.loads(line).items()
             if not name.startswith('time/')} for line in file]


def test_a_stopped_and_killed_run_equals_one_that_was_not(
    dataset, whole, tmp_path, caplog):
  killed = str(tmp_path / 'killed')
  handler = signal.getsignal(signal.SIGTERM)
  with pytest.raises(SystemExit) as stopped:  # Told at step 2, it ends step 3.
    train_runs.run(
        dataset, killed, 20, evaluate_every=2,
        evaluate_fn=lambda *_: _terminate)
  assert stopped.value.code == interruption.EXIT_CODE
  assert signal.getsignal(signal.SIGTERM) is handler
  assert os.path.exists(os.path.join(killed, 'checkpoints', 'ckpt-3.index'))
  # Dies at step 6, after the checkpoint of step 4.
  assert _in_process(dataset, killed, 20, 6).returncode == -signal.SIGKILL
  assert [line['step'] for line in _metrics(killed)] == [1, 2, 3, 4, 5, 6]
  # A writer that is killed may leave half a line.
  with open(os.path.join(killed, 'metrics.jsonl'), 'a',
            encoding='utf8') as file:
    file.write('{"step": 7, "loss/')
  with caplog.at_level('INFO', logger='absl'):
    train_runs.run(dataset, killed, 20)
  assert 'Resumed at step 4' in caplog.text
  expected = _weights(whole)
  assert len(expected) > 100
  for name, value in _weights(killed).items():
    np.testing.assert_array_equal(value, expected[name], err_msg=name)
  assert _metrics(killed) == _metrics(whole)


def _terminate(*_):
  os.kill(os.getpid(), signal.SIGTERM)
  return {}


def test_a_signal_in_the_last_evaluation_leaves_it_to_the_next_run(
    dataset, tmp_path):
  directory, path = str(tmp_path), tmp_path / 'evaluations.jsonl'
  signals = [True, False]

  def evaluate_fn(*_):
    def measure(_, poll_fn):
      if signals.pop(0):
        _terminate()
      poll_fn()
      return {'evaluation/x': 1.0}
    return measure

  with pytest.raises(SystemExit) as stopped:
    train_runs.run(
        dataset, directory, 1, evaluate_fn=evaluate_fn, evaluate_every=2)
  assert stopped.value.code == interruption.EXIT_CODE
  assert not path.exists()
  for _ in range(2):
    train_runs.run(
        dataset, directory, 1, evaluate_fn=evaluate_fn, evaluate_every=2)
    assert path.read_text() == '{"step": 1, "evaluation/x": 1.0}\n'
  assert not signals


def test_a_finished_run_is_left_as_it_is(
    dataset, whole, tmp_path, monkeypatch):
  directory = str(tmp_path / 'run')
  shutil.copytree(whole, directory)
  before = _metrics(directory)
  os.remove(os.path.join(directory, 'task.json'))  # And none is written.
  monkeypatch.setattr(service_lib, 'Service', None)  # Waits for nothing.
  trainer = train_runs.run(
      dataset, directory, 20, service='grpc://localhost:1')
  assert trainer.step == 20
  assert _metrics(directory) == before
  assert not os.path.exists(os.path.join(directory, 'task.json'))


def test_old_checkpoints_and_positions_are_removed(whole):
  names = os.listdir(os.path.join(whole, 'checkpoints'))
  for kind in ('ckpt', 'data'):
    steps = {int(name.split('.')[0].split('-')[1]) for name in names
             if name.startswith(f'{kind}-')}
    assert steps == {12, 16, 20}


@pytest.mark.parametrize('wrong, message', [
    ({'checkpoint_every': 3}, 'multiple of snapshot_every'),
    ({'reanalyse_fraction': 1.5}, 'reanalyse_fraction'),
    ({'unroll_steps': -1}, 'unroll_steps'),
    ({'reanalyse_fraction': 0.5}, r'interaction must be given .* --gin_file='
                                  r'gin/interaction.gin after'),
    ({'compute_dtype': 'float16'}, "must be 'float32' or 'bfloat16', got 'fl"),
    ({'profile': '3:2'}, "START:END in learner steps.*'3:2'"),
    ({'profile': '4:9'}, "START < 4, the steps of the run.*'4:9'"),
    ({'reanalyse_fraction': 0.5, 'placement': 'device'}, 'placement'),
    ({'strategy': 'gpu'}, "strategy must be 'cpu', "),
])
def test_wrong_arguments_are_refused_before_anything_is_written(
    dataset, tmp_path, wrong, message):
  with pytest.raises(ValueError, match=message):
    train_runs.run(dataset, str(tmp_path / 'run'), 4, **wrong)
  assert not (tmp_path / 'run').exists()


def test_a_run_is_not_made_in_a_dataset(dataset):
  before = sorted(os.listdir(dataset))
  with pytest.raises(ValueError, match='is a dataset; .* train RUN DATASET'):
    train_runs.run(dataset, dataset, 4)
  assert sorted(os.listdir(dataset)) == before


def test_another_environment_is_refused_before_work_starts(dataset, tmp_path):
  data, run = tmp_path / 'data', tmp_path / 'run'
  shutil.copytree(dataset, data)
  told = data / 'metadata.json'
  told.write_text(told.read_text().replace(
      '"catch"', '"dm_control:cartpole/swingup"'))
  evaluate_fn = evaluate.together(evaluate_fns=[evaluate.during_training(
      modes=[modes.policy()], search_fn=None, num_episodes=1,
      num_environments=1, seed=0, random_start_steps=0)])
  with pytest.raises(ValueError, match='The action of the .*evaluate_every'):
    train_runs.run(str(data), str(run), 4, evaluate_fn=evaluate_fn,
                   evaluate_every=2)
  assert not run.exists()


def test_skipped_episodes_are_counted_in_the_metrics(dataset, tmp_path):
  data, run = tmp_path / 'data', tmp_path / 'run'
  shutil.copytree(dataset, data)
  data_toys.spoil(next(data.glob('*tfrecord*')), 3)
  train_runs.run(str(data), str(run), 2, reading=reading.Reading(
      on_bad_episode='skip'))
  assert [line['data/skipped_episodes'] for line in _metrics(run)] == [1, 1]


@pytest.fixture(name='two_replicas')
def _two_replicas(monkeypatch):
  """Gives `mirrored` two replicas, which compile sooner than four."""
  listed = tf.config.list_logical_devices
  monkeypatch.setattr(
      tf.config, 'list_logical_devices', lambda kind=None: listed(kind)[:2])


@pytest.mark.parametrize('settings, replicas', [
    ({'placement': 'device'}, 1), ({'strategy': 'mirrored'}, 2)], ids=str)
@pytest.mark.usefixtures('two_replicas')
def test_a_resumed_run_has_the_store_that_was_saved(
    settings, replicas, dataset, tmp_path):
  whole, halves = str(tmp_path / 'whole'), str(tmp_path / 'halves')
  train_runs.run(dataset, whole, 8, **settings)
  shutil.copytree(whole, halves)
  train_runs.run(dataset, halves, 8, resume_from=4, **settings)
  assert os.path.exists(os.path.join(
      halves, 'checkpoints', 'set_aside', 'after-4', 'ckpt-8.index'))
  assert os.path.exists(os.path.join(whole, 'snapshots')) == (
      'placement' not in settings)
  expected = _weights(whole)
  for name, value in _weights(halves).items():
    np.testing.assert_array_equal(value, expected[name], err_msg=name)
  assert _metrics(halves) == _metrics(whole)
  # Another number of replicas goes on from there.
  trainer = train_runs.run(dataset, halves, 12, **{
      **settings, 'strategy': 'cpu' if replicas == 2 else 'mirrored'})
  assert trainer.step == 12
  assert trainer.distribute_strategy.num_replicas_in_sync == 3 - replicas
  assert [line['step'] for line in _metrics(halves)] == list(range(1, 13))


def test_a_checkpoint_that_does_not_fit_leaves_the_one_before(tmp_path):
  variable = tf.Variable(tf.zeros([10_000]))
  callback = checkpoints.SaveCheckpoints(1, checkpoints.Saver(
      tf.train.Checkpoint(network=variable), str(tmp_path),
      checkpoints.Start('', 0, '')))
  model = types.SimpleNamespace(store=None, step=1)
  callback.set_model(model)
  callback.run(1, {})
  directory = tmp_path / 'checkpoints'
  before = sorted(os.listdir(directory))
  variable.assign_add(tf.ones([10_000]))
  model.step = 2
  limits = resource.getrlimit(resource.RLIMIT_FSIZE)
  resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
  try:
    with pytest.raises(OSError, match='checkpoint of step 2.*disk full'):
      callback.run(2, {})
  finally:
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
  assert sorted(os.listdir(directory)) == before
  assert not tf.train.load_checkpoint(str(directory)).get_tensor(
      'network/.ATTRIBUTES/VARIABLE_VALUE').any()
