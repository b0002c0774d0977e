"""Segments in, batches of training windows out: one `tf.data` graph."""

import dataclasses
from typing import Callable

import tensorflow as tf

from tf_muzero import rng
from tf_muzero.networks.agent import PlanningModel
from tf_muzero.reanalyse import snapshots
from tf_muzero.reanalyse import windows as windows_lib
from tf_muzero.types import Improved
from tf_muzero.types import SearchFn
from tf_muzero.types import Window


@dataclasses.dataclass(frozen=True)
class Reanalyse:
  """How stored data becomes targets.

  Attributes:
    improvement_fn: see `improvement`.
    value_target_fn: see `value_targets`.
    search_fn: such as `mcts.search`, its settings bound.
    td_steps: n, steps that a value target looks ahead.
    windows_per_segment: L. A segment has L + K + n states, each searched once,
      and gives L windows: (L + K + n) / L searches per window.
    segments_per_search: G; a search has G (L + K + n) roots.
    sample_reuse: how often each window is trained on.
    shuffle_windows: size of the shuffle buffer, in windows.
    parallel_searches: map calls that run at the same time; 0 lets tf.data
      choose.
    host_jit: whether XLA compiles the search; off where TensorFlow has no XLA
      for the host, as on TPU machines.
  """
  improvement_fn: Callable[..., Improved]
  value_target_fn: Callable[..., tf.Tensor]
  search_fn: SearchFn
  td_steps: int
  windows_per_segment: int
  segments_per_search: int
  sample_reuse: int
  shuffle_windows: int
  parallel_searches: int
  host_jit: bool

  def __post_init__(self):
    for name, low in (('td_steps', 0), ('windows_per_segment', 1),
                      ('segments_per_search', 1), ('sample_reuse', 1),
                      ('shuffle_windows', 1), ('parallel_searches', 0)):
      if getattr(self, name) < low:
        raise ValueError(
            f'{name} must be >= {low}, got {getattr(self, name)}.')


def reanalysed_windows(
    segments: tf.data.Dataset, reanalyse: Reanalyse,
    planning_model: PlanningModel, snapshot_directory: str,
    parameter_shapes: list[tf.TensorShape], *, unroll_steps: int,
    discount: float, keep_observations: bool, seed: int, deterministic: bool
) -> tf.data.Dataset:
  """Returns a dataset of shuffled `Window`s with targets of the newest weights.

  Args:
    segments: dataset of `Segment`, endless, in random order.
    reanalyse: how.
    planning_model: the network.
    snapshot_directory: where the trainer publishes its parameters.
    parameter_shapes: of a snapshot.
    unroll_steps: K.
    discount: the agent's, per decision.
    keep_observations: whether windows hold all T observations.
    seed: of the searches and of the shuffling.
    deterministic: serial, so that which snapshot a search sees depends on
      nothing but the learner's step.
  """

  @tf.function(jit_compile=reanalyse.host_jit)
  def improve(vector, segment_batch, search_seed):
    parameters = snapshots.unpack(vector, parameter_shapes)
    return reanalyse.improvement_fn(
        planning_model, reanalyse.search_fn, parameters, search_seed,
        segment_batch)

  def search(index, segment_batch) -> Window:
    step, vector = snapshots.read(snapshot_directory, index)
    improved = improve(vector, segment_batch, rng.fold_in(
        rng.seed(seed), tf.cast(index, tf.int32)))
    value_exists = segment_batch.is_state & ~windows_lib.absorbing(
        segment_batch)
    value = reanalyse.value_target_fn(
        segment_batch.reward, segment_batch.discount * discount,
        segment_batch.is_transition,
        tf.where(value_exists, improved.value, 0.0),
        tf.where(value_exists, improved.network_value, 0.0),
        reanalyse.td_steps)
    return windows_lib.cut(
        segment_batch, improved, value, step,
        windows_per_segment=reanalyse.windows_per_segment,
        unroll_steps=unroll_steps, keep_observations=keep_observations)

  dataset = segments.batch(reanalyse.segments_per_search, drop_remainder=True)
  dataset = dataset.enumerate().map(
      search, deterministic=deterministic, num_parallel_calls=(
          None if deterministic
          else reanalyse.parallel_searches or tf.data.AUTOTUNE))
  dataset = dataset.unbatch()
  if reanalyse.sample_reuse > 1:
    dataset = dataset.flat_map(
        lambda *window: tf.data.Dataset.from_tensors(Window(*window)).repeat(
            reanalyse.sample_reuse))
  return dataset.shuffle(
      reanalyse.shuffle_windows, seed=seed, reshuffle_each_iteration=False)


def batches(dataset: tf.data.Dataset, batch_size: int, deterministic: bool
            ) -> tf.data.Dataset:
  """Returns batches of windows, prefetched unless `deterministic`."""
  dataset = dataset.batch(batch_size, drop_remainder=True)
  if not deterministic:
    dataset = dataset.prefetch(8)
  options = tf.data.Options()
  options.deterministic = deterministic
  # Snapshots are files on purpose: a saved position need not hold them.
  options.experimental_external_state_policy = (
      tf.data.experimental.ExternalStatePolicy.IGNORE)
  if deterministic:
    # Nothing may be made ahead of the step that asks for it.
    options.autotune.enabled = False
    options.experimental_optimization.inject_prefetch = False
    options.experimental_optimization.map_parallelization = False
  return dataset.with_options(options)

