"""Pictures of groups of runs, as PNG files of one panel each.

A panel is as wide as a phone's screen; a page puts as many side by side as it
has room for. Bands and bars are standard errors.
"""

import functools
import os
from typing import Any, Callable, Optional, Sequence

from matplotlib import figure as figure_lib
from matplotlib import ticker
import numpy as np

from tf_muzero import metrics as metrics_lib
from tf_muzero.reporting import groups as groups_lib
from tf_muzero.reporting import words
from tf_muzero.reporting.aggregates import Interval
from tf_muzero.reporting.document import Picture
from tf_muzero.reporting.groups import Group
from tf_muzero.reporting.runs import Data

_SIZE = 4.6, 3.4  # Inches of a panel, width and height.
_DOTS = 160  # An inch.
# Okabe and Ito's, which those who see few colours tell apart; not the yellow.
# Then two more, since studies have up to nine variants.
_COLORS = ('#0072b2', '#d55e00', '#009e73', '#cc79a7', '#56b4e9', '#e69f00',
           '#555555', '#6b3d0f', '#7a5fc0')
_LETTERS = 60  # In a line of a legend.
_ROW = 0.2  # Inches of such a line.
_STEPS = 'learner steps'
_RETURN = 'mean return'


def learning_curves(stem: str, groups: Sequence[Group], data: Optional[Data]
                    ) -> list[Picture]:
  """Draws scores over learner steps, for each mode of evaluations in training.

  Thin lines are seeds, thick ones their mean; a method that was evaluated only
  at its end is a dashed line.

  Args:
    stem: path of the files, without what tells them apart.
    groups: of one task.
    data: what they learned from, if it is known.
  """
  ends = _range(groups, data)
  return [panel(
      f'{stem}_{mode}', f'return when acting by {words.mode(mode)}',
      functools.partial(_draw_curves, groups=groups, mode=mode, data=data),
      title=f'acting by {words.mode(mode)}', xlabel=_STEPS, ylabel=_RETURN,
      ylim=ends)
          for mode in groups_lib.modes_of_curves(groups)]


def wall_time_curve(stem: str, groups: Sequence[Group], data: Optional[Data]
                    ) -> list[Picture]:
  """Draws scores of the last such mode over hours or minutes of training.

  Args:
    stem: path of the file, without its ending.
    groups: of one task.
    data: what they learned from, if it is known.

  Returns:
    One picture, or none where no wall time was recorded.
  """
  mode = groups_lib.modes_of_curves(groups)[-1]
  seconds = [x for group in groups for run in group.runs
             for x in [run.seconds] if x and run.curve.get(mode)]
  if not seconds:
    return []
  unit, scale = ('h', 3600.0) if max(seconds) > 7200 else ('min', 60.0)
  return [panel(
      stem, f'return over wall time when acting by {words.mode(mode)}',
      functools.partial(_draw_curves, groups=groups, mode=mode, data=data,
                        seconds=scale),
      title=f'acting by {words.mode(mode)}',
      xlabel=f'wall time ({unit})', ylabel=_RETURN,
      ylim=_range(groups, data))]


def final_scores(stem: str, groups: Sequence[Group], data: Optional[Data]
                 ) -> list[Picture]:
  """Draws the final scores of all methods and modes; dots are seeds.

  Args:
    stem: path of the file, without its ending.
    groups: of one task.
    data: what they learned from, if it is known.
  """
  rows = [(group, number, mode) for number, group in enumerate(groups)
          for mode in group.modes]

  def draw(axes):
    for y, (group, number, mode) in enumerate(rows):
      summary = groups_lib.final(group, mode)
      if summary:
        axes.barh(y, summary.mean, 0.7, xerr=summary.error, alpha=0.6,
                  capsize=3, color=color_of(number), label=(
                      group.method if mode == group.modes[0] else None))
        axes.plot(summary.means, [y] * len(summary.means), 'ko', markersize=3)
    axes.set_yticks(
        range(len(rows)), [words.mode(mode) for _, _, mode in rows])
    axes.invert_yaxis()
    _draw_data(axes.axvline, data)

  return [panel(stem, 'scores at the end of training', draw,
                 title='at the end of training', xlabel=_RETURN, ylabel='',
                 height=1.7 + 0.3 * len(rows))]


