"""Tiny settings of reanalysis, and networks that tell actions apart."""

import functools

import tensorflow as tf

from tf_muzero.keras2 import keras
from tf_muzero.reanalyse import improvement
from tf_muzero.reanalyse import pipeline
from tf_muzero.reanalyse import value_targets
from tf_muzero.search import mcts


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
      'sample_reuse': 1, 'shuffle_windows': 1, 'parallel_searches': 1,
      'host_jit': False, **changes})


def shake(network: keras.Model) -> None:
  """Moves all weights a little: heads start at zero, where all is equal."""
  for variable in network.trainable_variables:
    variable.assign_add(0.3 * tf.random.stateless_normal(
        variable.shape, [1, 2]))
