"""What is installed on a host with a TPU, by programs that only tell."""

import os
import shutil
import subprocess

import pytest

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


@pytest.mark.parametrize('tensorflow, expected', [
    ('2.15', ['-c import tensorflow', '-m pip install --quiet --user --no-deps',
              'setup_venv', '-c import ale_py.roms, tf_muzero.train']),
    ('2.20', ['setup_venv', '-m venv --clear .venv-tpu', '-m pip freeze',
              '-m pip install --quiet -c .venv-tpu/constraints.txt',
              '-m pip install --quiet --no-deps -r .venv-tpu/constraints.txt',
              '-c import ale_py.roms, tf_muzero.train'])])
def test_the_tensorflow_that_knows_tpus_is_not_replaced(
    tensorflow, expected, tmp_path):
  tools = tmp_path / 'tools'
  tools.mkdir()
  shutil.copy(os.path.join(_ROOT, 'tools', 'install_on_tpu.sh'), tools)
  (tools / 'setup_venv.sh').write_text('echo setup_venv >> calls\n')
  for name in ('python3', '.venv/bin/python', '.venv-tpu/bin/python'):
    fake = tmp_path / name
    fake.parent.mkdir(parents=True, exist_ok=True)
    fake.write_text(f'#!/usr/bin/env bash\necho "$*" >> "{tmp_path}/calls"\n'
                    'printf "tensorflow==2.21\\ntf_keras==2.21\\nnumpy==2\\n"')
    fake.chmod(0o755)
  subprocess.run(
      ['bash', str(tools / 'install_on_tpu.sh'), tensorflow], check=True,
      env={**os.environ, 'PATH': f'{tmp_path}:{os.environ["PATH"]}',
           'PYTHON': str(tmp_path / 'python3')})
  calls = [line for line in (tmp_path / 'calls').read_text().splitlines()
           if not line.startswith('assert')]
  assert len(calls) == len(expected)
  assert all(map(str.startswith, calls, expected)), calls
  if tensorflow == '2.20':
    assert (tmp_path / '.venv-tpu' / 'constraints.txt').read_text() == (
        'numpy==2\n')
