"""Runs the commands of the README, made small, and looks at what docs name."""

import glob
import os
import re
import shlex
import subprocess
import sys

import pytest

from tf_muzero import cli
from tf_muzero import collect
from tf_muzero import inspect
from tf_muzero import train
from tf_muzero.config import options

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# What makes each command cheap; the rest of it runs as it stands.
_SMALLER = {
    'collect': ['--num_episodes=4'],
    'inspect': [],
    'train': ['--num_steps=2', '--gin_file=gin/experiment/own_data.gin',
              '--gin_file=gin/hardware/smoke.gin'],
    'evaluate': ['--num_episodes=1', '--num_environments=1',
                 '--gin_bindings=acting/mcts.search.num_simulations = 2'],
    'report': [],
    'export': ['--nojit_compile',
               '--gin_bindings=acting/mcts.search.num_simulations = 2'],
}


def _read(path):
  with open(os.path.join(_ROOT, path), encoding='utf-8') as file:
    return file.read()


def _readme():
  return _read('README.md')


def _blocks(language):
  return re.findall(rf'^```{language}\n(.*?)^```', _readme(), re.M | re.S)


def _commands(language):
  """Returns the words of each command, lines that go on joined."""
  lines = '\n'.join(_blocks(language)).replace('\\\n', ' ').splitlines()
  return [shlex.split(line, comments=True) for line in lines if line.strip()]


@pytest.mark.slow
def test_the_commands_run_in_their_order(tmp_path):
  environment = {**os.environ, 'PYTHONPATH': _ROOT, 'CUDA_VISIBLE_DEVICES': ''}
  seen = []
  for words in _commands('bash'):
    if words[0] == 'source':
      continue
    assert words[0] == 'tf-muzero', words
    seen.append(words[1])
    done = subprocess.run(
        [sys.executable, '-m', 'tf_muzero',
         *(x for x in words[1:] if not x.startswith('--num_')),
         *_SMALLER[words[1]]],
        check=False, cwd=tmp_path, env=environment, capture_output=True,
        text=True)
    assert done.returncode == 0, f'{words}\n{done.stdout}\n{done.stderr}'
  assert seen == list(_SMALLER)
  acting, = _blocks('python')
  done = subprocess.run([sys.executable, '-c', acting], check=False,
                        cwd=tmp_path, capture_output=True, text=True)
  assert done.returncode == 0, done.stderr
  assert re.fullmatch(r'return: [\d.]+\n', done.stdout)


@pytest.mark.parametrize('words', [
    words for words in _commands('console') if words[0] == 'bash'])
def test_a_script_that_is_named_is_there(words):
  assert os.access(os.path.join(_ROOT, words[1]), os.X_OK)
  assert subprocess.run(
      ['bash', '-n', words[1]], cwd=_ROOT, check=False).returncode == 0


@pytest.mark.parametrize('path', [
    'README.md', 'CHANGELOG.md', 'docs/*.md', 'tpu/*', 'gin/**/*.gin'])
def test_every_folder_and_file_that_is_named_is_there(path):
  for each in glob.glob(os.path.join(_ROOT, path), recursive=True):
    for name in re.findall(
        r'(?<![\w./-])((?:tf_muzero|gin|docs|tests|tools|tpu)/[\w./-]*\w)',
        _read(each)):
      assert os.path.exists(os.path.join(_ROOT, name)), f'{name} in {each}'


@pytest.mark.parametrize('command_fn, positional', [
    (collect.collect, ['directory']), (inspect.inspect, ['directory']),
    (train.train, ['run_directory', 'dataset'])])
def test_the_first_command_of_a_docstring_is_configured(
    command_fn, positional):
  module = sys.modules[command_fn.__module__]
  text = module.__doc__.split('\n\n')[1].replace('\\\n', ' ')
  program, name, *words = shlex.split(text.splitlines()[0])
  assert (program, f'tf_muzero.{name}') == ('tf-muzero', module.__name__)
  given = options.parse(command_fn, positional, [name, *words])
  cli.configure(
      command_fn, given.gin_files, given.gin_bindings,
      arguments=given.arguments, default_files_fn=getattr(
          module, 'default_files', lambda arguments, gin_files: ()))
