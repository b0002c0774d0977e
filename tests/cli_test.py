"""Tests of `tf_muzero.cli`: what it accepts, and what it says otherwise."""

import os
import subprocess
import sys

import pytest

from tests import cli_fakes
from tf_muzero import cli
from tf_muzero.config import files

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_HEADER = 'from __gin__ import dynamic_registration\n'
_BASE = _HEADER + '''
from tests import cli_fakes
DIRECTORY = %gin.REQUIRED
STEPS = 5
cli_fakes.command:
  directory = %DIRECTORY
  num_steps = %STEPS
  part = @small/cli_fakes.Part()
  scale_fn = @cli_fakes.scaled
small/cli_fakes.Part.size = 3
cli_fakes.scaled.factor = 10
'''


@pytest.fixture(name='base')
def _base(tmp_path):
  path = tmp_path / 'base.gin'
  path.write_text(_BASE, encoding='utf-8')
  return str(path)


def _configure(base, *lines):
  return cli.configure(
      cli_fakes.command, [base], ['DIRECTORY = "runs/x"', *lines])


def _error(base, *lines):
  with pytest.raises(cli.ConfigError) as error:
    _configure(base, *lines)
  return str(error.value)


def test_the_command_gets_what_files_and_lines_say(base):
  result = _configure(base, 'cli_fakes.command.rate = 2').command_fn()
  assert result == 5 * 2 * 10
  assert cli_fakes.CALLS[-1] == dict(
      directory='runs/x', num_steps=5, rate=2, is_fast=False,
      part=cli_fakes.Part(3), validated=None, sizes=())


def test_a_configuration_leaves_nothing_behind(base):
  _configure(base, 'cli_fakes.command.rate = 2')
  _configure(base).command_fn()
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
  _configure('own.gin').command_fn()
  assert cli_fakes.CALLS[-1]['num_steps'] == 7


@pytest.mark.parametrize('line, said', [
    ('cli_fakes.command.num_stepz = 3',
     "has no parameter 'num_stepz'. Did you mean num_steps?"),
    ('cli_fakes.comand.num_steps = 3',
     "cli_fakes has no 'comand'. Did you mean command?"),
    ('cli_fake.command.num_steps = 3',
     "nothing imports 'cli_fake'. Did you mean cli_fakes?"),
    ('import tests.cli_fakez', 'no module tests.cli_fakez. Did you mean cli_f'),
    ('cli_fakes.CALLS.size = 3', 'cli_fakes.CALLS is no function or class'),
    ('cli_fakes.command.scale_fn = @cli_fakes.dubble', 'Did you mean double?'),
])
def test_an_unknown_name_is_an_error_with_what_is_close(base, line, said):
  message = _error(base, line)
  assert said in message
  assert message.startswith(f'--gin_bindings={line!r}: ')
  assert '\n' not in message


def test_an_error_in_a_file_names_file_and_line(base):
  with open(base, 'a', encoding='utf-8') as file:
    file.write('\ncli_fakes.command.num_stepz = 3\n')
  assert _error(base).startswith(f'{base}:14: ')


@pytest.mark.parametrize('line, said', [
    ('cli_fakes.command.num_steps = 3.5', 'must be int, got 3.5.'),
    ('cli_fakes.command.num_steps = True', 'must be int, got True.'),
    ('cli_fakes.command.num_steps = "3"', "must be int, got '3'."),
    ('STEPS = 2.0', 'cli_fakes.command.num_steps must be int, got 2.0.'),
    ('cli_fakes.command.rate = "1e-3"', "must be float, got '1e-3'."),
    ('cli_fakes.command.rate = None', 'must be float, got None.'),
    ('cli_fakes.command.is_fast = 1', 'must be bool, got 1.'),
    ('DIRECTORY = 3', 'must be str, got 3.'),
    ('cli_fakes.command.sizes = 3', 'must be Sequence[int], got 3.'),
    ('cli_fakes.command.sizes = "12"', "must be Sequence[int], got '12'."),
    ('cli_fakes.command.sizes = (1, "a")', "got 'a' in (1, 'a')."),
    ('cli_fakes.command.part = 3', 'must be Part or None, got 3.'),
    ('cli_fakes.command.part = @cli_fakes.Part',
     'must be Part or None, got the function @cli_fakes.Part.'),
    ('cli_fakes.command.part = @small/cli_fakes.double()',
     'got the result of @small/cli_fakes.double(), of type float.'),
    ('cli_fakes.command.scale_fn = 3', 'must be Callable'),
])
def test_a_wrong_type_is_an_error(base, line, said):
  message = _error(base, line, 'small/cli_fakes.double.number = 1') if (
      'double' in line) else _error(base, line)
  assert said in message
  is_macro = line.startswith(('STEPS', 'DIRECTORY'))
  assert message.startswith(f'--gin_bindings={line!r}: ') != is_macro


