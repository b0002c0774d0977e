"""The scripts of tpu/: what they would have gcloud do."""

import configparser
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
from importlib import metadata

from packaging.requirements import Requirement
import pytest

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_TPU = os.path.join(_ROOT, 'tpu')
_SCRIPTS = sorted(x for x in os.listdir(_TPU) if x.endswith('.sh'))
_SETTINGS = {'TPU_NAME': 'agent', 'ZONE': 'us-central2-b',
             'ACCELERATOR': 'v4-8', 'START_SECONDS': '0'}
_ARGUMENTS = ['--gin_file=gin/train.gin',
              """--gin_bindings=RUN_DIRECTORY = "gs://it's/a run" """]


def _run(script, *arguments, path=None, **settings):
  environment = {**os.environ, **_SETTINGS, **settings}
  if path:
    environment['PATH'] = f'{path}:{environment["PATH"]}'
  return subprocess.run(
      ['bash', os.path.join(_TPU, script), *arguments], check=False,
      capture_output=True, text=True, env=environment)


def _dry_run(script, *arguments, **settings):
  """Returns the words of each command that a script prints."""
  done = _run(script, '--dry-run', *arguments, **settings)
  assert done.returncode == 0, done.stderr
  # Bash reads them back: its quotes are not all Python's.
  text = ''.join(f'words {line}' for line in
                 re.split(r'^(?=gcloud|git|tensorboard)', done.stdout,
                          flags=re.MULTILINE)[1:])
  printed = subprocess.run(
      ['bash', '-c', "words() { printf '%s\\0' \"$@\"; printf '\\1'; }\n"
       + re.sub(r'^--gin.*$', '', text, flags=re.MULTILINE)],
      check=True, stdout=subprocess.PIPE, text=True).stdout
  return [x.split('\0')[:-1] for x in printed.split('\1')[:-1]]


def _remote(words):
  return next(x for x in words if x.startswith('--command='))[10:]


@pytest.mark.parametrize('accelerator, runtime', [
    ('v4-8', 'tpu-vm-tf-2.15.1-pjrt'),
    ('v5litepod-8', 'tpu-vm-tf-2.15.1-pjrt'),
    ('v5p-32', 'tpu-vm-tf-2.15.1-pod-pjrt'),
    ('v6e-8', 'v2-alpha-tpuv6e')])
def test_create(accelerator, runtime):
  assert _dry_run('create.sh', '--spot', ACCELERATOR=accelerator) == [[
      'gcloud', 'compute', 'tpus', 'tpu-vm', 'create', 'agent',
      f'--accelerator-type={accelerator}', f'--version={runtime}', '--spot',
      '--zone=us-central2-b']]


def test_a_dry_run_may_be_asked_for_anywhere():
  first, last = (_run('create.sh', *options) for options in (
      ('--dry-run', '--spot'), ('--spot', '--dry-run')))
  assert first.stdout == last.stdout != ''
  assert not last.returncode


@pytest.mark.parametrize('accelerator, runtime', [
    ('v4-8', 'tpu-ubuntu2204-base'), ('v5litepod-8', 'v2-alpha-tpuv5-lite'),
    ('v5p-8', 'v2-alpha-tpuv5')])
def test_today_s_tensorflow_has_images_of_its_own(accelerator, runtime):
  (words,) = _dry_run('create.sh', ACCELERATOR=accelerator, TENSORFLOW='2.20')
  assert f'--version={runtime}' in words
  assert 'install_on_tpu.sh 2.20 ' in _remote(
      _dry_run('set_up.sh', TENSORFLOW='2.20')[2])
  (words,) = _dry_run('train.sh', 'x', TENSORFLOW='2.20')
  command = _remote(words)
  assert 'libtpu.so) nohup .venv-tpu/bin/python -m tf_muzero.train' in command


@pytest.mark.parametrize('accelerator, tensorflow, message', [
    ('v6e-8', '2.15', 'knows no v6e: set TENSORFLOW=2.20'),
    ('v6e-16', '', 'v6e-16 is a pod'), ('v5p-32', '2.20', 'v5p-32 is a pod'),
    ('v4-8', '2.18', 'must be 2.15 or 2.20, got 2.18')])
def test_what_cannot_run_is_refused_before_it_is_paid(
    accelerator, tensorflow, message):
  done = _run('create.sh', '--dry-run', ACCELERATOR=accelerator,
              TENSORFLOW=tensorflow)
  assert done.returncode == 2 and message in done.stderr
  assert not done.stdout


