"""What a report says: sums over tasks, each task, and how it was measured."""

import os
from typing import Optional, Sequence

import numpy as np

from tf_muzero.reporting import aggregates
from tf_muzero.reporting import groups as groups_lib
from tf_muzero.reporting import plots
from tf_muzero.reporting import scores as scores_lib
from tf_muzero.reporting.document import Block
from tf_muzero.reporting.document import Heading
from tf_muzero.reporting.document import Picture
from tf_muzero.reporting.document import Table
from tf_muzero.reporting.document import Text
from tf_muzero.reporting.groups import Group
from tf_muzero.reporting.groups import Summary
from tf_muzero.reporting.runs import Run

_NONE = '–'
_WHICH = {'final': 'the end of training',
          'best': "each run's best checkpoint"}


def report(runs: Sequence[Run], directory: str, *, seed: int,
           resample_tasks: bool) -> list[Block]:
  """Returns the document of some runs, and writes its pictures.

  Args:
    runs: one or more.
    directory: of the pictures.
    seed: of the confidence intervals.
    resample_tasks: see `aggregates.interval`.
  """
  groups = groups_lib.group(runs)
  tasks: dict[tuple[str, int], list[Group]] = {}
  for group in groups:
    tasks.setdefault((group.task, group.action_repeat), []).append(group)
  blocks: list[Block] = [
      Heading(1, f'{_count(len(runs), "run")} of {_count(len(tasks), "task")}'),
      Text('Scores are mean returns of evaluation episodes, raw and not '
           'discounted. "±" is the standard error: over seeds, or over the '
           'episodes of the one run. The best checkpoint was chosen by the '
           'very evaluations that score it, while training, so it is too high '
           'and is not to be compared with scores at the end.')]
  blocks += _sums(groups, directory, seed, resample_tasks)
  for (task, action_repeat), members in tasks.items():
    blocks += _task(task, action_repeat, members, directory)
  return [*blocks, *_protocol(runs), *_runs(groups)]


def _sums(groups: Sequence[Group], directory: str, seed: int,
          resample_tasks: bool) -> list[Block]:
  """Returns aggregates over tasks, where there are several of a benchmark."""
  blocks: list[Block] = []
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
      blocks += _sum(members, suite, scale, which, directory, seed,
                     resample_tasks)
  return blocks


def _sum(groups: Sequence[Group], suite: str, scale: str, which: str,
         directory: str, seed: int, resample_tasks: bool) -> list[Block]:
  """Returns the aggregates of a benchmark's tasks on one scale."""
  collected: dict[tuple[str, str], list[np.ndarray]] = {}
  for group in groups:
    scales = {x.name: x for x in scores_lib.scales(group.task)}
    for mode in group.modes:
      summary = getattr(groups_lib, which)(group, mode)
      if summary:
        collected.setdefault((group.method, mode), []).append(np.array(
            [scales[scale].normalised(x) for x in summary.means]))
  if not collected:
    return []
  found = {name: {key: aggregates.interval(
      fn, x, seed=seed, resample_tasks=resample_tasks)
                  for key, x in collected.items()}
           for name, fn in aggregates.AGGREGATES.items()}
  rows = [[*key, str(len(x)), str(sum(len(runs) for runs in x)),
           *(_interval(values[key]) for values in found.values())]
          for key, x in collected.items()]
  name = f'aggregates_{suite}_{_file(scale)}_{which}.png'
  plots.intervals(os.path.join(directory, name), {
      title: {': '.join(key): x for key, x in values.items()}
      for title, values in found.items()}, scale)
  drawn = 'seeds and tasks' if resample_tasks else 'seeds within each task'
  blocks: list[Block] = [
      Heading(2, f'{suite}: {scale}, {_WHICH[which]}'),
      Text('In brackets 95% confidence intervals, by a bootstrap over '
           f'{drawn}.'),
      Table(['method', 'acts by', 'tasks', 'runs', *found], rows),
      Picture(name, f'{scale}, {_WHICH[which]}')]
  if len({len(x) for x in collected.values()}) > 1:
    blocks.append(Text('Not all methods were run on all tasks: these numbers '
                       'are not of the same tasks.'))
  return blocks


