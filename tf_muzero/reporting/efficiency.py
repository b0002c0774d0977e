"""Returns over environment steps, of runs that play: data efficiency.

In the shape of figure 1 of MuZero Unplugged: runs of equal learner steps, each
with its own share of fresh data, and so its own number of environment steps.
"""

import functools
import os
from typing import Any, NamedTuple, Optional, Sequence

import numpy as np
import tensorflow as tf

from tf_muzero.reporting import groups as groups_lib
from tf_muzero.reporting import plots
from tf_muzero.reporting import runs as runs_lib
from tf_muzero.reporting import words
from tf_muzero.reporting.document import Block
from tf_muzero.reporting.document import Heading
from tf_muzero.reporting.document import Pictures
from tf_muzero.reporting.document import Table
from tf_muzero.reporting.document import Text
from tf_muzero.reporting.groups import Group
from tf_muzero.reporting.runs import Run

_LABEL = 'environment steps'


class Fit(NamedTuple):
  """A line through returns over the decimal logarithm of environment steps.

  Attributes:
    intercept: the return at one environment step.
    slope: return that ten times the environment steps add.
    error: standard error of the slope.
  """
  intercept: float
  slope: float
  error: float


def fit(steps: np.ndarray, returns: np.ndarray) -> Optional[Fit]:
  """Returns the line of least squares.

  Args:
    steps: [N] environment steps.
    returns: [N].

  Returns:
    None of fewer than three points, and where none has twice the steps of
    another: ten times as many would be a guess.
  """
  if len(steps) < 3 or max(steps) < 2 * min(steps):
    return None
  x = np.log10(steps)
  squares = np.sum((x - x.mean())**2)
  slope = np.sum((x - x.mean()) * returns) / squares
  intercept = returns.mean() - slope * x.mean()
  residuals = returns - intercept - slope * x
  return Fit(float(intercept), float(slope), float(np.sqrt(
      np.sum(residuals**2) / (len(steps) - 2) / squares)))


def environment_steps(run: Run) -> np.ndarray:
  """Returns what a run played: [points, 2] of learner and environment steps.

  A point is a round of episodes; environment steps are all so far. Empty where
  it played none.
  """
  rounds: dict[int, int] = {}
  for path in tf.io.gfile.glob(
      os.path.join(run.directory, 'interaction*.jsonl')):
    for line in runs_lib.read_lines(path):
      rounds[line['step']] = rounds.get(line['step'], 0) + (
          line['length'] * run.action_repeat)
  return np.array([*zip(sorted(rounds), np.cumsum(
      [rounds[step] for step in sorted(rounds)]))]).reshape(-1, 2)


def blocks(groups: Sequence[Group], stem: str, level: int) -> list[Block]:
  """Returns the section of a task; nothing where no run played.

  Args:
    groups: of one task.
    stem: path of the pictures, without what tells them apart.
    level: of the heading.
  """
  played = {run.directory: environment_steps(run)
            for group in groups for run in group.runs}
  modes = [mode for group in groups for mode in group.modes]
  if not modes or not any(len(x) for x in played.values()):
    return []
  mode, totals = modes[-1], {
      directory: x[-1, 1] for directory, x in played.items() if len(x)}
  scores = [(totals[run.directory], run.final[mode].mean)
            for group in groups for run in group.runs
            if run.directory in totals and mode in run.final]
  line = fit(*np.array(scores, float).T) if scores else None
  acting = f'acting by {words.mode(mode)}'
  panel = functools.partial(
      plots.panel, xlabel=_LABEL, ylabel='mean return', xscale='log')
  return [
      Heading(level, 'Return over environment steps'),
      _table(groups, totals, mode),
      *([Text(_of_line(line, groups))] if line else []),
      *_of_budgets(groups, played, mode),
      Pictures([
          panel(f'{stem}_environment_steps',
                f'return over environment steps when {acting}',
                functools.partial(_draw_curves, groups=groups, played=played,
                                  mode=mode), title=acting),
          panel(f'{stem}_efficiency',
                'final return over all environment steps of a run',
                functools.partial(_draw_finals, groups=groups, totals=totals,
                                  mode=mode, line=line),
                title=f'at the end, {acting}')],
               'Runs that play: returns over the steps they took in the '
               'environment, on a logarithmic axis. A line or a dot is a run.')]


