"""Grids of runs, and the commands that make them."""

import re

import pytest

from tf_muzero.studies import grid

_VARIANTS = [
    grid.Variant('f = 0.5', ['a.gin'], ['x.y = 1'],
                 evaluate_bindings=['evaluate.evaluate.seed = 2']),
    grid.Variant('other', ['b.gin'])]
_DATASETS = [
    grid.Dataset('there', place='data/there', gin_bindings=['x.y = 2']),
    grid.Dataset('made', collect_files=['c.gin'])]


def test_a_grid_has_all_runs_of_one_seed_before_those_of_the_next():
  runs = grid.plan('out', _VARIANTS, _DATASETS, [3, 1])
  assert [run.name for run in runs] == [
      f'{variant}, {data}, seed {seed}' for seed in (3, 1)
      for data in ('there', 'made') for variant in ('f = 0.5', 'other')]
  assert [run.directory for run in runs[:3]] == [
      'out/runs/there/f_0.5/seed_3', 'out/runs/there/other/seed_3',
      'out/runs/made/f_0.5/seed_3']
  assert [run.data for run in runs[1:3]] == ['data/there', 'out/datasets/made']


def test_commands_by_hand():
  first, second = grid.plan(
      'out', _VARIANTS, _DATASETS[:1], [3], common_files=['smoke.gin'],
      common_bindings=['x.y = 3'])
  assert grid.train_command(first) == [
      'train', 'out/runs/there/f_0.5/seed_3', 'data/there', '--seed=3',
      '--gin_file=a.gin', '--gin_file=smoke.gin', '--gin_bindings=x.y = 1',
      '--gin_bindings=x.y = 2', '--gin_bindings=x.y = 3']
  assert grid.evaluate_command(first) == [
      'evaluate', first.directory, '--gin_bindings=evaluate.evaluate.seed = 2']
  assert grid.evaluate_command(second) == ['evaluate', second.directory]
  assert grid.collect_command(_DATASETS[1], 'out/datasets/made') == [
      'collect', 'out/datasets/made', '--gin_file=c.gin']
  assert grid.log_of('out', first) == 'out/logs/there/f_0.5/seed_3.log'


def test_without_a_dataset_a_run_has_none():
  run, = grid.plan('out', _VARIANTS[1:], [], [0])
  assert run.directory == 'out/runs/other/seed_0'
  assert run.name == 'other, seed 0'
  assert grid.train_command(run) == [
      'train', run.directory, '--seed=0', '--gin_file=b.gin']


@pytest.mark.parametrize('make, message', [
    (lambda: grid.Variant('a/b', ['a.gin']),
     "Variant.name must be words of letters, digits and . , = + - _, got 'a/b'"
     ),
    (lambda: grid.Variant('a', []), 'gin_files must have at least one element'),
    (lambda: grid.Dataset('a'), "Dataset 'a' must have a place or be collected"
     ),
    (lambda: grid.Dataset('a', 'x', ['c.gin']), 'one of place and'),
    (lambda: grid.plan('out', [], [], [0]), 'variants must have at least one'),
    (lambda: grid.plan('out', _VARIANTS, [], []), 'seeds must have at least'),
    (lambda: grid.plan('out', _VARIANTS, [], [0, -1]),
     'seeds[1] must be >= 0, got -1.'),
    (lambda: grid.plan('out', _VARIANTS, [], [0, 0]),
     "seeds must differ in name, got ['0'] twice."),
    # They would share a directory.
    (lambda: grid.plan('out', [grid.Variant('f = 1', ['a.gin']),
                               grid.Variant('f 1', ['a.gin'])], [], [0]),
     "variants must differ in name, got ['f_1'] twice."),
    (lambda: grid.checked_output('gs://bucket/study'),
     "output must be on this machine, got 'gs://bucket/study'")])
def test_what_is_no_grid_is_refused(make, message):
  with pytest.raises(ValueError, match=re.escape(message)):
    make()
