"""Episodes that were played, written as an RLDS dataset: whole or not at all.

Everything is written to a hidden directory beside the final one, which gets its
name when it is complete. What kills the program before leaves no dataset, and
never a broken one.
"""

import contextlib
import os
import time
from typing import Any, Callable, Iterator, Mapping, Sequence

from absl import logging
import dm_env
from dm_env import specs
import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from tf_muzero.data import checks
from tf_muzero.data import layout
from tf_muzero.data import observations
from tf_muzero.types import Episode
from tf_muzero.types import EnvironmentSpec
from tf_muzero.types import Nest

_VERSION = '1.0.0'
_STEPS_AT_ONCE = 1000  # To write.

# (time steps, actions) -> None; see `records`.
AddFn = Callable[[Sequence[dm_env.TimeStep], Sequence[np.ndarray]], None]


@contextlib.contextmanager
def new_dataset(directory: str, *, name: str, spec: EnvironmentSpec,
                metadata: Mapping[str, Any], episodes_per_file: int
                ) -> Iterator[AddFn]:
  """Makes a dataset of the episodes that are added in the context.

  Yields a function that adds an episode. When the context is left, the dataset
  appears at `directory`; when it is left by an exception, or without an
  episode, nothing does.

  Args:
    directory: of the dataset; must not exist, or be empty.
    name: of the dataset, in lower_snake.
    spec: of the environment.
    metadata: JSON, told to readers; `num_steps`, `num_episodes`, that each
      reward stands with its action (`reward_alignment`: in the public
      `rlu_atari` it does not) and, for discrete actions, `num_actions` are
      added.
    episodes_per_file: number of them.
  """
  directory = os.path.expanduser(directory).rstrip('/')
  check_is_free(directory)
  partial = _partial_directory(directory)
  told = tfds.core.MetadataDict(
      metadata, num_steps=0, num_episodes=0, reward_alignment='aligned')
  if isinstance(spec.action, specs.DiscreteArray):
    told['num_actions'] = spec.action.num_values

  try:
    with _told(directory):
      tf.io.gfile.makedirs(partial)
      writer = _make_writer(partial, name, spec, told, episodes_per_file)

    pending: list[Nest] = []  # Few steps make a slow write each.

    def write():
      with _told(directory):
        writer.add_examples({'train': pending})
      pending.clear()

    def add(time_steps: Sequence[dm_env.TimeStep],
            actions: Sequence[np.ndarray]) -> None:
      steps = records(time_steps, actions, spec)
      _check(steps, spec, told['num_episodes'])
      pending.append({'steps': steps, **layout.episode_metadata(
          spec, number=told['num_episodes'],
          time_ms=time.time_ns() // 1_000_000,
          episode_return=steps['reward'].sum(dtype=np.float64))})
      told['num_steps'] += len(actions)
      told['num_episodes'] += 1
      if sum(len(x['steps']['reward']) for x in pending) > _STEPS_AT_ONCE:
        write()

    yield add
    if told['num_episodes']:
      write()
      with _told(directory):
        writer.close_all()
        tf.io.gfile.rename(partial, directory, overwrite=True)
  finally:
    if tf.io.gfile.exists(partial):
      tf.io.gfile.rmtree(partial)


def records(time_steps: Sequence[dm_env.TimeStep],
            actions: Sequence[np.ndarray], spec: EnvironmentSpec
            ) -> dict[str, Nest]:
  """Returns the R records of an episode, aligned as RLDS has them.

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
  num_records = len(time_steps)
  is_terminal = time_steps[-1].discount == 0.0
  blank_action = np.zeros(spec.action.shape, spec.action.dtype)
  at_end = np.arange(num_records) == num_records - 1
  return {
      'observation': tf.nest.map_structure(
          _stack, spec.observation,
          *(time_step.observation for time_step in time_steps)),
      'action': np.stack([*actions, blank_action]).astype(
          np.int64 if isinstance(spec.action, specs.DiscreteArray)
          else np.float32),
      'reward': np.array(
          [*(t.reward for t in time_steps[1:]), 0.0], np.float32),
      'discount': np.array([*(t.discount for t in time_steps[1:]),
                            0.0 if is_terminal else 1.0], np.float32),
      'is_first': np.arange(num_records) == 0,
      'is_last': at_end,
      'is_terminal': at_end & is_terminal,
  }


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


@contextlib.contextmanager
def _told(directory: str):
  """Turns what TensorFlow and the system say of a full disk into OSError."""
  try:
    yield
  except (OSError, tf.errors.OpError) as error:
    raise OSError(f'The dataset {directory!r} could not be written, and none '
                  f'of it was kept: {error}') from error


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
  identity = tfds.core.dataset_info.DatasetIdentity(
      name=name, version=tfds.core.Version(_VERSION), data_dir=directory,
      module_name='')
  info = tfds.core.DatasetInfo(
      builder=identity, features=layout.features(spec),
      description='Episodes recorded by tf_muzero.collect.',
      metadata=metadata)
  writer = tfds.core.SequentialWriter(
      info, max_examples_per_shard=episodes_per_file, overwrite=True)
  writer.initialize_splits(['train'])
  return writer


def _check(steps: Mapping[str, Nest], spec: EnvironmentSpec, number: int):
  """Raises ValueError where a reader would."""
  finding = checks.find(
      Episode(observations.flatten(steps['observation']),
              *(tf.constant(steps[field])
                for field in ('action', 'reward', 'discount'))),
      tf.constant(steps['is_first']), tf.constant(steps['is_last']), spec)
  if finding.problem:
    raise ValueError('Bad episode: ' + checks.describe(
        finding, f'new episode {number}'.encode()))