@pytest.mark.parametrize('line', [
    'cli_fakes.command.rate = 3',
    'cli_fakes.command.part = None',
    'cli_fakes.command.sizes = [1, 2]',
    'cli_fakes.command.sizes = ()',
    'cli_fakes.command.scale_fn = @cli_fakes.double',
    'cli_fakes.command.scale_fn = @x/cli_fakes.scaled',
])
def test_what_fits_is_accepted(base, line):
  assert line.partition(' = ')[0] in _configure(base, line).text


@pytest.mark.parametrize('line, said', [
    ('STEPS = %gin.REQUIRED', 'STEPS must be given'),
    ('cli_fakes.command.num_steps = %STEP', 'Did you mean STEPS?'),
    ('cli_fakes.command.validated = @cli_fakes.Validated()',
     'Validated.size has no value'),
])
def test_a_missing_value_is_an_error(base, line, said):
  assert said in _error(base, line)


def test_a_macro_that_the_user_must_give_is_named(base):
  with pytest.raises(cli.ConfigError, match='base.gin:4: DIRECTORY must be g'):
    cli.configure(cli_fakes.command, [base], [])
  with pytest.raises(cli.ConfigError, match=(
      "given: --directory=... or --gin_bindings='DIRECTORY = ...'")):
    cli.configure(cli_fakes.command, [base], [])


@pytest.mark.parametrize('line, said', [
    ('cli_fakes.never_used.number = 3', 'nothing uses cli_fakes.never_used.n'),
    ('other/cli_fakes.Part.size = 3', 'nothing uses other/cli_fakes.Part.si'),
    ('cli_fakes.Validated.size = 3', 'nothing uses cli_fakes.Validated.size'),
    ('STEP = 3', 'nothing uses STEP: tests.cli_fakes.command does not reach'),
])
def test_a_binding_that_nothing_uses_is_an_error(base, line, said):
  assert said in _error(base, line)


def test_replacing_a_value_does_not_make_its_parts_an_error(base):
  text = _configure(base, 'cli_fakes.command.part = None',
                    'cli_fakes.command.num_steps = 3').text
  assert 'STEPS' not in text and 'cli_fakes.Part' not in text


def test_setting_a_part_that_was_replaced_is_an_error(base):
  assert 'nothing uses small/cli_fakes.Part.rate' in _error(
      base, 'cli_fakes.command.part = None', 'small/cli_fakes.Part.rate = 1.0')


def test_a_file_may_configure_another_command_too(base):
  with open(base, 'a', encoding='utf-8') as file:
    file.write(
        'cli_fakes.cli_fakes.number = "not ours"\n'
        'cli_fakes.cli_fakes.part = @other/cli_fakes.Part()\n'
        'other/cli_fakes.Part.size = %NOWHERE\n')
  text = _configure(base).text
  assert 'NOWHERE' not in text and 'cli_fakes.cli_fakes' not in text
  assert 'nothing uses cli_fakes.cli_fakes.number' in _error(
      base, 'cli_fakes.cli_fakes.number = 3')


@pytest.mark.parametrize('line', ['DIRECTORY = runs', 'STEPS = [3', 'STEPS'])
def test_a_syntax_error_is_one_line(base, line):
  message = _error(base, line)
  assert message.startswith(f'--gin_bindings={line!r}: ')
  assert '\n' not in message


def test_a_file_that_includes_itself_is_an_error(tmp_path):
  path = tmp_path / 'loop.gin'
  path.write_text(f'include "{path}"\n', encoding='utf-8')
  with pytest.raises(cli.ConfigError, match='includes itself'):
    cli.configure(cli_fakes.command, [str(path)], [])


def test_the_recorded_configuration_gives_the_same_run(tmp_path, base):
  directory = str(tmp_path / 'run')
  line = f'DIRECTORY = {directory!r}'
  first = cli.configure(
      cli_fakes.command, [base], [line, 'cli_fakes.command.part = None'],
      record_in='directory')
  assert first.record_directory == directory
  cli.call(first)
  config = os.path.join(directory, 'config.gin')
  second = cli.configure(cli_fakes.command, [config], [], record_in='directory')
  assert second.text == first.text
  cli.call(second)
  assert cli_fakes.CALLS[-1] == cli_fakes.CALLS[-2]
  with open(os.path.join(directory, 'operative_config.gin'),
            encoding='utf-8') as file:
    assert 'cli_fakes.command.is_fast = False' in file.read()


def _recorded(base, place, *lines, **arguments):
  configuration = cli.configure(
      cli_fakes.command, [str(base)], lines, arguments=arguments,
      record_in='directory')
  cli.call(configuration)
  assert cli_fakes.CALLS[-1]['directory'] == str(place)


def test_a_run_directory_is_where_its_configuration_is(
    tmp_path, base, caplog, monkeypatch):
  was, now, other = (tmp_path / name for name in ('was', 'now', 'other'))
  _recorded(base, was, directory=str(was))
  _recorded(was / 'config.gin', was)
  os.rename(was, now)
  assert not caplog.text
  _recorded(now / 'config.gin', now)
  assert (f'names {was}, but a run directory is where its config.gin is: the '
          f'run goes on in {now}.') in caplog.text
  assert not was.exists()
  os.rename(now, was)
  monkeypatch.chdir(was)
  _recorded('config.gin', was)
  _recorded('config.gin', other, f'DIRECTORY = {str(other)!r}')
  _recorded('config.gin', other, directory=str(other))