def training(stem: str, groups: Sequence[Group], names: Sequence[str]
             ) -> list[Picture]:
  """Draws metrics of training over learner steps, a picture each.

  Args:
    stem: path of the files, without what tells them apart.
    groups: of one task.
    names: of the metrics.
  """

  def draw(axes, name):
    for number, group in enumerate(groups):
      for i, run in enumerate(x for x in group.runs if name in x.metrics):
        axes.plot(*run.metrics[name].T, color=color_of(number), linewidth=1,
                  label=None if i else group.method)

  pictures = []
  for name in names:
    metric = metrics_lib.describe(name)
    label = metric.label if metric else name.rpartition('/')[2]
    pictures.append(panel(
        f'{stem}_{name.replace("/", "_")}', label,
        functools.partial(draw, name=name), title='', xlabel=_STEPS,
        ylabel=label))
  return pictures


def validation(stem: str, groups: Sequence[Group]) -> list[Picture]:
  """Draws the model's errors on held-out episodes over learner steps.

  A picture for each kind; a solid line is the fewest unrolled steps, a dashed
  one the most, and a dotted one what saying the mean would give.

  Args:
    stem: path of the files, without what tells them apart.
    groups: of one task.
  """
  runs = [run for group in groups for run in group.runs]
  found: dict[str, set[int]] = {}  # Kind -> numbers of unrolled steps.
  for name in {name for run in runs for name in run.metrics}:
    kind, _, last = name.partition('/')[2].rpartition('_')
    if name.startswith('validation/') and last.isdecimal():
      found.setdefault(kind, set()).add(int(last))

  def draw(axes, kind, steps):
    spread = f'validation/{kind.split("_")[0]}_spread'
    for number, group in enumerate(groups):
      for step, style in ((min(steps), '-'), (max(steps), '--')):
        name = f'validation/{kind}_{step}'
        for i, run in enumerate(x for x in group.runs if name in x.metrics):
          axes.plot(*run.metrics[name].T, style, color=color_of(number), label=(
              None if i else _after(step, group.method, len(groups))))
    for run in runs[:1]:
      if spread in run.metrics:
        axes.axhline(run.metrics[spread][-1][1], color='k', linestyle=':',
                     label='saying the mean')
    axes.set_ylim(bottom=0.0)

  pictures = []
  for kind, steps in sorted(found.items(), reverse=True):
    metric = metrics_lib.describe(f'validation/{kind}_{min(steps)}')
    unit = f' ({metric.unit})' if metric and metric.unit else ''
    label = (metric.title.partition(' after ')[0] if metric
             else kind.replace('_', ' ')) + unit
    pictures.append(panel(
        f'{stem}_{kind}', label,
        functools.partial(draw, kind=kind, steps=steps), title='',
        xlabel=_STEPS, ylabel=label))
  return pictures


def intervals(stem: str, aggregates: dict[str, dict[str, Interval]],
              label: str) -> list[Picture]:
  """Draws aggregates with their confidence intervals, a picture each.

  Args:
    stem: path of the files, without what tells them apart.
    aggregates: name of the aggregate -> method -> interval.
    label: of the scores.
  """

  def draw(axes, values):
    for y, interval in enumerate(values.values()):
      axes.barh(y, interval.high - interval.low, 0.6, left=interval.low,
                color=color_of(y), alpha=0.6)
      axes.plot([interval.value] * 2, [y - 0.3, y + 0.3], color='k')
    axes.set_yticks(range(len(values)), list(values), fontsize='small')
    axes.use_sticky_edges = False  # Of bars: what is at the end would be cut.
    axes.margins(x=0.1)
    axes.locator_params(axis='x', nbins=4)  # Beside long names is little room.
    axes.invert_yaxis()

  return [panel(
      f'{stem}_{name.replace(" ", "_")}', f'{name}, {label}',
      functools.partial(draw, values=values), title=name, xlabel=label,
      ylabel='', height=1.4 + 0.4 * len(values))
          for name, values in aggregates.items()]


