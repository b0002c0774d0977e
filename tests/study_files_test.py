"""Studies from their gin files: those that are there, and one to its report."""

import glob
import os

import pytest

from tests import study_test
from tf_muzero import cli
from tf_muzero import study

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


@pytest.mark.parametrize(
    'file', sorted(glob.glob(os.path.join(_ROOT, 'gin/study/*.gin'))))
def test_the_studies_that_are_there_can_begin(file, tmp_path, capsys):
  name = os.path.basename(file)[:-4]
  with open(file, encoding='utf8') as opened:
    assert '  seeds = [0, 1, 2]\n' in opened.read()
  bindings = ['study.study.seeds = [7]', *(
      ['DATA = "datasets/mine"'] if name in (
          'own_data', 'injection', 'self_supervision_own_data') else [])]
  cli.call(cli.configure(study.study, [], bindings, arguments={
      'file': file, 'output': str(tmp_path / 'out'), 'commands': True},
                         default_files_fn=study.default_files))
  lines = capsys.readouterr().out.splitlines()
  runs = [line for line in lines if line.startswith('tf-muzero train ')]
  assert len(runs) == {
      'cartpole_swingup': 5, 'cartpole_fractions': 5, 'catch_fractions': 5,
      'checkpoint_choice': 1, 'control': 6,
      'deep_sea': 3, 'deep_sea_demonstrations': 2, 'dropout': 3, 'injection': 4,
      'losses_breakout': 5, 'losses_catch': 5, 'mountain_car': 2,
      'own_data': 3, 'planning': 7, 'self_supervision': 8,
      'self_supervision_breakout': 8, 'self_supervision_online': 9,
      'self_supervision_own_data': 8,
      'unroll': 5, 'width': 3}[name]


@pytest.mark.slow  # Four commands in processes of their own.
def test_a_study_from_its_file_to_its_report(tmp_path):
  file, output = tmp_path / 'tiny.gin', tmp_path / 'out'
  file.write_text(f'''# A study of seconds.
from __gin__ import dynamic_registration
from tf_muzero import study
from tf_muzero import train
from tf_muzero.studies import grid
study.study:
  variants = [@grid.Variant()]
  datasets = [@grid.Dataset()]
  seeds = [1]
  common_files = ['gin/hardware/smoke.gin']
grid.Variant:
  name = 'cloning'
  gin_files = {list(study_test.FILES)}
  evaluate_bindings = {list(study_test.EVALUATION)}
grid.Dataset:
  name = 'few'
  collect_bindings = {list(study_test.FEW.collect_bindings)}
''')
  cli.call(cli.configure(study.study, [], [], arguments={
      'file': str(file), 'output': str(output)},
                         default_files_fn=study.default_files))
  text = (output / 'report.md').read_text('utf8')
  assert text.startswith('# Tiny: 1 run of 1\n')
  assert '| variant | policy mode |' in text and '| Learner steps | 2 |' in text
  assert (output / 'report.html').exists()
