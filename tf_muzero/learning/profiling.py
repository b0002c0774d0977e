"""Traces of some learner steps, for TensorBoard's profile page."""

import re
from typing import Optional

from absl import logging
import tensorflow as tf

from tf_muzero.keras2 import keras


def parse(text: str, num_steps: Optional[int]) -> Optional[tuple[int, int]]:
  """Returns the learner steps START and END of 'START:END'.

  Args:
    text: such as '100:120'; empty for none.
    num_steps: of the whole run; None where they are not known yet.
  """
  if not text:
    return None
  match = re.fullmatch(r'(\d+):(\d+)', text)
  start, end = map(int, match.groups()) if match else (0, 0)
  if start >= end or num_steps is not None and start >= num_steps:
    most = '' if num_steps is None else (
        f' and START < {num_steps}, the steps of the run')
    raise ValueError(f'profile must be START:END in learner steps, with START '
                     f'< END{most}, got {text!r}.')
  return start, end


class Profile(keras.callbacks.Callback):
  """Writes a trace of the executions from step START to step END."""

  def __init__(self, start: int, end: int, directory: str):
    """Creates the callback.

    Args:
      start: learner step; the first execution that begins there or later is in
        the trace.
      end: learner step that ends it; the execution that is begun goes on.
      directory: of TensorBoard's files.
    """
    super().__init__()
    self._start, self._end, self._directory = start, end, directory
    self._is_on = self._is_done = False

  def on_train_begin(self, logs=None):
    """Leaves out what a resumed run has behind it."""
    self._is_done = self.model.step >= self._end

  def on_train_batch_begin(self, batch, logs=None):
    """Starts the trace."""
    if not self._is_done and not self._is_on and (
        self.model.step >= self._start):
      tf.profiler.experimental.start(self._directory)
      self._is_on = True

  def on_train_batch_end(self, batch, logs=None):
    """Writes the trace at its last step."""
    if self._is_on and self.model.step >= self._end:
      self._write()

  def on_train_end(self, logs=None):
    """Writes a trace that was to go on."""
    if self._is_on:
      self._write()
    elif not self._is_done:
      logging.warning('Nothing was traced: the last execution began before '
                      'step %d.', self._start)

  def _write(self) -> None:
    self._is_on, self._is_done = False, True
    tf.profiler.experimental.stop()
    logging.info('Wrote a trace up to step %d to %s.', self.model.step,
                 self._directory)
