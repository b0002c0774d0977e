"""The scripts of tpu/: what they would have gcloud do."""

import configparser
import os
import re
import shlex
import shutil
import subprocess
from importlib import metadata

from packaging.requirements import Requirement
import pytest

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_TPU = os.path.join(_ROOT, 'tpu')
_SCRIPTS = sorted(x for x in os.listdir(_TPU) if x.endswith('.sh'))
_SETTINGS = {'TPU_NAME': 'agent', 'ZONE': 'us-central2-b',
             'ACCELERATOR': 'v4-8'}
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
    ('v5p-32', 'tpu-vm-tf-2.15.1-pod-pjrt')])
def test_create(accelerator, runtime):
  assert _dry_run('create.sh', '--spot', ACCELERATOR=accelerator) == [[
      'gcloud', 'compute', 'tpus', 'tpu-vm', 'create', 'agent',
      f'--accelerator-type={accelerator}', f'--version={runtime}', '--spot',
      '--zone=us-central2-b']]


def test_create_queued():
  assert _dry_run('create.sh', '--queued', PROJECT='planning') == [[
      'gcloud', 'compute', 'tpus', 'queued-resources', 'create', 'agent',
      '--node-id=agent', '--accelerator-type=v4-8',
      '--runtime-version=tpu-vm-tf-2.15.1-pjrt', '--zone=us-central2-b',
      '--project=planning']]


def test_set_up_copies_to_all_workers_and_leaves_tensorflow_alone():
  archive, copy, install = _dry_run('set_up.sh')
  assert archive[:2] == ['git', 'archive']
  assert copy[3:6] == ['tpu-vm', 'scp', 'tf_muzero.tar.gz']
  assert '--worker=all' in copy and '--worker=all' in install
  command = _remote(install)
  assert '--no-deps' in command and 'tools/setup_venv.sh' in command


def test_everything_but_tensorflow_is_installed_on_a_tpu():
  config = configparser.ConfigParser()
  config.read(os.path.join(_ROOT, 'setup.cfg'))
  wanted = [Requirement(line).name for line in
            config['options']['install_requires'].splitlines()
            if line and not line.startswith('#')]
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
  assert '--worker=all' in _dry_run('stop.sh')[0]
  assert _dry_run('delete.sh')[0][3:6] == ['tpu-vm', 'delete', 'agent']
  assert '--force' in _dry_run('delete.sh', '--queued')[0]


@pytest.mark.parametrize('state, expected', [
    ('PREEMPTED', ['delete', 'create', 'scp', 'ssh', 'ssh']),
    ('', ['create', 'scp', 'ssh', 'ssh']),  # There is none.
    ('READY', ['ssh'])])
def test_resume_makes_what_is_missing(state, expected, tmp_path):
  fake = tmp_path / 'gcloud'
  fake.write_text(
      '#!/usr/bin/env bash\n'
      'if [[ "$*" == *networkEndpoints* ]]; then echo 10.0.0.7\n'
      'elif [[ "$4" == describe ]]; then\n'
      f'  [[ -n "{state}" ]] && echo "{state}"\n'
      f'else echo "$4" >> "{tmp_path}/calls"\n'
      f'echo "$*" > "{tmp_path}/last"; fi\n')
  fake.chmod(0o755)
  done = _run('resume.sh', '--spot', '--gin_bindings=x = "grpc://WORKER_0:50"',
              path=str(tmp_path))
  assert done.returncode == 0, done.stderr
  assert (tmp_path / 'calls').read_text().split() == expected
  # The address is that of the TPU that there is now.
  assert '"grpc://10.0.0.7:50"' in (tmp_path / 'last').read_text()


@pytest.mark.parametrize('script', _SCRIPTS)
def test_wrong_settings_are_refused(script):
  done = _run(script, '--dry-run', ACCELERATOR='v4')
  assert done.returncode == 2 and 'like v4-8' in done.stderr
  done = _run(script, '--dry-run', ZONE='')
  assert done.returncode == 2 and 'Set ZONE' in done.stderr


@pytest.mark.skipif(not shutil.which('shellcheck'), reason='needs shellcheck')
def test_shellcheck_finds_nothing():
  subprocess.run(['shellcheck', *_SCRIPTS], check=True, cwd=_TPU)
