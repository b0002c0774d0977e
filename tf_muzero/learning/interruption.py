"""SIGTERM and SIGINT while training: save, then exit.

Machines that can be taken away send SIGTERM some seconds before. The execution
under way is finished, the trainer saves itself and the data's position, and the
process exits with `EXIT_CODE`; the same command resumes. An evaluation under
way is not finished: it asks now and then, with `StopOnSignal.poll`. A second
signal ends the process at once, as it would without this: also where the first
one was not heeded, since TensorFlow waits for another worker.
"""

import contextlib
import os
import signal
import socket
import threading
from typing import Iterator

from absl import logging

from tf_muzero import devices
from tf_muzero.keras2 import keras

# EX_TEMPFAIL of sysexits.h, "the user is invited to retry": not a crash, and
# not 143 or 130, which a shell tells of a process that did not get to save.
EXIT_CODE = 75
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Interrupted(Exception):
  """A signal came, and what can be done later is to end."""


class StopOnSignal(keras.callbacks.Callback):
  """Stops training after the execution in which a signal came.

  Attributes:
    stopped: whether it did.
  """

  def __init__(self):
    """Creates the callback."""
    super().__init__()
    self._signal = 0
    self._has_interrupted = False
    self.stopped = False

  def note(self, number: int, _) -> None:
    """Handles a signal."""
    self._signal = number
    logging.warning('%s: saving after this execution; a second signal ends the '
                    'process at once.', signal.Signals(number).name)

  def poll(self) -> None:
    """Raises Interrupted if this process got a signal."""
    if self._signal:
      self._has_interrupted = True
      raise Interrupted(signal.Signals(self._signal).name)

  def on_train_batch_end(self, batch, logs=None):
    """Stops, if any worker got a signal."""
    if devices.any_worker(self.model.distribute_strategy, bool(self._signal)):
      self.stopped = self.model.stop_training = True

  def agree(self) -> None:
    """Waits for all workers, whether or not one has still to evaluate."""
    self.stopped = devices.any_worker(
        self.model.distribute_strategy, self.stopped or self._has_interrupted)


@contextlib.contextmanager
def exiting(callback: StopOnSignal) -> Iterator[None]:
  """Lets a callback handle signals; raises SystemExit at the end if it did."""
  # Python lets only the main thread handle signals.
  signals = _SIGNALS if (
      threading.current_thread() is threading.main_thread()) else ()
  previous = {x: signal.signal(x, callback.note) for x in signals}
  try:
    with _second_ends() if signals else contextlib.nullcontext():
      yield
      callback.agree()
  finally:
    for number, handler in previous.items():
      signal.signal(number, handler or signal.SIG_DFL)
  if callback.stopped:
    logging.info('Saved at step %d. The same command resumes; exit code %d.',
                 callback.model.step, EXIT_CODE)
    raise SystemExit(EXIT_CODE)


@contextlib.contextmanager
def _second_ends() -> Iterator[None]:
  """Ends the process at the second signal, whatever the main thread does.

  Python handles signals in the main thread, between two of its instructions;
  in a long call of TensorFlow there are none. But the number of a signal is
  written to a file at once.
  """
  told, teller = socket.socketpair()
  teller.setblocking(False)

  def count():
    received = 0
    while True:
      number = told.recv(1)
      if not number:
        return
      received += ord(number) in map(int, _SIGNALS)
      if received == 2:
        os._exit(128 + ord(number))  # pylint: disable=protected-access

  before = signal.set_wakeup_fd(teller.fileno(), warn_on_full_buffer=False)
  thread = threading.Thread(target=count, daemon=True)
  thread.start()
  try:
    yield
  finally:
    signal.set_wakeup_fd(before)
    # Closing it would not end the thread where a fork holds a copy.
    teller.shutdown(socket.SHUT_RDWR)
    thread.join()
    teller.close()
    told.close()
