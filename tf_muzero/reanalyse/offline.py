"""A dataset of episodes in, segments to be searched and their store out."""

import tensorflow as tf

from tf_muzero.data import episodes as episodes_lib
from tf_muzero.data import layout
from tf_muzero.data import memory
from tf_muzero.data import orders
from tf_muzero.data import segments as segments_lib
from tf_muzero.data.dataset import Dataset
from tf_muzero.networks.agent import Agent
from tf_muzero.networks.contract import Network
from tf_muzero.reanalyse import pipeline
from tf_muzero.reanalyse import store as store_lib
from tf_muzero.types import Segment

# Segments of games come from so many in turns; an average one has 7 MB of
# frames, the longest one 190 MB. Episodes of control tasks are of equal length
# and have few segments: taken in turns, all first ones would come, then all
# second ones, and what is learned from would swing between them.
_GAMES_AT_ONCE = 8


def store(dataset: Dataset, agent: Agent, network: Network,
          reanalyse: pipeline.Reanalyse, snapshot_directory: str, *,
          batch_size: int, unroll_steps: int, keep_observations: bool = False,
          seed: int = 0, deterministic: bool = False) -> store_lib.Store:
  """Returns a store that is filled with searched segments of a dataset.

  Every state is searched with the newest weights that `snapshots.publish` wrote
  into the directory, so publish once before the first window is asked for.

  Args:
    dataset: see `episodes.open_dataset`.
    agent: what the network's outputs mean.
    network: of this agent and dataset, created outside of any strategy; only
      its graph is used.
    reanalyse: how stored data becomes targets; what it leaves open suits the
      dataset's episodes, see `Reanalyse.fitted`.
    snapshot_directory: where weights are published.
    batch_size: windows that are drawn at once.
    unroll_steps: K.
    keep_observations: whether windows have the observations of all K + 1
      states, as a loss of reconstruction needs them.
    seed: of everything random.
    deterministic: see `pipeline.searched_segments`.
  """
  if not (reanalyse.windows_per_segment and reanalyse.segments_per_search):
    reanalyse = reanalyse.fitted(
        episodes_lib.lengths(dataset).tolist(), unroll_steps)
  searched = pipeline.on_demand(pipeline.searched_segments(
      segments(dataset, agent, reanalyse, unroll_steps=unroll_steps, seed=seed),
      reanalyse, agent.plan_with(network, dataset.spec), snapshot_directory,
      [v.shape for v in network.variables], seed=seed,
      deterministic=deterministic), deterministic)
  return store_lib.Store(
      [store_lib.Source(searched, searched.element_spec, batch_size,
                        reanalyse.store_windows, reanalyse.sample_reuse)],
      reanalyse.cutting(agent, unroll_steps, keep_observations), seed=seed)


def segments(dataset: Dataset, agent: Agent, reanalyse: pipeline.Reanalyse, *,
             unroll_steps: int, seed: int, shard: tuple[int, int] = (0, 1),
             notes: str = '', dealt: bool = False) -> tf.data.Dataset:
  """Returns an endless dataset of `Segment`s, in random order.

  From memory they come in an order in which the newest ones are always of all
  episodes alike, so that those that a store holds are, too. From files, the
  order is as random as a buffer of `shuffle_segments` makes it.

  Args:
    dataset: of episodes.
    agent: whose stack of frames counts.
    reanalyse: which segments it searches.
    unroll_steps: K.
    seed: of the order.
    shard: see `episodes.episodes`.
    notes: likewise.
    dealt: see `memory.hold`.
  """
  stride = reanalyse.windows_per_segment
  held = memory.hold(dataset, shard, notes, dealt)
  if held:
    length = reanalyse.segment_length(unroll_steps)
    def cut(episode: tf.Tensor, number: tf.Tensor) -> Segment:
      return tf.nest.map_structure(
          lambda x: x[0], segments_lib.cut_at(
              held.take(episode), tf.cast([number], tf.int32) * stride, length,
              agent.frame_stack))
    return orders.spread(
        [segments_lib.count(x, stride) for x in held.lengths], seed).map(cut)
  return segments_lib.segments(
      episodes_lib.episodes(dataset, seed=seed, repeat=True, shard=shard,
                            notes=notes, dealt=dealt),
      windows_per_segment=stride, unroll_steps=unroll_steps,
      td_steps=reanalyse.td_steps, frame_stack=agent.frame_stack, seed=seed,
      shuffle_segments=reanalyse.shuffle_segments, episodes_at_once=(
          _GAMES_AT_ONCE if layout.is_image(dataset.spec.observation) else 1))
