"""Resuming from another checkpoint, with other data, or while it is in use."""

import json
import os
import shutil
import signal

import pytest

from tests import train_runs
from tf_muzero import collect
from tf_muzero import train
from tf_muzero.envs import behaviours
from tf_muzero.learning import checkpoint_files
from tf_muzero.learning import interruption
from tf_muzero.learning import run_lock

pytestmark = pytest.mark.usefixtures('quick_graphs')


@pytest.fixture(scope='module', name='dataset')
def _dataset(tmp_path_factory):
  directory = str(tmp_path_factory.mktemp('data') / 'catch')
  collect.collect(
      task='catch', directory=directory, num_episodes=12,
      behaviour=behaviours.uniform(), seed=1, action_repeat=1)
  return directory


def _lines(path):
  with open(path, encoding='utf8') as file:
    return [{name: value for name, value in json.loads(line).items()
             if not name.startswith('time/')} for line in file]


def _evaluate_fn(*_):
  """Gives the returns 1, 5, 0, 0, ..."""
  values = [1.0, 5.0]
  return lambda *_: {'evaluation/x': values.pop(0) if values else 0.0}


def test_a_run_goes_back_to_its_best_and_then_on_with_other_data(
    dataset, tmp_path, caplog):
  directory = str(tmp_path / 'run')
  checkpoints = checkpoint_files.directory_of(directory)
  settings = {'evaluate_fn': _evaluate_fn, 'evaluate_every': 3}
  train_runs.run(dataset, directory, 8, **settings)
  before = _lines(os.path.join(directory, 'metrics.jsonl'))
  assert checkpoint_files.steps_in(checkpoints) == [4, 8]
  assert checkpoint_files.read_best(checkpoints) == (6, 'evaluation/x', 5.0)

  # The steps after it come again, bit for bit.
  trainer = train_runs.run(
      dataset, directory, 8, resume_from='best', **settings)
  assert trainer.step == 8
  assert 'newer than step 6 is set aside in' in caplog.text
  assert 'A new order' not in caplog.text
  assert _lines(os.path.join(directory, 'metrics.jsonl')) == before
  aside = os.path.join(checkpoints, 'set_aside', 'after-6')
  assert checkpoint_files.steps_in(aside) == [8]
  assert _lines(os.path.join(aside, 'metrics.jsonl')) == before
  assert checkpoint_files.steps_in(checkpoints) == [4, 6, 8]
  assert checkpoint_files.read_best(checkpoints).step == 6

  # The same command does not go back once more, nor from anywhere else with
  # other data on in the old order.
  other = str(tmp_path / 'other')
  shutil.copytree(dataset, other)
  trainer = train_runs.run(other, directory, 9, resume_from='best',
                           batch_size=2, **settings)
  assert trainer.step == 9
  assert "was resumed from 'best' before, at step 6" in caplog.text
  told, = [x for x in caplog.messages if x.startswith('A new order of the da')]
  assert 'begins at step 8' in told
  assert 'batch_size: 2, was 4; dataset: ' in told
  assert 'seed' not in told and 'content' not in told
  with open(os.path.join(checkpoints, 'data-9.json'), encoding='utf8') as file:
    assert json.load(file)['begun_at'] == 8


def test_a_name_that_is_not_there_is_refused(dataset, tmp_path):
  with pytest.raises(ValueError, match='checkpoints. has no checkpoint yet'):
    train_runs.run(dataset, str(tmp_path), 4, resume_from='best')
  assert not os.listdir(tmp_path)


def test_a_run_in_use_and_a_pattern_in_its_name_are_refused(dataset, tmp_path):
  directory = str(tmp_path / 'run')
  with run_lock.hold(directory):
    with pytest.raises(ValueError, match='in use by another program'):
      train_runs.run(dataset, directory, 4)
    assert os.listdir(directory) == ['lock']
  with pytest.raises(ValueError, match='run_directory must have none of'):
    train_runs.run(dataset, str(tmp_path / 'run[1]'), 4)
  assert os.listdir(tmp_path) == ['run']


def _is_done(directory, num_steps):
  """Returns whether the command would do nothing; no dataset is at hand."""
  value = {'strategy': 'cpu', 'num_steps': num_steps, 'resume_from': 'last',
           'reanalyse_fraction': 1.0, 'batch_size': 4}
  return train._is_done(directory, value.__getitem__)  # pylint: disable=protected-access


def test_passes_are_of_what_a_run_began_with(tmp_path, caplog):
  data, directory = str(tmp_path / 'data'), str(tmp_path / 'run')

  def write(num_episodes):
    shutil.rmtree(data, ignore_errors=True)
    collect.collect(
        task='catch', directory=data, num_episodes=num_episodes,
        behaviour=behaviours.uniform(), seed=1, action_repeat=1)

  def stop(*_):
    os.kill(os.getpid(), signal.SIGTERM)
    return {}

  write(12)  # Episodes of 9 transitions.
  assert not _is_done(directory, '0.2 passes')
  with caplog.at_level('INFO', logger='absl'), pytest.raises(
      SystemExit) as stopped:
    train_runs.run(data, directory, '0.2 passes', evaluate_every=2,
                   evaluate_fn=lambda *_: stop)
  assert stopped.value.code == interruption.EXIT_CODE
  assert '0.2 passes over 108 transitions: 6 learner steps' in caplog.text
  assert not _is_done(directory, '0.2 passes')
  write(24)
  trainer = train_runs.run(data, directory, '0.2 passes')
  assert trainer.step == 6
  assert 'not what this run began with' in caplog.text
  shutil.rmtree(data)
  assert _is_done(directory, '0.2 passes')
  assert not _is_done(directory, '0.3 passes')
  with pytest.raises(ValueError, match="got 'some passes'"):
    _is_done(directory, 'some passes')


def test_a_length_that_is_wrong_is_refused_before_anything_is_written(
    dataset, tmp_path):
  for num_steps, changes, message in (
      ('2', {}, "such as '200 passes'; got '2'"),
      ('0 passes', {}, '> 0 passes'),
      ('2 passes', {'reanalyse_fraction': 0.0}, 'of 0 learns from no stored'),
      ('0.2 passes', {'profile': '6:7'}, 'START < 6'),
      ('0.2 passes', {'profile': '7:6'}, 'START < END, got')):
    with pytest.raises(ValueError, match=message):
      train_runs.run(dataset, str(tmp_path / 'run'), num_steps, **changes)
  assert not (tmp_path / 'run').exists()
