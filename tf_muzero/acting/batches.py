"""What a training is fed with: stored episodes and fresh ones."""

import contextlib
import functools
import os
from typing import Any, Iterator, NamedTuple, Optional, Union

from absl import logging
import tensorflow as tf

from tf_muzero import paths
from tf_muzero.acting import actor_processes
from tf_muzero.acting import episode_log
from tf_muzero.acting import interaction as interaction_lib
from tf_muzero.acting import keeping
from tf_muzero.acting import rehearsal
from tf_muzero.acting import replay
from tf_muzero.data import episodes as episodes_lib
from tf_muzero.data import skipping
from tf_muzero.keras2 import keras
from tf_muzero.learning import callbacks as callbacks_lib
from tf_muzero.learning import checkpoints
from tf_muzero.learning import feeding
from tf_muzero.learning import positions
from tf_muzero.networks.agent import Agent
from tf_muzero.networks.agent import PlanningModel
from tf_muzero.networks.contract import Network
from tf_muzero.reanalyse import mixing
from tf_muzero.reanalyse import offline
from tf_muzero.reanalyse import on_device
from tf_muzero.reanalyse import pipeline
from tf_muzero.reanalyse import service as service_lib
from tf_muzero.reanalyse import store as store_lib
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
    deterministic: see `pipeline.searched_segments`.
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

  @property
  def searches_per_window(self) -> float:
    """States that are searched for each window, in the mean."""
    stored = self.reanalyse.searches_per_window(self.unroll_steps)
    # Each state that is played is searched once, to act.
    fresh = 1.0 / self.interaction.sample_reuse if self.interaction else 0.0
    return self.fraction * stored + (1.0 - self.fraction) * fresh

  @contextlib.contextmanager
  def served(self, is_needed: bool) -> Iterator[Optional[service_lib.Service]]:
    """Gives the service when it answers; ends all processes of the feed.

    Args:
      is_needed: whether anything will be asked of it.
    """
    service: Any = contextlib.nullcontext()
    if self.service and is_needed:
      service = service_lib.connected(self.service, self.deterministic)
    with actor_processes.scope(), service as connected:
      yield connected

  def has_position(self, strategy: tf.distribute.Strategy) -> bool:
    """Returns whether the position in the data can be saved and restored."""
    return not self.service and not feeding.has_several_hosts(strategy)

  def order(self, strategy: tf.distribute.Strategy) -> dict[str, Any]:
    """Returns what the order of the data depends on, see `positions`."""
    return positions.describe(
        **self._asdict(),  # pylint: disable=no-member
        replicas=strategy.num_replicas_in_sync)

  def passes(self, num_steps: int) -> Optional[float]:
    """Returns how often so many learner steps learn from each transition.

    None where others are learned from too.
    """
    if self.fraction < 1.0:
      return None
    # A window starts at each transition.
    return round(num_steps * self.batch_size / self.source.num_steps, 1)

  def tell(self) -> None:
    """Logs what happens before the first step, which may take minutes."""
    todo = []
    if self.fraction:
      todo.append('compiled: the search, of '
                  f'{self.reanalyse.states_per_search(self.unroll_steps)} '
                  'states at once')
      todo.append(f'searched: {self.reanalyse.store_windows} windows of stored '
                  'data')
    if self.interaction and self.fraction < 1.0:
      todo.append(f'played: {self.interaction.store_windows} windows of fresh '
                  'episodes')
    many = self.unroll_steps > rehearsal.MANY_STEPS
    todo.append(f'compiled: the train step, which unrolls {self.unroll_steps} '
                'steps' + ' (many: this takes minutes)' * many)
    logging.info('Before the first step. %s.', '; '.join(todo))
    if self.agent.value_prefix:
      self.agent.value_prefix.compare(self.unroll_steps)

  def publishing(self, every: int, run_directory: str, network: Network,
                 is_chief: bool) -> list[keras.callbacks.Callback]:
    """Returns what gives the searches on hosts their weights, if there are any.

    Args:
      every: learner steps.
      run_directory: of the run.
      network: that searches.
      is_chief: whether this process writes the run's files.
    """
    return [] if self.reanalyse.placement == 'device' else [
        callbacks_lib.PublishSnapshots(
            every, _snapshots_in(run_directory), lambda: network, is_chief)]

  def store(self, strategy: tf.distribute.Strategy, run_directory: str,
            service: Optional[service_lib.Service], start: checkpoints.Start,
            compute_dtype: str, learner_fn: on_device.LearnerFn
            ) -> store_lib.Store:
    """Returns what windows are drawn from: to be filled, or as it was saved.

    Args:
      strategy: that trains.
      run_directory: where snapshots are, and what is skipped or played is told.
      service: that searches stored states; None for this process.
      start: where training starts.
      compute_dtype: of the network, where devices search.
      learner_fn: says what they search with.
    """
    index, num_hosts = feeding.host_of(strategy)
    seed = start.data_seed(self.seed)
    made = _Makers(self, run_directory, service, start)
    num_stored = mixing.count_reanalysed(self.fraction, self.batch_size)
    if self.fraction < 1.0:
      _check_players(strategy, self.fraction)
    sources = []
    if num_stored:
      segments, spec = feeding.distribute(strategy, made.stored, seed)
      sources.append(store_lib.Source(
          segments, spec, num_stored,
          -(-self.reanalyse.store_windows // num_hosts),
          self.reanalyse.sample_reuse, self._search_fn(
              strategy, spec, seed, compute_dtype, learner_fn)))
    if self.interaction and num_stored < self.batch_size:
      sources.append(store_lib.Source(
          *feeding.distribute(strategy, functools.partial(
              made.fresh, self.interaction), seed),
          self.batch_size - num_stored, self.interaction.store_windows,
          self.interaction.sample_reuse))
    store = store_lib.Store(
        sources, self.reanalyse.cutting(
            self.agent, self.unroll_steps, self.keep_observations), seed=seed,
        strategy=strategy, host=(index, num_hosts))
    checkpoints.restore_position(store, start)
    return store

  def _search_fn(self, strategy, spec, seed, compute_dtype, learner_fn
                 ) -> Optional[store_lib.SearchFn]:
    """Returns what searches on devices, None where hosts do."""
    if self.reanalyse.placement != 'device':
      return None
    return on_device.make_search_fn(
        strategy, self.reanalyse, self.agent, self.source.spec,
        self.agent.make_network(
            self.source.spec, self.source.num_steps, compute_dtype),
        learner_fn, num_segments=spec.reward.shape[0],
        unroll_steps=self.unroll_steps, seed=seed)


class _Makers:
  """Makes what the pipelines of a feed deliver."""

  def __init__(self, feed: Feed, run_directory: str,
               service: Optional[service_lib.Service],
               start: checkpoints.Start):
    """Creates them; for the arguments see `Feed.store`."""
    self._feed = feed
    # Absolute, for processes of a service that were started elsewhere.
    self._directory = paths.absolute(run_directory)
    self._service = service
    self._start = start
    self._memory: Optional[replay.Replay] = None

  def stored(self, share: feeding.Share) -> tf.data.Dataset:
    """Returns batches of segments of stored episodes, searched on hosts."""
    feed, service = self._feed, self._service
    if service and share.shard != (0, 1):
      service.stop_counting()
    segments: Any = None
    if isinstance(feed.source, episodes_lib.Dataset):
      segments = offline.segments(
          feed.source, feed.agent, feed.reanalyse,
          unroll_steps=feed.unroll_steps, seed=share.seed, shard=share.shard,
          notes=skipping.notes_of(self._directory), dealt=bool(service))
    if feed.interaction and feed.interaction.sources and feed.fraction < 1.0:
      self._memory = replay.Replay(
          feed.interaction.sources, stride=feed.reanalyse.windows_per_segment,
          length=feed.reanalyse.segment_length(feed.unroll_steps),
          frame_stack=feed.agent.frame_stack, spec=feed.source.spec,
          seed=share.seed, shared_directory=os.path.join(
              self._directory, 'replay' + _own(share)) if service else '',
          keep_episodes=feed.interaction.keep_episodes)
      segments = self._memory.segments(segments)
    if feed.reanalyse.placement == 'device':
      segments = segments.batch(
          feed.reanalyse.segments_per_search, drop_remainder=True)
      if not feed.deterministic:
        segments = segments.prefetch(1)
    else:
      segments = pipeline.searched_segments(
          segments, feed.reanalyse, *self._planning, seed=share.seed,
          deterministic=feed.deterministic, service=service)
    return pipeline.on_demand(segments, feed.deterministic)

  def fresh(self, interaction: interaction_lib.Interaction,
            share: feeding.Share) -> tf.data.Dataset:
    """Returns batches of segments of fresh episodes, a segment per replica."""
    feed = self._feed
    log, kept = _records_of(interaction, feed.source.spec, self._directory,
                            _own(share), self._start)
    listeners = [log.write, *([kept.write] if kept else [])]
    if self._memory:
      self._memory.restore(
          self._start.step, kept.episodes() if kept else [])
      listeners.append(self._memory.add)
    planning_model, directory, shapes = self._planning
    return pipeline.on_demand(interaction_lib.fresh_segments(
        interaction, feed.reanalyse, feed.agent, planning_model,
        feed.source.spec, directory, shapes, unroll_steps=feed.unroll_steps,
        num_segments=share.num_replicas, seed=share.seed,
        deterministic=feed.deterministic, first_round=log.first_round,
        listeners=listeners), feed.deterministic)

  @functools.cached_property
  def _planning(self) -> tuple[PlanningModel, str, list[tf.TensorShape]]:
    """What searches on hosts, and where its weights come from."""
    # The data's own network, outside of any strategy: only its graph is used.
    source, agent = self._feed.source, self._feed.agent
    network = agent.make_network(source.spec, source.num_steps)
    return (agent.plan_with(network, source.spec),
            _snapshots_in(self._directory),
            [v.shape for v in network.variables])


def _snapshots_in(run_directory: str) -> str:
  return os.path.join(run_directory, 'snapshots')


def _own(share: feeding.Share) -> str:
  """Returns what the names of a pipeline's own files end in."""
  return f'-{share.shard[0]}' if share.shard[0] else ''


def _check_players(strategy: tf.distribute.Strategy, fraction: float) -> None:
  if isinstance(
      strategy, tf.distribute.TPUStrategy) and strategy.extended.num_hosts > 1:
    raise ValueError(
        'reanalyse_fraction must be 1.0 where several hosts have TPUs, got '
        f'{fraction}: Python plays, and runs on one of them only.')


def _records_of(
    interaction: interaction_lib.Interaction, spec: EnvironmentSpec,
    run_directory: str, own: str, start: checkpoints.Start
    ) -> tuple[episode_log.EpisodeLog, Optional[keeping.Kept]]:
  """Returns what tells of played episodes, and what keeps them."""
  log = episode_log.EpisodeLog(os.path.join(
      run_directory, f'interaction{own}.jsonl'), start.lost_at)
  return log, keeping.Kept(
      os.path.join(run_directory, f'played{own}'), spec, task=interaction.task,
      action_repeat=interaction.action_repeat,
      clip_rewards=interaction.clip_rewards,
      max_episodes=interaction.keep_episodes
      ) if interaction.keep_episodes else None
