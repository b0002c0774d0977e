"""The package installed, and used from elsewhere than the repository."""

import os
import re
import shutil
import subprocess
import sys

import pytest

from tf_muzero import collect
from tf_muzero.envs import behaviours

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


@pytest.fixture(name='installed', scope='module')
def _installed(tmp_path_factory):
  """Returns the folder that pip installed a copy of the repository into."""
  root = tmp_path_factory.mktemp('installed')
  source = root / 'source'
  for folder in ('tf_muzero', 'gin'):
    shutil.copytree(os.path.join(_ROOT, folder), source / folder,
                    ignore=shutil.ignore_patterns('__pycache__'))
  for name in ('setup.py', 'setup.cfg', 'pyproject.toml', 'README.md',
               'LICENSE'):
    shutil.copy(os.path.join(_ROOT, name), source)
  subprocess.run(
      [sys.executable, '-m', 'pip', 'install', '--no-index', '--no-deps',
       '--no-build-isolation', '--no-compile', '--quiet', '--target',
       str(root / 'site'), str(source)], check=True, cwd=root,
      env={**os.environ, 'PIP_DISABLE_PIP_VERSION_CHECK': '1'})
  shutil.rmtree(source)
  return root / 'site'


def _run(installed, folder, *command):
  """Runs a command in a folder, with the installed package alone."""
  environment = {name: value for name, value in os.environ.items()
                 if name != 'TF_CPP_MIN_LOG_LEVEL'}
  return subprocess.run(
      [sys.executable, *command], cwd=folder, check=True, text=True,
      capture_output=True,
      env={**environment, 'PYTHONPATH': str(installed),
           'CUDA_VISIBLE_DEVICES': ''})


def test_all_files_come_along(installed):
  package = installed / 'tf_muzero'
  assert (package / 'py.typed').exists()
  there = {path.relative_to(package).as_posix()
           for path in package.rglob('*') if path.is_file()}
  for top in ('tf_muzero', 'gin'):
    for folder, _, names in os.walk(os.path.join(_ROOT, top)):
      for name in names:
        path = os.path.relpath(os.path.join(folder, name), _ROOT)
        path = path.removeprefix('tf_muzero/')
        assert path in there or '__pycache__' in path, path
  assert not (installed / 'gin').exists()


def test_the_commands_are_listed(installed, tmp_path):
  listed = _run(installed, tmp_path, str(installed / 'bin' / 'tf-muzero'),
                '--help').stdout
  assert re.search(r'^  train +Learns from logged episodes', listed, re.M)


def test_an_installed_command_finds_its_files_and_is_quiet(
    installed, tmp_path):
  collect.collect(task='catch', directory=str(tmp_path / 'data'),
                  num_episodes=2, seed=1, behaviour=behaviours.uniform(),
                  action_repeat=1)
  (tmp_path / 'my_own.py').touch()
  done = _run(
      installed, tmp_path, str(installed / 'bin' / 'tf-muzero'), 'train',
      'run', 'data', '--gin_file=gin/experiment/catch.gin',
      '--gin_file=gin/hardware/smoke.gin', '--nojit_compile',
      '--gin_bindings=import my_own')
  assert (tmp_path / 'run' / 'checkpoints').is_dir()
  assert done.stdout == ''
  # Each line is ours: the level, date and time, thread, and one of our files;
  # or a progress bar, which wiped itself out.
  ours = {name for _, _, names in os.walk(installed) for name in names}
  for line in done.stderr.split('\n'):
    line = line.rpartition('\r')[2]
    found = re.match(r'I\d{4} [\d:.]+ +\d+ (\w+\.py):\d+\] ', line)
    assert not line or found and found[1] in ours, repr(line)
  where = _run(installed, tmp_path, '-c', (
      'import tf_muzero; print(tf_muzero.__file__)')).stdout
  assert where.startswith(str(installed))


def test_importing_it_changes_no_settings_of_others(installed, tmp_path):
  """Logging, warnings, flags and a level that the user chose stay."""
  _run(installed, tmp_path, '-c', '''
import logging, os, warnings
os.environ['TF_CPP_MIN_LOG_LEVEL'] = '1'
before = list(logging.root.handlers), logging.root.level
from absl import flags
import tf_muzero
from tf_muzero import train
flags.DEFINE_string('gin_file', '', 'Of the user.')
flags.DEFINE_string('output', '', 'Of the user.')
assert os.environ['TF_CPP_MIN_LOG_LEVEL'] == '1'
assert logging.root.level == before[1], logging.root.level
''')
