"""Studies: checked before any work, done once, and reported."""

import glob
import json
import os
import re
import sys

import pytest

from tf_muzero import cli
from tf_muzero import envs
from tf_muzero import progress
from tf_muzero import study
from tf_muzero import train
from tf_muzero.acting import fitting
from tf_muzero.acting import run_directory
from tf_muzero.learning import run_lock
from tf_muzero.studies import grid
from tf_muzero.studies import workers

FILES = ('gin/experiment/catch.gin', 'gin/algorithm/behaviour_cloning.gin')
EVALUATION = ('evaluate.evaluate.num_episodes = 2',
               'evaluate.evaluate.modes = [@modes.policy()]',
               'evaluate.evaluate.jit_compile = False')
FEW = grid.Dataset('few', collect_bindings=[
    'collect.collect.task = "catch"', 'collect.collect.num_episodes = 3'])
# Stands for the package: writes what its commands would.
_FAKE = '''
import json, os, shutil, sys
command, place = sys.argv[1:3]
step = 2
if command == 'collect':
  os.makedirs(place)
elif command == 'train':
  if 'broken' in place and not os.path.exists({allowed!r}):
    sys.exit('Error: it diverged.')
  shutil.copytree({template!r}, place)
  os.makedirs(os.path.join(place, 'checkpoints'))
  open(os.path.join(place, 'checkpoints', 'ckpt-2.index'), 'w').close()
else:
  seed = int(place[-1])
  num_episodes = [x for x in sys.argv if 'num_episodes' in x][-1]
  json.dump({{
      'task': 'catch', 'action_repeat': 1, 'step': 2, 'seed': 2,
      'num_episodes': int(num_episodes.split()[-1]), 'num_environments': 10,
      'random_start_steps': 0, 'max_steps': None, 'evaluations': [
          {{'mode': 'policy', 'mean': seed + 2.0 * ('better' in place),
            'standard_error': 0.5}}]}},
            open(os.path.join(place, 'evaluation.json'), 'w'))
'''


def _study(output, variants, seeds=(0,), datasets=(FEW,), **changes):
  return study.study(
      'of/some_grid.gin', output=str(output), variants=variants, seeds=seeds,
      datasets=datasets, common_files=['gin/hardware/smoke.gin'], **changes)


def _variant(name, *bindings, evaluate_bindings=EVALUATION):
  return grid.Variant(name, FILES, bindings,
                      evaluate_bindings=evaluate_bindings)


@pytest.fixture(name='allowed')
def _allowed(tmp_path, monkeypatch):
  """Puts a fake in the package's place; returns what makes it do all."""
  template, allowed = tmp_path / 'template', tmp_path / 'allowed'
  run_directory.save_task(str(template), run_directory.Task(
      'catch', 1, envs.spec(envs.load('catch', seed=0)), 10))
  (template / 'config.gin').write_text(cli.configure(
      train.train, [*FILES, 'gin/hardware/smoke.gin'], [], arguments={
          'run_directory': 'x', 'dataset': 'y', 'seed': 0}).text)
  fake = tmp_path / 'fake.py'
  fake.write_text(_FAKE.format(allowed=str(allowed), template=str(template)))
  real = workers.run
  monkeypatch.setattr(workers, '_POLL_SECONDS', 0.02)
  monkeypatch.setattr(workers, 'run', lambda *arguments: real(
      *arguments, program=(sys.executable, str(fake))))
  return allowed


