"""One training at a time in a run directory."""

import json
import os
import socket
import subprocess
import sys
import time

import pytest
import tensorflow as tf

from tf_muzero.learning import run_lock

_HOLD = (
    'import sys, time\n'
    'from tf_muzero.learning import run_lock\n'
    'with run_lock.hold(sys.argv[1]):\n'
    "  print('held', flush=True)\n"
    '  time.sleep(600)\n')


def test_the_second_is_refused_and_told_who_is_first(tmp_path):
  directory = str(tmp_path / 'run')
  with run_lock.hold(directory):
    said = (f'in use by another program .process {os.getpid()} on '
            f'{socket.gethostname()}, since 20')
    with pytest.raises(ValueError, match=said):
      run_lock.check(directory)
    with pytest.raises(ValueError, match=said):
      with run_lock.hold(directory):
        pass
    with run_lock.hold(directory, is_chief=False):
      pass  # The chief holds it for all workers.
  assert not os.listdir(directory)
  run_lock.check(directory)


def test_a_lock_dies_with_its_process(tmp_path):
  directory = str(tmp_path)
  with subprocess.Popen([sys.executable, '-c', _HOLD, directory],
                        stdout=subprocess.PIPE) as process:
    assert process.stdout.readline() == b'held\n'
    with pytest.raises(ValueError, match=f'process {process.pid} on'):
      run_lock.check(directory)
    process.kill()
  assert os.path.exists(tmp_path / 'lock')
  run_lock.check(directory)
  with run_lock.hold(directory):
    pass


def test_an_error_frees_it(tmp_path):
  with pytest.raises(KeyError):
    with run_lock.hold(str(tmp_path)):
      raise KeyError
  run_lock.check(str(tmp_path))


def _write(path, **holder):
  with tf.io.gfile.GFile(path, 'w') as file:
    file.write(json.dumps(holder))


def test_elsewhere_it_has_signs_of_life():
  directory, path = 'ram://lock/run', 'ram://lock/run/lock'
  with run_lock.hold(directory):
    with pytest.raises(ValueError, match='sign of life was 0 s ago; .* 300 s'):
      run_lock.check(directory)
  assert not tf.io.gfile.exists(path)
  # Of a machine that says no more.
  _write(path, host='elsewhere', pid=1, started='then', seen=time.time() - 200)
  with pytest.raises(ValueError, match='process 1 on elsewhere, since then'):
    run_lock.check(directory)
  _write(path, host='elsewhere', pid=1, started='then', seen=time.time() - 400)
  run_lock.check(directory)
  # Of a process of this one that is gone.
  _write(path, host=socket.gethostname(), pid=2**30, seen=time.time())
  run_lock.check(directory)
  tf.io.gfile.remove(path)
