"""Vectors held in memory, decoded once; what does not fit is streamed.

Most of the work of reading `rlu_control_suite` is to parse and inflate a string
for each entry of each observation. The largest task has 1.1 GB of numbers.
"""

import dataclasses
from typing import Optional, Sequence

from absl import logging
import numpy as np
import tensorflow as tf

from tf_muzero.data import episodes as episodes_lib
from tf_muzero.data import files
from tf_muzero.data import layout
from tf_muzero.types import Episode

_MOST_TRAVELLING = 64 * 2**20  # Bytes.


class Held:
  """Episodes in memory.

  Attributes:
    lengths: records of each episode.
  """

  def __init__(self, episodes_: Sequence[Episode]):
    """Copies episodes, NumPy."""
    self.lengths = [len(episode.reward) for episode in episodes_]
    stops = np.cumsum(self.lengths)
    with tf.device('CPU:0'):
      self._records = Episode(
          *(tf.constant(np.concatenate(x)) for x in zip(*episodes_)))
      self._starts = tf.constant(stops - self.lengths)
      self._stops = tf.constant(stops)

  def take(self, number: tf.Tensor) -> Episode:
    """Returns an episode, in a graph."""
    return tf.nest.map_structure(
        lambda x: x[self._starts[number]:self._stops[number]], self._records)


def hold(dataset: episodes_lib.Dataset, shard: tuple[int, int] = (0, 1),
         notes: str = '', dealt: bool = False) -> Optional[Held]:
  """Returns the good episodes in memory, None if they do not fit there.

  Args:
    dataset: what to read; its `reading` says what fits.
    shard: see `episodes.episodes`.
    notes: likewise.
    dealt: likewise. What is held travels in the graph then, to each process,
      and is not more than 64 MiB.
  """
  held = _load(
      dataclasses.replace(dataset, parts=files.shard(dataset.parts, *shard)),
      notes, _MOST_TRAVELLING if dealt else 2**63)
  if held is not None:
    return Held(held)
  if dealt and dataset.elements is not None:
    raise ValueError(
        'The processes of a service share files, and a tf.data.Dataset has '
        f'none; only what fits in {_MOST_TRAVELLING // 2**20} MiB of memory is '
        'sent to them. Search in the training process '
        "(pipeline.Reanalyse.service = ''), or write the episodes to files.")
  return None


def _load(dataset: episodes_lib.Dataset, notes: str, most: int
          ) -> Optional[list[Episode]]:
  """Returns all good episodes; None if they are frames or do not fit."""
  left = min(dataset.reading.memory_mib * 2**20, most)
  if not left or layout.is_image(dataset.spec.observation):
    return None
  held = []
  for episode in episodes_lib.iterate(dataset, notes):
    left -= sum(x.nbytes for x in episode)
    if left < 0:
      logging.info('%s does not fit in %d MiB: it is streamed.', dataset.name,
                   min(dataset.reading.memory_mib, most // 2**20))
      return None
    held.append(episode)
  if not held:
    raise ValueError(f'{dataset.place!r} has not one good episode.')
  return held
