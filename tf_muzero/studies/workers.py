"""Jobs in worker processes: some at once, and none stops the others.

A job is commands of the package, one after the other; what they say goes to its
log. SIGINT, SIGTERM and SIGHUP are handed on to the processes as SIGTERM: they
save and end.
"""

import contextlib
import os
import shlex
import signal
import subprocess
import sys
import time
from typing import Any, Callable, IO, Iterator, NamedTuple, Optional, Sequence

from absl import logging

from tf_muzero import processes

PROGRAM = (sys.executable, '-m', 'tf_muzero')
_POLL_SECONDS = 0.5
_SECONDS_TO_SAVE = 60.0  # After SIGTERM.
_PROMPT = ' $ '  # Before a command, in its log.
_TAIL = 1 << 16  # Bytes of a log in which the last words are looked for.


class Stage(NamedTuple):
  """A command of a job.

  Attributes:
    command: its words, after `tf-muzero`.
    is_done_fn: tells whether there is nothing to do.
    prepare_fn: called before the command.
    finish_fn: called after it, if it did not fail.
  """
  command: Sequence[str]
  is_done_fn: Callable[[], bool]
  prepare_fn: Callable[[], None] = lambda: None
  finish_fn: Callable[[], None] = lambda: None


class Job(NamedTuple):
  """Commands that follow each other.

  Attributes:
    name: of the job.
    log: file that has what they say.
    stages: the commands.
    after: name of a job that must be done before, if it is one of them.
  """
  name: str
  log: str
  stages: Sequence[Stage]
  after: str = ''


class _Running(NamedTuple):
  """A job's command under way."""
  job: Job
  stage: Stage
  process: subprocess.Popen
  log: IO


class Interrupted(Exception):
  """A signal came; all processes have ended."""


def run(jobs: Sequence[Job], num_workers: int,
        show_fn: Callable[[Sequence[str], Sequence[str]], None], *,
        program: Sequence[str] = PROGRAM) -> dict[str, str]:
  """Returns why jobs failed, by their names; all others are done.

  Args:
    jobs: they begin in this order.
    num_workers: processes at once.
    show_fn: called now and then with the names of the jobs that are under way
      and of those that are done.
    program: which is given the words of a command.
  """
  pending, failures = list(jobs), dict[str, str]()
  done: list[str] = []
  names = {job.name for job in jobs}
  running: list[_Running] = []
  with _forwarded_signals(running) as received:
    while running or pending and not received:
      for each in [x for x in running if x.process.poll() is not None]:
        running.remove(each)
        each.log.close()
        reason = _why(each, received)
        if reason:
          failures[each.job.name] = reason
          if not received:
            logging.error('%s failed: %s', each.job.name, reason)
          continue
        pending.insert(0, each.job)  # For its next command.
      while pending and len(running) < num_workers and not received:
        job = _next(pending, names, done, failures)
        if job is None:
          break
        pending.remove(job)
        try:
          begun = _begin(job, program)
        except (OSError, ValueError) as error:
          failures[job.name] = str(error)
          logging.error('%s failed: %s', job.name, error)
          continue
        if begun:
          running.append(begun)
          if received:  # While it began, and it was not told.
            begun.process.send_signal(signal.SIGTERM)
        else:
          done.append(job.name)
          logging.info('%s: done', job.name)
      show_fn([x.job.name for x in running], done)
      if running:
        time.sleep(_POLL_SECONDS)
  if received:
    raise Interrupted(signal.Signals(received[0]).name)
  return failures


def _next(pending: list[Job], names: set[str], done: Sequence[str],
          failures: dict[str, str]) -> Optional[Job]:
  """Returns the first job that can begin; those that never can are failed."""
  for job in list(pending):
    if job.after in failures:
      pending.remove(job)
      failures[job.name] = f'not begun, since {job.after} failed'
    elif job.after not in names or job.after in done:
      return job
  return None


def _begin(job: Job, program: Sequence[str]) -> Optional[_Running]:
  """Starts the first command of a job that is not done, None if all are."""
  for stage in job.stages:
    if stage.is_done_fn():
      continue
    stage.prepare_fn()
    os.makedirs(os.path.dirname(job.log) or '.', exist_ok=True)
    log = open(job.log, 'a', encoding='utf8')  # pylint: disable=consider-using-with
    log.write(f'{time.strftime("%Y-%m-%d %H:%M:%S")}{_PROMPT}'
              f'{as_line(stage.command)}\n')
    log.flush()
    # In a session of its own, so that signals come once, from here.
    return _Running(job, stage, subprocess.Popen(  # pylint: disable=consider-using-with
        [*program, *stage.command], stdout=log,
        stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
        start_new_session=True), log)
  return None


def as_line(command: Sequence[str]) -> str:
  """Returns a command as a shell takes it."""
  return shlex.join(['tf-muzero', *command])


def _why(each: _Running, received: Sequence[int]) -> str:
  """Returns why a command failed, empty if it did not."""
  code = each.process.returncode
  if code == 0:
    try:
      each.stage.finish_fn()
      is_done = each.stage.is_done_fn()
    except (OSError, ValueError) as error:  # Of a file of that run.
      return str(error)
    # Else it would be done again and again.
    return '' if is_done else (
        f'{as_line(each.stage.command[:2])} ended, but not all is done; see '
        f'{each.job.log}')
  how = (f'killed by {signal.Signals(-code).name}' if code < 0
         else f'exit code {code}')
  said = '' if received else _last_words(each.job.log)
  return f'{each.stage.command[0]}: {how}; see {each.job.log}' + (
      f'\n  {said}' if said else '')


def _last_words(path: str) -> str:
  """Returns the error that a log's last command ended in, or its last line."""
  with open(path, 'rb') as file:
    file.seek(max(0, os.path.getsize(path) - _TAIL))
    said = file.read().decode(errors='replace')
  lines = [line for line in said.rpartition(_PROMPT)[2].splitlines()[1:]
           if line.strip() and 'TF_MUZERO_DEBUG' not in line]
  errors = [line for line in lines if line.startswith('Error: ')]
  return (errors or lines or [''])[-1].strip()


@contextlib.contextmanager
def _forwarded_signals(running: Sequence[_Running]) -> Iterator[list[int]]:
  """Yields a list, to which signals are added that the processes get too."""
  received: list[int] = []

  def forward(number: int, frame: Any):
    del frame
    received.append(number)
    logging.warning('%s: waiting until what runs has saved; a second signal '
                    'ends it at once.', signal.Signals(number).name)
    for each in running:
      with contextlib.suppress(ProcessLookupError):
        each.process.send_signal(signal.SIGTERM)

  before = {number: signal.signal(number, forward)
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
            if signal.getsignal(number) != signal.SIG_IGN}  # As under nohup.
  try:
    yield received
  finally:
    for number, handler in before.items():
      signal.signal(number, handler)
    for each in running:  # Something was raised: none is left behind.
      each.process.terminate()
    for each in running:
      processes.wait_or_kill(each.process, _SECONDS_TO_SAVE)
