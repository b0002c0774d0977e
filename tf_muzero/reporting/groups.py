"""Runs of one task and one method, which differ by their seeds."""

import os
from typing import NamedTuple, Optional, Sequence

import numpy as np

from tf_muzero.reporting import runs as runs_lib
from tf_muzero.reporting import words
from tf_muzero.reporting.runs import Run
from tf_muzero.reporting.runs import Score

_IMPROVEMENT = 'pipeline.Reanalyse.improvement_fn'
_METHODS = {'@improvement.search_improvement': 'MuZero Unplugged',
            '@improvement.cloning_improvement': 'behaviour cloning',
            '@improvement.crr_improvement': 'critic-regularised regression'}
# What does not make a method another: where, on what, how fast, how often.
_IGNORED = ('RUN_DIRECTORY', 'DATASET', '.seed', '.strategy', '_jit',
            'jit_compile', '.log_every', '.checkpoint_every', 'train.dataset',
            'held_out.dataset', '.parallel_searches', '.steps_per_execution',
            '.run_directory', '.evaluate_every', '.intra_op_threads',
            '.profile', '.resume_from', '.num_processes', '.service',
            '.data_dir', '.prepare', '.memory_mib')
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
    num_episodes: of each seed; 0 where it is not known.
  """
  mean: float
  error: float
  steps: tuple[int, ...]
  means: tuple[float, ...]
  num_episodes: tuple[int, ...]


def group(runs: Sequence[Run]) -> list[Group]:
  """Returns groups in the order of tasks and of the runs."""
  kinds: dict[tuple, list[Run]] = {}
  for run in runs:
    key = (run.task, run.action_repeat, _method(run),
           tuple(sorted(_characteristic(run).items())))
    kinds.setdefault(key, []).append(run)
  groups, names = list[Group](), list[tuple[str, int, str]]()
  for (task, action_repeat, method, settings), members in kinds.items():
    rivals = [dict(key[3]) for key in kinds if key[:3] == (
        task, action_repeat, method)]
    difference = _difference(dict(settings), rivals)
    for of_data, seeds in _by_data(members):
      name = method + difference + of_data
      names.append((task, action_repeat, name))
      number = names.count(names[-1])  # In words, settings may look alike.
      groups.append(Group(
          task, action_repeat, f'{name}, {number}' if number > 1 else name,
          tuple(seeds)))
  return sorted(groups, key=lambda x: (x.task, x.action_repeat))


def final(group_: Group, mode: str) -> Optional[Summary]:
  """Returns the final score of a mode, or None where there is none."""
  return _summary([run.final.get(mode) for run in group_.runs])


def best(group_: Group, mode: str) -> Optional[Summary]:
  """Returns the score of each run's best checkpoint, or None."""
  return _summary([
      runs_lib.best(run.curve.get(mode, ())) for run in group_.runs])


def modes_of_curves(groups: Sequence[Group]) -> list[str]:
  """Returns the acting modes that some run was evaluated by in training."""
  return list(dict.fromkeys(
      mode for group in groups for mode in group.modes
      if any(run.curve.get(mode) for run in group.runs)))


def curve(group_: Group, mode: str) -> np.ndarray:
  """Returns [points, 3]: learner step, mean score and its standard error.

  The points are where all runs were evaluated. The error is over the seeds; of
  one seed, over its episodes.
  """
  curves = [{score.step: score for score in run.curve[mode]}
            for run in group_.runs if run.curve.get(mode)]
  if not curves:
    return np.zeros([0, 3])
  points = []
  for step in sorted(set.intersection(*(set(x) for x in curves))):
    summary = _summary([x[step] for x in curves])
    assert summary
    points.append([step, summary.mean, summary.error])
  return np.array(points).reshape(-1, 3)


