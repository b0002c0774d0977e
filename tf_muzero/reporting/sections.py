"""What a report says: sums over tasks, each task, and how it was made."""

import os
from typing import Optional, Sequence


from tf_muzero.reporting import efficiency
from tf_muzero.reporting import groups as groups_lib
from tf_muzero.reporting import plots
from tf_muzero.reporting import provenance
from tf_muzero.reporting import scores as scores_lib
from tf_muzero.reporting import sums
from tf_muzero.reporting import words
from tf_muzero.reporting.document import Block
from tf_muzero.reporting.document import Heading
from tf_muzero.reporting.document import Pictures
from tf_muzero.reporting.document import Table
from tf_muzero.reporting.document import Text
from tf_muzero.reporting.groups import Group
from tf_muzero.reporting.groups import Summary
from tf_muzero.reporting.provenance import NONE
from tf_muzero.reporting.runs import Data


def report(groups: Sequence[Group], directory: str, *, seed: int,
           resample_tasks: bool) -> list[Block]:
  """Returns the document of some runs, and writes its pictures.

  Args:
    groups: one or more, see `groups.group`.
    directory: of the pictures.
    seed: of the confidence intervals.
    resample_tasks: see `aggregates.interval`.
  """
  runs = [run for group in groups for run in group.runs]
  tasks: dict[tuple[str, int], list[Group]] = {}
  for group in groups:
    tasks.setdefault((group.task, group.action_repeat), []).append(group)
  titles = [words.title(*key) for key in tasks]
  blocks: list[Block] = [
      Heading(1, f'{titles[0]}: {words.count(len(runs), "run")}'
              if len(tasks) == 1 else f'{words.count(len(runs), "run")} of '
              f'{words.count(len(tasks), "task")}'),
      *_introduction(groups)]
  blocks += sums.blocks(groups, directory, seed, resample_tasks)
  for title, ((task, action_repeat), members) in zip(titles, tasks.items()):
    if len(tasks) > 1:
      blocks.append(Heading(2, title))
    blocks += _task(task, action_repeat, members, directory,
                    level=2 if len(tasks) == 1 else 3)
  return [*blocks, *provenance.hyperparameters(groups),
          *provenance.evaluations(runs), *provenance.runs_table(groups)]


def _introduction(groups: Sequence[Group]) -> list[Block]:
  """Returns what the numbers mean."""
  blocks: list[Block] = []
  if len({group.task for group in groups}) == 1:
    blocks.append(Text(' '.join(map(_in_brief, groups))))
  if not any(group.modes for group in groups):
    return blocks
  sizes = {len(group.runs) for group in groups}
  if sizes == {1}:
    error = ('Each method has one seed: "±" is the standard error over the '
             'episodes of that one run, and says nothing of how much other '
             'seeds would differ.')
  elif 1 in sizes:
    error = ('"±" is the standard error over seeds; where a method has one '
             'seed, over the episodes of that one run.')
  else:
    error = '"±" is the standard error over seeds.'
  blocks.append(Text('Scores are mean returns of evaluation episodes, raw and '
                     f'not discounted. {error}'))
  blocks += _differences(groups)
  if any(run.curve for group in groups for run in group.runs):
    blocks.append(Text(
        'The best checkpoint was chosen by the very evaluations that score it, '
        'so its score is too high and is not to be compared with scores at the '
        'end.'))
  return blocks


def _differences(groups: Sequence[Group]) -> list[Block]:
  """Returns in what runs of a method differ beside their seeds."""
  found: list[Block] = []
  for group in groups:
    of = f'Runs of {group.method}'
    if len({run.place for run in group.runs}) > 1:
      found.append(Text(f'{of} learned from different data: "±" is over both, '
                        'data and seeds.'))
    if len({(run.place, run.seed) for run in group.runs}) < len(group.runs):
      found.append(Text(f'{of} have a seed more than once.'))
  return found


def _in_brief(group: Group) -> str:
  """Returns what was run, in a sentence."""
  seconds = [run.seconds for run in group.runs if run.seconds]
  cores = {int(start.get('cores', 0)) for run in group.runs
           for start in run.starts}
  parts = [words.count(len(group.runs), 'seed'), words.span(
      [run.num_steps for run in group.runs]) + ' learner steps']
  if seconds:
    ends = [words.duration(x) for x in (min(seconds), max(seconds))]
    parts.append(' to '.join(dict.fromkeys(ends)))
    parts[-1] += f' on {words.count(cores.pop(), "core")}' if (
        len(cores) == 1 and 0 not in cores) else ''
  method = group.method[:1].upper() + group.method[1:]
  return f'{method}: {", ".join(parts)}.'


