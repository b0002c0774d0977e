"""What a run directory keeps of its configuration, and where that is."""

import os

import pytest

from tests import cli_fakes
from tf_muzero import cli
from tf_muzero.learning import run_lock


@pytest.fixture(name='base')
def _base(tmp_path):
  path = tmp_path / 'base.gin'
  path.write_text(cli_fakes.BASE, encoding='utf-8')
  return str(path)


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


@pytest.mark.parametrize('is_new', [True, False])
def test_a_refused_command_leaves_the_configuration_as_it_was(
    tmp_path, base, is_new):
  run = tmp_path / 'run'
  record = lambda steps: cli.call(cli.configure(
      cli_fakes.command, [base], [f'DIRECTORY = {str(run)!r}',
                                  f'STEPS = {steps}'], record_in='directory'))
  content = lambda: {x.name: x.read_text() for x in run.glob('*')}
  if not is_new:
    record(5)
  kept = content()
  with pytest.raises(FileNotFoundError, match='no 13'):
    record(13)
  assert content() == kept and bool(kept) != is_new


def test_who_is_second_changes_nothing(tmp_path, base):
  """Even if the first one had not begun when its lock was looked at."""
  run = tmp_path / 'run'

  def call(steps, command_fn):
    configuration = cli.configure(
        cli_fakes.command, [base], [f'DIRECTORY = {str(run)!r}',
                                    f'STEPS = {steps}'], record_in='directory')
    return cli.call(configuration._replace(command_fn=command_fn),
                    run_lock.reserve)

  def train():
    with run_lock.hold(str(run)):  # As the command does.
      with pytest.raises(ValueError, match='in use by another program'):
        call(6, pytest.fail)
      (run / 'run.json').write_text('{}')
      with pytest.raises(ValueError, match='in use by another program'):
        call(7, pytest.fail)
      return (run / 'config.gin').read_text()

  assert 'STEPS = 5' in call(5, train)
  assert 'STEPS = 5' in (run / 'config.gin').read_text()
  run_lock.check(str(run))


def test_what_failed_after_its_start_keeps_its_own(tmp_path, base):
  def fail(*_):
    (tmp_path / 'run.json').write_text('{}')
    raise FloatingPointError
  configuration = cli.configure(
      cli_fakes.command, [base], [f'DIRECTORY = {str(tmp_path)!r}'],
      record_in='directory')
  with pytest.raises(FloatingPointError):
    cli.call(configuration._replace(command_fn=fail))
  assert (tmp_path / 'config.gin').read_text() == configuration.text


def test_the_home_directory_is_found(tmp_path, base, monkeypatch):
  monkeypatch.setenv('HOME', str(tmp_path))
  assert cli.configure(
      cli_fakes.command, [base], ['DIRECTORY = "~/run"'], record_in='directory'
  ).record_directory == str(tmp_path / 'run')
