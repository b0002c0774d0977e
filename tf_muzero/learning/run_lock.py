"""One training at a time in a run's or study's directory: the file `lock`.

On a file system of this machine it is locked by the kernel, and free as soon as
the process ends, however that is. Elsewhere (`gs://...`, or where the file
system cannot lock) the file has the time of the last sign of life, and counts
as left behind when there was none for five minutes, or when the process was of
this machine and is gone.
"""

import contextlib
import fcntl
import json
import os
import socket
import threading
import time
from typing import Any, Iterator, Optional
import uuid

from absl import logging
import tensorflow as tf

from tf_muzero import paths
from tf_muzero import whole_files

_NAME = 'lock'
_SIGN_EVERY = 60.0  # Seconds.
_LEFT_AFTER = 300.0  # Seconds without a sign of life.
_reserved: set[str] = set()  # Runs whose next `hold` has the lock already.


@contextlib.contextmanager
def hold(run_directory: str, is_chief: bool = True) -> Iterator[None]:
  """Holds the lock of a run, made if missing; raises ValueError if it is held.

  Args:
    run_directory: of the run; made if missing.
    is_chief: whether this process does it for all that train.
  """
  if not is_chief:
    yield
    return
  if paths.absolute(run_directory) in _reserved:
    _reserved.remove(paths.absolute(run_directory))
    yield
    return
  paths.check_writable(run_directory + '/', 'run_directory')
  path = os.path.join(run_directory, _NAME)
  file = None if '://' in path else _lock(path)
  if file is None:
    with _signs_of_life(path):
      yield
    return
  try:
    yield
  finally:
    with contextlib.suppress(FileNotFoundError):
      os.remove(path)  # Before it is unlocked: who waits for it tries again.
    os.close(file)


@contextlib.contextmanager
def reserve(run_directory: str) -> Iterator[None]:
  """Holds the lock for what comes before the next `hold` too, which has it.

  Args:
    run_directory: of the run; made if missing.
  """
  run_directory = paths.checked(run_directory, 'run_directory')
  with hold(run_directory):
    _reserved.add(paths.absolute(run_directory))
    try:
      yield
    finally:
      _reserved.discard(paths.absolute(run_directory))


def check(run_directory: str) -> None:
  """Raises what `hold` would; nothing is changed."""
  path = os.path.join(run_directory, _NAME)
  if '://' in path:
    _check_sign(path, _read(path))
  elif os.path.exists(path):
    try:
      file = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
      return
    try:
      fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError as error:
      raise _refusal(path, _read(path)) from error
    except OSError:
      _check_sign(path, _read(path))
    finally:
      os.close(file)


def _lock(path: str) -> Optional[int]:
  """Returns the locked file, None where the file system cannot lock."""
  while True:
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
      fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
      # Whoever held it removed it: then this one is nobody's any more.
      if os.path.exists(path) and os.path.samestat(
          os.fstat(file), os.stat(path)):
        os.ftruncate(file, 0)
        os.write(file, (json.dumps(_oneself()) + '\n').encode())
        return file
    except BlockingIOError as error:
      os.close(file)
      raise _refusal(path, _read(path)) from error
    except OSError as error:
      os.close(file)
      logging.warning('%s cannot be locked (%s): it has signs of life instead.',
                      path, error)
      return None
    os.close(file)


@contextlib.contextmanager
def _signs_of_life(path: str) -> Iterator[None]:
  """Holds a lock by writing the time now and then."""
  _check_sign(path, _read(path))
  oneself, stopping = {**_oneself(), 'id': uuid.uuid4().hex}, threading.Event()

  def write():
    whole_files.write_json(path, {**oneself, 'seen': time.time()})

  def write_on():
    while not stopping.wait(_SIGN_EVERY):
      holder = _read(path)
      if holder and holder.get('id') != oneself['id']:
        logging.error('The lock %s was taken by %s: two trainings write into '
                      'this run.', path, _describe(holder))
      try:
        write()
      except (OSError, tf.errors.OpError) as error:
        logging.warning('%s: no sign of life could be written: %s', path, error)

  write()
  thread = threading.Thread(target=write_on, daemon=True)
  thread.start()
  try:
    yield
  finally:
    stopping.set()
    thread.join()
    if _read(path).get('id') == oneself['id']:
      tf.io.gfile.remove(path)


def _check_sign(path: str, holder: dict[str, Any]) -> None:
  """Raises ValueError if a holder lives, as far as one can tell."""
  age = time.time() - holder.get('seen', 0.0)
  is_gone = holder.get('host') == socket.gethostname() and not _is_alive(
      holder.get('pid', -1))
  if age < _LEFT_AFTER and not is_gone:
    raise _refusal(path, holder, (
        f' Its last sign of life was {age:.0f} s ago; the lock is void '
        f'{_LEFT_AFTER:.0f} s after the last one.'))


def _is_alive(pid: int) -> bool:
  try:
    os.kill(pid, 0)
  except ProcessLookupError:
    return False
  except PermissionError:
    pass  # Of another user.
  return True


def _refusal(path: str, holder: dict[str, Any], more: str = '') -> ValueError:
  return ValueError(
      f'{os.path.dirname(path)!r} is in use by another program '
      f'({_describe(holder)}). Wait until it has ended, or give another '
      f'directory.{more}')


def _oneself() -> dict[str, Any]:
  return {'host': socket.gethostname(), 'pid': os.getpid(),
          'started': time.strftime('%Y-%m-%d %H:%M:%S')}


def _describe(holder: dict[str, Any]) -> str:
  if not holder:
    return 'which has just begun'
  return (f'process {holder.get("pid")} on {holder.get("host")}, since '
          f'{holder.get("started")}')


def _read(path: str) -> dict[str, Any]:
  """Returns what a lock says of its holder, nothing where it says nothing."""
  try:
    with tf.io.gfile.GFile(path) as file:
      return json.loads(file.read())
  except (OSError, tf.errors.OpError, json.JSONDecodeError):
    return {}
