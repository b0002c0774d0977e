"""Runs a study: variants, datasets and seeds, trained, evaluated and compared.

  tf-muzero study gin/study/unroll.gin --output=studies/unroll --workers=2
  tf-muzero study gin/study/unroll.gin --output=studies/unroll --commands

Each run is the ordinary commands in a process of its own. The same command goes
on with a study that was interrupted: what is done is not done again. It ends in
report.html and report.md, also where some of the runs failed.
"""

import ast
import functools
import inspect
import json
import os
import shlex
import shutil
import sys
from typing import Any, Callable, Mapping, Optional, Sequence

from absl import logging

from tf_muzero import cli
from tf_muzero import collect
from tf_muzero import evaluate
from tf_muzero import paths
from tf_muzero import ranges
from tf_muzero import train
from tf_muzero import whole_files
from tf_muzero.acting import passes
from tf_muzero.learning import interruption
from tf_muzero.learning import resuming
from tf_muzero.learning import run_lock
from tf_muzero.reporting import document
from tf_muzero.reporting import runs as runs_lib
from tf_muzero.reporting import words
from tf_muzero.studies import grid
from tf_muzero.studies import summary
from tf_muzero.studies import workers as workers_lib
from tf_muzero.studies import working

# Settings that say where a run and its data are, not what they are.
_PLACES = ('RUN_DIRECTORY', 'DATASET', 'train.train.run_directory',
           'train.train.dataset', 'collect.collect.directory')
# Of an evaluation, what the file that it wrote tells.
_EVALUATION = ('num_episodes', 'num_environments', 'seed', 'random_start_steps',
               'max_steps')


def study(file: str, *, output: str, variants: Sequence[grid.Variant],
          seeds: Sequence[int], datasets: Sequence[grid.Dataset] = (),
          common_files: Sequence[str] = (),
          common_bindings: Sequence[str] = (), workers: int = 1,
          commands: bool = False, report_seed: int = 0) -> None:
  """Does what is to be done, and writes the report.

  Raises ValueError at the end if runs failed; the others are in the report.

  Args:
    file: gin file of the study, such as gin/study/unroll.gin.
    output: directory of the study: `runs`, `datasets` that it makes, `logs`,
      and the report.
    variants: what is compared.
    seeds: of the training; each variant learns with each.
    datasets: each variant learns from each; none for what plays by itself.
    common_files: gin files of `train` that follow those of all variants, such
      as gin/hardware/smoke.gin.
    common_bindings: lines of gin that follow those.
    workers: runs at once; 0 only reports what is there.
    commands: whether to print what is still to be done, as commands for other
      machines, and to do nothing.
    report_seed: of the draws of the report's confidence intervals.
  """
  ranges.at_least(0, workers=workers, report_seed=report_seed)
  output = grid.checked_output(output)
  runs = grid.plan(output, variants, datasets, seeds,
                   common_files=common_files, common_bindings=common_bindings)
  settings = _checked_settings(runs)
  made = _datasets(output, datasets)
  jobs = [_job(output, run, settings[run.name]) for run in runs]
  if commands:
    print('\n'.join(_listing(output, datasets, jobs)))
    return
  paths.check_writable(output + '/', 'output')
  total_fn = lambda run: _num_steps(run, settings[run.name])
  try:
    failures = _work(output, [*made, *jobs], runs, total_fn, workers)
  except workers_lib.Interrupted as signal:
    logging.info('%s: the same command goes on; exit code %d.', signal,
                 interruption.EXIT_CODE)
    sys.exit(interruption.EXIT_CODE)
  title = os.path.splitext(os.path.basename(file))[0].replace('_', ' ')
  blocks = summary.blocks(
      title, runs, {run.name: total_fn(run) for run in runs}, output,
      seed=report_seed)
  if blocks:
    print(f'written: {document.write(blocks, output)}, and report.md with its '
          'pictures beside it')
  else:
    print('There is nothing to report: no run is done.')
  if failures:
    raise ValueError(
        f'Failed, and tried again by the same command: {len(failures)} of '
        f'{words.count(len(made) + len(jobs), "job")}.\n' + '\n'.join(
            f'{name}: {reason}' for name, reason in failures.items()))


