"""Rules that choose a checkpoint, judged by hand."""

import numpy as np
import pytest

from tools import judge_checkpoints

_BY = 'evaluation/mcts'


def _lines(true, **said):
  return [{'step': 10 * (i + 1), _BY: value, 'validation/value_spread': 1.0,
           **{f'validation/{name}': x[i] for name, x in said.items()}}
          for i, value in enumerate(true)]


def test_rules_are_judged_by_rank_and_by_what_they_take():
  found = judge_checkpoints.judge(_lines(
      [1.0, 5.0, 3.0, 2.0], fitted_value=[0.1, 0.9, 0.4, 0.3],
      reward_error_5=[0.1, 0.4, 0.3, 0.2], agreement_0=[1.0, 1.0, 1.0, 1.0]),
                                  _BY)
  assert found['validation/fitted_value'] == (1.0, 0.0, 20)
  # The least error is that of the worst.
  assert found['validation/reward_error_5'] == (-1.0, 4.0, 10)
  assert np.isnan(found['validation/agreement_0'].correlation)
  assert found['the last'][1:] == (3.0, 40)
  assert found['at random'][1:] == (2.25, 25)
  assert 'validation/value_spread' not in found


def test_evaluations_without_the_metric_are_left_out():
  lines = [{'step': 5, 'validation/fitted_value': 9.0},
           *_lines([1.0, 2.0, 3.0], fitted_value=[1.0, 2.0, 3.0])]
  assert judge_checkpoints.judge(lines, _BY)['validation/fitted_value'] == (
      1.0, 0.0, 30)


@pytest.mark.parametrize('lines', [
    [], _lines([1.0, 2.0], fitted_value=[1.0, 2.0]),
    [{'step': i, _BY: 1.0} for i in range(4)]])
def test_too_little_to_judge_by_is_refused(lines):
  with pytest.raises(ValueError, match='gin/fitted_value.gin'):
    judge_checkpoints.judge(lines, _BY)


def test_the_best_rule_comes_first():
  runs = [judge_checkpoints.judge(_lines(
      [1.0, 4.0, 3.0 + run / 2], fitted_value=[0, 2, 1],
      value_error_0=[0, 2, 1]), _BY) for run in range(2)]
  table = judge_checkpoints.format_table(runs).splitlines()
  assert [line.split()[0] for line in table[1:]] == [
      'validation/fitted_value', 'the', 'at', 'validation/value_error_0']
  assert table[1].split() == [
      'validation/fitted_value', '1', '+-', '0', '0', '+-', '0']
  assert table[4].split()[4:] == ['3', '+-', '0']
