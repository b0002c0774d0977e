"""Batches of training windows: of stored episodes and of fresh ones."""

import functools
import os
from typing import Any, Callable, NamedTuple, Optional, Union

from absl import logging
import tensorflow as tf

from tf_muzero.acting import episode_log
from tf_muzero.acting import interaction as interaction_lib
from tf_muzero.acting import keeping
from tf_muzero.acting import rehearsal
from tf_muzero.acting import replay
from tf_muzero.data import episodes as episodes_lib
from tf_muzero.data import skipping
from tf_muzero.learning import checkpoints
from tf_muzero.learning import feeding
from tf_muzero.learning import positions
from tf_muzero.networks.agent import Agent
from tf_muzero.reanalyse import mixing
from tf_muzero.reanalyse import offline
from tf_muzero.reanalyse import on_device
from tf_muzero.reanalyse import pipeline
from tf_muzero.reanalyse import service as service_lib
from tf_muzero.types import EnvironmentSpec


class Feed(NamedTuple):
  """What a training is fed with.

  Attributes:
    source: a dataset, or an environment alone.
    agent: the network and what it means.
    reanalyse: how stored data becomes targets.
    interaction: how fresh episodes are played, if there are any.
    fraction: share of the windows that come from stored data.
    batch_size: windows per learner step, over all replicas.
    unroll_steps: K.
    keep_observations: whether windows have the observations of all steps.
    deterministic: see `pipeline.reanalysed_windows`.
    seed: of everything random in the data.
  """
  source: Union[episodes_lib.Dataset, interaction_lib.Source]
  agent: Agent
  reanalyse: pipeline.Reanalyse
  interaction: Optional[interaction_lib.Interaction]
  fraction: float
  batch_size: int
  unroll_steps: int
  keep_observations: bool
  deterministic: bool
  seed: int

  @property
  def service(self) -> str:
    """The setting of the service that searches, '' for none."""
    return self.reanalyse.service if self.fraction else ''

  def connect(self) -> Optional[service_lib.Service]:
    """Returns the service, when it answers."""
    return service_lib.connect(self.service, self.deterministic)

  def order(self) -> dict[str, Any]:
    """Returns what the order of the data depends on, see `positions`."""
    return positions.describe(**self._asdict())  # pylint: disable=no-member

  def windows(self, strategy: tf.distribute.Strategy, run_directory: str,
              service: Optional[service_lib.Service],
              start: checkpoints.Start) -> tf.data.Dataset:
    """Returns what `fit` takes; of segments, where devices search them.

    Args:
      strategy: that trains.
      run_directory: see `make_batches`.
      service: likewise.
      start: where training starts.
    """
    return feeding.distribute(strategy, functools.partial(
        make_batches, self.source, self.agent, self.reanalyse,
        self.interaction, run_directory, service=service,
        start=start, deterministic=self.deterministic,
        unroll_steps=self.unroll_steps,
        keep_observations=self.keep_observations), feeding.Share(
            (0, 1),
            on_device.feed_size(strategy, self.reanalyse, self.batch_size),
            self.fraction, start.data_seed(self.seed)))

  def tell(self) -> None:
    """Logs what happens before the first step, which may take minutes."""
    todo = []
    if self.fraction:
      todo.append('compiled: the search, of '
                  f'{self.reanalyse.states_per_search(self.unroll_steps)} '
                  'states at once')
      todo.append(f'filled: a buffer of {self.reanalyse.shuffle_windows} '
                  'windows of stored data')
    if self.interaction and self.fraction < 1.0:
      todo.append(f'played: {self.interaction.shuffle_windows} windows of '
                  'fresh episodes')
    many = self.unroll_steps > rehearsal.MANY_STEPS
    todo.append(f'compiled: the train step, which unrolls {self.unroll_steps} '
                'steps' + ' (many: this takes minutes)' * many)
    logging.info('Before the first step. %s.', '; '.join(todo))

  def device_reanalyse(
      self, strategy: tf.distribute.Strategy, compute_dtype: str,
      learner_fn: Callable, start: checkpoints.Start
      ) -> Optional[on_device.DeviceReanalyse]:
    """Returns what searches on devices, None where hosts do.

    Args:
      strategy: that trains.
      compute_dtype: of the network.
      learner_fn: see `on_device.DeviceReanalyse`.
      start: where training starts.
    """
    if self.reanalyse.placement != 'device':
      return None
    return on_device.DeviceReanalyse(
        strategy, self.reanalyse, self.agent, self.source.spec,
        self.agent.make_network(
            self.source.spec, self.source.num_steps, compute_dtype),
        learner_fn, batch_size=self.batch_size, unroll_steps=self.unroll_steps,
        keep_observations=self.keep_observations,
        seed=start.data_seed(self.seed))


def make_batches(
    source: Union[episodes_lib.Dataset, interaction_lib.Source], agent: Agent,
    reanalyse: pipeline.Reanalyse,
    interaction: Optional[interaction_lib.Interaction], run_directory: str,
    share: feeding.Share, *, deterministic: bool,
    service: Optional[service_lib.Service],
    start: checkpoints.Start = checkpoints.Start('', 0, ''), **settings
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
    start: where training starts.
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
  segments = reanalysed = fresh = None
  if isinstance(source, episodes_lib.Dataset):
    segments = offline.segments(
        source, agent, reanalyse, unroll_steps=settings['unroll_steps'],
        seed=share.seed, shard=share.shard,
        notes=skipping.notes_of(run_directory), dealt=bool(service))
    if reanalyse.placement == 'device':
      return pipeline.ahead(
          segments.batch(share.batch_size, drop_remainder=True), deterministic)
  if interaction and share.fraction < 1.0:
    log, kept = _records_of(
        interaction, source.spec, run_directory, share.shard[0], start)
    listeners = [log.write, *([kept.write] if kept else [])]
    if interaction.sources and share.fraction:
      memory = replay.Replay(
          interaction.sources, stride=reanalyse.windows_per_segment,
          length=reanalyse.segment_length(settings['unroll_steps']),
          frame_stack=agent.frame_stack, seed=share.seed)
      memory.restore(start.step, kept.episodes() if kept else [])
      listeners.append(memory.add)
      segments = memory.segments(source.spec, segments)
    fresh = interaction_lib.fresh_windows(
        interaction, reanalyse, agent, planning_model, source.spec,
        snapshot_directory, shapes, deterministic=deterministic,
        first_round=log.first_round, listeners=listeners, **settings)
  if segments is not None:
    reanalysed = pipeline.reanalysed_windows(
        segments, reanalyse, planning_model, snapshot_directory, shapes,
        discount=agent.discount, deterministic=deterministic, service=service,
        **settings)
  return pipeline.ahead(mixing.mix(
      reanalysed, fresh, share.fraction, share.batch_size), deterministic)


def _records_of(
    interaction: interaction_lib.Interaction, spec: EnvironmentSpec,
    run_directory: str, index: int, start: checkpoints.Start
    ) -> tuple[episode_log.EpisodeLog, Optional[keeping.Kept]]:
  """Returns what tells of played episodes, and what keeps them."""
  own = f'-{index}' if index else ''
  log = episode_log.EpisodeLog(os.path.join(
      run_directory, f'interaction{own}.jsonl'), start.lost_at)
  return log, keeping.Kept(
      os.path.join(run_directory, f'played{own}'), spec, task=interaction.task,
      action_repeat=interaction.action_repeat,
      clip_rewards=interaction.clip_rewards,
      max_episodes=interaction.keep_episodes
      ) if interaction.keep_episodes else None
