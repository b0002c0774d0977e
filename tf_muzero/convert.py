"""Makes an RLDS dataset of episodes in files of other kinds.

  tf-muzero convert hopper.hdf5 datasets/hopper --task=gymnasium:Hopper-v5
  tf-muzero convert D4RL/pen/human-v2 datasets/pen

SOURCE is a Minari dataset (its id or directory), an HDF5 or npz file of arrays
as D4RL has them, or a table in Parquet, CSV or TSV, each row a transition.
Interrupting it (Ctrl-C) leaves nothing: the dataset appears when it is whole.
"""

import collections
import contextlib
import dataclasses
import os
from typing import Any, Callable, NamedTuple, Optional

from absl import logging
from dm_env import specs
import numpy as np

import tf_muzero
from tf_muzero import cli
from tf_muzero import progress
from tf_muzero import ranges
from tf_muzero.conversion import action_ranges
from tf_muzero.conversion import arrays
from tf_muzero.conversion import columns as columns_lib
from tf_muzero.conversion import csv_files
from tf_muzero.conversion import minari_source
from tf_muzero.conversion import tables
from tf_muzero.conversion import trajectories
from tf_muzero.data import foreign
from tf_muzero.data import writing
from tf_muzero.types import EnvironmentSpec
from tf_muzero.types import Nest

# (whether actions are integers, width of vectors) -> what is known of them
RangeFn = Callable[[bool, int], Optional[specs.Array]]
_KINDS = ('minari', 'arrays', 'table')


class Converted(NamedTuple):
  """What was converted.

  Attributes:
    num_episodes: that were written.
    num_steps: transitions in all of them.
    num_skipped: episodes that were left out.
  """
  num_episodes: int
  num_steps: int
  num_skipped: int


def convert(
    source: str, directory: str, *, kind: Optional[str] = None, task: str = '',
    action_repeat: int = 1,
    action_minimum: Optional[action_ranges.Bound] = None,
    action_maximum: Optional[action_ranges.Bound] = None,
    num_actions: Optional[int] = None, action_start: Optional[int] = None,
    max_episode_steps: Optional[int] = None,
    check_next_observations: bool = True,
    episode_column: Optional[str] = None,
    observation_columns: columns_lib.Names = None,
    action_columns: columns_lib.Names = None,
    reward_column: Optional[str] = None,
    terminal_column: Optional[str] = None,
    truncated_column: Optional[str] = None,
    next_observation_columns: columns_lib.Names = None,
    step_column: Optional[str] = None, separator: Optional[str] = None,
    decimal_point: str = '.', column_names: columns_lib.Names = None,
    on_bad_episode: str = 'error', episodes_per_file: int = 100) -> Converted:
  """Writes a dataset of the episodes of a source.

  Args:
    source: a file, the directory of a Minari dataset or of Parquet files, or
      the id of a Minari dataset that is on this machine.
    directory: of the dataset, which `inspect` and `train` read; must not exist.
    kind: of the source, 'minari', 'arrays' or 'table', where its name does not
      tell.
    task: id of the environment, such as `gymnasium:Hopper-v5`, for evaluation;
      by default what the source tells, or empty.
    action_repeat: environment steps for which each action was held.
    action_minimum: lower bound of vectors of actions, a number or one for each
      component, with commas between them; by default what the source tells, or
      else the least there is.
    action_maximum: upper bound, likewise.
    num_actions: of integers; by default what the source tells, or else the
      greatest there is plus one.
    action_start: the least of them, given with `num_actions`; by default 0.
    max_episode_steps: of arrays without `timeouts`: transitions after which an
      episode was cut off, 0 if none was.
    check_next_observations: whether next observations must be the observations
      of the rows after; if not, the latter count.
    episode_column: of a table, which episode a row is of; by default `episode`
      or `episode_id`. '' is for none, here and below.
    observation_columns: of a table, names with commas between them; `x*` is all
      that begin with x. By default `observation*` and `obs_*`.
    action_columns: of a table, likewise: floats, or one of integers. By default
      `action`, or `action_0` and so on.
    reward_column: of a table, by default `reward`.
    terminal_column: of a table, whether the transition ends in a terminal
      state; by default `terminal`, `terminated` or `done`.
    truncated_column: of a table, whether the episode was cut off after the
      transition; by default `truncated` or `timeout`.
    next_observation_columns: of a table, what follows the action; by default
      `next_observation*` and `next_obs_*`.
    step_column: of a table, by which the rows of an episode are put in order;
      by default `step` or `timestep`.
    separator: of CSV, what stands between values: a character or 'tab'; by
      default what the file's name says.
    decimal_point: of CSV, '.' or ','.
    column_names: of CSV whose first row has none, names with commas between
      them.
    on_bad_episode: 'error', or 'skip' to leave out what has bad values, and to
      log it.
    episodes_per_file: of the dataset.
  """
  if on_bad_episode not in ('error', 'skip'):
    raise ValueError("on_bad_episode must be 'error' or 'skip', got "
                     f'{on_bad_episode!r}.')
  ranges.at_least(1, action_repeat=action_repeat,
                  episodes_per_file=episodes_per_file)
  if max_episode_steps is not None:
    ranges.at_least(0, max_episode_steps=max_episode_steps)
  writing.check_is_free(os.path.expanduser(directory))
  path = os.path.expanduser(source)
  text = csv_files.Text(separator, decimal_point, column_names)
  csv_files.check(path, text)
  kind = kind or _kind_of(path)
  columns = columns_lib.Columns(
      episode_column, observation_columns, action_columns, reward_column,
      terminal_column, truncated_column, next_observation_columns, step_column)
  _check_used(kind, max_episode_steps, columns)
  if kind == 'minari':
    opened = minari_source.open_minari(path)
  elif kind == 'arrays':
    opened = arrays.open_arrays(
        path, max_episode_steps=max_episode_steps,
        check_next_observations=check_next_observations)
  elif kind == 'table':
    opened = tables.open_table(
        path, columns, check_next_observations=check_next_observations,
        text=text)
  else:
    raise ValueError(f'kind must be one of {_KINDS}, got {kind!r}.')

  def range_fn(is_discrete: bool, width: int) -> Optional[specs.Array]:
    return action_ranges.given(
        is_discrete, width, minimum=action_minimum, maximum=action_maximum,
        number=num_actions, start=action_start) or opened.action

  try:
    return _write(opened, directory, range_fn, {
        'task': task or opened.task, 'action_repeat': action_repeat,
        'source': source, 'converted_from': opened.kind,
        'tf_muzero_version': tf_muzero.__version__, **opened.metadata},
                  on_bad_episode == 'skip', episodes_per_file)
  except KeyboardInterrupt:
    logging.warning('Interrupted: nothing was written to %s.', directory)
    raise


