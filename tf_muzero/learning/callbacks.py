"""What happens now and then while the trainer fits."""

import contextlib
import datetime
import json
import math
import os
import time
from typing import Callable, Iterator, Optional

from absl import logging
import tensorflow as tf

from tf_muzero import devices
from tf_muzero import json_lines
from tf_muzero.data import skipping
from tf_muzero.keras2 import keras
from tf_muzero.learning import tensorboard
from tf_muzero.networks.contract import Network
from tf_muzero.reanalyse import snapshots


class Periodic(keras.callbacks.Callback):
  """Calls `self.run(step, logs)` after every `every` learner steps."""

  def __init__(self, every: int):
    """Creates the callback; `every` is in learner steps."""
    super().__init__()
    if every < 1:
      raise ValueError(f'every must be >= 1 learner step, got {every}.')
    self._every = every
    self._last = 0

  def on_train_begin(self, logs=None):
    """Counts from the step that training starts or resumes at."""
    self._last = self.model.step

  def on_train_batch_end(self, batch, logs=None):
    """Runs when a multiple of `every` has been reached or passed."""
    step = self.model.step
    if step // self._every > self._last // self._every:
      self.run(step, logs)
    self._last = step

  def run(self, step: int, logs: dict[str, float]) -> None:
    """Does the work."""
    raise NotImplementedError


class StopOnNan(keras.callbacks.Callback):
  """Raises FloatingPointError naming the step and the term."""

  def on_train_batch_end(self, batch, logs=None):
    """Checks all metrics of the execution."""
    bad = [name for name, value in logs.items() if not math.isfinite(value)]
    if bad:
      raise FloatingPointError(
          f'{", ".join(sorted(bad))} not finite at or shortly before learner '
          f'step {self.model.step}. The last checkpoint is from before. '
          'Usual causes: a learning rate that is too high, or data whose '
          'rewards are out of the range of the support.')


class PublishSnapshots(Periodic):
  """Publishes the weights that searches use, at the start and periodically."""

  def __init__(self, every: int, directory: str,
               source_fn: Callable[[], Network], is_chief: bool = True):
    """Creates the callback.

    Args:
      every: learner steps.
      directory: see `snapshots.publish`.
      source_fn: returns the network to publish.
      is_chief: whether this process publishes for all.
    """
    super().__init__(every)
    self._is_chief = is_chief
    self._directory = directory
    self._source_fn = source_fn

  def on_train_begin(self, logs=None):
    """Publishes the weights that training starts or resumes with.

    Not where a run was stopped between two snapshots: it goes on with the one
    that it had.
    """
    super().on_train_begin(logs)
    step = self.model.step
    if not step % self._every or not 0 <= self._published_step() <= step:
      self.run(step, logs)
    # No worker reads before the chief has written.
    devices.any_worker(self.model.distribute_strategy, False)

  def _published_step(self) -> int:
    try:
      return int(snapshots.read(self._directory, tf.constant(0))[0])
    except tf.errors.NotFoundError:
      return -1

  def run(self, step, logs):
    """Publishes."""
    if not self._is_chief:
      return
    with saving(f'The snapshot of step {step}'):
      snapshots.publish(self._directory, step, [
          v.read_value() for v in self._source_fn().variables])