def _draw_curves(axes: Any, groups: Sequence[Group], mode: str,
                 data: Optional[Data], seconds: Optional[float] = None) -> None:
  """Draws over learner steps, or over units of so many seconds."""
  for number, group in enumerate(groups):
    color, points = color_of(number), groups_lib.curve(group, mode)
    summary = groups_lib.final(group, mode)
    if len(points):
      for run in group.runs if len(group.runs) > 1 else ():
        steps = np.array([x.step for x in run.curve.get(mode, ())], float)
        axes.plot(run.seconds_at(steps) / seconds if seconds else steps,
                  [x.mean for x in run.curve.get(mode, ())], color=color,
                  linewidth=0.8, alpha=0.6)
      steps, mean, error = points.T
      if seconds:
        steps = groups_lib.wall_times(group, steps) / seconds
      axes.fill_between(steps, mean - error, mean + error, color=color,
                        alpha=0.2, linewidth=0)
      axes.plot(steps, mean, '.-', color=color, linewidth=2, label=group.method)
    elif summary and not seconds:
      axes.axhline(summary.mean, color=color, linestyle='--',
                   label=group.method)
  _draw_data(axes.axhline, data)


def _range(groups: Sequence[Group], data: Optional[Data]
           ) -> tuple[float, float]:
  """Returns the ends of an axis that has room for all scores of all modes."""
  ends = [end for group in groups for run in group.runs
          for scores in (*run.curve.values(), list(run.final.values()))
          for x in scores for end in (x.mean - x.standard_error,
                                      x.mean + x.standard_error)]
  ends += [data.mean, data.best] if data else []
  margin = 0.05 * (max(ends) - min(ends)) or 1.0
  return min(ends) - margin, max(ends) + margin


def _draw_data(line_fn: Callable, data: Optional[Data]) -> None:
  """Draws the returns of the data across a panel."""
  if data:
    line_fn(data.mean, color='k', linestyle=':', linewidth=1.2,
            label='mean of the data')
    line_fn(data.best, color='k', linestyle='-.', linewidth=1.2,
            label='best of the data')


def _after(step: int, method: str, num_methods: int) -> str:
  when = f'after {words.count(step, "step")}'
  return when if num_methods == 1 else f'{method}, {when}'


def color_of(number: int) -> str:
  """Returns the color of a group."""
  return _COLORS[number % len(_COLORS)]


def panel(path: str, alternative: str, draw_fn: Callable[[Any], None], *,
          title: str, xlabel: str, ylabel: str, height: float = _SIZE[1],
          ylim: Optional[tuple[float, float]] = None, xscale: str = 'linear'
          ) -> Picture:
  """Draws one picture with its legend below it, if it has several lines.

  `path` is without the file's ending, `alternative` for those who cannot see
  it, `height` in inches; `xscale` is 'linear' or 'log'.
  """
  figure = figure_lib.Figure(figsize=(_SIZE[0], height), layout='constrained')
  axes = figure.add_subplot()
  draw_fn(axes)
  axes.set(xlabel=xlabel, ylabel=ylabel)
  if ylim:
    axes.set_ylim(*ylim)
  axes.set_title(title, fontsize='medium')
  if xscale == 'linear':
    axes.xaxis.set_major_locator(ticker.MaxNLocator(5))
  else:
    axes.set_xscale(xscale)
    axes.xaxis.set_major_locator(ticker.LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(ticker.EngFormatter(sep=''))
    axes.xaxis.set_minor_formatter(ticker.NullFormatter())
  axes.grid(alpha=0.3)
  axes.spines[['top', 'right']].set_visible(False)
  lines = dict(zip(*reversed(axes.get_legend_handles_labels())))
  if len(lines) > 1:
    columns = max(1, min(len(lines), _LETTERS // (max(map(len, lines)) + 6)))
    rows = -(-len(lines) // columns)
    figure.set_figheight(height + _ROW * max(rows - 2, 0))
    figure.legend(lines.values(), lines.keys(), loc='outside lower center',
                  fontsize='small', frameon=False, ncols=columns)
  figure.savefig(f'{path}.png', dpi=_DOTS)
  return Picture(f'{os.path.basename(path)}.png', alternative)