def test_create_queued():
  assert _dry_run('create.sh', '--queued', PROJECT='planning') == [[
      'gcloud', 'compute', 'tpus', 'queued-resources', 'create', 'agent',
      '--node-id=agent', '--accelerator-type=v4-8',
      '--runtime-version=tpu-vm-tf-2.15.1-pjrt', '--zone=us-central2-b',
      '--project=planning']]


def test_set_up_copies_to_all_workers_and_installs_there():
  archive, copy, install = _dry_run('set_up.sh')
  assert archive[:2] == ['git', 'archive']
  assert copy[3:6] == ['tpu-vm', 'scp', 'tf_muzero.tar.gz']
  assert '--worker=all' in copy and '--worker=all' in install
  assert _remote(install).endswith(
      'tools/install_on_tpu.sh 2.15 && touch .set_up')


@pytest.mark.skipif(
    sys.version_info >= (3, 12),
    reason='The image has TensorFlow 2.15; other requirements hold here.')
def test_everything_but_tensorflow_is_installed_on_a_tpu():
  config = configparser.ConfigParser()
  config.read(os.path.join(_ROOT, 'setup.cfg'))
  requirements = [Requirement(line) for line in
                  (config['options']['install_requires'] +
                   config['options.extras_require']['atari']).splitlines()
                  if line and not line.startswith('#')]
  wanted = [x.name for x in requirements
            if not x.marker or x.marker.evaluate()]
  with open(os.path.join(_TPU, 'requirements.txt'), encoding='utf-8') as file:
    listed = {_canonical(line) for line in file if not line.startswith('#')}
  brought = _closure(['tensorflow'])
  assert sorted(_closure(wanted) - brought - listed) == []
  assert sorted(listed & brought) == []


def _closure(names):
  """Returns the names of distributions and of all that they need."""
  found, todo = set(), list(names)
  while todo:
    name = _canonical(todo.pop())
    if name in found:
      continue
    found.add(name)
    for line in metadata.distribution(name).requires or ():
      requirement = Requirement(line)
      if not requirement.marker or requirement.marker.evaluate({'extra': ''}):
        todo.append(requirement.name)
  return found


def _canonical(name):
  return re.sub('[-_.]+', '-', name.strip()).lower()


@pytest.mark.parametrize('accelerator, variables', [
    ('v4-8', 'TPU_NAME=local NEXT_PLUGGABLE_DEVICE_USE_C_API=true '),
    ('v4-32', 'TPU_NAME=agent TPU_LOAD_LIBRARY=0 ')])
def test_train_runs_on_the_first_worker_alone(accelerator, variables):
  (words,) = _dry_run('train.sh', *_ARGUMENTS, ACCELERATOR=accelerator)
  assert '--worker=0' in words
  command = _remote(words)
  assert f'\n{variables}' in command
  given = command[command.index('tf_muzero.train'):command.index('>>')]
  assert shlex.split(given)[1:] == _ARGUMENTS


def test_the_reanalyse_service_has_a_worker_on_every_host():
  dispatcher, workers = _dry_run('reanalyse.sh')
  assert '--worker=0' in dispatcher and '--worker=all' in workers
  assert '--role=dispatcher' in _remote(dispatcher)
  assert '--dispatcher=grpc://WORKER_0:5050' in _remote(workers)


def test_watch_stop_and_delete():
  assert [x[4] for x in _dry_run('watch.sh')] == ['describe', 'ssh']
  assert _dry_run('watch.sh', '--tensorboard', 'gs://x') == [
      ['tensorboard', '--logdir=gs://x/tensorboard']]
  assert [x[6] for x in _dry_run('stop.sh')] == ['--worker=0', '--worker=all']
  assert _dry_run('delete.sh')[0][3:6] == ['tpu-vm', 'delete', 'agent']
  assert '--force' in _dry_run('delete.sh', '--queued')[0]


@pytest.mark.parametrize('state, expected', [
    ('PREEMPTED', ['delete', 'create', 'scp', 'ssh', 'ssh']),
    ('', ['create', 'scp', 'ssh', 'ssh']),  # There is none.
    ('READY', ['ssh', 'ssh'])])  # The first asks whether it is set up.
