"""Random orders that are computed and not shuffled.

The place of an element follows from its position alone: nothing is buffered,
and the dataset has one source, a range. So the tf.data service can deal the
positions to many processes, each to one of them.
"""

from typing import Optional, Sequence

import numpy as np
import tensorflow as tf

_ENDLESS = 2**63 - 1


def numbers() -> tf.data.Dataset:
  """Returns a dataset of 0, 1, 2, ...; to be zipped.

  Each number goes to one process. Those of `Dataset.enumerate` do not: each
  process counts for itself.
  """
  return tf.data.Dataset.range(_ENDLESS)


def passes(count: int, seed: Optional[int], num_passes: Optional[int] = None
           ) -> tf.data.Dataset:
  """Returns a dataset of 0 .. count - 1, int64, in a new order in each pass.

  Args:
    count: numbers of a pass.
    seed: of the orders; it must be given.
    num_passes: None for no end.
  """
  if seed is None:
    raise ValueError('seed must be given for a random order.')

  def at(position: tf.Tensor) -> tf.Tensor:
    number, index = position // count, position % count
    return tf.random.experimental.index_shuffle(
        index, tf.stack([seed, tf.cast(number, tf.int32)]),
        tf.constant(count - 1, tf.int64))

  return tf.data.Dataset.range(
      _ENDLESS if num_passes is None else count * num_passes).map(at)


def spread(counts: Sequence[int], seed: int) -> tf.data.Dataset:
  """Returns an endless dataset of (group, member), int64, each once a pass.

  The members of a group are spread over the pass as evenly as can be: every
  stretch of the dataset has of each group its share of members, to within two.
  Which ones is random, and another in each pass.

  Args:
    counts: members of each group, at least one.
    seed: of the order.
  """
  groups = np.repeat(np.arange(len(counts)), counts)
  members = np.concatenate([np.arange(count) for count in counts])
  shift = np.random.default_rng(seed).uniform(size=len(counts))
  order = np.argsort((shift[groups] + members) / np.asarray(counts)[groups],
                     kind='stable')
  with tf.device('CPU:0'):
    groups, members, sizes = (
        tf.constant(x, tf.int64) for x in (groups[order], members[order],
                                           counts))
  num_groups, pass_length = len(counts), len(order)

  def at(position: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    number, index = position // pass_length, position % pass_length
    group = groups[index]
    own_seed = tf.cast(number * num_groups + group, tf.int32)
    return group, tf.random.experimental.index_shuffle(
        members[index], tf.stack([seed, own_seed]), sizes[group] - 1)

  return numbers().map(at)
