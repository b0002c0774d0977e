"""What a study's runs say, beside each other."""

import os
import re
from typing import Mapping, Optional, Sequence

from absl import logging

from tf_muzero.reporting import comparison
from tf_muzero.reporting import groups as groups_lib
from tf_muzero.reporting import runs as runs_lib
from tf_muzero.reporting import sections
from tf_muzero.reporting import words
from tf_muzero.reporting.document import Block
from tf_muzero.reporting.document import Heading
from tf_muzero.reporting.document import Table
from tf_muzero.reporting.document import Text
from tf_muzero.studies.grid import Dataset
from tf_muzero.studies.grid import Planned

_TAIL = 1 << 15  # Bytes of a file in which the last step is looked for.


def blocks(title: str, planned: Sequence[Planned],
           num_steps: Mapping[str, Optional[int]], directory: str, *, seed: int
           ) -> list[Block]:
  """Returns the report of the runs that are done; empty if none is.

  Args:
    title: of the study.
    planned: the runs of the grid.
    num_steps: learner steps of each that is done, by its name; None where they
      are not known, of one that has not begun.
    directory: of the pictures.
    seed: of the confidence intervals.
  """
  done = {x.name: run for x in planned
          for run in [_load(x, num_steps[x.name])] if run}
  if not done:
    return []
  missing = [x.name for x in planned if x.name not in done]
  cases, groups = [], []
  several = len({_data(x.dataset) for x in planned}) > 1
  for dataset in dict.fromkeys(_data(x.dataset) for x in planned):
    found = _groups([x for x in planned if _data(x.dataset) == dataset], done)
    for task, action_repeat in dict.fromkeys(
        (x.task, x.action_repeat) for x in found):
      members = [x for x in found if (x.task, x.action_repeat) == (
          task, action_repeat)]
      case = f'{task}, {dataset}' if dataset else task
      if action_repeat > 1:
        case += f', action repeat {action_repeat}'
      cases.append(comparison.Case(case, members))
      groups += [x._replace(method=f'{x.method}, {dataset}') if several else x
                 for x in members]
  heading = Heading(1, f'{title[:1].upper()}{title[1:]}: '
                    f'{words.count(len(done), "run")} of {len(planned)}')
  return [
      heading,
      *([Text(f'Not done, and not in what follows: {"; ".join(missing)}.')]
        if missing else []),
      *comparison.blocks(cases, directory, seed=seed), *_setup(planned),
      *sections.report(groups, directory, seed=seed, resample_tasks=False)[1:]]


def step_of(directory: str) -> int:
  """Returns the last learner step that a run has told of."""
  path = os.path.join(directory, 'metrics.jsonl')
  if not os.path.exists(path):
    return 0
  with open(path, 'rb') as file:
    file.seek(max(0, os.path.getsize(path) - _TAIL))
    steps = re.findall(rb'"step": (\d+)', file.read())
  return int(steps[-1]) if steps else 0


def _load(planned: Planned, num_steps: Optional[int]
          ) -> Optional[runs_lib.Run]:
  """Returns a run that has all its steps and was evaluated, else None."""
  path = os.path.join(planned.directory, 'evaluation.json')
  if num_steps is None or not os.path.exists(path):
    return None
  try:
    run = runs_lib.load(planned.directory)
  except ValueError as error:
    logging.warning('%s is left out of the report: %s', planned.name, error)
    return None
  return run if run.evaluation.get('step', 0) >= num_steps else None


def _groups(planned: Sequence[Planned], done: Mapping[str, runs_lib.Run]
            ) -> list[groups_lib.Group]:
  """Returns a group for each variant and task, in the order of the study."""
  members: dict[tuple[str, str, int], list[runs_lib.Run]] = {}
  order = list(dict.fromkeys(x.variant.name for x in planned))
  for x in planned:
    if x.name in done:
      run = done[x.name]
      members.setdefault(
          (x.variant.name, run.task, run.action_repeat), []).append(run)
  return [groups_lib.Group(task, action_repeat, variant, tuple(runs))
          for (variant, task, action_repeat), runs in sorted(
              members.items(), key=lambda member: order.index(member[0][0]))]


def _setup(planned: Sequence[Planned]) -> list[Block]:
  """Returns what each variant is: its gin files and its own settings."""
  variants = {x.variant.name: x.variant for x in planned}
  files = lambda x: ', '.join(f'`{file}`' for file in x) or '–'
  return [
      Heading(2, 'What was compared'),
      Table(['variant', 'gin files', 'and settings'], [
          [name, files(x.gin_files), files(x.gin_bindings)]
          for name, x in variants.items()])]


def _data(dataset: Optional[Dataset]) -> str:
  return dataset.name if dataset else ''
