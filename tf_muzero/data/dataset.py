"""What is known of a dataset before its episodes are read."""

import dataclasses
import functools
from typing import Any, Callable, Mapping, Optional, Sequence

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from tf_muzero import paths
from tf_muzero.data import adapters
from tf_muzero.data import checks
from tf_muzero.data import decoding
from tf_muzero.data import files
from tf_muzero.data import records
from tf_muzero.data.reading import Reading
from tf_muzero.types import EnvironmentSpec


@dataclasses.dataclass(frozen=True)
class Dataset:
  """Stored episodes: files, or a `tf.data.Dataset`.

  Attributes:
    directory: where it is; empty for a `tf.data.Dataset`.
    name: of the dataset and its configuration.
    spec: what an agent sees and does in it.
    task: id of the environment it is from, or empty where it does not tell.
    action_repeat: environment steps per record.
    metadata: what else the dataset tells of itself.
    split: of TFDS, such as `train` or `train[:10]`.
    features: of TFDS, of what is used alone.
    parts: which episodes of which files are read.
    reading: the settings.
    oddities: sentences about the data, if it is a public one.
    adapter: makes of what is stored what it means.
    approximate_steps: about how many transitions the parts have, 0 where they
      are to be counted.
    terminal_from: which field says that the last transition is terminal.
    tellings: sentences about what was settled, for all episodes alike.
    elements: what is read in place of files, where it is a `tf.data.Dataset`:
      a dict of dense tensors for each episode. There is one part then, which
      has the dataset's name.
    held_out_parts: which episodes `reading` holds out.
    counted_steps: how many transitions the parts have, 0 where nobody counted.
  """
  directory: str
  name: str
  spec: EnvironmentSpec
  task: str
  action_repeat: int
  metadata: Mapping[str, Any]
  split: str
  features: tfds.features.FeaturesDict
  parts: Sequence[files.Part]
  reading: Reading
  oddities: Sequence[str]
  adapter: adapters.Adapter
  approximate_steps: int
  terminal_from: str
  tellings: Sequence[str] = ()
  elements: Optional[tf.data.Dataset] = None
  held_out_parts: Sequence[files.Part] = ()
  counted_steps: int = 0

  @property
  def place(self) -> str:
    """What messages call it: its directory, or its name."""
    return self.directory or self.name

  @property
  def absolute_place(self) -> str:
    """`place`, from whatever directory."""
    return paths.absolute(self.directory) if self.directory else self.name

  @property
  def num_episodes(self) -> int:
    """Number of episodes that are read, bad ones included."""
    return files.count(self.parts)

  @functools.cached_property
  def num_steps(self) -> int:
    """Number of transitions; counted, if the dataset does not tell.

    Not exact for Atari of RL Unplugged, where counting would take hours.
    """
    if ('num_steps' in self.metadata
        and self.num_episodes == self.metadata.get('num_episodes')):
      return self.metadata['num_steps']
    return (self.approximate_steps or self.counted_steps
            or int(lengths(self).sum()))

  def shuffled_at_once(self, most: int) -> int:
    """Returns how many episodes a shuffle buffer has room for, at most `most`.

    In files, episodes are compressed; those of a `tf.data.Dataset` are not, and
    have `memory_mib` of the settings, or 2 GiB where it is 0.
    """
    if self.elements is None:
      return most
    per_record = sum(
        spec.dtype.size * int(np.prod([size or 1 for size in spec.shape[1:]]))
        for spec in tf.nest.flatten(self.elements.element_spec))
    per_episode = per_record * (self.num_steps / self.num_episodes + 1)
    room = (self.reading.memory_mib or 2048) * 2**20
    return int(np.clip(room // per_episode, 1, most))


def lengths(dataset: Dataset) -> np.ndarray:
  """Returns the number of transitions of each episode, in the stored order.

  Of what cannot be read it is 0, if bad episodes are skipped.
  """
  length_fn = decoding.make_length_fn(dataset.features, dataset.adapter)
  return _of_each(dataset, length_fn, unreadable=0).astype(np.int64)


def returns(dataset: Dataset) -> np.ndarray:
  """Returns the sum of rewards of each episode, in the stored order.

  Of what cannot be read it is -inf, if bad episodes are skipped, and where a
  reward is not finite.
  """
  outline_fn = decoding.make_outline_fn(dataset.features, dataset.adapter)

  def sum_of(*example):
    total = tf.reduce_sum(outline_fn(*example)[0])
    return tf.where(tf.math.is_finite(total), total, -np.inf)

  return _of_each(dataset, sum_of, unreadable=-np.inf)


def _of_each(dataset: Dataset,
             number_fn: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
             unreadable: float) -> np.ndarray:
  """Returns a number of each episode, float64: (where, example) -> number."""
  skip = dataset.reading.skips
  found = decoding.each(
      records.read(dataset.parts, dataset.elements, skip=skip),
      lambda where, example: (where, tf.cast(
          number_fn(where, example), tf.float64)),
      lambda where, spec: (where, tf.constant(np.nan, tf.float64)))
  try:
    by_name = dict(found.as_numpy_iterator())
  except tf.errors.OpError as error:
    raise ValueError(f'{dataset.place!r} cannot be read: '
                     f'{error.message.splitlines()[0]}') from error
  bad = [name for name, number in by_name.items() if np.isnan(number)]
  if bad and not skip:
    raise ValueError(f'{dataset.place!r} cannot be read: {bad[0].decode()}: '
                     f'{checks.PROBLEMS[checks.UNDECODABLE]}.')
  found = np.array([by_name.get(name, np.nan)
                    for name in records.names(dataset.parts)])
  return np.where(np.isnan(found), unreadable, found)
