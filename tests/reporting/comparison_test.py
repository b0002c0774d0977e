"""Variants beside each other, with numbers known by hand."""

import numpy as np
import pytest

from tf_muzero.reporting import aggregates
from tf_muzero.reporting import comparison
from tf_muzero.reporting import document
from tf_muzero.reporting import groups
from tf_muzero.reporting import runs


def _group(method, **scores):
  """Returns runs of which a mode's scores are given, a seed each."""
  return groups.Group('catch', 1, method, tuple(
      runs.Run(f'{method}/{seed}', 'catch', 1, {}, {}, {
          mode: runs.Score(10, values[seed], 0.5) for mode, values
          in scores.items()}, {}, {}) for seed in range(len(
              next(iter(scores.values()))))))


def test_tables_by_hand(tmp_path):
  blocks = comparison.blocks([comparison.Case('catch', [
      _group('a', policy=[1.0, 2.0, 6.0], mcts=[4.0, 5.0, 6.0]),
      _group('b', policy=[1.0, 0.0, 3.0])])], str(tmp_path), seed=0)
  text = document.to_markdown(blocks)
  # The standard error of 1, 2, 6: their variance is 7.
  assert '| variant | policy mode | mcts |' in text
  assert '| a | 3.00 ± 1.53 (3) | 5.00 ± 0.58 (3) |' in text
  assert '| b | 1.33 ± 0.88 (3) | – |' in text
  # 1, 0, 3 over 1, 2, 6: of nine pairs two are higher and one is equal. By
  # chance means differ by 5 / 3 or more in 12 of 20 ways to share them out.
  assert '| b over a | 0.28 [' in text
  assert ', p 0.6 | – |' in text
  assert 'With 3 and 3 seeds it cannot be lower than 0.1,' in text
  assert '| a: mcts | 5.00 [' in text
  pictures = [x.name for block in blocks
              if isinstance(block, document.Pictures) for x in block.pictures]
  assert pictures == ['variants_0_interquartile_mean.png',
                      'variants_0_mean.png']
  assert all((tmp_path / name).exists() for name in pictures)


def test_of_one_seed_nothing_is_said(tmp_path):
  text = document.to_markdown(comparison.blocks([comparison.Case('catch', [
      _group('a', policy=[1.0]), _group('b', policy=[2.0])])],
                                                str(tmp_path), seed=0))
  assert '| a | 1.00 ± ? (1) |' in text
  assert 'There is one seed of each variant' in text
  assert '| b over a' not in text


def test_one_run_has_no_p(tmp_path):
  """As in a study that is half done, which takes one seed after the other."""
  text = document.to_markdown(comparison.blocks([comparison.Case('catch', [
      _group('a', policy=[1.0, 2.0]), _group('b', policy=[3.0])])],
                                                str(tmp_path), seed=0))
  assert '| b over a | 1.00 [1.00, 1.00] |' in text
  assert 'p is the chance' not in text


def test_cases_together_have_one_chance_and_no_p(tmp_path):
  cases = [comparison.Case(title, [
      _group('a', policy=[2.0, 3.0]), _group('b', policy=rivals)])
           for title, rivals in (('one', [0.0, 1.0]), ('two', [4.0, 1.0]))]
  text = document.to_markdown(
      comparison.blocks(cases, str(tmp_path), seed=0))
  assert '## Variants: all cases together' in text
  assert '| b over a | 0.25 [' in text.partition('all cases')[2]
  assert ', p ' not in text.partition('all cases')[2]


def test_the_probability_of_improvement_is_rliable_s():
  # Ties count half; the mean is over tasks.
  found = aggregates.probability_of_improvement(
      [np.array([1.0, 2.0]), np.array([5.0])],
      [np.array([1.0, 0.0]), np.array([6.0, 4.0])], seed=0)
  assert found.value == pytest.approx((3.5 / 4 + 0.5) / 2)
  assert 0.0 <= found.low <= found.value <= found.high <= 1.0
  sure = aggregates.probability_of_improvement(
      [np.arange(3) + 10.0], [np.arange(3) * 1.0], seed=0)
  assert sure == (1.0, 1.0, 1.0)
  with pytest.raises(ValueError, match='the same 1 tasks, got 2'):
    aggregates.probability_of_improvement(
        [np.arange(3)], [np.arange(3)] * 2, seed=0)


def test_the_permutation_test_is_exact_for_few_runs():
  low, high = np.array([0.0, 1.0, 2.0]), np.array([3.0, 4.0, 5.0])
  assert aggregates.p_value(high, low, seed=0) == pytest.approx(0.1)
  assert aggregates.p_value(low, high, seed=0) == pytest.approx(0.1)
  assert aggregates.p_value(low, low, seed=0) == pytest.approx(1.0)