def _work(output: str, jobs: Sequence[workers_lib.Job],
          runs: Sequence[grid.Planned], total_fn: Callable, workers: int
          ) -> dict[str, str]:
  """Returns why jobs failed; one process works at a study at a time."""
  if not workers:
    return {}
  with run_lock.hold(output):
    return working.work(jobs, runs, total_fn, workers)


def default_files(
    arguments: Mapping[str, Any], gin_files: Sequence[str]) -> list[str]:
  """Returns the gin files that are read before those that are given."""
  del gin_files
  return [arguments['file']] if 'file' in arguments else []


def _checked_settings(runs: Sequence[grid.Planned]
                      ) -> dict[str, dict[str, str]]:
  """Returns the settings of each run's training, by its name.

  Raises ConfigError if any run is configured wrongly, and ValueError if one has
  begun with other settings: no work is done before.
  """
  found = {}
  for run in runs:
    _configure(run.name, evaluate.evaluate, [
        'gin/evaluate.gin', *run.gin_files, *run.variant.evaluate_files],
               run.variant.evaluate_bindings, directory=run.directory)
    found[run.name] = _configure(
        run.name, train.train, run.gin_files, run.gin_bindings,
        run_directory=run.directory, seed=run.seed,
        **({'dataset': run.data} if run.data else {}))
    _check_same(os.path.join(run.directory, 'config.gin'), found[run.name],
                run.name, run.directory)
    try:
      _num_steps(run, found[run.name])
    except ValueError as error:
      raise ValueError(f'{run.name} (train): {error}') from error
  return found


def _configure(name: str, command_fn: Callable, gin_files: Sequence[str],
               gin_bindings: Sequence[str], **arguments: Any) -> dict[str, str]:
  """Returns a command's settings, from name to text."""
  try:
    return runs_lib.settings_of(cli.configure(
        command_fn, gin_files, gin_bindings, arguments=arguments).text)
  except cli.ConfigError as error:
    raise cli.ConfigError(
        f'{name} ({command_fn.__name__}): {error}') from error


def _check_same(path: str, settings: Mapping[str, str], name: str,
                directory: str) -> None:
  """Raises ValueError if something was begun with other settings."""
  if not os.path.exists(path):
    return
  with open(path, encoding='utf8') as file:
    before = runs_lib.settings_of(file.read())
  said = lambda values, key: values.get(key, 'not set')
  changed = [
      f'{key} was {said(before, key)}, is {said(settings, key)}'
      for key in sorted(before.keys() | settings.keys())
      if key not in _PLACES and before.get(key) != settings.get(key)]
  if changed:
    raise ValueError(
        f'{name} was begun with other settings: {"; ".join(changed[:5])}. Put '
        f'them back, remove {directory} to begin anew, or give another output.')


def _num_steps(run: grid.Planned, settings: Mapping[str, str]
               ) -> Optional[int]:
  """Returns a run's learner steps; None for passes of one that has not begun.

  Raises ValueError where they are neither steps nor passes.
  """
  value = lambda name: ast.literal_eval(
      words.resolve(settings, f'train.train.{name}') or '0')
  num_steps = value('num_steps')
  return num_steps if not isinstance(num_steps, str) else passes.of_run(
      run.directory, num_steps, value('reanalyse_fraction'),
      value('batch_size'))


def _datasets(output: str, datasets: Sequence[grid.Dataset]
              ) -> list[workers_lib.Job]:
  """Returns the jobs that make datasets."""
  return [_collected(output, dataset, grid.place_of(output, dataset))
          for dataset in datasets if not dataset.place]


