"""Episodes written as an RLDS dataset: whole or not at all.

Everything is written to a hidden directory beside the final one, which gets its
name when it is complete. What kills the program before leaves no dataset, and
never a broken one.
"""

import contextlib
import os
import re
import time
from typing import Any, Callable, Iterator, Mapping, Sequence

from absl import logging
import dm_env
from dm_env import specs
import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from tf_muzero import actions as actions_lib
from tf_muzero.data import checks
from tf_muzero.data import layout
from tf_muzero.types import Episode
from tf_muzero.types import EnvironmentSpec
from tf_muzero.types import Nest

_VERSION = '1.0.0'
_STEPS_AT_ONCE = 1000  # To write.

# (what `records` returns, what messages call the episode) -> None
AddFn = Callable[..., None]


class BadEpisode(ValueError):
  """An episode that a reader would refuse; none of it was written."""


@contextlib.contextmanager
def new_dataset(directory: str, *, name: str, spec: EnvironmentSpec,
                metadata: Mapping[str, Any], episodes_per_file: int
                ) -> Iterator[AddFn]:
  """Makes a dataset of the episodes that are added in the context.

  Yields a function that adds an episode, or raises `BadEpisode`. When the
  context is left, the dataset appears at `directory`; when it is left by an
  exception, or without an episode, nothing does.

  Args:
    directory: of the dataset; must not exist, or be empty.
    name: of the dataset, in lower_snake.
    spec: of the environment.
    metadata: JSON, told to readers, as it is when the context is left;
      `num_steps`, `num_episodes`, that each reward stands with its action
      (`reward_alignment`: in the public `rlu_atari` it does not) and the range
      of the actions, where it has none, are added.
    episodes_per_file: number of them.
  """
  directory = os.path.expanduser(directory).rstrip('/')
  check_is_free(directory)
  if '://' not in directory:
    directory = os.path.realpath(directory)  # Of `.`, and of links.
  partial = _partial_directory(directory)
  told = tfds.core.MetadataDict(
      num_steps=0, num_episodes=0, reward_alignment='aligned')

  try:
    with telling(directory, 'none of it was kept'):
      tf.io.gfile.makedirs(partial)
      writer = _make_writer(partial, name, spec, told, episodes_per_file)

    pending: list[Nest] = []  # Few steps make a slow write each.
    failures: list[OSError] = []

    def write():
      try:
        with telling(directory, 'none of it was kept'):
          writer.add_examples({'train': pending})
      except OSError as error:
        failures.append(error)
        raise
      pending.clear()

    def add(steps: Mapping[str, Nest], where: str = '') -> None:
      _check(steps, spec, where or f'new episode {told["num_episodes"]}')
      pending.append({'steps': steps, **layout.episode_metadata(
          spec, number=told['num_episodes'],
          time_ms=time.time_ns() // 1_000_000,
          episode_return=steps['reward'].sum(dtype=np.float64))})
      told['num_steps'] += len(steps['reward']) - 1
      told['num_episodes'] += 1
      if sum(len(x['steps']['reward']) for x in pending) > _STEPS_AT_ONCE:
        write()

    yield add
    if failures:  # Of a part of the episodes nobody knows what was written.
      raise failures[0]
    if told['num_episodes']:
      write()
      known = describe_actions(spec.action)
      told.update(metadata if set(known) & set(metadata)
                  else {**known, **metadata})
      with telling(directory, 'none of it was kept'):
        writer.close_all()
      whole, partial = partial, ''
      with telling(directory, f'it is whole in {whole!r}'):
        tf.io.gfile.rename(whole, directory, overwrite=True)
  finally:
    if partial and tf.io.gfile.exists(partial):
      tf.io.gfile.rmtree(partial)


def played(time_steps: Sequence[dm_env.TimeStep], actions: Sequence[np.ndarray],
           spec: EnvironmentSpec) -> dict[str, Nest]:
  """Returns the R records of an episode that was played.

  In `dm_env`, a time step brings the reward and the discount of the action
  before it. Here, and everywhere after, they stand with that action.

  Args:
    time_steps: R of them, from the first to the last.
    actions: R - 1 of them, between the time steps.
    spec: of the environment.
  """
  if len(time_steps) != len(actions) + 1 or not actions:
    raise ValueError('An episode needs an action between each two time steps, '
                     f'got {len(time_steps)} and {len(actions)} actions.')
  return records(
      tf.nest.map_structure(_stack, spec.observation,
                            *(step.observation for step in time_steps)),
      np.reshape(actions, [len(actions), *spec.action.shape]),
      np.array([step.reward for step in time_steps[1:]]),
      np.array([step.discount for step in time_steps[1:]]), spec)


