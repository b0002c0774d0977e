"""Any RLDS directory in, checked episodes out."""

import dataclasses
import functools
import os
from typing import Any, Iterator, Mapping, NamedTuple, Optional, Sequence

from absl import logging
from google.protobuf import json_format  # type: ignore[import-untyped]
import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from tf_muzero.data import checks
from tf_muzero.data import files
from tf_muzero.data import layout
from tf_muzero.data import observations
from tf_muzero.types import EnvironmentSpec
from tf_muzero.types import Episode

_FILES_AT_ONCE = 16  # That a shuffled pass reads from.
# Episodes: all cores decode, and not more of them wait than fit.
_DECODED_AT_ONCE = min(os.cpu_count() or 1, 16)


@dataclasses.dataclass(frozen=True)
class Dataset:
  """A dataset on disk.

  Attributes:
    directory: where it is.
    name: of the dataset and its configuration.
    spec: what an agent sees and does in it.
    task: id of the environment it is from, or empty where it does not tell.
    action_repeat: environment steps per record.
    num_episodes: of the split.
    metadata: what else the dataset tells of itself.
    split: of TFDS, such as `train` or `train[:10]`.
    features: of TFDS.
    files: what of which files the split is.
  """
  directory: str
  name: str
  spec: EnvironmentSpec
  task: str
  action_repeat: int
  num_episodes: int
  metadata: Mapping[str, Any]
  split: str
  features: tfds.features.FeaturesDict
  files: Sequence[tfds.core.utils.shard_utils.FileInstruction]

  @functools.cached_property
  def num_steps(self) -> int:
    """Number of transitions; counted, if the dataset does not tell."""
    if self.split == 'train' and 'num_steps' in self.metadata:
      return self.metadata['num_steps']
    return int(_encoded(self, None, 1).reduce(
        np.int64(0), lambda total, element: (
            total + tf.shape(element[1]['steps']['reward'], tf.int64)[0] - 1)))


class Checked(NamedTuple):
  """An episode and what was found about it.

  Attributes:
    episode: where nothing was found, as it is to be used.
    finding: the first problem.
    where: scalar string, file and number in it.
    is_terminal: scalar bool, what the dataset says of the last record; what
      counts is the discount before it.
  """
  episode: Episode
  finding: checks.Finding
  where: tf.Tensor
  is_terminal: tf.Tensor


def open_dataset(directory: str, *, split: str = 'train') -> Dataset:
  """Returns a dataset, its layout checked and none of its episodes read.

  Args:
    directory: with the files of the dataset: those that `collect` wrote, or
      `<data_dir>/<name>/<config>/<version>` of TFDS.
    split: of TFDS.
  """
  files.check_exists(directory)
  verbosity = logging.get_verbosity()
  logging.set_verbosity(logging.WARNING)  # TFDS tells which files it reads.
  try:
    builder = tfds.builder_from_directory(directory)
    metadata = dict(builder.info.metadata or {})
    spec = layout.spec_of(builder.info.features, metadata)
  except (ValueError, KeyError, OSError, json_format.ParseError) as error:
    raise ValueError(
        f'{directory!r} is not a dataset that can be read: {error}') from error
  finally:
    logging.set_verbosity(verbosity)
  info = builder.info
  if split.split('[')[0] not in info.splits:
    raise ValueError(f'{directory!r} has the splits {", ".join(info.splits)}, '
                     f'not {split!r}.')
  files.check_sizes(directory, info.splits[split.split('[')[0]])
  return Dataset(
      directory=directory,
      name='/'.join(filter(None, [info.name, info.config_name])), spec=spec,
      task=metadata.get('task', _task(info)),
      action_repeat=metadata.get('action_repeat', 1),
      num_episodes=info.splits[split].num_examples, metadata=metadata,
      split=split, features=info.features,
      files=tuple(info.splits[split].file_instructions))


def episodes(dataset: Dataset, *, seed: Optional[int] = None,
             repeat: bool = False, shuffle_episodes: int = 256
             ) -> tf.data.Dataset:
  """Returns a `tf.data.Dataset` of `Episode`s, their values checked.

  A bad value raises `tf.errors.InvalidArgumentError` when it is read. The
  position of an iterator can be saved with `tf.train.Checkpoint`.

  Args:
    dataset: what to read.
    seed: of the order, a new one in each pass; None keeps the stored order.
    repeat: whether to go on for ever.
    shuffle_episodes: size of the shuffle buffer; episodes in it are as they
      are on disk.
  """
  def take(checked: Checked) -> Episode:
    finding = checked.finding
    with tf.control_dependencies([tf.debugging.Assert(
        finding.problem == 0,
        ['Bad episode:', checked.where, 'step', finding.step,
         tf.gather(tf.constant(checks.PROBLEMS), finding.problem)])]):
      return tf.nest.map_structure(tf.identity, checked.episode)

  return checked_episodes(
      dataset, seed=seed, repeat=repeat, shuffle_episodes=shuffle_episodes
  ).map(take)


