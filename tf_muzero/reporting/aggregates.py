"""Scores of many tasks and seeds in one number, and how sure it is.

As Agarwal et al. 2021 ("Deep RL at the Edge of the Statistical Precipice",
arXiv 2108.13264) and their library rliable define it, which a test compares
with. It is not used itself: its bootstrap cannot be seeded, and it brings
several other packages.
"""

from typing import Callable, NamedTuple, Sequence

import numpy as np
from scipy import stats

# Scores of each task, leading shape [...]: one array [..., runs] a task.
Scores = Sequence[np.ndarray]
NUM_DRAWS = 9_999  # Of a permutation test, where not all can be tried.


class Interval(NamedTuple):
  """An aggregate and its confidence interval."""
  value: float
  low: float
  high: float


def median(scores: Scores) -> np.ndarray:
  """Returns the median over tasks of the means over runs, [...]."""
  return np.median(_task_means(scores), axis=-1)


def mean(scores: Scores) -> np.ndarray:
  """Returns the mean over tasks of the means over runs, [...]."""
  return np.mean(_task_means(scores), axis=-1)


def interquartile_mean(scores: Scores) -> np.ndarray:
  """Returns the mean of the middle half of all runs of all tasks, [...]."""
  return stats.trim_mean(np.concatenate(scores, axis=-1), 0.25, axis=-1)


AGGREGATES: dict[str, Callable[[Scores], np.ndarray]] = {
    'median': median, 'interquartile mean': interquartile_mean, 'mean': mean}


def interval(aggregate: Callable[[Scores], np.ndarray], scores: Scores, *,
             seed: int, resample_tasks: bool = False, num_samples: int = 2000,
             confidence: float = 0.95) -> Interval:
  """Returns an aggregate with its percentile bootstrap interval.

  Runs are drawn anew within each task ("stratified"): how much the number would
  vary with other seeds. With `resample_tasks` the tasks are drawn anew too: how
  much it would vary with other tasks.

  Args:
    aggregate: one of `AGGREGATES`.
    scores: [runs] of each task.
    seed: of the draws.
    resample_tasks: see above.
    num_samples: draws.
    confidence: share of the draws that are in the interval.
  """
  if not scores or min(len(x) for x in scores) < 1:
    raise ValueError('scores must have one run or more of one task or more.')
  rng = np.random.default_rng(seed)
  if resample_tasks:
    # A task that is drawn twice has other runs each time.
    samples = np.array([
        aggregate([_draw(scores[task], (), rng) for task in tasks])
        for tasks in rng.integers(
            len(scores), size=[num_samples, len(scores)])])
  else:
    samples = aggregate([_draw(x, (num_samples,), rng) for x in scores])
  low, high = np.percentile(
      samples, [50.0 * (1.0 - confidence), 50.0 * (1.0 + confidence)])
  return Interval(float(aggregate(scores)), float(low), float(high))


def probability_of_improvement(
    scores: Scores, rivals: Scores, *, seed: int, num_samples: int = 2000,
    confidence: float = 0.95) -> Interval:
  """Returns how probable it is that a run is better than one of a rival.

  Mean over tasks of P(X > Y) + P(X = Y) / 2 for a run X and a rival's run Y of
  the task, with a bootstrap interval over the runs of both.

  Args:
    scores: [runs] of each task.
    rivals: [runs] of each task, the same tasks.
    seed: of the draws.
    num_samples: draws.
    confidence: share of the draws that are in the interval.
  """
  if len(scores) != len(rivals):
    raise ValueError(f'rivals must be of the same {len(scores)} tasks, got '
                     f'{len(rivals)}.')

  def improved(both: Scores) -> np.ndarray:
    half = len(both) // 2
    chances = []
    for mine, other in zip(both[:half], both[half:]):
      gap = mine[..., :, np.newaxis] - other[..., np.newaxis, :]
      chances.append(np.mean((gap > 0) + 0.5 * (gap == 0), axis=(-2, -1)))
    return np.mean(np.stack(chances, axis=-1), axis=-1)

  return interval(improved, [*map(np.asarray, scores), *map(
      np.asarray, rivals)], seed=seed, num_samples=num_samples,
                  confidence=confidence)


def p_value(scores: np.ndarray, rivals: np.ndarray, *, seed: int) -> float:
  """Returns how probable a difference of means as large is by chance.

  By the permutation test, two-sided: how often runs that are shared out to the
  two at random differ as much. Exact for few runs, else of `NUM_DRAWS`.

  Args:
    scores: [runs].
    rivals: [runs].
    seed: of the draws.
  """
  return float(stats.permutation_test(
      (scores, rivals), lambda x, y, axis: np.mean(x, axis) - np.mean(y, axis),
      vectorized=True, n_resamples=NUM_DRAWS, random_state=seed).pvalue)


def _draw(runs: np.ndarray, shape: tuple[int, ...], rng: np.random.Generator
          ) -> np.ndarray:
  """Returns as many runs as there are, with replacement, [*shape, runs]."""
  return np.asarray(runs)[rng.integers(len(runs), size=[*shape, len(runs)])]


def _task_means(scores: Scores) -> np.ndarray:
  return np.stack([np.mean(x, axis=-1) for x in scores], axis=-1)
