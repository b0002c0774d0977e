"""Arrays of all steps, one behind the other, as D4RL has them: HDF5 and npz."""

import collections
import contextlib
import os
import zipfile
from typing import Any, Callable, Iterator, Mapping, Optional

from absl import logging
import numpy as np
import tensorflow as tf

from tf_muzero.conversion import trajectories
from tf_muzero.conversion.trajectories import Trajectory
from tf_muzero.data import foreign
from tf_muzero.types import Nest

_NEEDED = ('observations', 'actions', 'rewards', 'terminals')
_OPTIONAL = ('timeouts', 'next_observations')
_AT_ONCE = 100_000  # Rows that are compared.


def open_arrays(path: str, *, max_episode_steps: Optional[int],
                check_next_observations: bool) -> trajectories.Source:
  """Returns the episodes of a file of arrays.

  Args:
    path: of an HDF5 file or an npz, with observations, actions, rewards,
      terminals and timeouts, each [N, ...]; next_observations may be there.
      Observations may be a group of arrays, or of groups.
    max_episode_steps: where there are no timeouts, transitions after which an
      episode was cut off; 0 if none was.
    check_next_observations: whether they must be the observations of the rows
      after.
  """
  is_npz = path.lower().endswith(foreign.NPZ)
  open_fn = _open_npz if is_npz else _open_hdf5
  with open_fn(path) as content:
    num_rows = _check(path, content)
    names = sorted(content)
    ends = _flags(content, 'terminals')
    if 'timeouts' in content:
      ends |= _flags(content, 'timeouts')
      if max_episode_steps is not None:
        raise ValueError(
            f'{path!r} has timeouts, which say where episodes were cut off: '
            'leave out max_episode_steps.')
    elif max_episode_steps is None and 'next_observations' not in content:
      raise ValueError(
          f'{path!r} has no timeouts, so nothing tells where an episode was '
          'cut off. Give max_episode_steps, the limit of the environment, or 0 '
          'if every episode ends in a terminal state; or add the array '
          'timeouts.')
  ignored = [name for name in names if name not in _NEEDED + _OPTIONAL]
  if ignored:
    logging.info('%s: %s are not read.', path, ', '.join(ignored))

  def read(settled: collections.Counter) -> Iterator[Trajectory]:
    with open_fn(path) as content:
      yield from _read(path, content, max_episode_steps,
                       check_next_observations, settled)

  library = 'numpy' if is_npz else 'h5py'
  return trajectories.Source(
      f'arrays of {"an npz file" if is_npz else "an HDF5 file"}', '', None,
      num_rows, {f'{library}_version': trajectories.load(library).__version__},
      read)


@contextlib.contextmanager
def _open_hdf5(path: str) -> Iterator[Mapping[str, Any]]:
  h5py = trajectories.load('h5py')
  try:
    file = h5py.File(path, 'r')
  except OSError as error:
    raise ValueError(f'{path!r} cannot be read as HDF5: {error}') from error
  with file:
    yield {name: _tree(part, h5py.Group) for name, part in file.items()}


@contextlib.contextmanager
def _open_npz(path: str) -> Iterator[Mapping[str, Any]]:
  """Yields the arrays; npz is not made to be read in parts."""
  try:
    with np.load(path, allow_pickle=False) as file:
      content = {name: file[name] if name in _NEEDED + _OPTIONAL else None
                 for name in file.files}
  except (EOFError, OSError, ValueError, zipfile.BadZipFile) as error:
    raise ValueError(f'{path!r} cannot be read as npz: {error}') from error
  yield content


def _tree(part: Any, group: Any) -> Nest:
  if isinstance(part, group):
    return {name: _tree(child, group) for name, child in part.items()}
  return part


