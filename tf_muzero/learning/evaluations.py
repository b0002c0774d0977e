"""Evaluates the weights of a running training now and then."""

import os
import time
from typing import Any, Callable, Sequence

from absl import logging
import tensorflow as tf

from tf_muzero import devices
from tf_muzero import json_lines
from tf_muzero.keras2 import keras
from tf_muzero.learning import callbacks
from tf_muzero.learning import interruption
from tf_muzero.learning import tensorboard


class Evaluate(callbacks.Periodic):
  """Evaluates the target network periodically and at the end.

  An evaluation that is missing, since a signal or the end of the process came
  in between, is made when the run goes on.

  Attributes:
    evaluated: learner step of the last evaluation, 0 for none.
    metrics: of that evaluation.
  """

  def __init__(self, every: int, run_directory: str,
               writer: tf.summary.SummaryWriter,
               measure_fn: Callable[..., dict[str, Any]],
               poll_fn: Callable[[], None]):
    """Creates the callback.

    Args:
      every: learner steps.
      run_directory: where `evaluations.jsonl` is.
      writer: see `tensorboard`.
      measure_fn: (parameters, poll_fn) -> flat metrics, and films for
        TensorBoard alone.
      poll_fn: raises `interruption.Interrupted` if there is no time for it.
    """
    super().__init__(every)
    self._path = os.path.join(run_directory, 'evaluations.jsonl')
    self._writer = writer
    self._measure_fn = measure_fn
    self._poll_fn = poll_fn
    self.evaluated = 0
    self.metrics: dict[str, float] = {}

  def on_train_begin(self, logs=None):
    """Forgets what a resumed run will do again, makes what it lacks."""
    lines = json_lines.drop_from(self._path, 'step', self.model.step + 1)
    self._last = self.evaluated = lines[-1]['step'] if lines else 0
    self.metrics = lines[-1] if lines else {}
    self.on_train_batch_end(0, logs)

  def on_train_end(self, logs=None):
    """Evaluates the last weights, if that was not done."""
    if self.evaluated != self.model.step:
      self.run(self.model.step, logs)

  def run(self, step, logs):
    """Evaluates, unless training was told to stop."""
    if self.model.stop_training:
      return
    start = time.perf_counter()
    try:
      measured = self._measure_fn(
          [v.read_value() for v in self.model.target_network.variables],
          self._poll_fn)
    except interruption.Interrupted as signal:
      logging.warning('%s: no evaluation at step %d; the same command makes '
                      'one when it resumes.', signal, step)
      return
    films = {name: x for name, x in measured.items()
             if isinstance(x, tensorboard.Film)}
    metrics = {name: float(x) for name, x in measured.items()
               if name not in films}
    self.evaluated, self.metrics = step, metrics
    if not measured:  # Nothing to evaluate by.
      return
    callbacks.write_metrics(self._path, self._writer, step, metrics)
    with callbacks.saving(f'The films of step {step}'):
      tensorboard.write_films(self._writer, step, films)
    logging.info('evaluation at step %d: %s (%.0f s)', step, '  '.join(
        _describe(name, value, metrics) for name, value in metrics.items()
        if not name.endswith('_standard_error')), time.perf_counter() - start)


def complete(evaluations: Sequence[keras.callbacks.Callback],
             model: keras.Model) -> None:
  """Makes the evaluations that a run lacks that has all its steps."""
  logging.info('The run has all its %d steps.', model.step)
  for callback in evaluations:
    callback.set_model(model)
    callback.on_train_begin()
  for callback in evaluations:
    callback.on_train_end()
  # No worker leaves while the chief evaluates.
  devices.any_worker(model.distribute_strategy, False)


def _describe(name: str, value: float, metrics: dict[str, float]) -> str:
  """Returns a metric with its standard error, if it has one."""
  error, short = metrics.get(f'{name}_standard_error'), name.split('/')[-1]
  if error is None:
    return f'{short} {value:.3g}'
  return f'{short} {value:.1f} ± {error:.1f}'
