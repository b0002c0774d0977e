"""What watches a training: it tells, evaluates, and keeps the best."""

import os
from typing import Callable, Optional

import tensorflow as tf

from tf_muzero.acting import batches
from tf_muzero.data import skipping
from tf_muzero.keras2 import keras
from tf_muzero.learning import best
from tf_muzero.learning import callbacks as callbacks_lib
from tf_muzero.learning import checkpoints
from tf_muzero.learning import collapse
from tf_muzero.learning import evaluations as evaluations_lib
from tf_muzero.learning import few_windows
from tf_muzero.learning import profiling
from tf_muzero.learning import service_watch
from tf_muzero.learning import tensorboard
from tf_muzero.reanalyse import service as service_lib


def writer_of(run_directory: str, is_chief: bool) -> tf.summary.SummaryWriter:
  """Returns the run's TensorBoard, or what writes nothing."""
  return tensorboard.open_writer(run_directory) if is_chief else (
      tf.summary.create_noop_writer())


def reports(
    run_directory: str, writer: tf.summary.SummaryWriter, feed: batches.Feed,
    service: Optional[service_lib.Service], *, log_every: int, num_steps: int,
    skips: bool, profile: str
    ) -> list[keras.callbacks.Callback]:
  """Returns what tells how training goes.

  Args:
    run_directory: of the run.
    writer: of TensorBoard.
    feed: what the training is fed with.
    service: that searches, if there is one.
    log_every: learner steps.
    num_steps: of the whole run.
    skips: whether bad episodes are skipped, and counted.
    profile: learner steps to profile, see `profiling.parse`.
  """
  feed.tell()
  reanalyse = feed.reanalyse
  callbacks: list[keras.callbacks.Callback] = [callbacks_lib.LogMetrics(
      log_every, run_directory, writer, num_steps=num_steps,
      batch_size=feed.batch_size,
      searches_per_window=feed.searches_per_window,
      notes=skipping.notes_of(run_directory) if skips else ''),
      collapse.WarnOfCollapse(log_every, feed.unroll_steps),
      few_windows.WarnOfFewWindows(log_every, reanalyse.windows_per_segment)]
  if service:
    callbacks.append(service_watch.WatchService(
        log_every, run_directory, writer, service,
        reanalyse.states_per_search(feed.unroll_steps)))
  profiled = profiling.parse(profile, num_steps)
  if profiled:
    callbacks.append(profiling.Profile(
        *profiled, os.path.join(run_directory, 'tensorboard')))
  return callbacks


def evaluations(
    every: int, run_directory: str, writer: tf.summary.SummaryWriter,
    measure_fn: Optional[Callable], poll_fn: Callable[[], None],
    saver: checkpoints.Saver, best_by: str) -> list[keras.callbacks.Callback]:
  """Returns what evaluates and keeps the best, if anything is measured.

  The chief evaluates; every worker saves.

  Args:
    every: learner steps.
    run_directory: of the run.
    writer: of TensorBoard.
    measure_fn: see `evaluate.MeasureFn`; None for no evaluations.
    poll_fn: see `evaluations.Evaluate`.
    saver: of checkpoints.
    best_by: see `best.KeepBest`.
  """
  if measure_fn is None:
    return []
  evaluate = evaluations_lib.Evaluate(
      every, run_directory, writer, measure_fn, poll_fn
      ) if saver.is_chief else None
  return [*([evaluate] if evaluate else []),
          best.KeepBest(every, saver, evaluate, best_by)]
