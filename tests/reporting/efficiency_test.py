"""Returns over environment steps, of runs that were made up."""

import json
import types

import numpy as np
import pytest

from tests.reporting import report_test
from tf_muzero import report
from tf_muzero.reporting import efficiency


def _played(directory, rounds):
  """Writes the episodes of rounds: (learner step, lengths)."""
  (directory / 'interaction.jsonl').write_text(''.join(
      json.dumps({'round': i, 'step': step, 'return': 0.0, 'length': length})
      + '\n' for i, (step, lengths) in enumerate(rounds)
      for length in lengths))


def test_a_line_by_hand():
  # 10^1, 10^2, 10^3: the slope is half of what the ends differ by.
  line = efficiency.fit(np.array([10, 100, 1000]), np.array([1.0, 5.0, 3.0]))
  assert line.slope == pytest.approx(1.0)
  assert line.intercept == pytest.approx(3.0 - 2.0 * 1.0)
  # Residuals -1, 2, -1: their squares are 6, of one degree of freedom.
  assert line.error == pytest.approx(np.sqrt(6.0 / 2.0))
  assert efficiency.fit(np.array([10, 100]), np.zeros(2)) is None
  assert efficiency.fit(np.array([10, 10, 10]), np.zeros(3)) is None
  assert efficiency.fit(np.array([10, 15, 19]), np.zeros(3)) is None


def test_environment_steps_are_all_that_were_played(tmp_path):
  _played(tmp_path, [(0, [3, 4]), (10, [5]), (10, [1])])
  (tmp_path / 'interaction-1.jsonl').write_text(  # Of a second host.
      '{"round": 0, "step": 10, "return": 0.0, "length": 2}\n')
  run = types.SimpleNamespace(directory=str(tmp_path), action_repeat=4)
  np.testing.assert_array_equal(
      efficiency.environment_steps(run), [[0, 28], [10, 60]])


def test_a_report_has_it_where_runs_played(tmp_path):
  directories = []
  for seed, steps in enumerate((100, 1000, 10_000)):
    path = tmp_path / f'run{seed}'
    path.mkdir()
    directories.append(report_test.make(
        path, 'catch', [0.0, 0.1 * seed], seed=seed))
    _played(path, [(0, [steps])])
  text = _report(directories, tmp_path / 'played')
  assert '| MuZero Unplugged | 3 | 100 to 10000 | 0.10 ± 0.06 |' in text
  assert 'go with 0.10 ± ' in text
  assert (tmp_path / 'played' / 'catch_1_efficiency.png').exists()
  for path in directories:
    (tmp_path / path / 'interaction.jsonl').unlink()
  assert 'environment steps' not in _report(directories, tmp_path / 'not')


def test_which_is_best_for_a_budget(tmp_path):
  directories = []
  for improvement, lengths, means in (
      ('search_improvement', (60, 940), [0.1, 0.9]),
      ('behaviour_cloning', (20, 30), [0.3, 0.4])):
    path = tmp_path / improvement
    path.mkdir()
    directories.append(report_test.make(
        path, 'catch', means, improvement=improvement))
    # What was played until the evaluations at the steps 10 and 20.
    _played(path, [(10, [lengths[0]]), (20, [lengths[1]])])
  text = _report(directories, tmp_path / 'report')
  rows = [[cell.strip() for cell in line.strip('| ').split('|')]
          for line in text[text.index('Which is best'):].split('\n\n')[1]
          .splitlines()]
  of = {row[0]: dict(zip(rows[0], row)) for row in rows[2:]}
  assert list(of) == ['20', '50', '100', '200', '500', '1,000']
  for budget, cloning, search, best in (
      ('20', '0.30', '', 'cloning'), ('50', '0.40', '', 'cloning'),
      ('100', '0.40', '0.10', 'cloning'), ('1,000', '0.40', '0.90', 'MuZero')):
    row = of[budget]
    assert best in row['best']
    assert list(row.values())[1:3] == [search, cloning]


def _report(directories, output):
  report.report(directories=directories, output=str(output))
  return (output / 'report.md').read_text(encoding='utf-8')