def below_data(groups: Sequence[Group]) -> list[str]:
  """Returns the methods that end below their data's mean in all that they do.
  """
  found = []
  for group_ in groups:
    learned_from = data_of(group_)
    scores = [final(group_, mode) for mode in group_.modes]
    if learned_from and scores and all(
        score and score.mean < learned_from.mean for score in scores):
      found.append(group_.method)
  return found


def wall_times(group_: Group, steps: np.ndarray) -> np.ndarray:
  """Returns the seconds that learner steps took, mean of the runs, [points].

  NaN where a run recorded none.
  """
  return np.mean([run.seconds_at(steps) for run in group_.runs], axis=0)


def data(groups: Sequence[Group]) -> Optional[runs_lib.Data]:
  """Returns what all groups learned from, or None where they differ in it."""
  found = set(map(data_of, groups))
  return found.pop() if len(found) == 1 else None


def data_of(group_: Group) -> Optional[runs_lib.Data]:
  """Returns what runs learned from, or None where that is not known.

  Where each has data of its own, the mean of the means and the best of all.
  """
  found = dict.fromkeys(run.data for run in group_.runs)
  known = [x for x in found if x]
  if not known or len(known) < len(found):
    return None
  return runs_lib.Data(
      float(np.mean([x.mean for x in known])), max(x.best for x in known),
      sum(x.num_episodes for x in known), any(x.is_sample for x in known))


def _summary(scores: Sequence[Optional[Score]]) -> Optional[Summary]:
  known = [score for score in scores if score]
  if not known:
    return None
  means = tuple(score.mean for score in known)
  error = (float(np.std(means, ddof=1)) / len(means)**0.5 if len(means) > 1
           else known[0].standard_error)
  return Summary(float(np.mean(means)), error,
                 tuple(score.step for score in known), means,
                 tuple(score.num_episodes for score in known))


def _by_data(runs: Sequence[Run]) -> list[tuple[str, list[Run]]]:
  """Returns (what to add to the method, runs of it) for each of their datasets.

  They are one group if no seed occurs with two datasets: each may have its own.
  """
  learned = {(run.seed, run.place) for run in runs}
  if len(learned) == len({seed for seed, _ in learned}):
    return [('', list(runs))]
  places = dict.fromkeys(run.place for run in runs)
  short = [os.path.basename(place) for place in places]
  names = short if len(set(short)) == len(places) else list(places)
  return [(f', data {name or "unknown"}',
           [run for run in runs if run.place == place])
          for place, name in zip(places, names)]


def _method(run: Run) -> str:
  improvement = words.resolve(run.settings, _IMPROVEMENT)
  if improvement is None:  # Not trained by the command.
    return os.path.basename(os.path.abspath(run.directory))
  name = _METHODS.get(improvement, words.value_of(improvement))
  fraction = float(words.resolve(
      run.settings, 'train.train.reanalyse_fraction') or 1.0)
  return name if fraction == 1.0 else f'{name}, {fraction:.0%} stored data'


def _characteristic(run: Run) -> dict[str, str]:
  """Returns what tells methods apart, with what macros stand for."""
  parts = ' '.join(
      x for x in run.settings.values() if not x.startswith('%'))
  return {name: str(words.resolve(run.settings, name)) for name in run.settings
          # A macro alone is told by the settings that it stands for.
          if ('.' in name or f'%{name}' in parts)
          and not name.endswith(_IGNORED) and not name.startswith('evaluate.')}


def _difference(settings: dict[str, str], rivals: Sequence[dict[str, str]]
                ) -> str:
  """Returns the settings that tell this method from its rivals."""
  names = sorted({name for rival in rivals
                  for name in rival.keys() | settings.keys()
                  if rival.get(name) != settings.get(name)})
  if not names:
    return ''
  value = lambda name: (
      words.value_of(settings[name]) or 'of its own' if name in settings
      else 'not set')
  named = [f'{words.name_of(name)} {value(name)}'
           for name in names[:_NUM_NAMED]]
  more = len(names) - len(named)
  return f' ({", ".join(named)}{f", {more} more" if more else ""})'
