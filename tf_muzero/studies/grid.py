"""The grid of a study: variants x datasets x seeds, as ordinary commands."""

import dataclasses
import os
import re
from typing import NamedTuple, Optional, Sequence

from tf_muzero import paths
from tf_muzero import ranges

_NAME = re.compile(r'[A-Za-z0-9][\w.,=+-]*( [\w.,=+-]+)*')


@dataclasses.dataclass(frozen=True)
class Variant:
  """One of the ways to learn that a study compares.

  Attributes:
    name: for tables and directories.
    gin_files: of `train`, later ones win.
    gin_bindings: of `train`, which follow the files.
    evaluate_files: of `evaluate`, after gin/evaluate.gin and the run's own.
    evaluate_bindings: of `evaluate`, which follow the files.
  """
  name: str
  gin_files: Sequence[str]
  gin_bindings: Sequence[str] = ()
  evaluate_files: Sequence[str] = ()
  evaluate_bindings: Sequence[str] = ()

  def __post_init__(self):
    _check_name('Variant', self.name)
    ranges.some(gin_files=self.gin_files)


@dataclasses.dataclass(frozen=True)
class Dataset:
  """What all variants learn from: one that is there, or that `collect` makes.

  Attributes:
    name: for tables and directories.
    place: directory of an RLDS dataset, or its name in TFDS; empty for one that
      the study makes.
    collect_files: gin files of `collect`, for one that the study makes.
    collect_bindings: of `collect`, which follow the files.
    gin_files: of `train` with this dataset, after those of the variant.
    gin_bindings: of `train` with this dataset, after those of the variant.
  """
  name: str
  place: str = ''
  collect_files: Sequence[str] = ()
  collect_bindings: Sequence[str] = ()
  gin_files: Sequence[str] = ()
  gin_bindings: Sequence[str] = ()

  def __post_init__(self):
    _check_name('Dataset', self.name)
    collects = bool(self.collect_files or self.collect_bindings)
    if collects == bool(self.place):
      raise ValueError(
          f'Dataset {self.name!r} must have a place or be collected: give one '
          f'of place and collect_files, got place={self.place!r} and '
          f'collect_files={list(self.collect_files)}.')


class Planned(NamedTuple):
  """A run of the grid.

  Attributes:
    variant: how it learns.
    dataset: what from; None where it plays and nothing is stored.
    seed: of the training.
    directory: of the run.
    data: where the dataset is, empty for none.
    gin_files: of its training, all of them.
    gin_bindings: likewise.
  """
  variant: Variant
  dataset: Optional[Dataset]
  seed: int
  directory: str
  data: str
  gin_files: tuple[str, ...]
  gin_bindings: tuple[str, ...]

  @property
  def name(self) -> str:
    """What to call it: variant, dataset and seed."""
    data = f', {self.dataset.name}' if self.dataset else ''
    return f'{self.variant.name}{data}, seed {self.seed}'


def plan(output: str, variants: Sequence[Variant], datasets: Sequence[Dataset],
         seeds: Sequence[int], *, common_files: Sequence[str] = (),
         common_bindings: Sequence[str] = ()) -> list[Planned]:
  """Returns the runs of a grid: of the first seed all, then of the next.

  Args:
    output: directory of the study.
    variants: one or more.
    datasets: none where all variants learn from what they play alone.
    seeds: of the training, one or more.
    common_files: gin files of `train`, after all others.
    common_bindings: of `train`, after all others.
  """
  ranges.some(variants=variants, seeds=seeds)
  ranges.at_least(0, **{f'seeds[{i}]': seed for i, seed in enumerate(seeds)})
  for what, values in {
      'variants': [directory_name(x.name) for x in variants],
      'datasets': [directory_name(x.name) for x in datasets],
      'seeds': [str(seed) for seed in seeds]}.items():
    twice = sorted({x for x in values if values.count(x) > 1})
    if twice:
      raise ValueError(f'{what} must differ in name, got {twice} twice.')
  sources: list[Optional[Dataset]] = [*datasets] or [None]
  return [Planned(
      variant, dataset, seed,
      _join(output, 'runs', dataset.name if dataset else '', variant.name,
            f'seed_{seed}'), place_of(output, dataset) if dataset else '',
      (*variant.gin_files, *(dataset.gin_files if dataset else ()),
       *common_files),
      (*variant.gin_bindings, *(dataset.gin_bindings if dataset else ()),
       *common_bindings))
          for seed in seeds for dataset in sources
          for variant in variants]


def place_of(output: str, dataset: Dataset) -> str:
  """Returns where a dataset is, or will be."""
  if dataset.place:
    return os.path.expanduser(dataset.place)
  return _join(output, 'datasets', dataset.name)


def collect_command(dataset: Dataset, directory: str) -> list[str]:
  """Returns the words of the command that makes a dataset."""
  return ['collect', directory,
          *_gin(dataset.collect_files, dataset.collect_bindings)]


def train_command(run: Planned) -> list[str]:
  """Returns the words of the command that trains, or goes on with it."""
  return ['train', run.directory, *([run.data] if run.data else []),
          f'--seed={run.seed}', *_gin(run.gin_files, run.gin_bindings)]


def evaluate_command(run: Planned) -> list[str]:
  """Returns the words of the command that evaluates a trained run."""
  return ['evaluate', run.directory, *_gin(
      run.variant.evaluate_files, run.variant.evaluate_bindings)]


def log_of(output: str, run: Planned) -> str:
  """Returns the file that has what the commands of a run say."""
  return _join(output, 'logs', run.dataset.name if run.dataset else '',
               run.variant.name, f'seed_{run.seed}.log')


def checked_output(output: str) -> str:
  """Returns the directory of a study as everything else takes it."""
  output = paths.checked(output, 'output')
  paths.check_local(output, 'output')
  return output


def directory_name(name: str) -> str:
  """Returns a name as part of a path: `f = 0.5` is f_0.5."""
  return re.sub(r'[^\w.+-]+', '_', name)


def _join(output: str, *names: str) -> str:
  return os.path.join(output, *(directory_name(x) for x in names if x))


def _gin(gin_files: Sequence[str], gin_bindings: Sequence[str]) -> list[str]:
  return [*(f'--gin_file={x}' for x in gin_files),
          *(f'--gin_bindings={x}' for x in gin_bindings)]


def _check_name(what: str, name: str) -> None:
  if not _NAME.fullmatch(name):
    raise ValueError(
        f'{what}.name must be words of letters, digits and . , = + - _, got '
        f'{name!r}.')
