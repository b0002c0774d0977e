"""Batches for every input pipeline: one in all, or one on each host."""

from typing import Callable, NamedTuple

import tensorflow as tf

from tf_muzero import rng
from tf_muzero.reanalyse import mixing


class Share(NamedTuple):
  """What one of several input pipelines makes of each batch.

  Attributes:
    shard: (index of the pipeline, number of pipelines); of the stored episodes.
    batch_size: windows that it makes of a batch.
    fraction: share of its windows that are reanalysed. Over all pipelines a
      batch has exactly round(f B).
    seed: of everything random in it.
  """
  shard: tuple[int, int]
  batch_size: int
  fraction: float
  seed: int


# What one pipeline makes -> its endless batches of `Window`s.
BatchesFn = Callable[[Share], tf.data.Dataset]


def share_of(index: int, num_pipelines: int, whole: Share) -> Share:
  """Returns what pipeline number `index` makes of the whole."""
  if num_pipelines == 1:
    return whole
  if whole.batch_size % num_pipelines:
    raise ValueError(f'batch_size must be a multiple of the {num_pipelines} '
                     f'hosts that train, got {whole.batch_size}.')
  size = whole.batch_size // num_pipelines
  total = mixing.count_reanalysed(whole.fraction, whole.batch_size)
  count = total * (index + 1) // num_pipelines - total * index // num_pipelines
  return Share((index, num_pipelines), size, count / size,
               rng.derive(whole.seed, 0, index))


def distribute(strategy: tf.distribute.Strategy, batches_fn: BatchesFn,
               whole: Share) -> tf.data.Dataset:
  """Returns the batches as `fit` takes them under this strategy.

  Where several hosts train, each makes its own part of every batch, of its own
  shard of the stored episodes.
  """
  if whole.batch_size % strategy.num_replicas_in_sync:
    raise ValueError(
        f'batch_size must be a multiple of the {strategy.num_replicas_in_sync} '
        f'replicas that train, got {whole.batch_size}.')
  is_tpu = isinstance(strategy, tf.distribute.TPUStrategy)
  if not is_tpu and not isinstance(
      strategy, tf.distribute.MultiWorkerMirroredStrategy):
    return batches_fn(whole)

  def dataset_fn(context: tf.distribute.InputContext) -> tf.data.Dataset:
    is_pod = is_tpu and context.num_input_pipelines > 1
    if is_pod and whole.fraction < 1.0:
      raise ValueError(
          'reanalyse_fraction must be 1.0 where several hosts have TPUs, got '
          f'{whole.fraction}: Python plays, and runs on one of them only.')
    share = share_of(
        context.input_pipeline_id, context.num_input_pipelines, whole)
    batches = batches_fn(share)
    size = context.get_per_replica_batch_size(whole.batch_size)
    return batches if size == share.batch_size else batches.rebatch(
        size, drop_remainder=True)

  return strategy.distribute_datasets_from_function(dataset_fn)
