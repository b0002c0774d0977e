"""The reanalyse service: waiting for it, and losing a part of it."""

import glob
import json
import os
import signal
import types

import pytest
import tensorflow as tf

from tests import train_runs
from tf_muzero import collect
from tf_muzero.envs import behaviours
from tf_muzero.reanalyse import local_service
from tf_muzero.reanalyse import service as service_lib

pytestmark = pytest.mark.usefixtures('quick_graphs')


def _children():
  """Returns the processes that this one has started."""
  found = []
  for path in glob.glob(f'/proc/{os.getpid()}/task/*/children'):
    with open(path, encoding='utf8') as file:
      found += map(int, file.read().split())
  return found


@pytest.mark.parametrize('setting', [
    'localhost:1', 'grpc://localhost', 'local:0', 'local:', 'http://a:1'])
def test_a_setting_that_names_no_service_is_refused(setting):
  with pytest.raises(ValueError, match="'grpc://host:port'.*'local:N'"):
    service_lib.check(setting)


def test_what_is_missing_is_told():
  with pytest.raises(ValueError, match='dispatcher .* was not there in 0 s. '
                     'Start one: .*--role=dispatcher --port=1$'):
    service_lib.wait_for_dispatcher('grpc://localhost:1', patience=0.3)


def test_determinism_is_not_promised():
  with pytest.raises(ValueError, match="deterministic needs service = ''"):
    with service_lib.connected('local:1', deterministic=True):
      pass


def test_what_fails_leaves_no_worker(monkeypatch):
  monkeypatch.setattr(service_lib.Service, 'wait', lambda _: None)
  with pytest.raises(ZeroDivisionError):
    with service_lib.connected('local:1', deterministic=False) as service:
      assert _children() and not service.closed.is_set()
      _ = 1 / 0
  assert not _children() and service.closed.is_set()


def test_what_the_dispatcher_cannot_do_is_told_at_once(monkeypatch):
  monkeypatch.setattr(service_lib, 'wait_for_dispatcher', lambda _: None)
  monkeypatch.setattr(
      service_lib, '_SERVICE', types.SimpleNamespace(
          ShardingPolicy=types.SimpleNamespace(OFF=None),
          distribute=lambda *_: lambda numbers: numbers.map(
              lambda x: tf.debugging.check_numerics(0.0 / tf.cast(x, 'float32'),
                                                    'Other version'))))
  with pytest.raises(ValueError, match='grpc://a:1 gives nothing.*Other vers'):
    service_lib.Service('grpc://a:1').wait()


def test_a_worker_that_cannot_be_started_is_tried_again(monkeypatch, caplog):
  monkeypatch.setattr(local_service.subprocess, 'Popen', _Ended)
  # pylint: disable=protected-access
  worker = local_service._Worker(0, 'grpc://a:1')
  worker._early_ends = 5000  # Of a port that somebody else has by now.
  worker.look_after()
  assert 'ended with 1; started again in 60 s' in caplog.text
  worker._start_at = 1e-9
  monkeypatch.setattr(_Ended, '__init__', _refuse)
  worker.look_after()
  assert 'cannot be started; tried again in 60 s: No memory' in caplog.text


class _Ended:
  """A process that has ended."""

  pid = 7

  def __init__(self, *unused_args, **unused_kwargs):
    pass

  def poll(self):
    return 1


def _refuse(*unused_args, **unused_kwargs):
  raise OSError('No memory')


@pytest.mark.slow
def test_training_outlives_its_worker_which_does_not_outlive_training(
    tmp_path, caplog):
  caplog.set_level('INFO', logger='absl')
  dataset, directory = str(tmp_path / 'catch'), str(tmp_path / 'run')
  collect.collect(task='catch', directory=dataset, num_episodes=12,
                  behaviour=behaviours.uniform(), seed=1, action_repeat=1)
  killed = []

  def kill(*_):
    if not killed:
      killed.extend(_children())
      for child in killed:
        os.kill(child, signal.SIGKILL)
    return {}

  # More steps than windows of the first worker can be on their way.
  trainer = train_runs.run(
      dataset, directory, 300, service='local:1', deterministic=False,
      snapshot_every=50, checkpoint_every=100, log_every=10,
      evaluate_fn=lambda *_: kill, evaluate_every=10)
  assert trainer.step == 300
  assert len(killed) == 1
  assert f'process {killed[0]}, ended with -9' in caplog.text
  assert not set(killed) & set(_children()) and not _children()
  with open(os.path.join(directory, 'service.jsonl'), encoding='utf8') as file:
    lines = [json.loads(line) for line in file]
  workers = {name for line in lines for name in line
             if name.startswith('service/searches_per_second/')}
  assert len(workers) == 2
  assert not [name for name in os.listdir(os.path.join(
      directory, 'checkpoints')) if name.startswith('data-')]
