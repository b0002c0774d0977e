"""Jobs in processes: their order, failures, what is done, and signals."""

import os
import signal
import sys
import threading
import time

import pytest

from tf_muzero.studies import workers

# Writes a line of what it was given, and does as it says.
_PROGRAM = (sys.executable, '-c', '''
import os, signal, sys, time
word, path = sys.argv[1:3]
open(path, 'a').write(word + '\\n')
if word == 'fail':
  print('of no use')
  sys.exit('Error: it is broken.\\n(TF_MUZERO_DEBUG=1 shows where.)')
if word == 'kill':
  os.kill(os.getpid(), signal.SIGKILL)
if word == 'wait':
  signal.signal(signal.SIGTERM, lambda *_: sys.exit(75))
  open(path, 'a').write('waits\\n')
  time.sleep(60)
''')


@pytest.fixture(name='quick', autouse=True)
def _quick(monkeypatch):
  monkeypatch.setattr(workers, '_POLL_SECONDS', 0.02)


def _job(root, name, *commands, after=''):
  def stage(command):
    path = str(root / f'{name}.{command}')
    return workers.Stage([command, path], lambda: os.path.exists(path))

  return workers.Job(name, str(root / 'logs' / f'{name}.log'),
                     [stage(command) for command in commands], after)


def _run(jobs, num_workers=1, show_fn=lambda running, done: None):
  return workers.run(jobs, num_workers, show_fn, program=_PROGRAM)


def test_a_failure_is_told_with_its_log_and_stops_no_other(tmp_path):
  shown = []
  failures = _run([
      _job(tmp_path, 'a', 'fail', 'two'), _job(tmp_path, 'b', 'kill'),
      _job(tmp_path, 'c', 'one', 'two'), _job(tmp_path, 'd', 'one', after='a'),
      _job(tmp_path, 'e', 'one', after='c')], show_fn=lambda running, done:
                  shown.append((list(running), list(done))))
  assert failures == {
      'a': f'fail: exit code 1; see {tmp_path}/logs/a.log\n'
           '  Error: it is broken.',
      'b': f'kill: killed by SIGKILL; see {tmp_path}/logs/b.log',
      'd': 'not begun, since a failed'}
  assert sorted(x.name for x in tmp_path.iterdir()) == [
      'a.fail', 'b.kill', 'c.one', 'c.two', 'e.one', 'logs']
  assert shown[-1] == ([], ['c', 'e'])
  assert f' $ tf-muzero one {tmp_path}/c.one\n' in (
      tmp_path / 'logs' / 'c.log').read_text()


def test_what_is_done_is_not_done_again(tmp_path):
  jobs = [_job(tmp_path, 'a', 'one', 'two')]
  (tmp_path / 'a.one').write_text('before\n')
  assert not _run(jobs)
  assert not _run(jobs)
  assert (tmp_path / 'a.one').read_text() == 'before\n'
  assert (tmp_path / 'a.two').read_text() == 'two\n'


def test_a_command_that_does_not_do_its_work_is_a_failure(tmp_path):
  job = workers.Job('a', str(tmp_path / 'log'), [
      workers.Stage(['one', str(tmp_path / 'x')], lambda: False)])
  assert _run([job])['a'].startswith('tf-muzero one ')
  assert (tmp_path / 'x').read_text() == 'one\n'  # Once.


def test_work_is_prepared_and_finished(tmp_path):
  partial, place = tmp_path / 'partial', tmp_path / 'place'
  partial.write_text('of a process that was killed\n')
  job = workers.Job('a', str(tmp_path / 'log'), [workers.Stage(
      ['one', str(partial)], place.exists, partial.unlink,
      lambda: partial.rename(place))])
  assert not _run([job])
  assert place.read_text() == 'one\n'


def test_as_many_at_once_as_there_are_workers(tmp_path):
  most = []
  assert not _run([_job(tmp_path, name, 'one') for name in 'abcde'], 2,
                  lambda running, done: most.append(len(running)))
  assert max(most) == 2


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_waits_for_the_processes_and_begins_no_other(
    number, tmp_path):
  def stop():
    path = tmp_path / 'a.wait'
    while not (path.exists() and 'waits' in path.read_text()):
      time.sleep(0.02)
    os.kill(os.getpid(), number)

  # Under nohup it would be ignored.
  before, inherited = signal.SIG_DFL, signal.signal(number, signal.SIG_DFL)
  thread = threading.Thread(target=stop)
  thread.start()
  start = time.monotonic()
  with pytest.raises(workers.Interrupted, match=number.name):
    _run([_job(tmp_path, 'a', 'wait'), _job(tmp_path, 'b', 'one')])
  thread.join()
  assert time.monotonic() - start < 30  # It did not sleep to its end.
  assert not (tmp_path / 'b.one').exists()
  assert signal.signal(number, inherited) == before


def test_a_file_that_cannot_be_read_fails_its_job_alone(tmp_path):
  def broken():
    raise ValueError('evaluations.jsonl is damaged.')

  stage = workers.Stage(['one', str(tmp_path / 'a')], broken)
  late = workers.Stage(['one', str(tmp_path / 'b')], lambda: False,
                       finish_fn=broken)
  make = lambda name, stage: workers.Job(
      name, str(tmp_path / name / 'log'), [stage])
  assert _run([make('early', stage), make('late', late),
               _job(tmp_path, 'c', 'one')]) == {
                   'early': 'evaluations.jsonl is damaged.',
                   'late': 'evaluations.jsonl is damaged.'}
  assert (tmp_path / 'c.one').exists()
