"""A dispatcher in this process, and workers in processes of their own."""

import os
import socket
import subprocess
import sys
import threading
import time
import weakref

from absl import logging
import tensorflow as tf

from tf_muzero import processes

WARNING = ('The servers of tf.data listen on all interfaces and ask nobody who '
           'he is: close their ports to others. docs/service.md')
_LOOK_EVERY = 0.5  # Seconds.
_EARLY = 20.0  # Seconds of life; a worker that ends before may end again.
_LONGEST_PAUSE = 60.0  # Seconds before one is started again.
_GRACE = 5.0  # Seconds that workers have to end by themselves.


class LocalService:
  """N worker processes; those that die are started again.

  They end with `close`, with the object, and with this process, however it
  ends.

  Attributes:
    address: of the dispatcher, `grpc://localhost:port`.
  """

  def __init__(self, num_workers: int):
    """Starts them; they join the dispatcher some seconds later."""
    self._dispatcher = tf.data.experimental.service.DispatchServer()
    self.address = self._dispatcher.target
    workers = [_Worker(i, self.address) for i in range(num_workers)]
    stopping = threading.Event()
    # Holds no reference to the object, so that it can go.
    thread = threading.Thread(
        target=_supervise, args=(workers, stopping), daemon=True)
    thread.start()
    self._end = weakref.finalize(self, _end, workers, stopping, thread)
    logging.info('Reanalyse service %s in this process; workers: %s.',
                 self.address, ', '.join(str(x.process.pid) for x in workers))
    logging.warning(WARNING)

  def close(self) -> None:
    """Ends the workers."""
    self._end()


class _Worker:
  """A worker process.

  Attributes:
    process: the present one.
  """

  def __init__(self, number: int, dispatcher: str):
    # The same in each life, so that the dispatcher knows it again.
    self._port = _free_port()
    self._number = number
    self._dispatcher = dispatcher
    self._early_ends = 0
    self._start_at = 0.0
    self._start()

  def look_after(self) -> None:
    """Starts the process again if it has ended, after a while if it must."""
    status = self.process.poll()
    if status is None:
      return
    now = time.monotonic()
    if not self._start_at:
      is_early = now - self._started < _EARLY
      self._early_ends = self._early_ends + 1 if is_early else 0
      pause = min(2.0**min(self._early_ends, 10) - 1.0, _LONGEST_PAUSE)
      self._start_at = now + pause
      logging.warning(
          'Worker %d of the reanalyse service, process %d, ended with %d; '
          'started again in %.0f s.', self._number, self.process.pid, status,
          pause)
    if now >= self._start_at:
      try:
        self._start()
      except OSError as error:
        self._start_at = now + _LONGEST_PAUSE
        logging.warning(
            'Worker %d of the reanalyse service cannot be started; tried again '
            'in %.0f s: %s', self._number, _LONGEST_PAUSE, error)
        return
      logging.info('Worker %d of the reanalyse service is process %d now.',
                   self._number, self.process.pid)

  def _start(self) -> None:
    package = os.path.dirname(os.path.dirname(os.path.dirname(
        os.path.abspath(__file__))))
    paths = [package, *filter(None, [os.environ.get('PYTHONPATH')])]
    self.process = subprocess.Popen(  # pylint: disable=consider-using-with
        [sys.executable, '-m', 'tf_muzero.reanalyse_service', '--role=worker',
         f'--dispatcher={self._dispatcher}', f'--port={self._port}',
         f'--parent={os.getpid()}'],
        env={**os.environ, 'PYTHONPATH': os.pathsep.join(paths),
             'CUDA_VISIBLE_DEVICES': '',
             'TF_CPP_MIN_LOG_LEVEL': os.environ.get(
                 'TF_CPP_MIN_LOG_LEVEL', '1')},
        # A signal of the terminal is for the trainer, which may want to finish.
        start_new_session=True)
    self._started = time.monotonic()
    self._start_at = 0.0


def _supervise(workers: list[_Worker], stopping: threading.Event) -> None:
  while not stopping.wait(_LOOK_EVERY):
    for worker in workers:
      worker.look_after()


def _end(workers: list[_Worker], stopping: threading.Event,
         thread: threading.Thread) -> None:
  stopping.set()
  thread.join()
  for worker in workers:
    worker.process.terminate()
  for worker in workers:
    processes.wait_or_kill(worker.process, _GRACE)


def _free_port() -> int:
  with socket.socket() as listener:
    listener.bind(('localhost', 0))
    return listener.getsockname()[1]
