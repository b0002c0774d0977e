"""What a report says of several tasks of a benchmark together."""

import os
from typing import Sequence

import numpy as np

from tf_muzero.reporting import aggregates
from tf_muzero.reporting import groups as groups_lib
from tf_muzero.reporting import plots
from tf_muzero.reporting import scores as scores_lib
from tf_muzero.reporting import words
from tf_muzero.reporting.document import Block
from tf_muzero.reporting.document import Heading
from tf_muzero.reporting.document import Pictures
from tf_muzero.reporting.document import Table
from tf_muzero.reporting.document import Text
from tf_muzero.reporting.groups import Group

_WHICH = {'final': 'the end of training',
          'best': "each run's best checkpoint"}


def blocks(groups: Sequence[Group], directory: str, seed: int,
           resample_tasks: bool) -> list[Block]:
  """Returns aggregates over tasks, where there are several of a benchmark."""
  found: list[Block] = []
  kinds = dict.fromkeys(
      (x.task.partition(':')[0], x.action_repeat, scale.name)
      for x in groups for scale in scores_lib.scales(x.task))
  for suite, action_repeat, scale in kinds:
    members = [x for x in groups if x.action_repeat == action_repeat
               and x.task.startswith(suite + ':')
               and scale in (y.name for y in scores_lib.scales(x.task))]
    if len({x.task for x in members}) < 2:
      continue
    for which in _WHICH:
      found += _sum(members, words.title(suite, action_repeat), scale, which,
                    directory, seed, resample_tasks)
  return found


def _sum(groups: Sequence[Group], title: str, scale: str, which: str,
         directory: str, seed: int, resample_tasks: bool) -> list[Block]:
  """Returns the aggregates of a benchmark's tasks on one scale."""
  collected: dict[tuple[str, str], list[np.ndarray]] = {}
  tasks: dict[tuple[str, str], set[str]] = {}
  for group in groups:
    scales = {x.name: x for x in scores_lib.scales(group.task)}
    for mode in group.modes:
      summary = getattr(groups_lib, which)(group, mode)
      if summary:
        collected.setdefault((group.method, mode), []).append(np.array(
            [scales[scale].normalised(x) for x in summary.means]))
        tasks.setdefault((group.method, mode), set()).add(group.task)
  if not collected:
    return []
  found = {name: {key: aggregates.interval(
      fn, x, seed=seed, resample_tasks=resample_tasks)
                  for key, x in collected.items()}
           for name, fn in aggregates.AGGREGATES.items()}
  rows = [[method, words.mode(mode), str(len(x)),
           str(sum(len(runs) for runs in x)),
           *(interval(values[method, mode]) for values in found.values())]
          for (method, mode), x in collected.items()]
  pictures = plots.intervals(
      os.path.join(directory, words.file_name(
          f'aggregates_{title}_{scale}_{which}')), {
              name: {f'{method}: {words.mode(mode)}': x
                     for (method, mode), x in values.items()}
              for name, values in found.items()}, scale)
  drawn = 'seeds and tasks' if resample_tasks else 'seeds within each task'
  has_seeds = resample_tasks or any(
      len(runs) > 1 for x in collected.values() for runs in x)
  written: list[Block] = [
      Heading(2, f'{title}: {scale}, {_WHICH[which]}'),
      Text('In brackets 95% confidence intervals, by a bootstrap over '
           f'{drawn}.' if has_seeds else
           'There is one seed of each task, and so no confidence interval.'),
      Table(['method', 'acts by', 'tasks', 'runs', *found], rows),
      Pictures(pictures, f'{scale}, {_WHICH[which]}')]
  if len(set(map(frozenset, tasks.values()))) > 1:
    written.append(Text('Not all methods were run on all tasks: these numbers '
                        'are not of the same tasks.'))
  return written


def interval(x: aggregates.Interval) -> str:
  """Returns an aggregate and its interval in brackets."""
  if x.low == x.high:  # Of one seed.
    return words.number(x.value)
  return (f'{words.number(x.value)} [{words.number(x.low)}, '
          f'{words.number(x.high)}]')
