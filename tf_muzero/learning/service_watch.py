"""Tells what the reanalyse service does while the trainer fits."""

import os
import threading
import time

from absl import logging
import tensorflow as tf

from tf_muzero import json_lines
from tf_muzero.learning import callbacks
from tf_muzero.reanalyse import service as service_lib
from tf_muzero.reanalyse.arrivals import Arrivals

_LOOK_EVERY = 2.0  # Seconds.
_LONG = 30.0  # Seconds of silence that are worth a line.


class WatchService(callbacks.Periodic):
  """Logs workers that come and go, and how much each of them does.

  The rates go to `service.jsonl` and TensorBoard: of all workers, and of each
  by its `host:pid`; beside them the share of time that the pipeline waited for
  the workers. Where the service counts nothing, only the dispatcher is looked
  at.
  """

  def __init__(self, every: int, run_directory: str,
               writer: tf.summary.SummaryWriter,
               service: service_lib.Service, states_per_search: int):
    """Creates the callback.

    Args:
      every: learner steps between the lines of rates.
      run_directory: where `service.jsonl` is.
      writer: see `tensorboard`.
      service: what is watched until it is closed.
      states_per_search: states in what a worker returns at once.
    """
    super().__init__(every)
    self._path = os.path.join(run_directory, 'service.jsonl')
    self._writer = writer
    self._service = service
    self._counts = service.arrivals is not None
    self._arrivals = service.arrivals or Arrivals()
    self._states_per_search = states_per_search
    # Time, seconds waited so far, and count by worker.
    self._then: tuple[float, float, dict[str, int]] = (0.0, 0.0, {})

  def on_train_begin(self, logs=None):
    """Forgets the rates of steps that come again, and starts to look."""
    super().on_train_begin(logs)
    json_lines.drop_from(self._path, 'step', self.model.step + 1)
    self._then = (time.time(), 0.0, {})
    threading.Thread(target=self._look, daemon=True).start()

  def run(self, step, logs):
    """Writes the rates since the last time, in searched states per second."""
    if not self._counts:
      return
    arrivals = self._arrivals
    now, waited = time.time(), arrivals.waited()
    counts = {name: count for name, (count, _) in arrivals.by_worker().items()}
    then, waited_then, counts_then = self._then
    self._then = (now, waited, counts)
    seconds = max(now - then, 1e-9)
    rates = {
        name: (count - counts_then.get(name, 0))
              * self._states_per_search / seconds
        for name, count in counts.items()}
    rates = {name: rate for name, rate in rates.items() if rate}
    callbacks.write_metrics(self._path, self._writer, step, {
        'service/workers': len(rates),
        'service/searches_per_second': sum(rates.values()),
        'service/waited_share': (waited - waited_then) / seconds,
        **{f'service/searches_per_second/{name}': rate
           for name, rate in rates.items()}})
    logging.info('reanalyse service: %s searches/s',
                 '  '.join(f'{name} {rate:.0f}' for name, rate
                           in sorted(rates.items())) or 'no')

  def _look(self) -> None:
    """Logs what changes, until the service is closed."""
    silent: set[str] = set()
    known: set[str] = set()
    has_dispatcher, told = True, 0.0
    while not self._service.closed.wait(_LOOK_EVERY):
      now, waits_since = time.time(), self._arrivals.waits_since()
      workers = self._arrivals.by_worker()
      for name in sorted(set(workers) - known):
        logging.info('Reanalyse worker %s has delivered.', name)
      known |= set(workers)
      if has_dispatcher != _answers(self._service.address):
        has_dispatcher = not has_dispatcher
        logging.warning(
            'The dispatcher of the reanalyse service %s %s',
            self._service.address,
            'answers again.' if has_dispatcher else
            'does not answer: workers get no new episodes until it does.')
      last = max((then for _, then in workers.values()), default=now)
      lost = {name for name, (_, then) in workers.items()
              if last - then > _LONG}
      for name in sorted(lost - silent):
        logging.warning('Reanalyse worker %s has delivered nothing for %.0f s, '
                        'while others did.', name, _LONG)
      silent = lost
      if waits_since and now - max(waits_since, told) > _LONG:
        told = now
        logging.warning(
            'The trainer has waited %.0f s for the reanalyse service %s. Does '
            'a worker run?', now - waits_since, self._service.address)


def _answers(address: str) -> bool:
  try:
    return service_lib.answers(address)
  except ValueError:  # What tells addresses of names fails for a while, too.
    return False