def test_a_failed_run_is_told_and_done_again_and_no_other(
    tmp_path, allowed, capsys):
  output = tmp_path / 'out'
  variants = [_variant('broken'), _variant('better')]
  with pytest.raises(ValueError, match='1 of 3 jobs') as error:
    _study(output, variants, workers=2)
  log = output / 'logs' / 'few' / 'broken' / 'seed_0.log'
  assert f'broken, few, seed 0: train: exit code 1; see {log}' in str(
      error.value)
  assert 'Error: it diverged.' in str(error.value)
  text = (output / 'report.md').read_text('utf8')
  assert text.startswith('# Some grid: 1 run of 2\n')
  assert 'not in what follows: broken, few, seed 0.' in text
  assert '| better | 2.00 ± ? (1) |' in text
  logs = {path: os.path.getsize(path) for path in glob.glob(
      f'{output}/logs/**/*.log', recursive=True)}
  assert len(logs) == 3
  allowed.touch()
  _study(output, variants)
  grown = {path for path in logs if os.path.getsize(path) > logs[path]}
  assert grown == {str(log)}
  assert '| broken | 0.00 ± ? (1) |' in (output / 'report.md').read_text('utf8')
  capsys.readouterr()
  _study(output, variants, commands=True)
  assert capsys.readouterr().out == '# All is done.\n'
  assert os.path.isdir(output / 'datasets' / 'few')
  assert 'collect.collect.num_episodes = 3\n' in (
      output / 'datasets' / 'few.gin').read_text()


@pytest.mark.usefixtures('allowed')
def test_an_evaluation_with_other_numbers_is_made_again(tmp_path):
  output = tmp_path / 'out'
  _study(output, [_variant('a')])
  path = output / 'runs' / 'few' / 'a' / 'seed_0' / 'evaluation.json'
  assert json.loads(path.read_text())['num_episodes'] == 2
  _study(output, [_variant('a', evaluate_bindings=[
      *EVALUATION, 'evaluate.evaluate.num_episodes = 3'])])
  assert json.loads(path.read_text())['num_episodes'] == 3


@pytest.mark.usefixtures('allowed')
def test_an_evaluation_without_the_limit_or_damaged_is_made_again(tmp_path):
  output = tmp_path / 'out'
  _study(output, [_variant('a')])
  run = output / 'runs' / 'few' / 'a' / 'seed_0'
  path = run / 'evaluation.json'
  whole = path.read_text()
  for there in (whole.replace('"max_steps": null', '"max_steps": 20'),
                whole[:50]):
    path.write_text(there)
    _study(output, [_variant('a')])
    assert path.read_text() == whole


def test_what_is_not_measured_yet_is_not_done(tmp_path, allowed, capsys):
  """A signal in the last evaluation leaves it to the next start."""
  del allowed
  output = tmp_path / 'out'
  _study(output, [_variant('a')])
  measured = output / 'runs' / 'few' / 'a' / 'seed_0' / 'evaluations.jsonl'
  for step, is_done in ((1, False), (2, True)):
    measured.write_text(f'{{"step": {step}, "evaluation/policy": 0.0}}\n')
    capsys.readouterr()
    _study(output, [_variant('a')], commands=True)
    assert (capsys.readouterr().out == '# All is done.\n') == is_done


@pytest.mark.usefixtures('allowed')
def test_two_at_once_are_refused(tmp_path):
  output = tmp_path / 'out'
  with run_lock.hold(str(output)):
    with pytest.raises(ValueError, match='in use by another program'):
      _study(output, [_variant('a')])
    _study(output, [_variant('a')], workers=0)  # Only reports.


