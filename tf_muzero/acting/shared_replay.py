"""Stored episodes as files, for searches in other processes.

The workers of a service cannot ask the trainer's memory. So the segments of
each episode are a file, and an index says how probable each of them is. It is
renamed over the one before, so that readers see the old or the new one.
"""

import os
from typing import Mapping, NamedTuple, Optional

import numpy as np
import tensorflow as tf

from tf_muzero import rng
from tf_muzero import whole_files
from tf_muzero.data import orders
from tf_muzero.types import Nest
from tf_muzero.types import Segment

_INDEX = 'index'
_CHOICES, _DRAWS = 4, 5  # Streams of the seed.


class Stored(NamedTuple):
  """An episode.

  Attributes:
    segments: leading [number of segments]; NumPy.
    weight: probability that a stored segment is one of these.
  """
  segments: Segment
  weight: float


class SharedReplay:
  """A directory that one process writes and others draw from."""

  def __init__(self, directory: str, specs: Nest, seed: int):
    """Begins anew: what an earlier start of the run left there is removed.

    Args:
      directory: local or remote, which all the processes see.
      specs: of a segment.
      seed: of what is drawn.
    """
    if tf.io.gfile.exists(directory):
      tf.io.gfile.rmtree(directory)
    tf.io.gfile.makedirs(directory)
    self._directory = directory
    self._specs = specs
    self._seed = seed
    self._old: set[int] = set()
    self._present: set[int] = set()

  def publish(self, episodes: Mapping[int, Stored]) -> None:
    """Makes these the episodes that are drawn from.

    Those of the index before stay as long as that one may still be read.

    Args:
      episodes: by numbers that are theirs for good. Their weights are the share
        of stored states that were played.
    """
    for number in episodes.keys() - self._present:
      whole_files.write_tensors(self._path(str(number)), tf.nest.flatten(
          episodes[number].segments))
    whole_files.write_tensors(self._path(_INDEX), [
        np.array([*episodes], np.int64),
        np.cumsum([x.weight for x in episodes.values()], dtype=np.float64)])
    for number in self._old - self._present - episodes.keys():
      tf.io.gfile.remove(self._path(str(number)))
    self._old, self._present = self._present, set(episodes)

  def segments(self, dataset: Optional[tf.data.Dataset]) -> tf.data.Dataset:
    """Returns endless segments, beside those of a dataset if there is one.

    Something has to be published before the first one is asked for.

    Args:
      dataset: segments of the dataset; None for none.
    """
    # A file that was removed since its index was read is of an old index.
    drawn = orders.numbers().map(self._draw).ignore_errors(log_warning=True)
    sources = [drawn] if dataset is None else [drawn, dataset]
    # This reads the index, too: where that cannot be read, training ends.
    choices = orders.numbers().map(
        lambda number: tf.minimum(self._choose(number), len(sources) - 1))
    return tf.data.Dataset.choose_from_datasets(sources, choices)

  def _choose(self, number: tf.Tensor) -> tf.Tensor:
    """Returns 0 for what was played, 1 for the dataset."""
    share = self._index(number)[1][-1]
    return tf.cast(tf.cast(rng.uniform(
        self._seed_of(_CHOICES, number), []), tf.float64) >= share, tf.int64)

  def _draw(self, number: tf.Tensor) -> Nest:
    """Returns a segment; all of a source are equally probable."""
    names, ends = self._index(number)
    which, within = tf.unstack(tf.cast(
        rng.uniform(self._seed_of(_DRAWS, number), [2]), tf.float64))
    row = tf.searchsorted(ends, [which * ends[-1]], side='right')[0]
    path = tf.strings.join(
        [self._directory, tf.strings.as_string(names[row])], os.sep)
    flat = whole_files.read_tensors(
        path, [spec.dtype for spec in tf.nest.flatten(self._specs)], number)
    num_segments = tf.cast(tf.shape(flat[0])[0], tf.float64)
    place = tf.cast(within * num_segments, tf.int32)
    return tf.nest.map_structure(
        lambda x, spec: tf.ensure_shape(x[place], spec.shape),
        tf.nest.pack_sequence_as(self._specs, flat), self._specs)

  def _index(self, number: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the episodes' numbers, and their weights summed up."""
    names, ends = whole_files.read_tensors(
        self._path(_INDEX), [tf.int64, tf.float64], number)
    return names, ends

  def _seed_of(self, use: int, number: tf.Tensor) -> tf.Tensor:
    return rng.fold_in(rng.seed(self._seed, use), number)

  def _path(self, name: str) -> str:
    return os.path.join(self._directory, name)