def test_a_file_of_ones_own_may_be_called_config(tmp_path, base):
  own = tmp_path / 'config.gin'
  own.write_text(f'include {base!r}\nDIRECTORY = "{tmp_path}/run"\n',
                 encoding='utf-8')
  _recorded(own, tmp_path / 'run')


def test_gin_looks_for_no_files_itself(tmp_path, monkeypatch, caplog):
  monkeypatch.chdir(tmp_path)
  caplog.set_level('INFO')
  (tmp_path / 'own.gin').write_text(
      'STEPS = 1\ninclude "gin/included.gin"\nSTEPS = 4\n', encoding='utf-8')
  root = tmp_path / 'root'
  (root / 'gin').mkdir(parents=True)
  (root / 'gin' / 'included.gin').write_text(
      _BASE + 'STEPS = 3\n', encoding='utf-8')
  monkeypatch.setattr(files, 'ROOTS', ('', str(root)))
  for gin_files, lines in ((['own.gin'], []), (['own.gin'], [
      'include "gin/included.gin"', 'STEPS = 4'])):
    cli.configure(cli_fakes.command, gin_files, lines,
                  arguments={'directory': 'x'}).command_fn()
    assert cli_fakes.CALLS[-1]['num_steps'] == 4
  assert not caplog.text


def test_a_change_since_the_last_run_is_told(tmp_path, base, caplog):
  line = f'DIRECTORY = {str(tmp_path)!r}'
  for steps in (5, 6):
    cli.call(cli.configure(
        cli_fakes.command, [base], [line, f'STEPS = {steps}'],
        record_in='directory'))
  assert 'Changed since the last run here: - STEPS = 5' in caplog.text
  assert 'Changed since the last run here: + STEPS = 6' in caplog.text


def test_of_a_run_that_is_done_the_record_stays(tmp_path, base):
  def record(steps):
    cli.call(cli.configure(
        cli_fakes.command, [base], [f'DIRECTORY = {str(tmp_path)!r}',
                                    f'STEPS = {steps}'], record_in='directory',
        is_done_fn=lambda directory, value_fn: (
            directory == str(tmp_path) and value_fn('num_steps') <= 5)))
    return [path.read_text() for path in sorted(tmp_path.glob('*config.gin'))]
  assert not [path for path in record(5) if 'STEPS' in path]
  kept = record(6)
  assert len(kept) == 2 and 'STEPS = 6' in kept[0]
  assert record(4) == kept


def test_the_home_directory_is_found(tmp_path, base, monkeypatch):
  monkeypatch.setenv('HOME', str(tmp_path))
  assert cli.configure(
      cli_fakes.command, [base], ['DIRECTORY = "~/run"'], record_in='directory'
  ).record_directory == str(tmp_path / 'run')


def test_the_command_line(tmp_path, base):
  """Five processes, side by side: each has to import TensorFlow."""
  runs = {
      'fine': (),
      'config': ('--gin_bindings=cli_fakes.command.num_stepz=3',),
      'value': ('--gin_bindings=STEPS=13',),
      'graph': ('--gin_bindings=STEPS=15',),
      'nothing': None,
  }
  processes = {
      name: subprocess.Popen(  # pylint: disable=consider-using-with
          [sys.executable, '-m', 'tests.cli_fakes', *(
              [] if arguments is None else
              [str(tmp_path / name), f'--gin_file={base}', *arguments])],
          cwd=_ROOT, text=True, stderr=subprocess.PIPE, stdout=subprocess.PIPE)
               for name, arguments in runs.items()}
  texts = {name: process.communicate() for name, process in processes.items()}
  said = {name: text[1] for name, text in texts.items()}
  codes = {name: process.returncode for name, process in processes.items()}
  assert codes == {'fine': 0, 'config': 1, 'value': 1, 'graph': 1, 'nothing': 1}
  assert said['fine'] == ''
  assert said['config'].startswith('Error: --gin_bindings=')
  assert said['config'].count('\n') == 1
  assert said['value'] == (
      'Error: There is no 13.\n(TF_MUZERO_DEBUG=1 shows where.)\n')
  assert said['graph'] == (
      'Error: Bad episode: the 15th.\n(TF_MUZERO_DEBUG=1 shows where.)\n')
  assert said['nothing'] == ''
  assert texts['nothing'][0].startswith('tf-muzero cli_fakes DIRECTORY [--op')
  assert (tmp_path / 'fine' / 'operative_config.gin').exists()
  assert not (tmp_path / 'config').exists()


def test_an_unexpected_error_keeps_its_traceback(base):
  with pytest.raises(KeyError, match='missing'):
    cli.call(_configure(base, 'STEPS = 14'))