@pytest.mark.parametrize('num_workers', [1, 2])
@pytest.mark.usefixtures('allowed')
def test_a_length_in_passes_is_known_when_a_run_has_begun(
    tmp_path, capsys, num_workers):
  # What the fake leaves of a run: 2 steps of 4 windows are half a pass.
  length, config = "train.train.num_steps = '0.5 passes'", (
      tmp_path / 'template' / 'config.gin')
  config.write_text(config.read_text().replace(
      'train.train.num_steps = 2', length))
  fitting.save(str(tmp_path / 'template'), {
      'num_datapoints': 15, 'survey': {
          'is_sample': False, 'num_episodes': 3, 'mean_return': -1.0,
          'best_return': 1.0}})
  output, totals = tmp_path / 'out', []

  class Bar:
    """In place of the real one."""

    def __init__(self, **kwargs):
      self.n = kwargs['initial']
      totals.append(kwargs['total'])

    def __enter__(self):
      return self

    def __exit__(self, *_):
      totals.append(self.total)

    total, said = None, []

    def set_postfix_str(self, text, **_):
      self.said.append(text)

    def update(self, number):
      self.n += number

  variants = [_variant(name, length) for name in ('a', 'b')]
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(progress, 'bar', Bar)
    _study(output, variants, workers=num_workers)
  assert totals == [None, 4]
  assert '0 of 2 runs done; 2 of unknown length until they begin; now ' in (
      Bar.said[0])
  assert Bar.said[-1] == '2 of 2 runs done; now none'
  text = (output / 'report.md').read_text('utf8')
  assert text.startswith('# Some grid: 2 runs of 2\n')
  capsys.readouterr()
  _study(output, variants, commands=True)
  assert capsys.readouterr().out == '# All is done.\n'
  with pytest.raises(ValueError, match=r"new, few, seed 0 \(train\): num_steps "
                     "must be .*got '5'"):
    _study(output, [_variant('new', "train.train.num_steps = '5'")])


@pytest.mark.usefixtures('allowed')
def test_what_has_begun_with_other_settings_is_refused(tmp_path):
  output = tmp_path / 'out'
  _study(output, [_variant('a')])
  with pytest.raises(ValueError) as error:
    _study(output, [_variant('a', 'train.train.unroll_steps = 3')])
  assert str(error.value).startswith(
      'a, few, seed 0 was begun with other settings: train.train.unroll_steps '
      'was 2, is 3. Put them back, remove ')
  more = grid.Dataset('few', collect_bindings=[
      'collect.collect.task = "catch"', 'collect.collect.num_episodes = 4'])
  with pytest.raises(ValueError, match='Dataset few was begun with other.*3, '
                     'is 4'):
    _study(output, [_variant('a')], datasets=[more])


def test_nothing_is_begun_where_one_run_is_configured_wrongly(tmp_path):
  output = tmp_path / 'out'
  with pytest.raises(cli.ConfigError, match=re.escape(
      'wrong, few, seed 0 (train): ')):
    _study(output, [_variant('right'), _variant(
        'wrong', 'train.train.num_stesp = 3')])
  with pytest.raises(cli.ConfigError, match=re.escape(
      'wrong, few, seed 0 (evaluate): ')):
    _study(output, [_variant('wrong', evaluate_bindings=[
        'evaluate.evaluate.num_episodes = "many"'])])
  assert not output.exists()


def test_commands_for_other_machines(tmp_path, capsys):
  _study(tmp_path / 'out', [_variant('a', 'train.train.num_steps = 3')], [0, 1],
         commands=True)
  lines = capsys.readouterr().out.splitlines()
  assert lines[0] == '# First:' and lines[2] == '# In any order:'
  data = f'{tmp_path}/out/datasets/few'
  assert lines[1] == (
      f"tf-muzero collect {data}.partial '--gin_bindings="
      """collect.collect.task = "catch"' """
      "'--gin_bindings=collect.collect.num_episodes = 3' && "
      f'mv {data}.partial {data}')
  run = f'{tmp_path}/out/runs/few/a/seed_1'
  assert lines[4].startswith(
      f'tf-muzero train {run} {tmp_path}/out/datasets/few --seed=1 --gin_file=')
  assert f" && tf-muzero evaluate {run} '--gin_b" in lines[4]
  assert len(lines) == 5 and not (tmp_path / 'out').exists()


def test_without_workers_it_only_reports(tmp_path, capsys):
  _study(tmp_path / 'out', [_variant('a')], workers=0)
  assert capsys.readouterr().out == (
      'There is nothing to report: no run is done.\n')
