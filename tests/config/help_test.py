"""What `--help` and `tf-muzero` show."""

import re
import subprocess
import sys

import pytest

import tf_muzero
from tf_muzero import __main__ as main_lib
from tf_muzero import cli
from tf_muzero import collect
from tf_muzero import convert
from tf_muzero import evaluate
from tf_muzero import export
from tf_muzero import inspect
from tf_muzero import reanalyse_service
from tf_muzero import report
from tf_muzero import search_demo
from tf_muzero import study
from tf_muzero import train
from tf_muzero.config import documentation
from tf_muzero.config import help as help_lib
from tf_muzero.config import options

_COMMANDS = [
    (collect.collect, ['directory']),
    (convert.convert, ['source', 'directory']),
    (evaluate.evaluate, ['directory']),
    (export.export, ['directory']), (inspect.inspect, ['directory']),
    (reanalyse_service.reanalyse_service, []),
    (report.report, ['directories']), (search_demo.search_demo, []),
    (study.study, ['file']),
    (train.train, ['run_directory', 'dataset'])]


def _help(command_fn, positional, defaults=None):
  return help_lib.text(command_fn, sys.modules[command_fn.__module__],
                       positional, defaults or {})


@pytest.mark.parametrize('command_fn, positional', _COMMANDS)
def test_a_command_shows_all_it_takes_on_a_terminal(command_fn, positional):
  shown = _help(command_fn, positional)
  assert max(map(len, shown.splitlines())) <= 80
  name = command_fn.__name__
  assert shown.startswith(f'tf-muzero {name} ')
  assert len(re.findall(rf'^  tf-muzero {name} ', shown, re.M)) >= 2
  documented = documentation.of_arguments(command_fn)
  for option in options.of_command(command_fn):
    assert documented.get(option), option
    if option not in positional:
      assert re.search(rf'^  --(\[no\])?{option}\b', shown, re.M), option
  for word in ('--gin_file=FILE', '--gin_bindings=LINE'):
    assert word in shown


def test_the_help_of_a_command_by_hand():
  shown = _help(evaluate.evaluate, ['directory'], {
      'num_episodes': help_lib.Default(10, 'gin/evaluate.gin')})
  assert shown.startswith('tf-muzero evaluate DIRECTORY [--option=value ...]\n')
  assert '\nOptions [and defaults, with * what gin/evaluate.gin says]:\n' in (
      shown)
  assert ' [10 *]\n' in shown
  assert '\n  --frames_per_second=INTEGER\n      Of the video. [25]\n' in shown
  assert '\n  --[no]jit_compile\n' in shown
  assert shown.endswith('\n\nBy gin alone: agent_fn, modes, search_fn.')


def test_what_has_a_default_or_takes_more_is_shown_so():
  first = lambda *command: _help(*command).partition('\n')[0]
  assert first(train.train, ['run_directory', 'dataset']) == (
      'tf-muzero train RUN_DIRECTORY [DATASET] [--option=value ...]')
  assert first(report.report, ['directories']) == (
      'tf-muzero report DIRECTORIES ... [--option=value ...]')
  assert '\n  --role=dispatcher|worker\n' in _help(
      reanalyse_service.reanalyse_service, [])


def test_default_values_are_those_of_the_default_files():
  bindings = lambda file: cli._read_file(  # pylint: disable=protected-access
      file, 'test', cli._Seen({}, []), ())  # pylint: disable=protected-access
  found = help_lib.defaults_of(collect.collect, {
      'gin/collect_uniform.gin': bindings('gin/collect_uniform.gin')})
  assert found['num_episodes'] == (50, 'gin/collect_uniform.gin')
  assert 'task' not in found
  found = help_lib.defaults_of(train.train, {
      'gin/train.gin': bindings('gin/train.gin')})
  assert found['reanalyse_fraction'].value == 1.0
  assert 'dataset' not in found  # It is required.


@pytest.mark.parametrize('words, expected', [
    ([], True), (['x'], False), (['--help'], False)])
def test_nothing_given_is_asked_for_help(words, expected):
  assert help_lib.needs_more(
      evaluate.evaluate, ['directory'], ['x', *words]) == expected
  assert not help_lib.needs_more(search_demo.search_demo, [], ['x'])
  assert help_lib.needs_more(reanalyse_service.reanalyse_service, [], ['x'])


def _main(monkeypatch, capsys, *words):
  monkeypatch.setattr(sys, 'argv', ['tf-muzero', *words])
  with pytest.raises(SystemExit) as error:
    main_lib.main()
  return error.value.code, capsys.readouterr().out


def test_the_list_of_commands(monkeypatch, capsys):
  code, shown = _main(monkeypatch, capsys, '--help')
  assert not code
  assert max(map(len, shown.splitlines())) <= 80
  listed = re.findall(r'^  (\w+) +\S', shown, re.M)
  assert {command_fn.__name__ for command_fn, _ in _COMMANDS} == set(listed)
  assert 'Plays episodes and writes them as an RLDS dataset.' in shown
  assert _main(monkeypatch, capsys) == (1, shown)
  assert _main(monkeypatch, capsys, '--version')[1] == (
      f'tf-muzero {tf_muzero.__version__}\n')
  code, _ = _main(monkeypatch, capsys, 'trian')
  assert code == ("Error: there is no command 'trian'. Did you mean train? "
                  'tf-muzero --help lists them.')


def test_the_list_of_commands_does_not_wait_for_tensorflow():
  subprocess.run([sys.executable, '-c', (
      'import sys; from tf_muzero import __main__ as m; m.listing(); '
      'sys.exit("tensorflow" in sys.modules or "numpy" in sys.modules)')],
                 check=True)
