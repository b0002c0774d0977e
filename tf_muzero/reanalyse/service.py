"""Searches in other processes: the pipeline's hop over the tf.data service.

Workers read and search segments; windows are cut of them behind the hop, in the
trainer's store. All that is random follows from numbers that the dispatcher
deals, each to one worker: which episodes, in which order, and the seed of each
search.
"""

import contextlib
import socket
import threading
import time
from typing import Callable, Iterator, Optional

from absl import logging
import tensorflow as tf

from tf_muzero.reanalyse import local_service
from tf_muzero.reanalyse.arrivals import Arrivals

_PATIENCE = 600.0  # Seconds.
_TELL_EVERY = 10.0  # Seconds.
_PREFIX = 'grpc://'
_SERVICE = tf.data.experimental.service


class Service:
  """A tf.data service that searches for a trainer.

  Attributes:
    address: of the dispatcher, `grpc://host:port`.
    arrivals: what came of it, None where that is not counted.
    is_local: whether its processes are this trainer's, one for each core.
    closed: set when nothing is wanted of it any more.
  """

  def __init__(self, setting: str):
    """Creates the trainer's end, and for 'local:N' the other one too.

    Args:
      setting: as of `Reanalyse`, not empty.
    """
    check(setting)
    kind, _, number = setting.partition(':')
    self._local = None
    self.address = setting
    self.arrivals: Optional[Arrivals] = Arrivals()
    self.closed = threading.Event()
    self.is_local = kind == 'local'
    if self.is_local:
      self._local = local_service.LocalService(int(number))
      self.address = self._local.address

  def wait(self) -> None:
    """Returns when it has a dispatcher and a worker; tells what is missing."""
    wait_for_dispatcher(self.address)
    numbers = tf.data.Dataset.range(1).apply(_SERVICE.distribute(
        _SERVICE.ShardingPolicy.OFF, self.address))
    found, errors = threading.Event(), []

    def probe():  # Blocks as long as there is no worker.
      try:
        next(iter(numbers))
      except tf.errors.OpError as error:
        errors.append(error)
      found.set()

    threading.Thread(target=probe, daemon=True).start()
    _wait_until(
        found.is_set, f'a worker of the reanalyse service {self.address}',
        f'--role=worker --dispatcher={self.address}', _PATIENCE)
    if errors:
      raise ValueError(
          f'The reanalyse service {self.address} gives nothing. Is it of this '
          f'version? TensorFlow says: {errors[0].message}') from errors[0]

  def distribute(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Returns the elements of a dataset that workers make, as they come.

    Its only sources must be ranges; each number goes to one worker, and what a
    worker that dies has not delivered is lost.

    Args:
      dataset: of tuples that begin with a number that is not negative.
    """
    options = tf.data.Options()
    # Snapshots are files on purpose.
    options.experimental_external_state_policy = (
        tf.data.experimental.ExternalStatePolicy.IGNORE)
    signed = dataset.map(
        lambda *element: (_name_process(element[0]), element))
    signed = signed.with_options(options).apply(_SERVICE.distribute(
        _SERVICE.ShardingPolicy.DYNAMIC, self.address, compression=None))
    if self.arrivals:
      return self.arrivals.watch(signed)
    return signed.map(lambda _, element: element)

  def stop_counting(self) -> None:
    """Forgets the counters: pipelines of other hosts cannot reach them."""
    self.arrivals = None

  def close(self) -> None:
    """Ends what was started for 'local:N'."""
    self.closed.set()
    if self._local:
      self._local.close()


@contextlib.contextmanager
def connected(setting: str, deterministic: bool) -> Iterator[Service]:
  """Gives the service, once it has a worker, and closes it.

  Args:
    setting: as of `Reanalyse`, not empty.
    deterministic: what is asked of the windows; impossible with a service.
  """
  if deterministic:
    raise ValueError("deterministic needs service = '': which worker is first, "
                     'and which snapshot it sees, is chance.')
  with contextlib.closing(Service(setting)) as service:
    service.wait()
    logging.info('Searches run in %s. The position in the data cannot be saved '
                 'there: a resumed run begins a new pass, in a new order.',
                 service.address)
    yield service


def _name_process(number: tf.Tensor) -> tf.Tensor:
  """Returns `host:pid` of the process in which the graph runs, as Linux says.

  Args:
    number: of the element, not negative. What reads a file with a constant name
      would be folded into a constant.
  """
  def read(path: str) -> tf.Tensor:
    return tf.strings.split(tf.io.read_file(tf.where(number >= 0, path, '')))[0]

  return tf.strings.join(
      [read('/proc/sys/kernel/hostname'), read('/proc/self/stat')], ':')


def check(setting: str) -> None:
  """Raises ValueError if a setting names no service; see `Reanalyse`."""
  kind, _, rest = setting.partition(':')
  if not setting or kind == 'local' and rest.isdecimal() and int(rest) > 0:
    return
  host, _, port = setting.removeprefix(_PREFIX).rpartition(':')
  if not (setting.startswith(_PREFIX) and host and port.isdecimal()):
    raise ValueError(
        "service must be '' (no service), 'grpc://host:port' of a dispatcher, "
        f"or 'local:N' with N >= 1 workers, got {setting!r}.")


def wait_for_dispatcher(address: str, patience: float = _PATIENCE) -> None:
  """Returns when a dispatcher answers; raises ValueError if none does.

  Args:
    address: `grpc://host:port`.
    patience: seconds.
  """
  port = address.rpartition(':')[2]
  _wait_until(
      lambda: answers(address),
      f'the dispatcher of the reanalyse service {address}',
      f'--role=dispatcher --port={port}', patience)


def answers(address: str) -> bool:
  """Returns whether somebody listens at `grpc://host:port`."""
  host, _, port = address.removeprefix(_PREFIX).rpartition(':')
  try:
    socket.create_connection((host, int(port)), timeout=5.0).close()
    return True
  except socket.gaierror as error:
    raise ValueError(f'There is no host {host!r}: {error}') from error
  except OSError:
    return False


def _wait_until(is_there: Callable[[], bool], what: str, start_with: str,
                patience: float) -> None:
  begun = time.monotonic()
  told = begun - _TELL_EVERY / 2  # The first words come early.
  while not is_there():
    now = time.monotonic()
    help_ = f'Start one: python -m tf_muzero.reanalyse_service {start_with}'
    if now - begun > patience:
      raise ValueError(f'{what} was not there in {patience:.0f} s. {help_}')
    if now - told > _TELL_EVERY:
      logging.info('Waiting for %s, %.0f s so far. %s', what, now - begun,
                   help_)
      told = now
    time.sleep(0.2)
