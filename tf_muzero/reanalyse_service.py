"""A process of the reanalyse service, which searches for trainers elsewhere.

  tf-muzero reanalyse_service --role=dispatcher --port=5050 \\
      --work_dir=runs/service
  tf-muzero reanalyse_service --role=worker --dispatcher=grpc://localhost:5050

One dispatcher, any number of workers; docs/service.md says more.
"""

import os
import signal
import threading
from typing import Literal, Optional

from absl import logging
import tensorflow as tf

from tf_muzero import cli
from tf_muzero import devices
from tf_muzero import ranges
from tf_muzero.reanalyse import local_service
from tf_muzero.reanalyse import service as service_lib

_SERVICE = tf.data.experimental.service


def reanalyse_service(
    *, role: Literal['dispatcher', 'worker'], port: int = 0,
    host: str = 'localhost', dispatcher: Optional[str] = None,
    work_dir: Optional[str] = None, intra_op_threads: Optional[int] = None,
    parent: int = 0
) -> None:
  """Serves until a signal comes.

  Args:
    role: what this process is, `dispatcher` or `worker`.
    port: to listen at; 0 takes a free one.
    host: name by which others reach this machine; workers on other machines
      than the trainer need one.
    dispatcher: for a worker, grpc://host:port of the dispatcher.
    work_dir: for a dispatcher, directory of its journal, from which it goes on
      when it is started again. Without one it cannot.
    intra_op_threads: for a worker, threads of one operation; by default
      `devices.search_threads()`. How many searches run at the same time, the
      trainer's `parallel_searches` says.
    parent: process with whose end this one is to end; 0 for none.
  """
  ranges.at_least(0, port=port)
  tf.config.set_visible_devices([], 'GPU')  # They are the trainer's.
  if role == 'dispatcher':
    server = _start_dispatcher(host, port, work_dir)
  else:
    server = _start_worker(host, port, dispatcher, intra_op_threads)
  stopping = threading.Event()
  # Only now: until it serves, a signal ends it as any process.
  for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, lambda *_: stopping.set())
  if not parent:  # Which has said it.
    logging.warning(local_service.WARNING)
  while not stopping.wait(1.0):
    if parent and os.getppid() != parent:
      logging.info('Process %d has ended.', parent)
      break
  logging.info('Stopping.')
  server.stop()


def _start_dispatcher(host: str, port: int, work_dir: Optional[str]
                      ) -> tf.data.experimental.service.DispatchServer:
  server = _SERVICE.DispatchServer(_SERVICE.DispatcherConfig(
      port=port, work_dir=work_dir, fault_tolerant_mode=bool(work_dir)))
  logging.info(
      'Dispatcher at grpc://%s:%s, %s.', host, server.target.rpartition(':')[2],
      f'journal in {work_dir}' if work_dir else
      'without a journal: give --work_dir to be able to start it again')
  return server


def _start_worker(host: str, port: int, dispatcher: Optional[str],
                  intra_op_threads: Optional[int]
                  ) -> tf.data.experimental.service.WorkerServer:
  if not dispatcher:
    raise ValueError('A worker needs --dispatcher=grpc://host:port.')
  service_lib.wait_for_dispatcher(dispatcher)
  if intra_op_threads is None:
    intra_op_threads = devices.search_threads()
  devices.limit_threads(intra_op_threads)
  devices.start_compiler()
  server = _SERVICE.WorkerServer(_SERVICE.WorkerConfig(
      dispatcher_address=dispatcher.rpartition('//')[2],
      worker_address=f'{host}:{port or "%port%"}', port=port))
  logging.info('Worker at %s, process %d, of the dispatcher %s.', host,
               os.getpid(), dispatcher)
  return server


if __name__ == '__main__':
  cli.run(reanalyse_service)
