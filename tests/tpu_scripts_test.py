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

from tests import tpu_fakes as fakes

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_SCRIPTS = sorted(x for x in os.listdir(fakes.TPU) if x.endswith('.sh'))
_ARGUMENTS = ['--gin_file=gin/train.gin',
              """--gin_bindings=RUN_DIRECTORY = "gs://it's/a run" """]


def _dry_run(script, *arguments, **settings):
  """Returns the words of each command that a script prints."""
  done = fakes.run(script, '--dry-run', *arguments, **settings)
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
  first, last = (fakes.run('create.sh', *options) for options in (
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
  done = fakes.run('create.sh', '--dry-run', ACCELERATOR=accelerator,
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
  with open(os.path.join(fakes.TPU, 'requirements.txt'),
            encoding='utf-8') as file:
    lines = [Requirement(x.strip()) for x in file if not x.startswith('#')]
  listed = {_canonical(x.name) for x in lines
            if not x.marker or x.marker.evaluate()}
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


def test_a_dry_run_of_the_set_up_leaves_files_alone(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  (tmp_path / 'tf_muzero.tar.gz').write_text('mine')
  assert fakes.run('set_up.sh', '--dry-run').returncode == 0
  assert (tmp_path / 'tf_muzero.tar.gz').read_text() == 'mine'


def test_a_second_start_of_the_service_replaces_only_what_has_ended(tmp_path):
  fakes.make_host(tmp_path)
  python = tmp_path / 'tf_muzero' / '.venv' / 'bin' / 'python'
  python.parent.mkdir(parents=True)
  python.write_text('#!/usr/bin/env bash\nexec sleep 60\n')
  python.chmod(0o755)
  with subprocess.Popen(['true']) as ended:
    ended.wait()
  pids = []
  try:
    for _ in range(3):
      done = fakes.run('reanalyse.sh', path=str(tmp_path))
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
  fakes.make_host(tmp_path)
  with subprocess.Popen(['sleep', '60']) as worker, subprocess.Popen(
      ['bash', '-c', f"trap 'sleep 0.2; kill -0 {worker.pid} && echo saved; "
       "exit 75' TERM; echo ready; while :; do sleep 0.05; done"],
      stdout=subprocess.PIPE, text=True) as trainer:
    assert trainer.stdout.readline() == 'ready\n'
    for name, process in (('train', trainer), ('worker', worker)):
      # What has ended is there until somebody waits for it.
      threading.Thread(target=process.wait).start()
      (tmp_path / f'{name}.pid').write_text(str(process.pid))
    done = fakes.run('stop.sh', path=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert trainer.wait() == 75 and trainer.stdout.read() == 'saved\n'
    assert worker.wait() == -signal.SIGTERM
  assert not list(tmp_path.glob('*.pid'))


@pytest.mark.parametrize('script', _SCRIPTS)
def test_wrong_settings_are_refused(script):
  done = fakes.run(script, '--dry-run', ACCELERATOR='v4')
  assert done.returncode == 2 and 'like v4-8' in done.stderr
  done = fakes.run(script, '--dry-run', ZONE='')
  assert done.returncode == 2 and 'Set ZONE' in done.stderr


@pytest.mark.skipif(not shutil.which('shellcheck'), reason='needs shellcheck')
def test_shellcheck_finds_nothing():
  subprocess.run(['shellcheck', *_SCRIPTS], check=True, cwd=fakes.TPU)
