"""Tests of `tf_muzero.cli`: what a command gets, and how it ends."""

import os
import subprocess
import sys

import pytest

from tests import cli_fakes
from tf_muzero import cli
from tf_muzero.config import files

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# As tf-muzero runs its commands: tf_muzero is imported before TensorFlow, which
# takes seconds, and here once for all.
_AS_COMMANDS = """
import os, runpy, sys
import tf_muzero, tensorflow
for name, arguments in {runs!r}.items():
  process = os.fork()
  if not process:
    for stream in (1, 2):
      os.dup2(os.open(f'{{name}}.{{stream}}', os.O_WRONLY | os.O_CREAT), stream)
    sys.argv[1:] = arguments
    runpy.run_module('tests.cli_fakes', run_name='__main__', alter_sys=True)
    sys.exit()
  print(name, os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]))
"""


@pytest.fixture(name='base')
def _base(tmp_path):
  path = tmp_path / 'base.gin'
  path.write_text(cli_fakes.BASE, encoding='utf-8')
  return str(path)


def test_the_command_gets_what_files_and_lines_say(base):
  result = cli_fakes.configure(base, 'cli_fakes.command.rate = 2').command_fn()
  assert result == 5 * 2 * 10
  assert cli_fakes.CALLS[-1] == dict(
      directory='runs/x', num_steps=5, rate=2, is_fast=False,
      part=cli_fakes.Part(3), validated=None, sizes=())


def test_a_configuration_leaves_nothing_behind(base):
  cli_fakes.configure(base, 'cli_fakes.command.rate = 2')
  cli_fakes.configure(base).command_fn()
  assert cli_fakes.CALLS[-1]['rate'] == 1.0


def test_positional_arguments_win(base):
  cli.configure(cli_fakes.command, [base], [],
                arguments={'directory': 'it\'s "here"'}).command_fn()
  assert cli_fakes.CALLS[-1]['directory'] == 'it\'s "here"'


@pytest.mark.parametrize('name, value, line', [
    ('num_steps', 7, 'STEPS = 7'),
    ('directory', 'runs/y', "DIRECTORY = 'runs/y'"),
    ('rate', 2.5, 'cli_fakes.command.rate = 2.5'),
    ('is_fast', True, 'cli_fakes.command.is_fast = True'),
])
def test_an_option_wins_over_files_and_lines(base, name, value, line):
  configuration = cli.configure(
      cli_fakes.command, [base],
      ['STEPS = 6', 'cli_fakes.command.rate = 2.0'], arguments={
          'directory': 'runs/x', name: value})
  configuration.command_fn()
  assert cli_fakes.CALLS[-1][name] == value
  assert f'\n{line}\n' in configuration.text


def test_an_option_wins_over_a_line_that_replaces_a_macro(base):
  text = cli.configure(
      cli_fakes.command, [base], ['cli_fakes.command.num_steps = 6'],
      arguments={'directory': 'x', 'num_steps': 7}).text
  assert 'cli_fakes.command.num_steps = 7' in text and 'STEPS' not in text


def test_default_files_come_first(base, tmp_path):
  (tmp_path / 'more.gin').write_text('STEPS = 7\n', encoding='utf-8')
  seen = []

  def default_files(arguments, gin_files):
    seen.append((dict(arguments), list(gin_files)))
    return [base]

  more = str(tmp_path / 'more.gin')
  cli.configure(cli_fakes.command, [more], [], arguments={'directory': 'x'},
                default_files_fn=default_files).command_fn()
  assert cli_fakes.CALLS[-1]['num_steps'] == 7
  assert seen == [({'directory': 'x'}, [more])]


def test_a_command_without_any_binding_is_called_as_it_is():
  def command(number: int = 3):
    return number
  assert cli.configure(command, [], []).command_fn is command


def test_includes_are_found_in_the_repository_from_any_directory(
    tmp_path, monkeypatch, base):
  monkeypatch.setattr(files, 'ROOTS', ('', str(tmp_path)))
  monkeypatch.chdir('/')
  (tmp_path / 'own.gin').write_text(
      'include "base.gin"\nSTEPS = 7\n', encoding='utf-8')
  del base
  cli_fakes.configure('own.gin').command_fn()
  assert cli_fakes.CALLS[-1]['num_steps'] == 7


@pytest.mark.parametrize('lines', [
    'import math\nfrom __gin__ import dynamic_registration',
    'from __gin__ import dynamic_registrations'])
def test_the_switch_of_gin_comes_first(lines, tmp_path):
  (tmp_path / 'own.gin').write_text(lines)
  with pytest.raises(cli.ConfigError, match='own.gin.*first import has to be'):
    cli.configure(cli_fakes.command, [str(tmp_path / 'own.gin')], [])


def test_gin_looks_for_no_files_itself(tmp_path, monkeypatch, caplog):
  monkeypatch.chdir(tmp_path)
  caplog.set_level('INFO')
  (tmp_path / 'own.gin').write_text(
      'STEPS = 1\ninclude "gin/included.gin"\nSTEPS = 4\n', encoding='utf-8')
  root = tmp_path / 'root'
  (root / 'gin').mkdir(parents=True)
  (root / 'gin' / 'included.gin').write_text(
      cli_fakes.BASE + 'STEPS = 3\n', encoding='utf-8')
  monkeypatch.setattr(files, 'ROOTS', ('', str(root)))
  for gin_files, lines in ((['own.gin'], []), (['own.gin'], [
      'include "gin/included.gin"', 'STEPS = 4'])):
    cli.configure(cli_fakes.command, gin_files, lines,
                  arguments={'directory': 'x'}).command_fn()
    assert cli_fakes.CALLS[-1]['num_steps'] == 4
  assert not caplog.text


def test_the_command_line(tmp_path, base):
  """Five processes, of one that has imported TensorFlow."""
  runs = {
      'fine': (),
      'config': ('--gin_bindings=cli_fakes.command.num_stepz=3',),
      'value': ('--gin_bindings=STEPS=13',),
      'graph': ('--gin_bindings=STEPS=15',),
  }
  program = _AS_COMMANDS.format(runs={'nothing': [], **{
      name: [str(tmp_path / name), f'--gin_file={base}', *arguments]
      for name, arguments in runs.items()}})
  codes = subprocess.run(
      [sys.executable, '-c', program], cwd=tmp_path, check=True, text=True,
      stdout=subprocess.PIPE, env={**os.environ, 'PYTHONPATH': _ROOT}).stdout
  assert codes.splitlines() == [
      'nothing 1', 'fine 0', 'config 1', 'value 1', 'graph 1']
  said = {name: (tmp_path / f'{name}.2').read_text('utf8')
          for name in (*runs, 'nothing')}
  assert said['fine'] == ''
  assert said['config'].startswith('Error: --gin_bindings=')
  assert said['config'].count('\n') == 1
  assert said['value'] == (
      'Error: There is no 13.\n(TF_MUZERO_DEBUG=1 shows where.)\n')
  assert said['graph'] == (
      'Error: Bad episode: the 15th.\n(TF_MUZERO_DEBUG=1 shows where.)\n')
  assert said['nothing'] == ''
  assert (tmp_path / 'nothing.1').read_text('utf8').startswith(
      'tf-muzero cli_fakes DIRECTORY [--op')
  assert (tmp_path / 'fine' / 'operative_config.gin').exists()
  assert not (tmp_path / 'config').exists()


def test_an_unexpected_error_keeps_its_traceback(base):
  with pytest.raises(KeyError, match='missing'):
    cli.call(cli_fakes.configure(base, 'STEPS = 14'))
