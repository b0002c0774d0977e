"""The best checkpoint so far, by what evaluations measure.

It lies in `checkpoints/best/` with all that a run is resumed from, and
`best.json` there tells its step, the metric and the value.
"""

import dataclasses
import math
import re
from typing import Any, Callable, Mapping, Optional, Sequence

from absl import logging

from tf_muzero import devices
from tf_muzero.learning import callbacks
from tf_muzero.learning import checkpoint_files
from tf_muzero.learning import checkpoints
from tf_muzero.learning import evaluations
from tf_muzero.types import Parameters

_DEVIATION = '_standard_error'
_REWARD_ERROR = re.compile(r'validation/reward_error_(\d+)')
_LOWER = re.compile(r'validation/.*(error|distance)')


@dataclasses.dataclass(frozen=True)
class Measure:
  """What measures weights, and says beforehand what it gives.

  Attributes:
    measure_fn: see `evaluate.MeasureFn`.
    names: of its metrics, None where they are not known beforehand.
  """
  measure_fn: Callable[..., dict[str, Any]]
  names: Optional[tuple[str, ...]]

  def __call__(self, parameters: Parameters, poll_fn: Callable[[], None]
               ) -> dict[str, Any]:
    return self.measure_fn(parameters, poll_fn)


# Where there is nothing to measure.
NOTHING = Measure(lambda parameters, poll_fn: {}, ())


def names_of(measure_fns: Sequence[Any]) -> Optional[tuple[str, ...]]:
  """Returns the metrics of all, None where one of them does not say."""
  names: list[str] = []
  for each in measure_fns:
    if not isinstance(each, Measure) or each.names is None:
      return None
    names += each.names
  return tuple(names)


def checked(best_by: str, measure_fn: Optional[Callable]
            ) -> Optional[Callable]:
  """Returns what measures, if there will be a metric of this name."""
  if best_by and measure_fn is None:
    raise ValueError(f'best_by is {best_by!r}, but nothing is evaluated: give '
                     'evaluate_fn and evaluate_every.')
  names = names_of([measure_fn])
  if best_by and names is not None and best_by not in names:
    raise ValueError(f'best_by must be a metric of the evaluations, one of '
                     f'{sorted(names)}, got {best_by!r}.')
  return measure_fn


def choose(metrics: Mapping[str, float]) -> str:
  """Returns the metric that tells which weights are best, or ''.

  It is the return of the last mode that was played; where none was, the
  held-out error of the reward after one unrolled step. The policy and the
  values are not meant to be the data's, but rewards are; docs/learning.md
  compares it with other rules.
  """
  played = [name for name in metrics if name.startswith('evaluation/')
            and not name.endswith(_DEVIATION)]
  if played:
    return played[-1]
  errors = [(int(match[1]), match[0])
            for match in map(_REWARD_ERROR.fullmatch, metrics) if match]
  return min(errors)[1] if errors else ''


def is_better(metric: str, value: float, other: float) -> bool:
  """Returns whether a value is better: errors and distances should be low."""
  return value < other if _LOWER.match(metric) else value > other


class KeepBest(callbacks.Periodic):
  """Saves what was just evaluated, if it is the best so far.

  It follows `Evaluate`. Of several processes all have it, since saving may
  need all; the one that evaluates tells the others.
  """

  def __init__(self, every: int, saver: checkpoints.Saver,
               evaluate: Optional[evaluations.Evaluate], best_by: str):
    """Creates the callback.

    Args:
      every: learner steps, of the evaluations.
      saver: that writes.
      evaluate: of this process, None where it does not evaluate.
      best_by: name of the metric; empty for what `choose` returns.
    """
    super().__init__(every)
    self._saver = saver
    self._evaluate = evaluate
    self._best_by = best_by
    self._best = checkpoint_files.read_best(saver.directory)
    self._seen = -1  # Step of the last evaluation that was looked at.

  def on_train_begin(self, logs=None):
    """Looks at what a resumed run had not evaluated yet."""
    super().on_train_begin(logs)
    self.run(self.model.step, logs)

  def on_train_end(self, logs=None):
    """Looks at the evaluation of the last step."""
    self.run(self.model.step, logs)

  def run(self, step, logs):
    """Saves, if any process found the weights to be the best."""
    found = self._look(step)
    if not devices.any_worker(
        self.model.distribute_strategy, found is not None):
      return
    directory = self._saver.directory
    self._saver.save(
        self.model, checkpoint_files.best_directory_of(directory))
    if found:
      with callbacks.saving(f'The best checkpoint, of step {step},'):
        checkpoint_files.write_best(directory, found)
      self._best = found
      logging.info('step %d is the best so far: %s %.4g; kept in %s.', step,
                   found.metric, found.value,
                   checkpoint_files.best_directory_of(directory))

  def _look(self, step: int) -> Optional[checkpoint_files.Best]:
    """Returns what is the best now, if it is of this step."""
    if self._evaluate is None or self._evaluate.evaluated != step or (
        self._seen == step or not self._evaluate.metrics):
      return None
    self._seen, metrics = step, self._evaluate.metrics
    metric = self._best_by or choose(metrics)
    if metric not in metrics:
      logging.warning('No best checkpoint is kept: %s. The evaluation has %s.',
                      f'there is no {metric}' if metric else 'best_by must say '
                      'by what', ', '.join(sorted(metrics)))
      return None
    value, best = float(metrics[metric]), self._best
    if not math.isfinite(value):
      return None
    if best and best.metric != metric:
      logging.warning('The best so far, step %d, was so by %s; from now on %s '
                      'decides.', best.step, best.metric, metric)
      best = None
    if best and not is_better(metric, value, best.value):
      return None
    return checkpoint_files.Best(step, metric, value)
