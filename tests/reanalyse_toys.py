"""Tiny settings of reanalysis, and networks that tell actions apart."""

import functools

import tensorflow as tf

from tf_muzero.keras2 import keras
from tf_muzero.reanalyse import improvement
from tf_muzero.reanalyse import pipeline
from tf_muzero.reanalyse import value_targets
from tf_muzero.reanalyse import windows as windows_lib
from tf_muzero.search import mcts
from tf_muzero.types import Searched
from tf_muzero.types import Window


def reanalyse(*, num_simulations: int, injected_prior: float = 0.25,
              **changes) -> pipeline.Reanalyse:
  """Returns settings that search few states, one search at a time."""
  return pipeline.Reanalyse(**{
      'improvement_fn': functools.partial(
          improvement.search_improvement, injected_prior=injected_prior),
      'value_target_fn': value_targets.td_search,
      'search_fn': functools.partial(
          mcts.search, num_simulations=num_simulations),
      'td_steps': 2, 'windows_per_segment': 9, 'segments_per_search': 2,
      'sample_reuse': 1, 'store_windows': 1, 'parallel_searches': 1,
      'host_jit': False, **changes})


def shake(network: keras.Model) -> None:
  """Moves all weights a little: heads start at zero, where all is equal."""
  for variable in network.trainable_variables:
    variable.assign_add(0.3 * tf.random.stateless_normal(
        variable.shape, [1, 2]))


def all_windows(searched: Searched, cutting: windows_lib.Cutting) -> Window:
  """Returns every window of searched segments, in their order."""
  length = searched.segment.reward.shape[1]
  rows = tf.nest.map_structure(
      lambda x: tf.reshape(x, [-1, *x.shape[2:]]),
      windows_lib.whole(searched, cutting.value_fn(searched)))
  segment, start = tf.unstack(tf.cast(tf.where(windows_lib.starts(
      searched.segment, cutting.windows_per_segment)), tf.int32), axis=1)
  return windows_lib.cut(
      rows, segment, start, length=length, unroll_steps=cutting.unroll_steps,
      frame_stack=searched.segment.observation.shape[1] - length + 1,
      keep_observations=cutting.keep_observations)


def one_by_one(searched: tf.data.Dataset, cutting: windows_lib.Cutting
               ) -> list[Window]:
  """Returns every window of a finite dataset, as NumPy."""
  found = []
  for element in searched:
    batch = tf.nest.map_structure(
        lambda x: x.numpy(), all_windows(element, cutting))
    found += [tf.nest.map_structure(lambda x, i=i: x[i], batch)
              for i in range(len(batch.value))]
  return found
