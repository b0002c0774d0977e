"""Runs of one task and one method, which differ by their seeds."""

import os
from typing import NamedTuple, Optional, Sequence

import numpy as np

from tf_muzero.reporting import runs as runs_lib
from tf_muzero.reporting.runs import Run
from tf_muzero.reporting.runs import Score

_IMPROVEMENT = 'pipeline.Reanalyse.improvement_fn'
_METHODS = {'@improvement.search_improvement': 'MuZero Unplugged',
            '@improvement.cloning_improvement': 'behaviour cloning'}
# What does not make a method another: where, on what, how fast, how often.
_IGNORED = ('RUN_DIRECTORY', 'DATASET', '.seed', '.strategy', '_jit',
            'jit_compile', '.log_every', '.checkpoint_every', '.dataset',
            '.parallel_searches', '.steps_per_execution', '.run_directory')
_NUM_NAMED = 3  # Settings that tell methods apart, in a name.


class Group(NamedTuple):
  """Runs that differ by their seeds.

  Attributes:
    task: the environment's id.
    action_repeat: environment steps per decision.
    method: what tells it from other groups of the task.
    runs: one or more.
  """
  task: str
  action_repeat: int
  method: str
  runs: tuple[Run, ...]

  @property
  def modes(self) -> list[str]:
    """The acting modes that any of the runs was evaluated with."""
    return list(dict.fromkeys(mode for run in self.runs for mode in run.final))


class Summary(NamedTuple):
  """Scores of several seeds in one.

  Attributes:
    mean: over the seeds.
    error: standard error of it over the seeds; of one seed, over its episodes.
    steps: learner steps of the weights, a seed each.
    means: of each seed.
  """
  mean: float
  error: float
  steps: tuple[int, ...]
  means: tuple[float, ...]


def group(runs: Sequence[Run]) -> list[Group]:
  """Returns groups in the order of tasks and of the runs."""
  kinds: dict[tuple, list[Run]] = {}
  for run in runs:
    key = (run.task, run.action_repeat, _method(run),
           tuple(sorted(_characteristic(run).items())))
    kinds.setdefault(key, []).append(run)
  groups = []
  for (task, action_repeat, method, settings), members in kinds.items():
    rivals = [dict(key[3]) for key in kinds if key[:3] == (
        task, action_repeat, method)]
    groups.append(Group(
        task, action_repeat, method + _difference(dict(settings), rivals),
        tuple(members)))
  return sorted(groups, key=lambda x: (x.task, x.action_repeat))


def final(group_: Group, mode: str) -> Optional[Summary]:
  """Returns the final score of a mode, or None where there is none."""
  return _summary([run.final.get(mode) for run in group_.runs])


def best(group_: Group, mode: str) -> Optional[Summary]:
  """Returns the score of each run's best checkpoint, or None."""
  return _summary([
      runs_lib.best(run.curve.get(mode, ())) for run in group_.runs])


def curve(group_: Group, mode: str) -> np.ndarray:
  """Returns [points, 2] of learner step and mean score, where all runs are."""
  curves = [{score.step: score.mean for score in run.curve[mode]}
            for run in group_.runs if run.curve.get(mode)]
  if not curves:
    return np.zeros([0, 2])
  steps = sorted(set.intersection(*(set(x) for x in curves)))
  return np.array([[step, np.mean([x[step] for x in curves])]
                   for step in steps]).reshape(-1, 2)


def _summary(scores: Sequence[Optional[Score]]) -> Optional[Summary]:
  known = [score for score in scores if score]
  if not known:
    return None
  means = tuple(score.mean for score in known)
  error = (float(np.std(means, ddof=1)) / len(means)**0.5 if len(means) > 1
           else known[0].standard_error)
  return Summary(float(np.mean(means)), error,
                 tuple(score.step for score in known), means)


def _method(run: Run) -> str:
  improvement = run.settings.get(_IMPROVEMENT)
  if improvement is None:  # Not trained by the command.
    return os.path.basename(os.path.abspath(run.directory))
  name = _METHODS.get(improvement, improvement.lstrip('@'))
  fraction = float(run.settings.get('train.train.reanalyse_fraction', 1.0))
  return name if fraction == 1.0 else f'{name}, {fraction:.0%} stored data'


def _characteristic(run: Run) -> dict[str, str]:
  return {name: value for name, value in run.settings.items()
          if not name.endswith(_IGNORED) and not name.startswith('evaluate.')}


def _difference(settings: dict[str, str], rivals: Sequence[dict[str, str]]
                ) -> str:
  """Returns the settings that tell this method from its rivals."""
  names = sorted({name for rival in rivals
                  for name in rival.keys() | settings.keys()
                  if rival.get(name) != settings.get(name)})
  if not names:
    return ''
  named = [f'{name.rpartition(".")[2]} {settings.get(name, "not set")}'
           for name in names[:_NUM_NAMED]]
  more = len(names) - len(named)
  return f' ({", ".join(named)}{f", {more} more" if more else ""})'
