"""How runs were made: hyperparameters, evaluations, time, and software."""

from typing import Any, Callable, Sequence

from tf_muzero import metrics as metrics_lib
from tf_muzero.reporting import words
from tf_muzero.reporting.document import Block
from tf_muzero.reporting.document import Heading
from tf_muzero.reporting.document import Table
from tf_muzero.reporting.document import Text
from tf_muzero.reporting.groups import Group
from tf_muzero.reporting.runs import Run

NONE = '–'
# Of an evaluation, what stands elsewhere or means nothing to a reader.
_OMITTED = ('evaluations', 'directory', 'task', 'step', 'protocol', 'modes',
            'search_fn', 'jit_compile', 'film', 'checkpoint')


def hyperparameters(groups: Sequence[Group]) -> list[Block]:
  """Returns the settings of training in words, a column for each that differ.

  Args:
    groups: of all tasks.
  """
  columns: dict[tuple, tuple[dict[str, str], list[str]]] = {}
  num_tasks = len({group.task for group in groups})
  for group in groups:
    values = words.hyperparameters(group.runs[0].settings)
    if values:
      name = (group.method if num_tasks == 1
              else f'{group.task}: {group.method}')
      columns.setdefault(tuple(values.items()), (values, []))[1].append(name)
  if not columns:
    return []
  names = list(dict.fromkeys(
      name for values, _ in columns.values() for name in values))
  header = (['value'] if len(columns) == 1 else
            [', '.join(methods) for _, methods in columns.values()])
  return [
      Heading(2, 'How it was trained'),
      Table(['setting', *header], [
          [name, *(values.get(name, NONE) for values, _ in columns.values())]
          for name in names]),
      Text('All other settings stand in the file `config.gin` of each run.')]


def evaluations(runs: Sequence[Run]) -> list[Block]:
  """Returns how the evaluations were made, all values that runs have."""
  found: dict[str, tuple[dict, dict]] = {}

  def add(column: int, name: str, value: Any):
    text = words.value_of(str(value))
    if name not in _OMITTED and text:
      found.setdefault(words.evaluation(name), ({}, {}))[column][text] = None

  for run in runs:
    for name, value in {
        **run.evaluation, **run.evaluation.get('protocol', {})}.items():
      add(0, name, value)
    for name in run.settings if run.curve else ():
      if name.startswith(('evaluate.during_training.', 'acting/')) and (
          words.counts(run.settings, name)):
        add(1, name.rpartition('.')[2], words.resolve(run.settings, name))
  if not found:
    return []
  has_own = any(run.evaluation for run in runs)
  columns = (0, 1) if has_own else (1,)
  header = ['setting', 'evaluate', 'while training']
  return [
      Heading(2, 'How it was evaluated'),
      *([Text('Scores at the end of training are those of the command '
              '`evaluate` where there are such, else the last ones while '
              'training; the best ones are always of those.')]
        if has_own else []),
      Table(header if has_own else ['setting', 'value'],
            [[name, *(', '.join(values[i]) or NONE for i in columns)]
             for name, values in sorted(found.items())])]


def runs_table(groups: Sequence[Group]) -> list[Block]:
  """Returns what each run is, how long it took, and what made it."""
  runs = [(group, run) for group in groups for run in group.runs]
  several = len({run.task for _, run in runs}) > 1
  rows: dict[str, Callable[[Group, Run], str]] = {
      'Directory': lambda group, run: run.directory,
      **({'Task': lambda group, run: run.task} if several else {}),
      'Method': lambda group, run: group.method,
      'Seed': lambda group, run: run.seed,
      'Data': lambda group, run: run.place,
      'Learner steps': lambda group, run: str(run.num_steps),
      'Wall time': lambda group, run: (
          '' if run.seconds is None else words.duration(run.seconds)),
      'Learner steps per second': lambda group, run: (
          '' if run.steps_per_second is None
          else words.number(run.steps_per_second)),
      'Best checkpoint that is kept': lambda group, run: _best(run),
      'Parameters': lambda group, run: _all(run, 'parameters'),
      'Begun': lambda group, run: (
          str(run.starts[0].get('time', '')).replace('T', ' ').replace(
              '+00:00', ' UTC') if run.starts else ''),
      'Starts': lambda group, run: str(len(run.starts) or ''),
      'tf_muzero': lambda group, run: _all(run, 'tf_muzero'),
      'TensorFlow': lambda group, run: _all(run, 'tensorflow'),
      'Python': lambda group, run: _all(run, 'python'),
      'System': lambda group, run: _all(run, 'system'),
      'Cores': lambda group, run: _all(run, 'cores'),
      'Accelerators': lambda group, run: _all(run, 'devices'),
  }
  cells = {name: [fn(*x) for x in runs] for name, fn in rows.items()}
  return [
      Heading(2, 'The run' if len(runs) == 1 else 'The runs'),
      Table(['', 'value'] if len(runs) == 1 else
            ['', *(str(i) for i in range(1, len(runs) + 1))],
            [[name, *(x or NONE for x in values)]
             for name, values in cells.items() if any(values)])]


def _best(run: Run) -> str:
  if not run.best:
    return ''
  metric = metrics_lib.describe(run.best.metric)
  title = metric.title if metric else run.best.metric.rpartition('/')[2]
  return f'step {run.best.step}: {title} {words.number(run.best.value)}'


def _all(run: Run, name: str) -> str:
  """Returns what the starts of a run tell of something; all that differ."""
  values = [start.get(name) for start in run.starts]
  texts = [', '.join(map(str, x)) if isinstance(x, list) else str(x)
           for x in values if x not in (None, [])]
  return '; '.join(dict.fromkeys(texts))
