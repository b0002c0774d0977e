"""What a configuration may have, and what is said of all else."""

import pytest

from tests import cli_fakes
from tf_muzero import cli


@pytest.fixture(name='base')
def _base(tmp_path):
  path = tmp_path / 'base.gin'
  path.write_text(cli_fakes.BASE, encoding='utf-8')
  return str(path)


def _error(base, *lines):
  with pytest.raises(cli.ConfigError) as error:
    cli_fakes.configure(base, *lines)
  return str(error.value)


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
  assert line.partition(' = ')[0] in cli_fakes.configure(base, line).text


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
  text = cli_fakes.configure(base, 'cli_fakes.command.part = None',
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
  text = cli_fakes.configure(base).text
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