def test_resume_makes_what_is_missing(state, expected, tmp_path):
  _make_gcloud(
      tmp_path, 'if [[ "$*" == *networkEndpoints* ]]; then echo 10.0.0.7\n'
      'elif [[ "$4" == describe ]]; then\n'
      f'  {_tell(state)}\n'
      f'else echo "$4" >> "{tmp_path}/calls"\n'
      f'echo "$*" > "{tmp_path}/last"; fi\n')
  done = _run('resume.sh', '--spot', '--gin_bindings=x = "grpc://WORKER_0:50"',
              path=str(tmp_path))
  assert done.returncode == 0, done.stderr
  assert (tmp_path / 'calls').read_text().split() == expected
  # The address is that of the TPU that there is now.
  assert '"grpc://10.0.0.7:50' in (tmp_path / 'last').read_text()


@pytest.mark.parametrize('queued, expected', [
    ('WAITING_FOR_RESOURCES', ['scp', 'ssh', 'ssh']),
    ('FAILED', ['delete', 'create', 'scp', 'ssh', 'ssh']),
    ('', ['create', 'scp', 'ssh', 'ssh'])])
def test_resume_keeps_a_request_that_waits(queued, expected, tmp_path):
  (tmp_path / 'queue').write_text(queued)
  _make_gcloud(tmp_path, f'cd "{tmp_path}"\nstate="$(cat queue)"\n'
               'case "$3 $4" in\n'
               '*delete) state= ;;\n*create) state=ACTIVE ;;\nesac\n'
               'if [[ "$4" != describe ]]; then echo "$4" >> calls\n'
               'elif [[ "$3" != tpu-vm && -n "$state" ]]; then echo "$state"\n'
               '  [[ "$state" == WAIT* ]] && state=ACTIVE\n'
               'elif [[ "$state" == ACTIVE ]]; then echo READY\n'
               'else echo NOT_FOUND >&2; exit 1; fi\n'
               'echo "$state" > queue\n')
  done = _run('resume.sh', '--queued', 'x', path=str(tmp_path),
              POLL_SECONDS='0')
  assert done.returncode == 0, done.stderr
  assert (tmp_path / 'calls').read_text().split() == expected


@pytest.mark.parametrize('answer, message', [
    ('echo STOPPED', 'tpu-vm start agent'),
    ('echo "UNAVAILABLE: try later" >&2; exit 1', 'UNAVAILABLE')])
def test_resume_deletes_nothing_that_may_be_well(answer, message, tmp_path):
  _make_gcloud(tmp_path, f'if [[ "$4" == describe ]]; then {answer}\n'
               f'else echo "$4" >> "{tmp_path}/calls"; fi\n')
  done = _run('resume.sh', '--queued', 'x', path=str(tmp_path))
  assert done.returncode == 1 and message in done.stderr
  assert not (tmp_path / 'calls').exists()


def test_resume_sets_up_again_what_was_not_set_up(tmp_path):
  _make_gcloud(tmp_path, 'if [[ "$4" == describe ]]; then echo READY\n'
               f'else echo "$4" >> "{tmp_path}/calls"\n'
               '[[ "$*" == *MISSING* ]] && echo MISSING\nfi\nexit 0\n')
  done = _run('resume.sh', 'x', path=str(tmp_path))
  assert done.returncode == 0, done.stderr
  assert (tmp_path / 'calls').read_text().split() == [
      'ssh', 'scp', 'ssh', 'ssh']


@pytest.mark.parametrize('body, code', [
    ('echo A typo. >&2; exit 1', 1), ('echo Done.', 0), ('sleep 5', 0)])
def test_a_training_that_fails_at_once_is_told(body, code, tmp_path):
  _make_host(tmp_path)
  (tmp_path / 'tf_muzero').mkdir()
  python = tmp_path / 'python3'
  python.write_text(f'#!/usr/bin/env bash\n{body}\n')
  python.chmod(0o755)
  done = _run('train.sh', 'x', path=str(tmp_path), START_SECONDS='1')
  assert done.returncode == code
  assert ('A typo.' in done.stderr) == bool(code)


