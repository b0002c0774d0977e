"""A process of the reanalyse service, which searches for trainers elsewhere.

  python -m tf_muzero.reanalyse_service --role=dispatcher --port=5050 \\
      --work_dir=runs/service
  python -m tf_muzero.reanalyse_service --role=worker \\
      --dispatcher=grpc://localhost:5050

One dispatcher, any number of workers; docs/service.md says more.
"""

import os
import signal
import threading
from typing import Sequence

from absl import app
from absl import flags
from absl import logging
import tensorflow as tf

from tf_muzero import devices
from tf_muzero.reanalyse import local_service
from tf_muzero.reanalyse import service as service_lib

_SERVICE = tf.data.experimental.service
_ROLE = flags.DEFINE_enum(
    'role', None, ['dispatcher', 'worker'], 'What this process is.',
    required=True)
_PORT = flags.DEFINE_integer(
    'port', 0, 'To listen at; 0 takes a free one.', lower_bound=0)
_HOST = flags.DEFINE_string(
    'host', 'localhost', 'Name by which others reach this machine; workers on '
    'other machines than the trainer need one.')
_DISPATCHER = flags.DEFINE_string(
    'dispatcher', None, 'For a worker: grpc://host:port of the dispatcher.')
_WORK_DIR = flags.DEFINE_string(
    'work_dir', None, 'For a dispatcher: directory of its journal, from which '
    'it goes on when it is started again. Without one it cannot.')
_THREADS = flags.DEFINE_integer(
    'intra_op_threads', 1, 'For a worker: threads of one operation; see '
    '`devices.limit_threads`. How many searches run at the same time, the '
    "trainer's `parallel_searches` says.", lower_bound=0)
_PARENT = flags.DEFINE_integer(
    'parent', 0, 'Process with whose end this one is to end; 0 for none.')


def main(argv: Sequence[str]) -> None:
  """Serves until a signal comes."""
  if len(argv) > 1:
    raise app.UsageError(f'Unknown arguments {argv[1:]}.')
  stopping = threading.Event()
  for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, lambda *_: stopping.set())
  tf.config.set_visible_devices([], 'GPU')  # They are the trainer's.
  if _ROLE.value == 'dispatcher':
    server = _start_dispatcher()
  else:
    server = _start_worker()
  if not _PARENT.value:  # Which has said it.
    logging.warning(local_service.WARNING)
  while not stopping.wait(1.0):
    if _PARENT.value and os.getppid() != _PARENT.value:
      logging.info('Process %d has ended.', _PARENT.value)
      break
  logging.info('Stopping.')
  server.stop()


def _start_dispatcher() -> tf.data.experimental.service.DispatchServer:
  server = _SERVICE.DispatchServer(_SERVICE.DispatcherConfig(
      port=_PORT.value, work_dir=_WORK_DIR.value,
      fault_tolerant_mode=bool(_WORK_DIR.value)))
  port = server.target.rpartition(':')[2]
  logging.info(
      'Dispatcher at grpc://%s:%s, %s.', _HOST.value, port,
      f'journal in {_WORK_DIR.value}' if _WORK_DIR.value else
      'without a journal: give --work_dir to be able to start it again')
  return server


def _start_worker() -> tf.data.experimental.service.WorkerServer:
  if not _DISPATCHER.value:
    raise app.UsageError('A worker needs --dispatcher=grpc://host:port.')
  service_lib.wait_for_dispatcher(_DISPATCHER.value)
  devices.limit_threads(_THREADS.value)
  server = _SERVICE.WorkerServer(_SERVICE.WorkerConfig(
      dispatcher_address=_DISPATCHER.value.rpartition('//')[2],
      worker_address=f'{_HOST.value}:{_PORT.value or "%port%"}',
      port=_PORT.value))
  logging.info('Worker at %s, process %d, of the dispatcher %s.',
               _HOST.value, os.getpid(), _DISPATCHER.value)
  return server


if __name__ == '__main__':
  flags.FLAGS.set_default('verbosity', logging.INFO)
  app.run(main)
