"""Aggregates and their intervals are those of rliable."""

import json
import os

import numpy as np
import pytest

from tf_muzero.reporting import aggregates

# Made by tools/make_rliable_golden.py.
with open(os.path.join(os.path.dirname(__file__), 'rliable.json'),
          encoding='utf8') as _file:
  _GOLDEN = json.load(_file)
_SCORES = list(np.array(_GOLDEN['scores']).T)  # 9 tasks, 5 runs.


@pytest.mark.parametrize('name', aggregates.AGGREGATES)
@pytest.mark.parametrize('resample_tasks, key', [
    (False, 'runs'), (True, 'runs and tasks')])
def test_intervals_are_rliable_s(name, resample_tasks, key):
  value, low, high = _GOLDEN[key][name]
  ours = aggregates.interval(
      aggregates.AGGREGATES[name], _SCORES, seed=1,
      resample_tasks=resample_tasks, num_samples=5000)
  assert ours.value == pytest.approx(value, rel=1e-12)
  # Both are Monte Carlo estimates: within 4% of the interval's width, and the
  # median's distribution over tasks has steps.
  tolerance = (0.1 if name == 'median' else 0.04) * (high - low)
  assert ours.low == pytest.approx(low, abs=tolerance)
  assert ours.high == pytest.approx(high, abs=tolerance)


def test_by_hand():
  scores = [np.array([1.0, 3.0]), np.array([10.0, 20.0]), np.array([0.0, 0.0])]
  assert aggregates.median(scores) == 2.0
  assert aggregates.mean(scores) == pytest.approx((2 + 15 + 0) / 3)
  # Sorted: 0 0 1 3 10 20; a quarter of 6 is 1, to be cut at each end.
  assert aggregates.interquartile_mean(scores) == pytest.approx(14 / 4)


def test_tasks_may_have_different_numbers_of_runs():
  scores = [np.array([4.0]), np.array([2.0, 2.0, 2.0])]
  assert aggregates.mean(scores) == 3.0
  for resample_tasks in (False, True):
    found = aggregates.interval(
        aggregates.mean, scores, seed=0, resample_tasks=resample_tasks)
    assert found.value == 3.0
    assert (found.low, found.high) == ((2.0, 4.0) if resample_tasks else
                                       (3.0, 3.0))


def test_same_seed_same_interval():
  one, same, other = (aggregates.interval(
      aggregates.mean, _SCORES, seed=seed, num_samples=50)
                      for seed in (0, 0, 1))
  assert one == same != other


@pytest.mark.parametrize('scores', [[], [np.array([1.0]), np.array([])]])
def test_nothing_to_aggregate(scores):
  with pytest.raises(ValueError, match='one run or more'):
    aggregates.interval(aggregates.mean, scores, seed=0)