def checked_episodes(dataset: Dataset, *, seed: Optional[int] = None,
                     repeat: bool = False, shuffle_episodes: int = 256
                     ) -> tf.data.Dataset:
  """Returns a dataset of `Checked`, good and bad; arguments as `episodes`."""
  encoded = _encoded(dataset, seed, shuffle_episodes)
  if repeat:
    encoded = encoded.repeat()
  return encoded.map(functools.partial(_decode, dataset),
                     num_parallel_calls=_DECODED_AT_ONCE, deterministic=True)


def read(dataset: Dataset) -> Iterator[Checked]:
  """Yields all episodes as arrays, good and bad, in the stored order.

  Raises ValueError with the file and the episode where nothing can be read.
  """
  num_read = 0
  try:
    for checked in checked_episodes(dataset).as_numpy_iterator():
      yield checked
      num_read += 1
  except tf.errors.OpError as error:
    where = files.describe_episode(dataset.files, num_read)
    raise ValueError(
        f'{where} of {dataset.directory!r} cannot be read, nor what follows it '
        f'in the file: {error.message.splitlines()[0]}') from error
  if num_read != dataset.num_episodes:
    raise ValueError(f'{dataset.directory!r} should have '
                     f'{dataset.num_episodes} episodes, but has {num_read}.')


def load_episodes(dataset: Dataset) -> list[Episode]:
  """Returns all episodes as arrays, in the stored order.

  A bad value raises ValueError with the file, the episode, the step and the
  field.
  """
  return [_good(checked, dataset) for checked in read(dataset)]


def observation_statistics(dataset: Dataset) -> tuple[np.ndarray, ...]:
  """Returns mean and standard deviation of the model's input, [D] each.

  Reads the whole dataset and so checks all of it. An input that never changes
  gets the deviation 1. Frames have a known range and no statistics: `()`.
  """
  if layout.is_image(dataset.spec.observation):
    return ()
  count = 0
  mean, squares = np.zeros([]), np.zeros([])
  for checked in read(dataset):
    x = _good(checked, dataset).observation.astype(np.float64)
    # Chan et al.'s update, which does not cancel as sums of squares would.
    difference, total = x.mean(axis=0) - mean, count + len(x)
    squares = squares + ((x - x.mean(axis=0))**2).sum(axis=0) + (
        difference**2 * count * len(x) / total)
    mean = mean + difference * len(x) / total
    count = total
  deviation = np.sqrt(squares / count)
  return (mean.astype(np.float32),
          np.where(deviation < 1e-6, 1.0, deviation).astype(np.float32))


def _good(checked: Checked, dataset: Dataset) -> Episode:
  """Returns an episode of arrays; raises ValueError if it is bad."""
  if checked.finding.problem:
    raise ValueError(f'Bad episode in {dataset.directory!r}: '
                     f'{checks.describe(checked.finding, checked.where)}')
  return checked.episode


def _encoded(dataset: Dataset, seed: Optional[int], shuffle_episodes: int
             ) -> tf.data.Dataset:
  """Returns one pass over (where, example as it is stored)."""
  def read_file(path, skip, take):
    examples = tf.data.TFRecordDataset(path).skip(skip).take(take)
    file = tf.strings.split(path, os.sep)[-1]
    return examples.enumerate(skip).map(lambda number, example: (
        tf.strings.join([file, ', episode ', tf.strings.as_string(number)]),
        dataset.features.deserialize_example(
            example, decoders={'steps': tfds.decode.SkipDecoding()})))

  paths = tf.data.Dataset.from_tensor_slices((
      [str(file.filename) for file in dataset.files],
      tf.constant([file.skip for file in dataset.files], tf.int64),
      tf.constant([file.take for file in dataset.files], tf.int64)))
  if seed is not None:
    paths = paths.shuffle(len(dataset.files), seed=seed)
  encoded = paths.interleave(
      read_file, cycle_length=1 if seed is None else _FILES_AT_ONCE)
  if seed is not None:
    encoded = encoded.shuffle(
        min(shuffle_episodes, dataset.num_episodes), seed=seed)
  return encoded


def _decode(dataset: Dataset, where: tf.Tensor, example: Mapping[str, Any]
            ) -> Checked:
  """Returns an episode of what is stored, in the graph."""
  steps = layout.decode(dataset.features, example['steps'])
  episode = Episode(
      observations.flatten(steps['observation']), steps['action'],
      steps['reward'], steps['discount'])
  finding = checks.find(
      episode, steps['is_first'], steps['is_last'], dataset.spec)
  # What datasets have in the last record is anything: it means nothing.
  num_records = tf.shape(episode.reward)[0]
  is_transition = tf.range(num_records) < num_records - 1
  blank = lambda x: tf.where(
      tf.reshape(is_transition, [-1] + [1] * (x.shape.rank - 1)), x,
      tf.zeros([], x.dtype))
  episode = episode._replace(
      action=blank(episode.action), reward=blank(episode.reward),
      discount=tf.where(is_transition, episode.discount, 1.0))
  return Checked(episode, finding, where, tf.reduce_any(
      steps['is_terminal'][-1:]))


def _task(info: Any) -> str:
  """Returns the id of the environment of a public dataset, or ''."""
  if info.name == 'rlu_control_suite' and info.config_name:
    domain, _, task = info.config_name.partition('_')
    return f'dm_control:{domain}/{task}'
  return ''