def _check_used(kind: str, max_episode_steps: Optional[int],
                columns: columns_lib.Columns) -> None:
  """Raises ValueError for what is given of sources of another kind."""
  if kind != 'arrays' and max_episode_steps is not None:
    raise ValueError('max_episode_steps is of arrays, and the source is of '
                     f'kind {kind!r}: leave it out.')
  given = [name for name, value in dataclasses.asdict(columns).items()
           if value is not None]
  if kind != 'table' and given:
    raise ValueError(f'The column of the {given[0]} is of a table, and the '
                     f'source is of kind {kind!r}: leave it out.')


def _kind_of(path: str) -> str:
  """Returns what a source is; an id of Minari is of nothing that lies there."""
  kind = foreign.kind_of(path)
  if kind is None and os.path.exists(path):
    raise ValueError(
        f'{path!r} is none of these: a Minari dataset, a file of arrays '
        f'({", ".join(foreign.HDF5 + foreign.NPZ)}), a table '
        f'({", ".join(foreign.PARQUET + foreign.CSV)}) or a directory of '
        f'Parquet files. If it is, tell with kind, one of {_KINDS}.')
  if kind and not os.path.exists(path):
    raise ValueError(f'There is no file {path!r}.')
  return kind or 'minari'


def _write(opened: trajectories.Source, directory: str, range_fn: RangeFn,
           metadata: dict[str, Any], skips: bool, episodes_per_file: int
           ) -> Converted:
  """Writes the episodes of a source; see `convert`."""
  settled: collections.Counter = collections.Counter()
  seen = action_ranges.Seen()
  add: Optional[writing.AddFn] = None
  num_episodes = num_steps = num_skipped = 0
  logging.info('%s: %s.', metadata['source'], opened.kind)
  with contextlib.ExitStack() as stack, progress.bar(
      total=opened.num_steps, unit='step') as shown:
    for trajectory in opened.read_fn(settled):
      shown.update(len(trajectory.action))
      if trajectory.action.shape[0] == 0:
        settled[trajectories.NO_TRANSITION] += 1
        num_skipped += 1
        continue
      if add is None:
        is_discrete = trajectory.action.ndim == 1
        width = 0 if is_discrete else trajectory.action.shape[1]
        known = range_fn(is_discrete, width)
        spec = EnvironmentSpec(
            trajectories.observation_spec(trajectory.observation),
            known or action_ranges.unknown(is_discrete, width))
        add = stack.enter_context(writing.new_dataset(
            directory, name=writing.lower_snake(
                os.path.splitext(os.path.basename(directory.rstrip('/')))[0]),
            spec=spec, metadata=metadata, episodes_per_file=episodes_per_file))
      try:
        add(_records(trajectory, spec), trajectory.where)
      except writing.BadEpisode as error:
        if not skips:
          raise ValueError(f"{error} Nothing was written; on_bad_episode = "
                           "'skip' leaves such episodes out.") from error
        logging.warning('%s Skipped.', error)
        num_skipped += 1
        continue
      seen.add(trajectory.action)
      num_episodes, num_steps = num_episodes + 1, num_steps + len(
          trajectory.action)
    if not num_episodes:
      raise ValueError(f'{metadata["source"]!r} has no good episode with a '
                       'transition.')
    if known is None:
      metadata.update(writing.describe_actions(
          seen.integers() if is_discrete else seen.vector()),
                      action_range_from='the actions that were seen')
  for sentence, count in settled.items():
    logging.warning('In %d of %d episodes, %s.', count,
                    num_episodes + num_skipped, sentence)
  logging.info('%s: %d episodes, %d steps; %d episodes left out.', directory,
               num_episodes, num_steps, num_skipped)
  return Converted(num_episodes, num_steps, num_skipped)


def _records(trajectory: trajectories.Trajectory, spec: EnvironmentSpec
             ) -> dict[str, Nest]:
  """Returns the records of an episode, if it is like those before."""
  is_discrete = isinstance(spec.action, specs.DiscreteArray)
  if (trajectory.action.ndim == 1) != is_discrete or (
      trajectory.action.shape[1:] != tuple(spec.action.shape)):
    raise ValueError(f'{trajectory.where} has other actions than the episodes '
                     f'before it: {trajectory.action.dtype} of the shape '
                     f'{trajectory.action.shape[1:]}.')
  discount = np.ones(len(trajectory.reward))
  discount[-1] = 0.0 if trajectory.is_terminal else 1.0
  return writing.records(
      trajectories.as_stored(
          trajectory.observation, spec.observation, trajectory.where),
      trajectory.action, trajectory.reward, discount, spec)


if __name__ == '__main__':
  cli.run(convert, positional=('source', 'directory'))
