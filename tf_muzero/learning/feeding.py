"""Segments for every input pipeline: one in all, or one on each host."""

from typing import Any, Callable, NamedTuple

import tensorflow as tf

from tf_muzero import rng
from tf_muzero.types import Nest


class Share(NamedTuple):
  """What one of several input pipelines makes.

  Attributes:
    shard: (index of the pipeline, number of pipelines); of the stored episodes.
    num_replicas: among which it divides each batch of segments.
    seed: of everything random in it.
  """
  shard: tuple[int, int]
  num_replicas: int
  seed: int


class Fed(NamedTuple):
  """Segments as a store takes them.

  Attributes:
    segments: batches of all replicas of this host, or distributed ones.
    spec: of what a replica gets of a batch.
  """
  segments: Any
  spec: Nest


def has_several_hosts(strategy: tf.distribute.Strategy) -> bool:
  """Returns whether TensorFlow may give each host a pipeline of its own."""
  return isinstance(strategy, (tf.distribute.TPUStrategy,
                               tf.distribute.MultiWorkerMirroredStrategy))


def host_of(strategy: tf.distribute.Strategy) -> tuple[int, int]:
  """Returns (index, number) of the processes that train, of which each has a
  store. One process has all TPUs.
  """
  num_replicas = strategy.num_replicas_in_sync
  if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
    return 0, 1
  here = strategy.experimental_local_results(strategy.run(
      lambda: tf.distribute.get_replica_context().replica_id_in_sync_group))
  return int(here[0]) // len(here), num_replicas // len(here)


def local_replicas(strategy: tf.distribute.Strategy) -> int:
  """Returns how many replicas share the batches of this process."""
  return strategy.num_replicas_in_sync // host_of(strategy)[1]


def distribute(strategy: tf.distribute.Strategy,
               segments_fn: Callable[[Share], tf.data.Dataset], seed: int
               ) -> Fed:
  """Returns batches of segments as a store takes them under this strategy.

  Where several hosts train, each makes what its replicas learn from, of its own
  shard of the stored episodes.

  Args:
    strategy: that trains.
    segments_fn: what one pipeline makes -> its endless batches.
    seed: of everything random.
  """
  num_replicas = strategy.num_replicas_in_sync
  if isinstance(strategy, tf.distribute.TPUStrategy):
    return _distribute_to_tpus(strategy, segments_fn, seed)
  index, num_hosts = host_of(strategy)
  local = num_replicas // num_hosts
  segments = segments_fn(share_of(index, num_hosts, local, seed))
  return Fed(segments, _spec_of_share(segments.element_spec, local))


def share_of(index: int, num_pipelines: int, num_replicas: int, seed: int
             ) -> Share:
  """Returns what pipeline number `index` makes, for so many replicas."""
  return Share((index, num_pipelines), num_replicas, seed if num_pipelines == 1
               else rng.derive(seed, 0, index))


def _distribute_to_tpus(strategy, segments_fn, seed) -> Fed:
  specs = []

  def dataset_fn(context: tf.distribute.InputContext) -> tf.data.Dataset:
    num = context.num_input_pipelines
    local = context.num_replicas_in_sync // num
    segments = segments_fn(share_of(
        context.input_pipeline_id, num, local, seed))
    specs.append(_spec_of_share(segments.element_spec, local))
    return segments if local == 1 else segments.rebatch(
        tf.nest.flatten(specs[0])[0].shape[0], drop_remainder=True)

  return Fed(strategy.distribute_datasets_from_function(dataset_fn), specs[0])


def _spec_of_share(spec: Nest, num_replicas: int) -> Nest:
  """Returns the spec of a replica's part of a batch of segments."""
  size = tf.nest.flatten(spec)[0].shape[0]
  if size % num_replicas:
    raise ValueError(f'segments_per_search must be a multiple of the '
                     f'{num_replicas} replicas that train here, got {size}.')
  return tf.nest.map_structure(lambda x: tf.TensorSpec(
      [size // num_replicas, *x.shape[1:]], x.dtype), spec)