def _check(path: str, content: Mapping[str, Any]) -> int:
  """Returns the number of rows, if all arrays have it."""
  missing = [name for name in _NEEDED if name not in content]
  if missing:
    raise ValueError(
        f'{path!r} must have the arrays {", ".join(_NEEDED)}; there is no '
        f'{", ".join(missing)}, only {", ".join(sorted(content)) or "none"}.')
  groups = [name for name in ('rewards', 'terminals', 'timeouts')
            if isinstance(content.get(name), Mapping)]
  if groups:
    raise ValueError(f'{groups[0]} of {path!r} must be an array, and is a '
                     f'group of {", ".join(sorted(content[groups[0]]))}.')
  sizes = []
  for name in _NEEDED + _OPTIONAL:
    for part in tf.nest.flatten(content.get(name, ())):
      if not part.shape:
        raise ValueError(f'{name} of {path!r} must have a row for each step, '
                         'and is a single number.')
      sizes.append((name, part.shape[0]))
  if len({size for _, size in sizes}) > 1:
    raise ValueError(f'The arrays of {path!r} have different numbers of rows: '
                     + ', '.join(f'{k} {v}' for k, v in sizes) + '.')
  return sizes[0][1]


def _flags(content: Mapping[str, Any], name: str) -> np.ndarray:
  """Returns [N] bool of an array of truth values, whatever its type."""
  values = np.asarray(content[name][...]).reshape([-1])
  wrong = np.flatnonzero(~np.isin(values, (0, 1)))
  if wrong.size:
    raise ValueError(f'{name} must be 0 or 1, got {values[wrong[0]]} in row '
                     f'{wrong[0]}.')
  return values.astype(bool)


def _read(path: str, content: Mapping[str, Any],
          max_episode_steps: Optional[int], checks_next: bool,
          settled: collections.Counter) -> Iterator[Trajectory]:
  """Yields the episodes; see `open_arrays`."""
  rows = lambda name, start, stop: tf.nest.map_structure(
      lambda x: np.asarray(x[start:stop]), content[name])
  is_terminal = _flags(content, 'terminals')
  has_next = 'next_observations' in content
  if 'timeouts' in content:
    ends = is_terminal | _flags(content, 'timeouts')
  else:
    ends = _ends(is_terminal, rows, max_episode_steps, settled)
  checks_next &= has_next and ('timeouts' in content
                               or max_episode_steps is not None)
  stops = np.flatnonzero(ends) + 1
  if len(ends) and not ends[-1]:
    stops = np.append(stops, len(ends))
    settled[trajectories.UNFINISHED] += 1
  start = 0
  for stop in stops:
    where = f'{os.path.basename(path)}, rows {start} to {stop - 1}'
    observation = rows('observations', start, stop)
    final = None
    if has_next:
      following = rows('next_observations', start, stop)
      if checks_next:
        trajectories.check_follows(observation, following, where)
      final = tf.nest.map_structure(lambda x: x[-1], following)
    reward = np.asarray(content['rewards'][start:stop])
    if reward.shape not in ((stop - start,), (stop - start, 1)):
      raise ValueError(f'rewards must be one number in each row, got the shape '
                       f'{reward.shape[1:]}.')
    yield trajectories.of_rows(
        observation, trajectories.action_vector(
            rows('actions', start, stop), where), reward.reshape([-1]),
        bool(is_terminal[stop - 1]), final, where, settled)
    start = stop


def _ends(is_terminal: np.ndarray, rows: Callable[..., Nest],
          max_episode_steps: Optional[int], settled: collections.Counter
          ) -> np.ndarray:
  """Returns [N] bool, which rows are the last of an episode, by other signs."""
  ends = is_terminal.copy()
  if max_episode_steps is not None:
    start = 0
    for stop in [*(np.flatnonzero(is_terminal) + 1), len(ends)]:
      if max_episode_steps:
        ends[start + max_episode_steps - 1:stop:max_episode_steps] = True
      start = stop
    return ends
  for start in range(0, len(ends) - 1, _AT_ONCE):
    stop = min(start + _AT_ONCE, len(ends) - 1)
    for before, after in zip(
        tf.nest.flatten(rows('next_observations', start, stop)),
        tf.nest.flatten(rows('observations', start + 1, stop + 1))):
      ends[start:stop] |= ~trajectories.equal_rows(before, after)
  if (ends & ~is_terminal).any():
    settled[trajectories.NOT_FOLLOWED] += int((ends & ~is_terminal).sum())
  return ends