def _task(task: str, action_repeat: int, groups: Sequence[Group],
          directory: str, level: int) -> list[Block]:
  """Returns the tables and the pictures of a task."""
  stem = os.path.join(
      directory, words.file_name(f'{task}_{action_repeat}'))
  blocks: list[Block] = []
  if any(group.modes for group in groups):
    blocks += _returns(task, action_repeat, groups, stem, level)
  else:
    blocks.append(Text('No episodes were played to evaluate this task, so '
                       'there are no returns.'))
  blocks += efficiency.blocks(groups, stem, level)
  errors = plots.validation(f'{stem}_validation', groups)
  if errors:
    blocks += [
        Heading(level, 'The model on held-out episodes'),
        Pictures(errors, 'Errors on episodes that were not trained on, after '
                 'the fewest and the most unrolled steps. Saying the mean is '
                 'what a model without knowledge would do.')]
  recorded = {name for x in groups for run in x.runs for name in run.metrics}
  worth = sorted(recorded & {
      'validation/fitted_value', 'validation/own_value'})
  if worth:
    blocks += [
        Heading(level, 'What the policy is worth by the stored episodes'),
        Pictures(plots.training(stem, groups, worth), 'Without playing, by '
                 'fitted Q evaluation; and what the network says itself.')]
  names = sorted(name for name in recorded if name.startswith('loss/'))
  if names:
    blocks += [Heading(level, 'Losses'), Pictures(
        plots.training(f'{stem}_training', groups, names),
        'Terms of the loss, as they were logged.')]
  return blocks


def _returns(task: str, action_repeat: int, groups: Sequence[Group],
             stem: str, level: int) -> list[Block]:
  """Returns the scores of a task."""
  data = groups_lib.data(groups)
  blocks: list[Block] = [Heading(level, 'Return'), _task_table(task, groups)]
  of_data = _of_data(groups)
  blocks += of_data
  below = groups_lib.below_data(groups)
  if of_data and any(run.is_cut_off for x in groups for run in x.runs):
    data, below = None, []
    blocks.append(Text(
        'Evaluation episodes were cut off early and those of the data were '
        'not: the two cannot be compared, and the data is not in the curves.'))
  if below:
    blocks.append(Text(
        f'{" and ".join(below)}: every way of acting ends below the mean of '
        'the data. docs/own_data.md, "Planning", says what to try.'))
  paper = scores_lib.control_scores().get(task)
  if paper and action_repeat == 1:
    blocks.append(Text(
        'MuZero Unplugged reports, with the data of RL Unplugged, at the end '
        f'of training {paper.unplugged_final} (cloning {paper.cloning_final}), '
        f'at the best checkpoint {paper.unplugged_best} (cloning '
        f'{paper.cloning_best}).'))
  if any(run.curve for x in groups for run in x.runs):
    several = max(len(x.runs) for x in groups) > 1
    blocks.append(Pictures(
        plots.learning_curves(f'{stem}_curves', groups, data)
        + plots.wall_time_curve(f'{stem}_wall_time', groups, data),
        'Learning curves. Bands are standard errors'
        + ('; thin lines are seeds, thick ones their mean.' if several
           else ' over episodes.')))
  blocks.append(Pictures(
      plots.final_scores(f'{stem}_final', groups, data),
      'Scores at the end of training, with standard errors. Dots are seeds.'))
  return blocks


def _of_data(groups: Sequence[Group]) -> list[Block]:
  """Returns what the data is like: once where it is of all."""
  of_all = groups_lib.data(groups)
  if of_all:
    return [Text(f'The data: {_in_words(of_all)}')]
  each = [(group.method, groups_lib.data_of(group)) for group in groups]
  return [Text(f'The data of {method}: {_in_words(data)}')
          for method, data in each if data]


def _in_words(data: Data) -> str:
  sample = ' that were looked at' if data.is_sample else ''
  return (f'the mean return of its {data.num_episodes} episodes{sample} is '
          f'{words.number(data.mean)}, the best {words.number(data.best)}.')


def _task_table(task: str, groups: Sequence[Group]) -> Table:
  scales = [x for x in scores_lib.scales(task) if x.name != 'return']
  several = len(groups) > 1  # Else the title says it.
  rows = []
  for group in groups:
    for mode in group.modes:
      final = groups_lib.final(group, mode)
      rows.append([
          *([group.method] if several else []), words.mode(mode),
          str(len(final.means) if final else 0), *_cells(final),
          *(words.number(x.normalised(final.mean)) if final else NONE
            for x in scales),
          *_cells(groups_lib.best(group, mode))[:1],
          *_cells(groups_lib.best(group, mode))[2:]])
  return Table(
      [*(['method'] if several else []), 'acts by', 'seeds', 'at the end',
       'episodes', 'of step', *(x.name for x in scales), 'best checkpoint',
       'of step'], rows)


def _cells(summary: Optional[Summary]) -> list[str]:
  """Returns score, episodes of each seed, and learner steps."""
  if not summary:
    return [NONE] * 3
  episodes = ([words.span(summary.num_episodes)] if all(summary.num_episodes)
              else [NONE])
  return [f'{words.number(summary.mean)} ± {words.number(summary.error)}',
          *episodes, words.span(summary.steps)]
