"""Batches of training windows: of stored episodes and of fresh ones."""

import os
from typing import Optional, Union

import tensorflow as tf

from tf_muzero.acting import interaction as interaction_lib
from tf_muzero.data import episodes as episodes_lib
from tf_muzero.data import layout
from tf_muzero.data import memory
from tf_muzero.data import segments as segments_lib
from tf_muzero.data import skipping
from tf_muzero.learning import feeding
from tf_muzero.networks.agent import Agent
from tf_muzero.reanalyse import mixing
from tf_muzero.reanalyse import pipeline
from tf_muzero.reanalyse import service as service_lib

# Segments of games come from so many in turns; an average one has 7 MB of
# frames, the longest one 190 MB. Episodes of control tasks are of equal length
# and have few segments: taken in turns, all first ones would come, then all
# second ones, and what is learned from would swing between them.
_GAMES_AT_ONCE = 8


def make_batches(
    source: Union[episodes_lib.Dataset, interaction_lib.Source], agent: Agent,
    reanalyse: pipeline.Reanalyse,
    interaction: Optional[interaction_lib.Interaction], run_directory: str,
    share: feeding.Share, *, deterministic: bool,
    service: Optional[service_lib.Service], lost_at: int = 0, **settings
    ) -> tf.data.Dataset:
  """Returns endless batches of windows, stored and fresh ones.

  Of segments, where devices search them.

  Args:
    source: a dataset, or an environment alone.
    agent: the network and what it means.
    reanalyse: how stored data becomes targets.
    interaction: how fresh episodes are played, if the share has any.
    run_directory: where snapshots are, and what is skipped or played is told.
    share: what of each batch is made here.
    deterministic: see `pipeline.reanalysed_windows`.
    service: that searches stored states; None for this process.
    lost_at: learner step at which a resumed run lost its position in the data.
    **settings: `unroll_steps` and `keep_observations` of the windows.
  """
  settings['seed'] = share.seed
  if service and share.shard != (0, 1):
    service.stop_counting()
  # The data's own network, outside of any strategy: only its graph is used.
  network = agent.make_network(source.spec, source.num_steps)
  planning_model = agent.plan_with(network, source.spec)
  snapshot_directory = os.path.join(run_directory, 'snapshots')
  shapes = [v.shape for v in network.variables]
  reanalysed = fresh = None
  if isinstance(source, episodes_lib.Dataset):
    segments = segments_lib.segments(
        memory.episodes(
            source, seed=share.seed, repeat=True, shard=share.shard,
            notes=skipping.notes_of(run_directory), dealt=bool(service)),
        windows_per_segment=reanalyse.windows_per_segment,
        unroll_steps=settings['unroll_steps'], td_steps=reanalyse.td_steps,
        frame_stack=agent.frame_stack, seed=settings['seed'],
        shuffle_segments=reanalyse.shuffle_segments, episodes_at_once=(
            _GAMES_AT_ONCE if layout.is_image(source.spec.observation) else 1))
    if reanalyse.placement == 'device':
      return pipeline.ahead(
          segments.batch(share.batch_size, drop_remainder=True), deterministic)
    reanalysed = pipeline.reanalysed_windows(
        segments, reanalyse, planning_model, snapshot_directory, shapes,
        discount=agent.discount, deterministic=deterministic, service=service,
        **settings)
  if interaction and share.fraction < 1.0:
    index = share.shard[0]
    fresh = interaction_lib.fresh_windows(
        interaction, reanalyse, agent, planning_model, source.spec,
        snapshot_directory, shapes, deterministic=deterministic,
        lost_at=lost_at, log_path=os.path.join(run_directory, (
            f'interaction-{index}.jsonl' if index else 'interaction.jsonl')),
        **settings)
  return pipeline.ahead(mixing.mix(
      reanalysed, fresh, share.fraction, share.batch_size), deterministic)
