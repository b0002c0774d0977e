"""Pictures of groups of runs, as PNG files."""

from typing import Any, Sequence

from matplotlib import figure as figure_lib
from matplotlib import ticker
import numpy as np

from tf_muzero.reporting import groups as groups_lib
from tf_muzero.reporting.aggregates import Interval
from tf_muzero.reporting.groups import Group

_PANEL = 3.4, 2.8  # Inches, width and height.
_COLUMNS = 4
_DOTS = 120  # An inch.


def learning_curves(path: str, groups: Sequence[Group]) -> None:
  """Draws scores over learner steps, a panel for each acting mode.

  Thin lines are seeds, thick ones their mean; a method that was evaluated only
  at its end is a dashed line.

  Args:
    path: PNG file.
    groups: of one task.
  """
  modes = list(dict.fromkeys(mode for x in groups for mode in x.modes))
  figure, panels = _panels(len(modes), sharey=True)
  for axes, mode in zip(panels, modes):
    for number, group in enumerate(groups):
      color = f'C{number % 10}'
      thick = groups_lib.curve(group, mode)
      summary = groups_lib.final(group, mode)
      if len(thick):
        for run in group.runs:
          scores = run.curve.get(mode, ())
          axes.plot([x.step for x in scores], [x.mean for x in scores],
                    color=color, linewidth=0.8, alpha=0.5)
        axes.plot(*thick.T, '.-', color=color, linewidth=2, label=group.method)
      elif summary:
        axes.axhline(summary.mean, color=color, linestyle='--',
                     label=group.method)
    axes.set(title=f'acts by {mode}', xlabel='learner step')
    axes.grid(alpha=0.3)
  panels[0].set_ylabel('mean return')
  _legend(figure, panels)
  figure.savefig(path, dpi=_DOTS)


def final_scores(path: str, groups: Sequence[Group]) -> None:
  """Draws the final scores of all methods and modes; dots are seeds.

  Args:
    path: PNG file.
    groups: of one task.
  """
  rows = [(group, number, mode) for number, group in enumerate(groups)
          for mode in group.modes]
  figure = figure_lib.Figure(
      figsize=(7, 1.2 + 0.3 * (len(rows) + len(groups))), layout='constrained')
  axes = figure.add_subplot()
  for y, (group, number, mode) in enumerate(rows):
    summary = groups_lib.final(group, mode)
    if summary:
      axes.barh(y, summary.mean, 0.7, xerr=summary.error, alpha=0.6, capsize=3,
                color=f'C{number % 10}',
                label=group.method if mode == group.modes[0] else None)
      axes.plot(summary.means, [y] * len(summary.means), 'ko', markersize=3,
                alpha=0.7)
  axes.set_yticks(range(len(rows)), [mode for _, _, mode in rows])
  axes.invert_yaxis()
  axes.set_xlabel('mean return at the end of training')
  axes.grid(axis='x', alpha=0.3)
  _legend(figure, [axes], columns=1)
  figure.savefig(path, dpi=_DOTS)


def training(path: str, groups: Sequence[Group], names: Sequence[str]) -> None:
  """Draws metrics of training over learner steps, a panel each.

  Args:
    path: PNG file.
    groups: of one task.
    names: of the metrics.
  """
  figure, panels = _panels(len(names), sharey=False)
  for axes, name in zip(panels, names):
    for number, group in enumerate(groups):
      for i, run in enumerate(x for x in group.runs if name in x.metrics):
        axes.plot(*run.metrics[name].T, color=f'C{number % 10}', linewidth=1,
                  label=None if i else group.method)
    axes.set(title=name, xlabel='learner step')
    axes.grid(alpha=0.3)
  _legend(figure, panels)
  figure.savefig(path, dpi=_DOTS)


def validation(path: str, groups: Sequence[Group]) -> bool:
  """Draws the model's errors on held-out episodes over learner steps.

  A panel for each kind; a solid line is the fewest unrolled steps, a dashed
  one the most, and a dotted one what saying the mean would give.

  Args:
    path: PNG file.
    groups: of one task.

  Returns:
    Whether there was anything to draw.
  """
  runs = [run for group in groups for run in group.runs]
  found: dict[str, set[int]] = {}  # Kind -> numbers of unrolled steps.
  for name in {name for run in runs for name in run.metrics}:
    kind, _, last = name.partition('/')[2].rpartition('_')
    if name.startswith('validation/') and last.isdecimal():
      found.setdefault(kind, set()).add(int(last))
  if not found:
    return False
  figure, panels = _panels(len(found), sharey=False, columns=3)
  for axes, (kind, steps) in zip(panels, sorted(found.items(), reverse=True)):
    for number, group in enumerate(groups):
      for step, style in ((max(steps), '--'), (min(steps), '-')):
        drawn = [run.metrics[f'validation/{kind}_{step}'] for run in group.runs
                 if f'validation/{kind}_{step}' in run.metrics]
        for i, line in enumerate(drawn):
          axes.plot(*line.T, style, color=f'C{number % 10}', label=(
              group.method if i == 0 and style == '-' else None))
    spread = f'validation/{kind.split("_")[0]}_spread'
    for run in runs[:1]:
      if spread in run.metrics:
        axes.axhline(run.metrics[spread][-1][1], color='k', linestyle=':')
    axes.set(title=f'{kind.replace("_", " ")}, {min(steps)} and {max(steps)} '
             'steps', xlabel='learner step')
    axes.grid(alpha=0.3)
  _legend(figure, panels)
  figure.savefig(path, dpi=_DOTS)
  return True


def intervals(path: str, aggregates: dict[str, dict[str, Interval]],
              label: str) -> None:
  """Draws aggregates with their confidence intervals, a panel each.

  Args:
    path: PNG file.
    aggregates: name of the aggregate -> method -> interval.
    label: of the scores.
  """
  figure, panels = _panels(len(aggregates), sharey=True, columns=3)
  for axes, (name, values) in zip(panels, aggregates.items()):
    for y, interval in enumerate(values.values()):
      axes.barh(y, interval.high - interval.low, 0.6, left=interval.low,
                color=f'C{y % 10}', alpha=0.6)
      axes.plot([interval.value] * 2, [y - 0.3, y + 0.3], color='k')
    axes.set_yticks(range(len(values)), list(values), fontsize='small')
    axes.set(title=name, xlabel=label)
    axes.margins(x=0.1)
    axes.grid(axis='x', alpha=0.3)
  panels[0].invert_yaxis()
  figure.savefig(path, dpi=_DOTS)


def _panels(number: int, *, sharey: bool, columns: int = _COLUMNS
            ) -> tuple[Any, Sequence[Any]]:
  """Returns a figure and as many axes."""
  columns = min(number, columns)
  rows = -(-number // columns)
  figure = figure_lib.Figure(
      figsize=(max(_PANEL[0] * columns, 5.0), _PANEL[1] * rows + 0.4),
      layout='constrained')
  panels = list(np.ravel(figure.subplots(
      rows, columns, sharey=sharey, squeeze=False)))
  for axes in panels:
    axes.xaxis.set_major_locator(ticker.MaxNLocator(4))
  for axes in panels[number:]:
    axes.remove()
  return figure, panels[:number]


def _legend(figure: Any, panels: Sequence[Any], columns: int = 2) -> None:
  """Puts one legend for all panels below them."""
  found = {label: line for axes in panels for line, label in zip(
      *axes.get_legend_handles_labels())}
  figure.legend(found.values(), found.keys(), loc='outside lower center',
                fontsize='small', ncols=columns)