def _table(groups: Sequence[Group], totals: dict[str, float], mode: str
           ) -> Table:
  rows = []
  for group in groups:
    steps = [totals[run.directory] for run in group.runs
             if run.directory in totals]
    final = groups_lib.final(group, mode)
    if steps and final:
      rows.append([
          group.method, str(len(steps)),
          words.span([int(x) for x in steps]),
          f'{words.number(final.mean)} ± {words.number(final.error)}'])
  return Table(
      ['method', 'seeds', _LABEL, f'return by {words.mode(mode)}'], rows)


def within(run: Run, played: np.ndarray, mode: str, budget: float) -> float:
  """Returns the return of the last evaluation within so many steps.

  Args:
    run: that played.
    played: see `environment_steps`.
    mode: of acting.
    budget: environment steps.

  Returns:
    NaN where there is no evaluation yet.
  """
  scores = run.curve.get(mode, ())
  steps = np.interp([x.step for x in scores], *played.T)
  return max(((x.step, x.mean) for x, taken in zip(scores, steps)
              if taken <= budget), default=(0, np.nan))[1]


def _of_budgets(groups: Sequence[Group], played: dict[str, np.ndarray],
                mode: str) -> list[Block]:
  """Returns which method is best for how many environment steps."""
  methods = [group for group in groups if all(
      len(played[run.directory]) and run.curve.get(mode) for run in group.runs)]
  if len(methods) < 2:
    return []
  rows = []
  most = max(x[-1, 1] for x in played.values() if len(x))
  for budget in _round_numbers(most):
    found = {group.method: [within(run, played[run.directory], mode, budget)
                            for run in group.runs] for group in methods}
    means = {method: float(np.mean(returns))
             for method, returns in found.items()
             if not np.isnan(returns).any()}
    if means:
      rows.append([f'{budget:,}', *(
          words.number(means[method]) if method in means else ''
          for method in found), max((x, name) for name, x in means.items())[1]])
  return [
      Text('Which is best for a budget of environment steps: the mean over '
           f'seeds of the last evaluation within it, acting by '
           f'{words.mode(mode)}.'),
      Table([_LABEL, *(group.method for group in methods), 'best'], rows)]


def _round_numbers(end: float) -> list[int]:
  """Returns 1, 2, 5, 10, ... up to the first that is not less."""
  numbers = [digit * 10**power for power in range(16) for digit in (1, 2, 5)]
  return [x for x in numbers if x < end] + [min(x for x in numbers if x >= end)]


def _of_line(line: Fit, groups: Sequence[Group]) -> str:
  learned = words.span([run.num_steps for x in groups for run in x.runs])
  return (f'Over all of these runs, of {learned} learner steps, ten times the '
          f'environment steps go with {words.number(line.slope)} ± '
          f'{words.number(line.error)} more return (least squares, standard '
          'error).')


def _draw_curves(axes: Any, groups: Sequence[Group],
                 played: dict[str, np.ndarray], mode: str) -> None:
  for number, group in enumerate(groups):
    for i, run in enumerate(
        x for x in group.runs if len(played[x.directory])):
      scores = run.curve.get(mode, ())
      steps = np.interp([x.step for x in scores], *played[run.directory].T)
      axes.plot(steps, [x.mean for x in scores], '.-', linewidth=1,
                color=plots.color_of(number),
                label=None if i else group.method)


def _draw_finals(axes: Any, groups: Sequence[Group], totals: dict[str, float],
                 mode: str, line: Optional[Fit]) -> None:
  for number, group in enumerate(groups):
    points = np.array([(totals[run.directory], run.final[mode].mean)
                       for run in group.runs
                       if run.directory in totals and mode in run.final])
    if len(points):
      axes.plot(*points.T, 'o', color=plots.color_of(number),
                label=group.method)
  if line:
    ends = np.array([min(totals.values()), max(totals.values())], float)
    axes.plot(ends, line.intercept + line.slope * np.log10(ends), 'k--',
              linewidth=1, label='fitted line')