class LogMetrics(Periodic):
  """One progress line, TensorBoard and metrics.jsonl every so many steps."""

  def __init__(self, every: int, run_directory: str,
               writer: tf.summary.SummaryWriter, *, num_steps: int,
               batch_size: int, searches_per_window: float,
               notes: str = ''):
    """Creates the callback.

    Args:
      every: learner steps.
      run_directory: where `metrics.jsonl` is.
      writer: see `tensorboard`.
      num_steps: learner steps of the whole run, for the ETA.
      batch_size: windows per learner step.
      searches_per_window: states that are searched for each window.
      notes: of what was skipped, see `skipping.note`; empty for none.
    """
    super().__init__(every)
    self._path = os.path.join(run_directory, 'metrics.jsonl')
    self._writer = writer
    self._num_steps = num_steps
    self._batch_size = batch_size
    self._searches_per_window = searches_per_window
    self._notes = notes
    self._begun: Optional[tuple[float, int]] = None  # Time and step.
    self._zero = 0.0  # Time at which the run's wall time was zero.
    self._busy = self._busy_since = 0.0
    self._seen = self._counted = 0  # Step of now, and of the last line.
    self._waited = 0.0  # Seconds since the last line.

  def on_train_begin(self, logs=None):
    """Forgets the metrics that a resumed run will write again."""
    super().on_train_begin(logs)
    lines = json_lines.drop_from(self._path, 'step', self.model.step + 1)
    self._zero = time.perf_counter() - (
        lines[-1].get('time/elapsed_seconds', 0.0) if lines else 0.0)

  def on_train_batch_begin(self, batch, logs=None):
    """Notes when an execution starts."""
    self._busy_since = time.perf_counter()

  def on_train_batch_end(self, batch, logs=None):
    """Counts the time of the execution, but for the first, which compiles."""
    if self._begun is None:
      self._begun = (time.perf_counter(), self.model.step)
      logging.info('The first steps took %.0f s.',
                   time.perf_counter() - self._busy_since)
      self._counted = self.model.step
    else:
      self._waited += logs['time/waited'] * (self.model.step - self._seen)
      self._busy += time.perf_counter() - self._busy_since
    self._seen = self.model.step
    super().on_train_batch_end(batch, logs)

  def run(self, step, logs):
    """Writes and logs."""
    metrics = {name: float(value) for name, value in logs.items()}
    metrics.update({
        'optimizer/learning_rate': float(
            tf.convert_to_tensor(self.model.optimizer.learning_rate)),
        'time/elapsed_seconds': time.perf_counter() - self._zero})
    del metrics['time/waited']  # Of the last execution only.
    speed = self._speed(step - self._counted)
    metrics.update(speed)
    if speed and 'time/ahead_seconds' in metrics:  # Little's law.
      metrics['time/searches_ahead'] = (
          metrics['time/ahead_seconds'] * speed['time/steps_per_second'])
    self._counted, self._busy, self._waited = step, 0.0, 0.0
    if self._notes:
      metrics['data/skipped_episodes'] = skipping.count(self._notes)
    write_metrics(self._path, self._writer, step, metrics)
    with saving(f'The histograms of step {step}'):
      tensorboard.write_histograms(self._writer, step, {
          name: x.numpy() for name, x in self.model.samples.items()})
    logging.info(
        'step %d/%d  %sweights %.0f steps old  %s  ETA %s',
        step, self._num_steps, _in_words(speed), metrics['search/age'],
        '  '.join(f'{name[5:]} {value:.3f}' for name, value
                  in sorted(metrics.items()) if name.startswith('loss/')),
        self._remaining(step))

  def _speed(self, num_steps: int) -> dict[str, float]:
    """Returns metrics of the last learner steps; none of no steps."""
    if not num_steps:  # But the first ones, which compile.
      return {}
    rate = num_steps / self._busy
    return {
        'time/steps_per_second': rate,
        'time/windows_per_second': rate * self._batch_size,
        'time/searches_per_second': (
            rate * self._batch_size * self._searches_per_window),
        'time/waited_share': min(self._waited / self._busy, 1.0),
        'time/wait_seconds': self._waited / num_steps,
        'time/step_seconds': (self._busy - self._waited) / num_steps}

  def _remaining(self, step: int) -> str:
    """Returns the time left, in words."""
    if not self._begun or step == self._begun[1]:
      return 'unknown'
    begun, begun_step = self._begun
    seconds = (self._num_steps - step) * (time.perf_counter() - begun) / (
        step - begun_step)
    return str(datetime.timedelta(seconds=round(seconds)))


def _in_words(speed: dict[str, float]) -> str:
  """Returns the speed as a part of the progress line."""
  if not speed:
    return ''
  return (f"{speed['time/steps_per_second']:.1f} steps/s  "
          f"{speed['time/windows_per_second']:.0f} windows/s  "
          f"{speed['time/searches_per_second']:.0f} searches/s  "
          f"waited {speed['time/waited_share']:.0%}  ")


def write_metrics(path: str, writer: tf.summary.SummaryWriter, step: int,
                  metrics: dict[str, float]) -> None:
  """Appends flat metrics to a JSON-lines file and to TensorBoard."""
  with saving(f'The metrics of step {step}'):
    with tf.io.gfile.GFile(path, 'a') as file:
      file.write(json.dumps({'step': step, **metrics}) + '\n')
    tensorboard.write_scalars(writer, step, metrics)


@contextlib.contextmanager
def saving(what: str) -> Iterator[None]:
  """Turns TensorFlow's errors into an OSError that says what was not saved."""
  try:
    yield
  except tf.errors.OpError as error:
    raise OSError(
        f'{what} could not be saved: {error.message} Is the disk full? What '
        'was saved before is intact, and the same command resumes from it.'
    ) from error
