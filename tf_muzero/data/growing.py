"""An RLDS dataset that grows while episodes are played: whole at any moment.

Each file holds a round of episodes. It gets its name when it is whole, and then
the dataset's description is replaced by one that lists it. While a file takes
the place of another, the description holds of both. So what kills the program
leaves the dataset of the round before, or that of this round.
"""

import json
import os
import time
from typing import Any, Mapping, NamedTuple, Sequence

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from tf_muzero import ranges
from tf_muzero import whole_files
from tf_muzero.data import episodes as episodes_lib
from tf_muzero.data import layout
from tf_muzero.data import writing
from tf_muzero.types import EnvironmentSpec
from tf_muzero.types import Episode
from tf_muzero.types import Nest

_ROUNDS = 'rounds.json'
_INFO = 'dataset_info.json'
_SPLIT = 'train'


class _File(NamedTuple):
  """A file of episodes.

  Attributes:
    round: its number.
    episodes: number of them.
    steps: transitions of these; -1 where they have to be counted.
    size: bytes of their records.
    learner_step: of the weights that played them; -1 where it was not kept.
  """
  round: int
  episodes: int
  steps: int
  size: int
  learner_step: int = -1


class Played(NamedTuple):
  """An episode, and where it comes from.

  Attributes:
    round: its number.
    learner_step: of the weights that played it.
    episode: NumPy.
  """
  round: int
  learner_step: int
  episode: Episode


class GrowingDataset:
  """Rounds of episodes, the newest ones of them."""

  def __init__(self, directory: str, *, name: str, spec: EnvironmentSpec,
               metadata: Mapping[str, Any], max_episodes: int):
    """Opens a dataset, or prepares for a new one.

    Args:
      directory: of the dataset. It is made with the first round.
      name: of the dataset, in lower_snake.
      spec: of the environment.
      metadata: JSON, told to readers.
      max_episodes: of the dataset. Beyond it a new round takes the place of the
        oldest one.
    """
    ranges.at_least(1, max_episodes=max_episodes)
    self._directory = directory
    self._name = name
    self._spec = spec
    self._features = layout.features(spec)
    self._metadata = {**writing.describe_actions(spec.action), **metadata}
    self._max_episodes = max_episodes
    self._files: list[_File] = []
    path = os.path.join(directory, _ROUNDS)
    if tf.io.gfile.exists(path):
      with tf.io.gfile.GFile(path) as file:
        self._files = [_File(**entry) for entry in json.load(file)]

  def write(self, number: int, learner_step: int,
            episodes: Sequence[Mapping[str, Nest]]) -> None:
    """Adds a round of episodes, in place of an earlier one of this number.

    Args:
      number: of the round.
      learner_step: of the weights that played it.
      episodes: see `writing.records`.

    Raises:
      OSError: it could not be written; the dataset is whole, without the round
        or with it.
    """
    index = self._place(number, len(episodes))
    path = os.path.join(
        self._directory, f'{self._name}-{_SPLIT}.tfrecord-{index:05d}')
    with writing.telling(self._directory, 'what it has is whole'):
      tf.io.gfile.makedirs(self._directory)
      size = self._write_records(path + '.partial', number, episodes)
      added = _File(number, len(episodes), sum(
          len(steps['reward']) - 1 for steps in episodes), size, learner_step)
      if index < len(self._files):
        self._files[index] = _common(self._files[index], added)
        self._describe()
      tf.io.gfile.rename(path + '.partial', path, overwrite=True)
      self._files[index:index + 1] = [added]
      self._describe()

  def episodes(self) -> list[Played]:
    """Returns what the dataset has, as `load_episodes` does, by round."""
    if not tf.io.gfile.exists(os.path.join(self._directory, _INFO)):
      return []  # Nor is there one where the first write was stopped.
    dataset = episodes_lib.open_dataset(self._directory)
    stored = episodes_lib.load_episodes(dataset)
    # What stopped a write may have left TFDS's description behind this one.
    counts = [len(part.numbers) for part in dataset.parts]
    rounds, steps = (np.repeat(
        [getattr(file, name) for file in self._files[:len(counts)]], counts)
                     for name in ('round', 'learner_step'))
    return [Played(int(rounds[i]), int(steps[i]), stored[i])
            for i in np.argsort(rounds, kind='stable')]

  def _place(self, number: int, num_episodes: int) -> int:
    """Returns which file a round is written to."""
    rounds = [file.round for file in self._files]
    if number in rounds:
      return rounds.index(number)
    stored = sum(file.episodes for file in self._files)
    if not rounds or stored + num_episodes <= self._max_episodes:
      return len(rounds)
    return int(np.argmin(rounds))

  def _write_records(self, path: str, number: int,
                     episodes: Sequence[Mapping[str, Nest]]) -> int:
    """Returns the bytes of the records."""
    size = 0
    with tf.io.TFRecordWriter(path) as writer:
      for i, steps in enumerate(episodes):
        record = self._features.serialize_example({
            'steps': steps, **layout.episode_metadata(
                self._spec, number=number * len(episodes) + i,
                time_ms=time.time_ns() // 1_000_000,
                episode_return=steps['reward'].sum(dtype=np.float64))})
        writer.write(record)
        size += len(record)
    return size

  def _describe(self) -> None:
    """Replaces what tells of the files."""
    steps = [file.steps for file in self._files]
    counted = {} if -1 in steps else {'num_steps': sum(steps)}
    whole_files.write_json(
        os.path.join(self._directory, _ROUNDS),
        [file._asdict() for file in self._files])
    info = writing.make_info(
        self._directory, self._name, self._spec, tfds.core.MetadataDict(
            **counted, num_episodes=sum(file.episodes for file in self._files),
            reward_alignment='aligned', **self._metadata))
    info.set_splits(tfds.core.SplitDict([tfds.core.SplitInfo(
        name=_SPLIT, shard_lengths=[file.episodes for file in self._files],
        num_bytes=sum(file.size for file in self._files),
        filename_template=tfds.core.ShardedFileTemplate(
            data_dir=self._directory, dataset_name=self._name, split=_SPLIT,
            filetype_suffix='tfrecord',
            template='{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_INDEX}'))]))
    partial = os.path.join(self._directory, '.description')
    tf.io.gfile.makedirs(partial)
    info.write_to_directory(partial)
    for name in sorted(  # What lists the files comes last.
        tf.io.gfile.listdir(partial), key=_INFO.__eq__):
      tf.io.gfile.rename(os.path.join(partial, name),
                         os.path.join(self._directory, name), overwrite=True)
    tf.io.gfile.rmtree(partial)


def _common(before: _File, after: _File) -> _File:
  """Returns what holds of a file while another one takes its place."""
  return after._replace(
      steps=before.steps if before.steps == after.steps else -1,
      episodes=min(before.episodes, after.episodes),
      size=min(before.size, after.size))
