"""What the scripts of tpu/ do after a preemption, or another failure."""

import re

import pytest

from tests import tpu_fakes as fakes


@pytest.mark.parametrize('state, expected', [
    ('PREEMPTED', ['delete', 'create', 'scp', 'ssh', 'ssh']),
    ('', ['create', 'scp', 'ssh', 'ssh']),  # There is none.
    ('READY', ['ssh', 'ssh'])])  # The first asks whether it is set up.
def test_resume_makes_what_is_missing(state, expected, tmp_path):
  fakes.make_gcloud(
      tmp_path, 'if [[ "$*" == *networkEndpoints* ]]; then echo 10.0.0.7\n'
      'elif [[ "$4" == describe ]]; then\n'
      f'  {fakes.tell(state)}\n'
      f'else echo "$4" >> "{tmp_path}/calls"\n'
      f'echo "$*" > "{tmp_path}/last"; fi\n')
  done = fakes.run(
      'resume.sh', '--spot', '--gin_bindings=x = "grpc://WORKER_0:50"',
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
  fakes.make_gcloud(tmp_path, f'cd "{tmp_path}"\nstate="$(cat queue)"\n'
               'case "$3 $4" in\n'
               '*delete) state= ;;\n*create) state=ACTIVE ;;\nesac\n'
               'if [[ "$4" != describe ]]; then echo "$4" >> calls\n'
               'elif [[ "$3" != tpu-vm && -n "$state" ]]; then echo "$state"\n'
               '  [[ "$state" == WAIT* ]] && state=ACTIVE\n'
               'elif [[ "$state" == ACTIVE ]]; then echo READY\n'
               'else echo NOT_FOUND >&2; exit 1; fi\n'
               'echo "$state" > queue\n')
  done = fakes.run('resume.sh', '--queued', 'x', path=str(tmp_path),
              POLL_SECONDS='0')
  assert done.returncode == 0, done.stderr
  assert (tmp_path / 'calls').read_text().split() == expected


@pytest.mark.parametrize('answer, message', [
    ('echo STOPPED', 'tpu-vm start agent'),
    ('echo "UNAVAILABLE: try later" >&2; exit 1', 'UNAVAILABLE')])
def test_resume_deletes_nothing_that_may_be_well(answer, message, tmp_path):
  fakes.make_gcloud(tmp_path, f'if [[ "$4" == describe ]]; then {answer}\n'
               f'else echo "$4" >> "{tmp_path}/calls"; fi\n')
  done = fakes.run('resume.sh', '--queued', 'x', path=str(tmp_path))
  assert done.returncode == 1 and message in done.stderr
  assert not (tmp_path / 'calls').exists()


def test_resume_sets_up_again_what_was_not_set_up(tmp_path):
  fakes.make_gcloud(tmp_path, 'if [[ "$4" == describe ]]; then echo READY\n'
               f'else echo "$4" >> "{tmp_path}/calls"\n'
               '[[ "$*" == *MISSING* ]] && echo MISSING\nfi\nexit 0\n')
  done = fakes.run('resume.sh', 'x', path=str(tmp_path))
  assert done.returncode == 0, done.stderr
  assert (tmp_path / 'calls').read_text().split() == [
      'ssh', 'scp', 'ssh', 'ssh']


@pytest.mark.parametrize('body, code', [
    ('echo A typo. >&2; exit 1', 1), ('echo Done.', 0), ('sleep 5', 0)])
def test_a_training_that_fails_at_once_is_told(body, code, tmp_path):
  fakes.make_host(tmp_path)
  (tmp_path / 'tf_muzero').mkdir()
  python = tmp_path / 'python3'
  python.write_text(f'#!/usr/bin/env bash\n{body}\n')
  python.chmod(0o755)
  done = fakes.run('train.sh', 'x', path=str(tmp_path), START_SECONDS='1')
  assert done.returncode == code
  assert ('A typo.' in done.stderr) == bool(code)


def test_resume_starts_the_service_on_a_tpu_that_is_there(tmp_path):
  fakes.make_gcloud(tmp_path, 'if [[ "$4" == describe ]]; then echo READY\n'
               f'else echo "$*" >> "{tmp_path}/calls"; fi\n')
  done = fakes.run('resume.sh', '--reanalyse', 'x', path=str(tmp_path))
  assert done.returncode == 0, done.stderr
  assert re.findall(r'python3? -m tf_muzero.(\w+)', (
      tmp_path / 'calls').read_text()) == [
          'reanalyse_service', 'reanalyse_service', 'train']


@pytest.mark.parametrize('state', ['FAILED', 'SUSPENDED'])
def test_a_request_that_failed_is_not_waited_for(state, tmp_path):
  fakes.make_gcloud(
      tmp_path, 'if [[ "$3 $4" == "queued-resources describe" ]]\n'
      f'then echo {state}; fi\n')
  done = fakes.run('create.sh', '--queued', path=str(tmp_path),
                   POLL_SECONDS='9999')
  assert done.returncode == 1
  assert f'agent is {state}' in done.stderr and 'delete.sh' in done.stderr