def records(observation: Nest, action: np.ndarray, reward: np.ndarray,
            discount: np.ndarray, spec: EnvironmentSpec) -> dict[str, Nest]:
  """Returns the R records of an episode, aligned as RLDS has them.

  Args:
    observation: nest of [R, ...].
    action: [R - 1, ...] between the observations.
    reward: [R - 1] that follow the actions.
    discount: [R - 1] that follow them, the last one 0 at a terminal end.
    spec: of the environment.
  """
  num_records = len(action) + 1
  is_terminal = discount[-1] == 0.0
  blank_action = np.zeros([1, *spec.action.shape], spec.action.dtype)
  at_end = np.arange(num_records) == num_records - 1
  return {
      'observation': tf.nest.map_structure(
          lambda part, values: values.astype(part.dtype), spec.observation,
          observation),
      'action': np.concatenate([action, blank_action]).astype(
          np.int64 if isinstance(spec.action, specs.DiscreteArray)
          else np.float32),
      'reward': np.append(reward, 0.0).astype(np.float32),
      'discount': np.append(discount, 0.0 if is_terminal else 1.0).astype(
          np.float32),
      'is_first': np.arange(num_records) == 0,
      'is_last': at_end,
      'is_terminal': at_end & is_terminal,
  }


def describe_actions(spec: specs.Array) -> dict[str, Any]:
  """Returns the metadata of a dataset of such actions."""
  if not isinstance(spec, specs.DiscreteArray):
    low, high = (np.broadcast_to(x, spec.shape).tolist()
                 for x in (spec.minimum, spec.maximum))
    return {'action_minimum': low, 'action_maximum': high}
  start = actions_lib.start_of(spec)
  return {'num_actions': int(spec.num_values),
          **({'action_start': start} if start else {})}


def lower_snake(text: str) -> str:
  """Returns the name of a dataset that is made of something of that name."""
  name = re.sub(r'[^a-z0-9]+', '_', text.lower()).strip('_')
  return name if name[:1].isalpha() else f'data_{name}'.rstrip('_')


def _stack(spec: Nest, *values: np.ndarray) -> np.ndarray:
  """Returns [R, ...] of one entry of the observation, as it is stored."""
  if not layout.is_image(spec):
    return np.stack(values).astype(np.float32)
  for i, frame in enumerate(values):
    if frame.dtype != np.uint8 or frame.shape != tuple(spec.shape):
      raise ValueError(
          f'Frame {i} of an episode must be uint8 of the shape '
          f'{tuple(spec.shape)}, got {frame.dtype} of {frame.shape}.')
  return np.stack(values)


def check_is_free(directory: str):
  """Raises ValueError where there is something already."""
  if tf.io.gfile.exists(directory) and (
      not tf.io.gfile.isdir(directory) or tf.io.gfile.listdir(directory)):
    raise ValueError(f'{directory!r} exists already; name a new directory, or '
                     'remove it.')
  if os.path.ismount(directory):
    raise ValueError(f'{directory!r} is where a file system is mounted, and '
                     'cannot be replaced; name a new directory in it.')


@contextlib.contextmanager
def telling(directory: str, left: str) -> Iterator[None]:
  """Turns what TensorFlow and the system say of a full disk into OSError.

  Args:
    directory: of the dataset.
    left: what is left of it then.
  """
  try:
    yield
  except (OSError, tf.errors.OpError) as error:
    raise OSError(f'The dataset {directory!r} could not be written, and '
                  f'{left}: {error}') from error


def _partial_directory(directory: str) -> str:
  """Returns a name beside `directory`; tells of those left behind there."""
  parent, name = os.path.split(directory)
  stem = os.path.join(parent, f'.{name}.partial-')
  for path in tf.io.gfile.glob(stem + '*'):
    logging.warning('%s is of a program that was killed, or still writes: '
                    'remove it if it does not.', path)
  return f'{stem}{os.getpid()}'


def _make_writer(directory: str, name: str, spec: EnvironmentSpec,
                 metadata: tfds.core.MetadataDict, episodes_per_file: int
                 ) -> tfds.core.SequentialWriter:
  if episodes_per_file < 1:
    raise ValueError(
        f'episodes_per_file must be >= 1, got {episodes_per_file}.')
  writer = tfds.core.SequentialWriter(
      make_info(directory, name, spec, metadata),
      max_examples_per_shard=episodes_per_file, overwrite=True)
  writer.initialize_splits(['train'])
  return writer


def make_info(directory: str, name: str, spec: EnvironmentSpec,
              metadata: tfds.core.MetadataDict) -> tfds.core.DatasetInfo:
  """Returns what TFDS stores beside the files of a dataset.

  Args:
    directory: of the dataset.
    name: of the dataset, in lower_snake.
    spec: of the environment.
    metadata: JSON, told to readers.
  """
  identity = tfds.core.dataset_info.DatasetIdentity(
      name=name, version=tfds.core.Version(_VERSION), data_dir=directory,
      module_name='')
  return tfds.core.DatasetInfo(
      builder=identity, features=layout.features(spec),
      description='Episodes written by tf_muzero.', metadata=metadata)


def _check(steps: Mapping[str, Nest], spec: EnvironmentSpec, where: str):
  """Raises BadEpisode where a reader would raise ValueError."""
  num_records = len(steps['reward'])
  numbers = [x.reshape([num_records, -1])  # Frames are always finite.
             for x in tf.nest.flatten(steps['observation'])
             if x.dtype != np.uint8]
  finding = checks.find(
      Episode(tf.constant(np.concatenate(
          [*numbers, np.zeros([num_records, 0], np.float32)], axis=-1)),
              *(tf.constant(steps[field])
                for field in ('action', 'reward', 'discount'))),
      tf.constant(steps['is_first']), tf.constant(steps['is_last']), spec)
  if finding.problem:
    raise BadEpisode(
        'Bad episode: ' + checks.describe(finding, where.encode(), spec))