def test_a_dry_run_of_the_set_up_leaves_files_alone(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  (tmp_path / 'tf_muzero.tar.gz').write_text('mine')
  assert _run('set_up.sh', '--dry-run').returncode == 0
  assert (tmp_path / 'tf_muzero.tar.gz').read_text() == 'mine'


def test_resume_starts_the_service_on_a_tpu_that_is_there(tmp_path):
  _make_gcloud(tmp_path, 'if [[ "$4" == describe ]]; then echo READY\n'
               f'else echo "$*" >> "{tmp_path}/calls"; fi\n')
  done = _run('resume.sh', '--reanalyse', 'x', path=str(tmp_path))
  assert done.returncode == 0, done.stderr
  assert re.findall(r'python3? -m tf_muzero.(\w+)', (
      tmp_path / 'calls').read_text()) == [
          'reanalyse_service', 'reanalyse_service', 'train']


@pytest.mark.parametrize('state', ['FAILED', 'SUSPENDED'])
def test_a_request_that_failed_is_not_waited_for(state, tmp_path):
  _make_gcloud(tmp_path, 'if [[ "$3 $4" == "queued-resources describe" ]]\n'
               f'then echo {state}; fi\n')
  done = _run('create.sh', '--queued', path=str(tmp_path), POLL_SECONDS='9999')
  assert done.returncode == 1
  assert f'agent is {state}' in done.stderr and 'delete.sh' in done.stderr


def test_a_second_start_of_the_service_replaces_only_what_has_ended(tmp_path):
  _make_host(tmp_path)
  python = tmp_path / 'tf_muzero' / '.venv' / 'bin' / 'python'
  python.parent.mkdir(parents=True)
  python.write_text('#!/usr/bin/env bash\nexec sleep 60\n')
  python.chmod(0o755)
  with subprocess.Popen(['true']) as ended:
    ended.wait()
  pids = []
  try:
    for _ in range(3):
      done = _run('reanalyse.sh', path=str(tmp_path))
      assert done.returncode == 0, done.stderr
      pids.append([int((tmp_path / f'{role}.pid').read_text())
                   for role in ('dispatcher', 'worker')])
      if len(pids) == 2:
        (tmp_path / 'worker.pid').write_text(str(ended.pid))
  finally:
    for pid in {pid for each in pids for pid in each}:
      os.kill(pid, signal.SIGTERM)
  assert pids[0] == pids[1]
  assert pids[2][0] == pids[0][0] and pids[2][1] != pids[0][1]


def test_the_service_lives_until_the_trainer_has_saved(tmp_path):
  _make_host(tmp_path)
  with subprocess.Popen(['sleep', '60']) as worker, subprocess.Popen(
      ['bash', '-c', f"trap 'sleep 0.2; kill -0 {worker.pid} && echo saved; "
       "exit 75' TERM; echo ready; while :; do sleep 0.05; done"],
      stdout=subprocess.PIPE, text=True) as trainer:
    assert trainer.stdout.readline() == 'ready\n'
    for name, process in (('train', trainer), ('worker', worker)):
      # What has ended is there until somebody waits for it.
      threading.Thread(target=process.wait).start()
      (tmp_path / f'{name}.pid').write_text(str(process.pid))
    done = _run('stop.sh', path=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert trainer.wait() == 75 and trainer.stdout.read() == 'saved\n'
    assert worker.wait() == -signal.SIGTERM
  assert not list(tmp_path.glob('*.pid'))


def _tell(state):
  """Returns what gcloud does for a state, '' where there is nothing."""
  return f'echo {state}' if state else 'echo NOT_FOUND >&2; exit 1'


def _make_gcloud(folder, body):
  fake = folder / 'gcloud'
  fake.write_text(f'#!/usr/bin/env bash\n{body}')
  fake.chmod(0o755)


def _make_host(folder):
  """Makes a gcloud that runs what goes to a worker here, in a folder."""
  _make_gcloud(folder, f'cd "{folder}"\nfor word in "$@"; do\n'
               '  if [[ "${word}" == --command=* ]]; then\n'
               '    bash -c "${word#*=}" || exit\n  fi\ndone\n')


@pytest.mark.parametrize('script', _SCRIPTS)
def test_wrong_settings_are_refused(script):
  done = _run(script, '--dry-run', ACCELERATOR='v4')
  assert done.returncode == 2 and 'like v4-8' in done.stderr
  done = _run(script, '--dry-run', ZONE='')
  assert done.returncode == 2 and 'Set ZONE' in done.stderr


@pytest.mark.skipif(not shutil.which('shellcheck'), reason='needs shellcheck')
def test_shellcheck_finds_nothing():
  subprocess.run(['shellcheck', *_SCRIPTS], check=True, cwd=_TPU)
