"""What every kind of source gives: episodes, and what is told of them."""

import collections
import importlib
from typing import Any, Callable, Iterator, Mapping, NamedTuple, Optional

from absl import logging
from dm_env import specs
import numpy as np
import tensorflow as tf

from tf_muzero.envs import flat_observations
from tf_muzero.types import Nest

_LARGEST_EXACT = 2**24  # Integers beyond it are rounded by float32.

# What is settled in episodes, to be told with their number.
UNKNOWN_TERMINAL = ('the terminal state is not in the source: the last '
                    'observation stands for it, from which nothing is learned')
UNKNOWN_CUT = ('which were cut off, the final observation is not in the '
               'source: the last transition is left out')
UNFINISHED = 'the last one, nothing marks the end: it counts as cut off'
NO_MARK = 'no step is marked as the last: they count as cut off'
DONE_AND_CUT = ('the end is marked as done and as cut off: they count as cut '
                'off')
NOT_FOLLOWED = ('the end is where the next observation is not the observation '
                'of the row after it')
NO_TRANSITION = 'there is no transition: they are left out'


class Trajectory(NamedTuple):
  """An episode of T transitions.

  Attributes:
    observation: array [T + 1, ...], or nested dict of such.
    action: [T] integers, or [T, n] floats, as the environment has them.
    reward: [T] that follow the actions.
    is_terminal: whether the last transition is terminal; else the episode was
      cut off.
    where: what messages call it.
  """
  observation: Nest
  action: np.ndarray
  reward: np.ndarray
  is_terminal: bool
  where: str


class Source(NamedTuple):
  """What there is to convert.

  Attributes:
    kind: in words.
    task: id of the environment, or empty.
    action: the actions' spec, or None where the source does not tell.
    num_steps: how many there are, or None where counting would be to read.
    metadata: what else is recorded.
    read_fn: a count of what was settled, by the sentence that tells it ->
      the episodes.
  """
  kind: str
  task: str
  action: Optional[specs.Array]
  num_steps: Optional[int]
  metadata: Mapping[str, Any]
  read_fn: Callable[[collections.Counter], Iterator[Trajectory]]


def load(module: str) -> Any:
  """Returns a module of an extra; ImportError tells what to install."""
  try:
    return importlib.import_module(module)
  except ImportError as error:
    package = module.split('.', maxsplit=1)[0]
    reason = ('is missing' if isinstance(error, ModuleNotFoundError)
              else f'cannot be imported ({error})')
    raise ImportError(f'{package} {reason}: pip install tf-muzero[convert]'
                      ) from error


def of_rows(observation: Nest, action: np.ndarray, reward: np.ndarray,
            is_terminal: bool, final: Optional[Nest], where: str,
            settled: collections.Counter) -> Trajectory:
  """Returns the episode of T rows (observation, action, reward).

  RLDS has an observation after the last action. Where there is none, a terminal
  state does not matter: the last one stands for it. What an episode that was
  cut off would have gone on from does: its last transition is left out.

  Args:
    observation: nest of [T, ...].
    action: [T, ...].
    reward: [T].
    is_terminal: whether the last row's transition is terminal.
    final: nest of [...], observation after the last row, or None.
    where: what messages call the episode.
    settled: to which is added how it was settled.
  """
  if final is None and not is_terminal:
    settled[UNKNOWN_CUT] += 1
    return Trajectory(observation, action[:-1], reward[:-1], False, where)
  if final is None:
    settled[UNKNOWN_TERMINAL] += 1
    final = tf.nest.map_structure(lambda x: x[-1], observation)
  return Trajectory(tf.nest.map_structure(
      lambda x, last: np.concatenate([x, np.asarray(last)[np.newaxis]]),
      observation, final), action, reward, is_terminal, where)


def check_follows(observation: Nest, following: Nest, where: str) -> None:
  """Raises ValueError unless each row's next observation is that of the next.

  Args:
    observation: nest of [T, ...].
    following: nest of [T, ...], what is said to follow.
    where: what messages call the episode.
  """
  for before, after in zip(tf.nest.flatten(following),
                           tf.nest.flatten(observation)):
    differs = ~equal_rows(before[:-1], after[1:])
    if differs.any():
      row = int(np.flatnonzero(differs)[0])
      raise ValueError(
          f'{where}, step {row}: the next observation is not the observation '
          'of the step after it. Are rows missing, or not in the order of '
          'time, or of several episodes? With check_next_observations = False '
          'the observation of the step after it counts.')


def equal_rows(one: np.ndarray, other: np.ndarray) -> np.ndarray:
  """Returns [N] bool, which rows of [N, ...] are equal but for rounding."""
  equal = np.isclose(one, other, rtol=1e-4, atol=1e-6, equal_nan=True)
  return equal.all(axis=tuple(range(1, equal.ndim)))


def observation_spec(observation: Nest) -> Nest:
  """Returns the spec of what is stored, as of an environment's observations.

  Args:
    observation: nest of [R, ...]; raises ValueError where there are no numbers.
  """
  if isinstance(observation, Mapping) and not observation:
    raise ValueError('The observation has no entries.')
  return flat_observations.seen(tf.nest.map_structure(
      lambda x: specs.Array(x.shape[1:], x.dtype), observation))


def as_stored(observation: Nest, spec: Nest, where: str) -> Nest:
  """Returns the observations [R, ...] in the shapes and types of a spec."""
  def one(part: specs.Array, values: np.ndarray) -> np.ndarray:
    if part.dtype == np.uint8 and values.dtype == np.bool_:
      values = np.where(values, np.uint8(255), np.uint8(0))
    if values.dtype != np.uint8 and part.dtype == np.uint8:
      raise ValueError(f'{part.name!r} was uint8, and is {values.dtype}.')
    if values.dtype.kind in 'iu' and (
        np.abs(values.astype(np.float64)).max(initial=0) > _LARGEST_EXACT):
      logging.log_first_n(
          logging.WARNING, '%s: observation %r has integers beyond 2**24, '
          'which float32 rounds.', 1, where, part.name)
    return values.reshape([len(values), *part.shape]).astype(part.dtype)

  try:
    return tf.nest.map_structure(one, spec, observation)
  except (TypeError, ValueError) as error:
    raise ValueError(f'{where} has other observations than the episodes before '
                     f'it: {error}') from error


def action_vector(action: Nest, where: str) -> np.ndarray:
  """Returns actions [T] integers or [T, n] floats of actions as stored.

  Args:
    action: [T] or [T, n], or dicts of such of floats, which are concatenated in
      sorted order.
    where: what messages call the episode.
  """
  if isinstance(action, Mapping):
    parts = [action_vector(part, where) for part in tf.nest.flatten(action)]
    if any(part.dtype.kind != 'f' for part in parts):
      raise ValueError(f'{where}: a dict of actions must be of floats.')
    return np.concatenate(parts, axis=-1)
  kind, shape = action.dtype.kind, action.shape[1:]
  if kind == 'f' and len(shape) < 2 and 0 not in shape:
    return action.reshape([len(action), -1])
  if kind in 'iu' and shape in ((), (1,)):
    return action.reshape([-1]).astype(np.int64)
  if kind in 'iu':
    raise ValueError(
        f'{where}: an action is {len(shape)}-dimensional, {shape}, of '
        'integers, and must be one integer: number their combinations.')
  raise ValueError(f'{where}: an action must be one integer or a vector of '
                   f'floats, got {action.dtype} of the shape {shape}.')