def _collected(output: str, dataset: grid.Dataset, place: str
               ) -> workers_lib.Job:
  """Returns the job that makes a dataset, which is there only when it is whole.
  """
  partial, record = place + '.partial', place + '.gin'
  settings = _configure(
      dataset.name, collect.collect,
      ['gin/collect_uniform.gin', *dataset.collect_files],
      dataset.collect_bindings, directory=place)
  _check_same(record, settings, f'Dataset {dataset.name}', place)

  def finish():
    os.rename(partial, place)
    whole_files.write(record, ''.join(
        f'{key} = {value}\n' for key, value in settings.items()
        if key not in _PLACES))

  return workers_lib.Job(
      _job_of(dataset), os.path.join(
          output, 'logs', f'{grid.directory_name(dataset.name)}.log'),
      [workers_lib.Stage(
          grid.collect_command(dataset, partial),
          functools.partial(os.path.exists, place),
          functools.partial(shutil.rmtree, partial, ignore_errors=True),
          finish)])


def _job_of(dataset: grid.Dataset) -> str:
  return f'dataset {dataset.name}'


def _job(output: str, run: grid.Planned, settings: Mapping[str, str]
         ) -> workers_lib.Job:
  """Returns the job of a run: to train, and to evaluate."""
  return workers_lib.Job(
      run.name, grid.log_of(output, run),
      [workers_lib.Stage(grid.train_command(run), functools.partial(
          _is_trained, run, settings)),
       workers_lib.Stage(grid.evaluate_command(run), functools.partial(
           _is_evaluated, run, settings))],
      after=_job_of(run.dataset) if run.dataset else '')


def _is_trained(run: grid.Planned, settings: Mapping[str, str]) -> bool:
  num_steps = _num_steps(run, settings)
  if num_steps is None or not resuming.has_all_steps(run.directory, num_steps):
    return False
  # A signal in the last evaluation leaves it to the next start.
  measured = runs_lib.read_lines(
      os.path.join(run.directory, 'evaluations.jsonl'))
  return not measured or measured[-1]['step'] >= num_steps


def _is_evaluated(run: grid.Planned, trained: Mapping[str, str]) -> bool:
  """Returns whether a run's last weights were evaluated as the study says."""
  path = os.path.join(run.directory, 'evaluation.json')
  num_steps = _num_steps(run, trained)
  if num_steps is None or not os.path.exists(path):
    return False
  try:
    with open(path, encoding='utf8') as file:
      content = json.load(file)
  except ValueError as error:
    logging.warning('%s is damaged, and is made again: %s', path, error)
    return False
  settings = _configure(run.name, evaluate.evaluate, [
      'gin/evaluate.gin', os.path.join(run.directory, 'config.gin'),
      *run.variant.evaluate_files], run.variant.evaluate_bindings,
                        directory=run.directory)
  parameters = inspect.signature(evaluate.evaluate).parameters
  return content.get('step', -1) >= num_steps and all(
      str(content.get(name, '')) == (words.resolve(
          settings, f'evaluate.evaluate.{name}') or str(
              parameters[name].default)) for name in _EVALUATION)


def _listing(output: str, datasets: Sequence[grid.Dataset],
             jobs: Sequence[workers_lib.Job]) -> list[str]:
  """Returns the commands of what is to be done, a line for each job."""
  first = [
      f'{workers_lib.as_line(grid.collect_command(dataset, partial))} && '
      + shlex.join(['mv', partial, place])
      for dataset in datasets for place in [grid.place_of(output, dataset)]
      for partial in [place + '.partial']
      if not dataset.place and not os.path.exists(place)]
  others = [' && '.join(
      workers_lib.as_line(stage.command) for stage in job.stages
      if not stage.is_done_fn()) for job in jobs]
  others = [line for line in others if line]
  return [*(['# First:', *first] if first else []),
          *(['# In any order:', *others] if others else []),
          *([] if first or others else ['# All is done.'])]


if __name__ == '__main__':
  cli.run(study, positional=('file',), default_files_fn=default_files)
