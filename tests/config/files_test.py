"""Which gin files a command reads, in which order, and where they are."""

import pytest

from tf_muzero import cli
from tf_muzero import collect
from tf_muzero import evaluate
from tf_muzero import export
from tf_muzero import train
from tf_muzero.config import files

_RUN, _OWN = 'run/config.gin', 'gin/evaluate.gin'


@pytest.mark.parametrize('given, merged', [
    ([], [_RUN, _OWN]),
    (['more.gin'], [_RUN, _OWN, 'more.gin']),
    ([_RUN, _OWN], [_RUN, _OWN]),
    ([_RUN], [_RUN, _OWN]),
    ([_OWN], [_RUN, _OWN]),
    ([_RUN, 'more.gin'], [_RUN, _OWN, 'more.gin']),
    (['more.gin', _OWN], [_RUN, 'more.gin', _OWN]),
    ([_OWN, _RUN], [_OWN, _RUN]),
    (['./' + _RUN, _OWN], ['./' + _RUN, _OWN]),
])
def test_given_files_follow_the_defaults_and_keep_their_order(
    given, merged, tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  (tmp_path / 'run').mkdir()
  (tmp_path / _RUN).touch()
  assert files.merge([_RUN, _OWN], given) == merged


def test_a_run_s_own_file_comes_after_the_command_s(tmp_path):
  run, other = str(tmp_path / 'run'), str(tmp_path / 'other')
  (tmp_path / 'run').mkdir()
  (tmp_path / 'run' / 'config.gin').touch()
  (tmp_path / 'other').mkdir()
  own = f'{run}/config.gin'
  of = lambda module, directory, *given: list(
      module.default_files({'directory': directory}, given))
  assert of(evaluate, run) == ['gin/evaluate.gin', own]
  assert of(evaluate, run, 'x.gin') == ['gin/evaluate.gin', own]
  assert of(evaluate, other, 'x.gin') == ['gin/evaluate.gin']
  assert of(export, run) == ['gin/export.gin', own]
  for module in (evaluate, export):
    with pytest.raises(cli.ConfigError, match='other.*has no config.gin'):
      of(module, other)
    with pytest.raises(cli.ConfigError, match='There is no directory'):
      of(module, str(tmp_path / 'nowhere'))
  (tmp_path / 'other' / 'task.json').touch()
  with pytest.raises(cli.ConfigError, match='from Python.* --gin_file'):
    of(evaluate, other)
  (tmp_path / 'other' / 'saved_model.pb').touch()
  (tmp_path / 'other' / 'metadata.json').touch()
  assert of(evaluate, other) == ['gin/evaluate.gin']


def test_a_training_goes_on_with_its_own_file_unless_others_are_given(tmp_path):
  run = str(tmp_path)
  of = lambda *given, **arguments: list(train.default_files(arguments, given))
  assert of(run_directory=run) == ['gin/experiment/own_data.gin']
  assert of() == ['gin/experiment/own_data.gin']
  (tmp_path / 'task.json').touch()
  with pytest.raises(cli.ConfigError, match='from Python.* --gin_file'):
    of(run_directory=run)
  (tmp_path / 'config.gin').touch()
  assert of(run_directory=run) == [f'{run}/config.gin']
  assert not of('x.gin', run_directory=run)


def test_collecting_needs_no_more_than_a_task():
  configure = lambda **arguments: cli.configure(
      collect.collect, [], [], arguments={'directory': 'x', **arguments},
      default_files_fn=collect.default_files)
  assert "task = 'catch'" in configure(task='catch').text
  with pytest.raises(
      cli.ConfigError, match=r'^task must be given: --task=... .*`catch`'):
    configure()


def test_a_file_that_is_nowhere_is_an_error_with_where_it_was_looked_for():
  with pytest.raises(cli.ConfigError, match='--gin_file: no gin file x.gin in'):
    files.find('x.gin', '--gin_file')
  with pytest.raises(cli.ConfigError, match=(
      r'no gin file own_dat.gin in [^ ]*gin/experiment\. Did you mean '
      'own_data.gin')):
    files.find('gin/experiment/own_dat.gin', '--gin_file')
