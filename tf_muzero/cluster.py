"""The processes that train together, as TF_CONFIG names them.

TensorFlow waits for all of them inside of a call that no signal ends and that
says nothing. So they are waited for here, before.
"""

import contextlib
import json
import os
import socket
import time
from typing import Any, Iterator, NamedTuple

from absl import logging

_VARIABLE = 'TF_CONFIG'
_EXPECTED = (
    """'{"cluster": {"worker": ["host:port", ...]}, """
    """"task": {"type": "worker", "index": 0}}'""")
_TELL_EVERY = 30.0  # Seconds.
_LOOK_EVERY = 0.5  # Seconds.
_PATIENCE = 2.0  # Seconds for an address to answer.


class Cluster(NamedTuple):
  """Who trains.

  Attributes:
    addresses: `host:port` of all processes, a chief first.
    number: of this process among them. The first one writes the run's files.
  """
  addresses: tuple[str, ...]
  number: int


def read() -> Cluster:
  """Returns what the environment variable TF_CONFIG says."""
  text = os.environ.get(_VARIABLE, '')
  try:
    content = json.loads(text or '{}')
  except json.JSONDecodeError as error:
    raise _error(f'it is no JSON ({error}): {text!r}') from error
  jobs = content.get('cluster') if isinstance(content, dict) else None
  if not jobs or not isinstance(jobs, dict):
    raise _error(f'it is {text!r}')
  unknown = sorted(set(jobs) - {'chief', 'worker'})
  if unknown:
    raise _error(f'its cluster has {unknown}, and may have chief and worker')
  for name, listed in jobs.items():
    if not isinstance(listed, list) or not all(map(_is_address, listed)):
      raise _error(f'{name} must be a list of "host:port", not {listed!r}')
  task = content.get('task')
  task = task if isinstance(task, dict) else {}
  kind, index = task.get('type'), str(task.get('index', 0))
  if kind not in jobs:
    raise _error(f'its task is of type {kind!r}, its cluster has {list(jobs)}')
  if not index.isdigit() or int(index) >= len(jobs[kind]):
    raise _error(f'its task has index {index}, and there are '
                 f'{len(jobs[kind])} of type {kind}')
  chiefs = jobs.get('chief', [])
  return Cluster((*chiefs, *jobs.get('worker', [])), int(index) + (
      len(chiefs) if kind == 'worker' else 0))


def wait(cluster: Cluster) -> None:
  """Returns when all processes were started; says who is missing.

  A signal ends the wait, as it ends any Python program.
  """
  others = [address for i, address in enumerate(cluster.addresses)
            if i != cluster.number]
  begun = told = time.monotonic()
  with _listening(cluster.addresses[cluster.number]) as listener:
    while True:
      others = [address for address in others if not _answers(address)]
      _greet(listener)
      if not others:
        return
      if told == begun or time.monotonic() - told > _TELL_EVERY:
        told = time.monotonic()
        logging.info(
            'Waiting for %d of %d workers (%s), so far %.0f s. Not there: %s.',
            len(others), len(cluster.addresses), _VARIABLE, told - begun,
            ', '.join(others))
      time.sleep(_LOOK_EVERY)


def _error(problem: str) -> ValueError:
  return ValueError(
      f"strategy 'multi_worker' needs the addresses of all workers, and which "
      f'of them this process is, in the environment variable {_VARIABLE}: '
      f'{_EXPECTED}; {problem}.')


def _is_address(value: Any) -> bool:
  return isinstance(value, str) and value.rpartition(':')[2].isdigit()


@contextlib.contextmanager
def _listening(address: str) -> Iterator[socket.socket]:
  """Answers at this process's address, until TensorFlow does."""
  port = int(address.rpartition(':')[2])
  family = socket.AF_INET6 if socket.has_dualstack_ipv6() else socket.AF_INET
  try:
    listener = socket.create_server(
        ('', port), family=family,
        dualstack_ipv6=family == socket.AF_INET6)
  except OSError as error:
    raise OSError(f'{address}, which is this process in {_VARIABLE}, cannot be '
                  f'listened at: {error}. Does another process run '
                  'here?') from error
  with listener:
    listener.setblocking(False)
    yield listener


def _greet(listener: socket.socket) -> None:
  """Takes the calls of the others."""
  with contextlib.suppress(BlockingIOError):
    while True:
      listener.accept()[0].close()


def _answers(address: str) -> bool:
  host, _, port = address.rpartition(':')
  try:
    with socket.create_connection(
        (host.strip('[]'), int(port)), timeout=_PATIENCE):
      return True
  except OSError:
    return False
