"""Segments in, searched segments out: one `tf.data` graph."""

import dataclasses
import functools
import math
from typing import Callable, Optional, Sequence

import tensorflow as tf

from tf_muzero import ranges
from tf_muzero import rng
from tf_muzero.data import orders
from tf_muzero.networks.agent import Agent
from tf_muzero.networks.agent import PlanningModel
from tf_muzero.reanalyse import service as service_lib
from tf_muzero.reanalyse import snapshots
from tf_muzero.reanalyse import timing
from tf_muzero.reanalyse import value_targets
from tf_muzero.reanalyse import windows as windows_lib
from tf_muzero.search import execution
from tf_muzero.types import Improved
from tf_muzero.types import SearchFn
from tf_muzero.types import Searched
from tf_muzero.types import Segment

_LONGEST = 125  # Windows of a segment that is fitted to the data.
_STATES = 600  # That are searched at once then: four segments of the longest.


@dataclasses.dataclass(frozen=True)
class Reanalyse:
  """How stored data becomes targets.

  Attributes:
    improvement_fn: see `improvement`.
    value_target_fn: see `value_targets`.
    search_fn: such as `mcts.search`, its settings bound.
    td_steps: n, steps that a value target looks ahead.
    windows_per_segment: L. A segment has L + K + n states, each searched once,
      and gives L windows: (L + K + n) / L searches per window. 0 for what suits
      the lengths of the stored episodes, see `fitted`.
    segments_per_search: G; a search has G (L + K + n) roots. 0 for about 600 of
      them.
    sample_reuse: windows that are trained on for each one that is searched.
    store_windows: windows that are held and drawn from, over all hosts, see
      `store`. The more, the older are the weights that made their targets.
    parallel_searches: map calls that run at the same time, in each process; 0
      lets tf.data choose. Processes of 'local:N' have one each.
    host_jit: whether XLA compiles the search; off where TensorFlow has no XLA
      for the host that searches, as on TPU machines.
    shuffle_segments: size of the shuffle buffer before the search, in segments;
      0 for none. Vectors that are held in memory need none, see
      `offline.segments`.
    placement: where searches run: `host`, here, or `device`, see `on_device`.
    service: where searches run: '' here, 'grpc://host:port' in the workers of
      that tf.data service, 'local:N' in N processes that are started for it.
    priority_exponent: alpha. Windows are drawn in proportion to |search value -
      value target| of their first state to the power of alpha, so that 0 draws
      all alike (Schaul et al. 2016 and MuZero, appendix G, recalled). Value
      targets that are the search's values themselves have no such difference.
    importance_exponent: beta. The loss of a window is multiplied by
      (N P)^-beta, where there are N of probability P, over the largest one of
      the replica's batch.
    shorten_every: learner steps of age for which a value target looks ahead one
      step less, down to one: the older an episode is, the less its actions are
      the present policy's (EfficientZero, section 4.3, recalled). 0 for never.
      Data that the run did not play is as old as can be.
  """
  improvement_fn: Callable[..., Improved]
  value_target_fn: Callable[..., tf.Tensor]
  search_fn: SearchFn
  td_steps: int
  windows_per_segment: int
  segments_per_search: int
  sample_reuse: int
  store_windows: int
  parallel_searches: int
  host_jit: bool
  shuffle_segments: int = 0
  placement: str = 'host'
  service: str = ''
  priority_exponent: float = 0.0
  importance_exponent: float = 0.0
  shorten_every: int = 0

  def __post_init__(self):
    for low, names in (
        (0, ('td_steps', 'windows_per_segment', 'segments_per_search',
             'parallel_searches', 'shuffle_segments', 'priority_exponent',
             'importance_exponent', 'shorten_every')),
        (1, ('sample_reuse', 'store_windows'))):
      ranges.at_least(low, **{name: getattr(self, name) for name in names})
    if self.placement not in ('host', 'device'):
      raise ValueError(
          f"placement must be 'host' or 'device', got {self.placement!r}.")
    service_lib.check(self.service)
    if self.service and self.placement == 'device':
      raise ValueError("A service searches on hosts: with placement 'device' "
                       f"service must be '', got {self.service!r}.")

  def fitted(self, lengths: Sequence[float], unroll_steps: int,
             num_replicas: int = 1) -> 'Reanalyse':
    """Returns it with segments that waste few searches on padding.

    Of all L up to 125, the one with the fewest states to search for all
    windows: an episode has ceil(length / L) segments of L + K + n states.

    Args:
      lengths: transitions of episodes; none where nothing is stored.
      unroll_steps: K.
      num_replicas: of this host, which get as many segments each.
    """
    beyond = unroll_steps + self.td_steps
    length = self.windows_per_segment or min(
        range(_LONGEST, 0, -1), key=lambda length: (length + beyond) * sum(
            math.ceil(x / length) for x in lengths or [_LONGEST]))
    number = self.segments_per_search or num_replicas * max(
        1, round(_STATES / (num_replicas * (length + beyond))))
    return dataclasses.replace(
        self, windows_per_segment=length, segments_per_search=number)

  def host_search_fn(self) -> SearchFn:
    """Returns the search as it suits the host's CPU."""
    return functools.partial(
        self.search_fn, execution=execution.on_host(self.host_jit))

  def cutting(self, agent: Agent, unroll_steps: int, keep_observations: bool
              ) -> windows_lib.Cutting:
    """Returns how windows are made.

    Args:
      agent: whose discount counts.
      unroll_steps: K.
      keep_observations: whether windows hold the observations of all T states.
    """
    return windows_lib.Cutting(
        functools.partial(_value_targets, self, agent.discount),
        self.windows_per_segment, unroll_steps, keep_observations,
        self.priority_exponent, self.importance_exponent)

  def segment_length(self, unroll_steps: int) -> int:
    """Returns S = L + K + n, the states of a segment."""
    return self.windows_per_segment + unroll_steps + self.td_steps

  def states_per_search(self, unroll_steps: int) -> int:
    """Returns how many states are searched at once, padding counted in."""
    return self.segments_per_search * self.segment_length(unroll_steps)

  def searches_per_window(self, unroll_steps: int) -> float:
    """Returns how many states are searched for a window that is trained on."""
    return self.states_per_search(unroll_steps) / (
        self.segments_per_search * self.windows_per_segment
        * self.sample_reuse)


