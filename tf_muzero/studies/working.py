"""A study's jobs at work, and how far its runs are."""

from typing import Callable, Mapping, Optional, Sequence

from tf_muzero import progress
from tf_muzero.studies import grid
from tf_muzero.studies import summary
from tf_muzero.studies import workers


def work(jobs: Sequence[workers.Job], runs: Sequence[grid.Planned],
         total_fn: Callable[[grid.Planned], Optional[int]], num_workers: int
         ) -> dict[str, str]:
  """Returns why jobs failed, by their names, when all have ended.

  Args:
    jobs: all of them.
    runs: of the grid.
    total_fn: tells a run's learner steps, None while they are not known.
    num_workers: processes at once.
  """
  named = {run.name: run for run in runs}
  total = {run.name: total_fn(run) for run in runs}
  learned = {name: _learned(run, total[name]) for name, run in named.items()}
  with progress.bar(total=_sum(total), initial=sum(learned.values()),
                    unit='step', desc='learner steps') as shown:

    def show(running: Sequence[str], done: Sequence[str]) -> None:
      for name in [x for x in (*running, *done) if x in named]:
        if total[name] is None:
          total[name] = total_fn(named[name])
          shown.total = _sum(total)
        if name in running:
          learned[name] = _learned(named[name], total[name])
        else:
          learned[name] = total[name] or learned[name]
      unknown = sum(x is None for x in total.values())
      shown.set_postfix_str(
          f'{sum(name in named for name in done)} of {len(runs)} runs done; '
          + f'{unknown} of unknown length until they begin; ' * bool(unknown)
          + f'now {" | ".join(running) or "none"}', refresh=False)
      shown.update(sum(learned.values()) - shown.n)

    return workers.run(jobs, num_workers, show)


def _sum(total: Mapping[str, Optional[int]]) -> Optional[int]:
  """Returns the learner steps of all runs, None where some are not known."""
  known = [x for x in total.values() if x is not None]
  return sum(known) if len(known) == len(total) else None


def _learned(run: grid.Planned, total: Optional[int]) -> int:
  """Returns the learner steps that a run has behind it."""
  step = summary.step_of(run.directory)
  return step if total is None else min(step, total)
