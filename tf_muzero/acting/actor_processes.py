"""Environments in processes of their own, for those that are slow.

An environment is made of a seed, so a round is the same wherever it is played.
What goes through the pipes between a process and those that it has started is
pickled, and nobody else can write there.
"""

import contextlib
import functools
import multiprocessing
from multiprocessing import connection as connection_lib
import os
import signal
import subprocess
import sys
import threading
import traceback
from typing import Callable, Iterator, Mapping, NamedTuple, NoReturn, Sequence
import weakref

from absl import logging
import dm_env

from tf_muzero import processes
from tf_muzero.acting import actors as actors_lib
from tf_muzero.acting.actors import EnvironmentFn
from tf_muzero.types import Nest

_GRACE = 5.0  # Seconds that a process has to end by itself.
_RUN = 'from tf_muzero.acting import actor_processes as x; x.work({})'


def actors_of(environment_fn: EnvironmentFn, num_processes: int
              ) -> actors_lib.Actors:
  """Returns environments here, or in so many processes if that is not 0.

  Args:
    environment_fn: makes an environment of the keyword `seed`.
    num_processes: that step them; 0 for this one.
  """
  if num_processes:
    return Processes(environment_fn, num_processes)
  return actors_lib.InProcess(environment_fn)


class _Failure(NamedTuple):
  """What went wrong in another process, in words."""
  kind: type
  message: str
  trace: str


class Processes:
  """Environments in processes of their own, environment i in process i mod P.

  The processes start with the first round. They end with `close`, with the
  object, and with this process, however it ends.
  """

  def __init__(self, environment_fn: EnvironmentFn, num_processes: int):
    """Starts nothing yet.

    Args:
      environment_fn: makes an environment of the keyword `seed`; it has to be
        one that can be pickled.
      num_processes: P.
    """
    self._environment_fn = environment_fn
    self._num_processes = num_processes
    self._workers: list[_Worker] = []
    self._end = weakref.finalize(self, _end, self._workers)
    _running.add(self)

  def begin(self, seeds: Sequence[int]) -> list[dm_env.TimeStep]:
    """See `actors.Actors`."""
    if not self._workers:
      self._workers += [_Worker(
          i, range(i, len(seeds), self._num_processes), self._environment_fn)
                        for i in range(self._num_processes)]
      logging.info('Environments are stepped by the processes %s.', ', '.join(
          str(x.process.pid) for x in self._workers))
    first = self._each('begin_some', dict(enumerate(map(int, seeds))))
    return [first[i] for i in range(len(seeds))]

  def step(self, actions: Mapping[int, Nest]) -> dict[int, dm_env.TimeStep]:
    """See `actors.Actors`."""
    return self._each('step', actions)

  def end(self) -> None:
    """See `actors.Actors`."""
    for worker in self._workers:
      worker.ask('end')
    for worker in self._workers:
      worker.answer()

  def close(self) -> None:
    """Ends the processes."""
    self._end()

  def _each(self, name: str, content: Mapping[int, Nest]
            ) -> dict[int, dm_env.TimeStep]:
    """Returns what all say, who work at the same time."""
    asked = []
    for number, worker in enumerate(self._workers):
      own = {i: x for i, x in content.items()
             if i % self._num_processes == number}
      if own:
        worker.ask(name, own)
        asked.append(worker)
    return {i: x for worker in asked for i, x in worker.answer().items()}


_running: weakref.WeakSet = weakref.WeakSet()


@contextlib.contextmanager
def scope() -> Iterator[None]:
  """Ends the processes of all `Processes` that were made meanwhile."""
  before = set(_running)
  try:
    yield
  finally:
    for actors in set(_running) - before:
      actors.close()


class _Worker:
  """A process that has some of the environments.

  Attributes:
    process: it.
  """

  def __init__(self, number: int, environments: Sequence[int],
               environment_fn: EnvironmentFn):
    self._name = (f'Process {number} of interaction.num_processes, which has '
                  f'the environments {", ".join(map(str, environments))}')
    self._lock = threading.Lock()
    self._is_closed = False
    self._connection, theirs = multiprocessing.Pipe()
    package = os.path.dirname(os.path.dirname(os.path.dirname(
        os.path.abspath(__file__))))
    paths = [package, *filter(None, [os.environ.get('PYTHONPATH')])]
    self.process = subprocess.Popen(  # pylint: disable=consider-using-with
        [sys.executable, '-c', _RUN.format(theirs.fileno())],
        pass_fds=[theirs.fileno()], env={
            **os.environ, 'PYTHONPATH': os.pathsep.join(paths),
            'CUDA_VISIBLE_DEVICES': '', 'TF_CPP_MIN_LOG_LEVEL':
            os.environ.get('TF_CPP_MIN_LOG_LEVEL', '1')},
        # A signal of the terminal is for the trainer, which may want to finish.
        start_new_session=True)
    theirs.close()
    self._send(list(sys.path))  # First: what comes next may be found there.
    self._send(environment_fn)

  def ask(self, name: str, *content: Mapping[int, Nest]) -> None:
    """Lets it call a method of `actors.InProcess`."""
    self._send((name, content))

  def answer(self) -> dict[int, dm_env.TimeStep]:
    """Returns what the method gave; raises what it raised."""
    try:
      answer = self._connection.recv()
    except (EOFError, ConnectionError):
      self._fail()
    if isinstance(answer, _Failure):
      raise answer.kind(answer.message) from RuntimeError(answer.trace)
    return answer

  def tell_end(self) -> None:
    """Lets it end, when it has done what it does."""
    with self._lock:
      self._is_closed = True
      with contextlib.suppress(OSError):  # It has ended.
        self._connection.send(None)

  def wait_for_end(self) -> None:
    """Waits, and ends it if it does not end by itself."""
    processes.wait_or_kill(self.process, _GRACE)

  def _send(self, message: object) -> None:
    with self._lock:
      if self._is_closed:
        raise RuntimeError(f'{self._name}, was ended.')
      try:
        self._connection.send(message)
      except ConnectionError:
        self._fail()

  def _fail(self) -> NoReturn:
    code = self.process.wait()
    how = (f'by the signal {signal.Signals(-code).name}' if code < 0 else
           f'with exit code {code}')
    raise RuntimeError(
        f'{self._name}, ended {how}. What its environment said is above; '
        'interaction.num_processes = 0 has it in this process.')


def _end(workers: list[_Worker]) -> None:
  for worker in workers:
    worker.tell_end()
  for worker in workers:
    worker.wait_for_end()


def work(descriptor: int) -> None:
  """Steps environments for the process that has started this one.

  Args:
    descriptor: of the pipe's end.
  """
  # It ends with its parent, which may want to finish first.
  for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, signal.SIG_IGN)
  connection = connection_lib.Connection(descriptor)
  with contextlib.suppress(EOFError, ConnectionError):
    sys.path[:] = connection.recv()
    actors = actors_lib.InProcess(connection.recv())
    try:
      for name, content in iter(connection.recv, None):
        method = functools.partial(getattr(actors, name), *content)
        connection.send(_tried(method))
    finally:
      actors.end()


def _tried(function: Callable[[], Nest]) -> Nest:
  """Returns the result, or what went wrong."""
  try:
    return function()
  except Exception as error:  # pylint: disable=broad-exception-caught
    kinds = (ValueError, ImportError)
    kind = next((x for x in kinds if isinstance(error, x)), RuntimeError)
    named = '' if kind in kinds else f'{type(error).__name__}: '
    return _Failure(kind, f'{named}{error}', traceback.format_exc())