def searched_segments(
    segments: tf.data.Dataset, reanalyse: Reanalyse,
    planning_model: PlanningModel, snapshot_directory: str,
    parameter_shapes: list[tf.TensorShape], *, seed: int, deterministic: bool,
    service: Optional[service_lib.Service] = None) -> tf.data.Dataset:
  """Returns a dataset of `Searched` batches, with the newest weights.

  Args:
    segments: dataset of `Segment`, endless, in random order.
    reanalyse: how.
    planning_model: the network.
    snapshot_directory: where the trainer publishes its parameters.
    parameter_shapes: of a snapshot.
    seed: of the searches.
    deterministic: serial and not timed, so that which snapshot a search sees
      depends on nothing but the learner's step.
    service: that searches; None for a search in this process.
  """

  @tf.function(jit_compile=reanalyse.host_jit, autograph=False)
  def improve(vector, segment_batch, search_seed):
    parameters = snapshots.unpack(vector, parameter_shapes)
    return reanalyse.improvement_fn(
        planning_model, reanalyse.host_search_fn(), parameters, search_seed,
        segment_batch)

  def search(numbered, segment_batch: Segment
             ) -> tuple[tf.Tensor, Searched, tf.Tensor]:
    index, asked = numbered
    begun = tf.timestamp()
    with tf.control_dependencies([begun]):
      step, vector = snapshots.read(snapshot_directory, index)
    improved = improve(vector, segment_batch, rng.fold_in(
        rng.seed(seed), tf.cast(index, tf.int32)))
    num = segment_batch.reward.shape[0]
    made = timing.now(improved)
    seconds = {} if deterministic else timing.spread(
        num, read=begun - asked, search=made - begun)
    return index, Searched(
        segment_batch, improved, tf.fill([num], step), seconds), made

  def arrive(_, searched: Searched, made: tf.Tensor) -> Searched:
    if deterministic:
      return searched
    return searched._replace(seconds={**searched.seconds, **timing.spread(
        searched.snapshot_step.shape[0], ahead=tf.timestamp() - made)})

  parallel_searches = reanalyse.parallel_searches or tf.data.AUTOTUNE
  if service and service.is_local:
    parallel_searches = 1
  numbers = orders.numbers().map(lambda number: (number, tf.timestamp()))
  dataset = tf.data.Dataset.zip((numbers, segments.batch(
      reanalyse.segments_per_search, drop_remainder=True))).map(
          search, **({} if deterministic else {
              'deterministic': False, 'num_parallel_calls': parallel_searches}))
  if service:
    dataset = service.distribute(dataset)
  return dataset.map(arrive)


def _value_targets(reanalyse: Reanalyse, discount: float, searched: Searched
                   ) -> tf.Tensor:
  """Returns value targets [G, S]."""
  segments, improved = searched.segment, searched.improved
  has_value = segments.is_state & ~windows_lib.absorbing(segments)
  return reanalyse.value_target_fn(
      segments.reward, segments.discount * discount, segments.is_transition,
      tf.where(has_value, improved.value, 0.0),
      tf.where(has_value, improved.network_value, 0.0),
      _td_steps(reanalyse, searched))


def _td_steps(reanalyse: Reanalyse, searched: Searched
              ) -> value_targets.Steps:
  """Returns how far value targets look ahead, [G] where age counts."""
  if not reanalyse.shorten_every:
    return reanalyse.td_steps
  least, played = min(1, reanalyse.td_steps), searched.segment.played_step
  # What was played after a checkpoint that training resumes from has later
  # weights than those that search.
  age = tf.maximum(searched.snapshot_step - played, 0)
  steps = tf.maximum(reanalyse.td_steps - age // reanalyse.shorten_every, least)
  return tf.where(played < 0, least, tf.cast(steps, tf.int32))


def on_demand(segments: tf.data.Dataset, deterministic: bool
              ) -> tf.data.Dataset:
  """Returns the segments as a store takes them: nothing is made ahead of that.

  But for the searches that run side by side, which each make one ahead.

  Args:
    segments: of whatever kind.
    deterministic: whether their order may not depend on the clock.
  """
  options = tf.data.Options()
  options.deterministic = deterministic
  # Snapshots are files on purpose: a saved position need not hold them.
  options.experimental_external_state_policy = (
      tf.data.experimental.ExternalStatePolicy.IGNORE)
  # Both would make segments ahead.
  options.experimental_optimization.inject_prefetch = False
  options.experimental_optimization.map_and_batch_fusion = False
  if deterministic:
    options.autotune.enabled = False
    options.experimental_optimization.map_parallelization = False
  return segments.with_options(options)
