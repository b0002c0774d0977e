"""A dataset of episodes in, searched windows to learn from out."""

from typing import Any

import tensorflow as tf

from tf_muzero.data import layout
from tf_muzero.data import memory
from tf_muzero.data import segments as segments_lib
from tf_muzero.data.dataset import Dataset
from tf_muzero.networks.agent import Agent
from tf_muzero.networks.contract import Network
from tf_muzero.reanalyse import pipeline

# Segments of games come from so many in turns; an average one has 7 MB of
# frames, the longest one 190 MB. Episodes of control tasks are of equal length
# and have few segments: taken in turns, all first ones would come, then all
# second ones, and what is learned from would swing between them.
_GAMES_AT_ONCE = 8


def windows(dataset: Dataset, agent: Agent, network: Network,
            reanalyse: pipeline.Reanalyse, snapshot_directory: str, *,
            unroll_steps: int, keep_observations: bool = False, seed: int = 0,
            deterministic: bool = False) -> tf.data.Dataset:
  """Returns an endless dataset of `Window`s; batch it and learn from it.

  Every state is searched with the newest weights that `snapshots.publish` wrote
  into the directory, so publish once before the first window is asked for.

  Args:
    dataset: see `episodes.open_dataset`.
    agent: what the network's outputs mean.
    network: of this agent and dataset, created outside of any strategy; only
      its graph is used.
    reanalyse: how stored data becomes targets.
    snapshot_directory: where weights are published.
    unroll_steps: K.
    keep_observations: whether windows have the observations of all K + 1
      states, as a loss of reconstruction needs them.
    seed: of the order and of the searches.
    deterministic: see `pipeline.reanalysed_windows`.
  """
  return pipeline.reanalysed_windows(
      segments(dataset, agent, reanalyse, unroll_steps=unroll_steps, seed=seed),
      reanalyse, agent.plan_with(network, dataset.spec), snapshot_directory,
      [v.shape for v in network.variables], unroll_steps=unroll_steps,
      discount=agent.discount, keep_observations=keep_observations, seed=seed,
      deterministic=deterministic)


def segments(dataset: Dataset, agent: Agent, reanalyse: pipeline.Reanalyse, *,
             unroll_steps: int, seed: int, **reading: Any) -> tf.data.Dataset:
  """Returns an endless dataset of `Segment`s, in random order.

  Args:
    dataset: of episodes.
    agent: whose stack of frames counts.
    reanalyse: which segments it searches.
    unroll_steps: K.
    seed: of the order.
    **reading: see `memory.episodes`.
  """
  return segments_lib.segments(
      memory.episodes(dataset, seed=seed, repeat=True, **reading),
      windows_per_segment=reanalyse.windows_per_segment,
      unroll_steps=unroll_steps, td_steps=reanalyse.td_steps,
      frame_stack=agent.frame_stack, seed=seed,
      shuffle_segments=reanalyse.shuffle_segments, episodes_at_once=(
          _GAMES_AT_ONCE if layout.is_image(dataset.spec.observation) else 1))