def _task(task: str, action_repeat: int, groups: Sequence[Group],
          directory: str) -> list[Block]:
  """Returns the table and the pictures of a task."""
  stem = _file(f'{task}_{action_repeat}')
  path = lambda kind: os.path.join(directory, f'{stem}_{kind}.png')
  title = task + (f', action repeat {action_repeat}' if action_repeat > 1
                  else '')
  blocks: list[Block] = [Heading(2, title), _task_table(task, groups)]
  paper = scores_lib.control_scores().get(task)
  if paper and action_repeat == 1:
    blocks.append(Text(
        'MuZero Unplugged reports, with the data of RL Unplugged, at the end '
        f'of training {paper.unplugged_final} (cloning {paper.cloning_final}), '
        f'at the best checkpoint {paper.unplugged_best} (cloning '
        f'{paper.cloning_best}).'))
  if any(run.curve for x in groups for run in x.runs):
    plots.learning_curves(path('curves'), groups)
    blocks.append(Picture(f'{stem}_curves.png', f'{title}: learning curves. '
                          'Thin lines are seeds, thick ones their mean.'))
  plots.final_scores(path('final'), groups)
  blocks.append(Picture(
      f'{stem}_final.png', f'{title}: scores at the end of training, by method '
      'and by how it acts. Dots are seeds.'))
  names = sorted({name for x in groups for run in x.runs
                  for name in run.metrics if name.startswith('loss/')})
  if names:
    plots.training(path('training'), groups, names)
    blocks.append(Picture(
        f'{stem}_training.png', f'{title}: losses of training.'))
  if plots.validation(path('validation'), groups):
    blocks.append(Picture(
        f'{stem}_validation.png', f'{title}: the model on held-out episodes, '
        'after the fewest (solid) and the most (dashed) unrolled steps; dotted '
        'is the error of saying the mean.'))
  return blocks


def _task_table(task: str, groups: Sequence[Group]) -> Table:
  scales = [x for x in scores_lib.scales(task) if x.name != 'return']
  rows = []
  for group in groups:
    for mode in group.modes:
      final = groups_lib.final(group, mode)
      rows.append([
          group.method, mode, str(len(final.means) if final else 0),
          *_cells(final),
          *(_number(x.normalised(final.mean)) if final else _NONE
            for x in scales),
          *_cells(groups_lib.best(group, mode))])
  return Table(['method', 'acts by', 'seeds', 'at the end', 'learner step',
                *(x.name for x in scales), 'best checkpoint', 'learner step'],
               rows)


def _protocol(runs: Sequence[Run]) -> list[Block]:
  """Returns how the evaluations were made, all values that runs have."""
  found: dict[str, tuple[dict, dict]] = {}

  def add(column: int, name: str, value: object):
    found.setdefault(name, ({}, {}))[column][str(value)] = None

  for run in runs:
    known = {name: value for name, value in run.evaluation.items() if name not
             in ('evaluations', 'directory', 'task', 'step', 'protocol')}
    for name, value in {**known, **run.evaluation.get('protocol', {})}.items():
      add(0, name, value)
    for name, value in run.settings.items() if run.curve else ():
      if name.startswith(('evaluate.during_training.', 'acting/')):
        add(1, name.rpartition('.')[2], value)
  if not found:
    return []
  return [
      Heading(2, 'How it was evaluated'),
      Text('Scores at the end of training are those of `evaluate` where there '
           'are such, else the last ones while training; the best ones are '
           'always of those.'),
      Table(['setting', 'evaluate', 'while training'],
            [[name, *(', '.join(x) or _NONE for x in values)]
             for name, values in sorted(found.items())])]


def _runs(groups: Sequence[Group]) -> list[Block]:
  return [Heading(2, 'The runs'), Table(
      ['directory', 'task', 'method', 'seed', 'learner steps', 'dataset'],
      [[run.directory, run.task, group.method, run.seed,
        str(max(score.step for score in run.final.values())),
        run.settings.get('DATASET', _NONE).strip("'\"")]
       for group in groups for run in group.runs])]


def _cells(summary: Optional[Summary]) -> list[str]:
  if not summary:
    return [_NONE, _NONE]
  steps = sorted(set(summary.steps))
  return [f'{_number(summary.mean)} ± {_number(summary.error)}',
          ' to '.join(str(x) for x in dict.fromkeys((steps[0], steps[-1])))]


def _interval(x: aggregates.Interval) -> str:
  if x.low == x.high:  # Of one seed.
    return _number(x.value)
  return f'{_number(x.value)} [{_number(x.low)}, {_number(x.high)}]'


def _number(x: float) -> str:
  return f'{x:.0f}' if abs(x) >= 1000 else f'{x:.1f}' if abs(x) >= 10 else (
      f'{x:.2f}')


def _count(number: int, noun: str) -> str:
  return f'{number} {noun}{"" if number == 1 else "s"}'


def _file(text: str) -> str:
  return ''.join(x if x.isalnum() else '_' for x in text).strip('_')
