"""Segments in, batches of training windows out: one `tf.data` graph."""

import dataclasses
import functools
import math
from typing import Callable, Optional, Sequence

import tensorflow as tf

from tf_muzero import ranges
from tf_muzero import rng
from tf_muzero.data import orders
from tf_muzero.networks.agent import PlanningModel
from tf_muzero.reanalyse import service as service_lib
from tf_muzero.reanalyse import snapshots
from tf_muzero.reanalyse import timing
from tf_muzero.reanalyse import windows as windows_lib
from tf_muzero.search import execution
from tf_muzero.types import Improved
from tf_muzero.types import Nest
from tf_muzero.types import SearchFn
from tf_muzero.types import Segment
from tf_muzero.types import Window

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
    sample_reuse: how often each window is trained on.
    shuffle_windows: size of the shuffle buffer after the search, in windows.
      The larger, the older are the weights that made a window's targets.
    parallel_searches: map calls that run at the same time, in each process; 0
      lets tf.data choose. Processes of 'local:N' have one each.
    host_jit: whether XLA compiles the search; off where TensorFlow has no XLA
      for the host that searches, as on TPU machines.
    shuffle_segments: size of the shuffle buffer before the search, in segments;
      0 for none. Those searched together are then of different episodes.
    placement: where searches run: `host`, here, or `device`, see `on_device`.
    service: where searches run: '' here, 'grpc://host:port' in the workers of
      that tf.data service, 'local:N' in N processes that are started for it.
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
  shuffle_segments: int = 0
  placement: str = 'host'
  service: str = ''

  def __post_init__(self):
    for low, names in (
        (0, ('td_steps', 'windows_per_segment', 'segments_per_search',
             'parallel_searches', 'shuffle_segments')),
        (1, ('sample_reuse', 'shuffle_windows'))):
      ranges.at_least(low, **{name: getattr(self, name) for name in names})
    if self.placement not in ('host', 'device'):
      raise ValueError(
          f"placement must be 'host' or 'device', got {self.placement!r}.")
    service_lib.check(self.service)
    if self.service and self.placement == 'device':
      raise ValueError("A service searches on hosts: with placement 'device' "
                       f"service must be '', got {self.service!r}.")

  def fitted(self, lengths: Sequence[float], unroll_steps: int) -> 'Reanalyse':
    """Returns it with segments that waste few searches on padding.

    Of all L up to 125, the one with the fewest states to search for all
    windows: an episode has ceil(length / L) segments of L + K + n states.

    Args:
      lengths: transitions of episodes; none where nothing is stored.
      unroll_steps: K.
    """
    beyond = unroll_steps + self.td_steps
    length = self.windows_per_segment or min(
        range(_LONGEST, 0, -1), key=lambda length: (length + beyond) * sum(
            math.ceil(x / length) for x in lengths or [_LONGEST]))
    number = self.segments_per_search or max(
        1, round(_STATES / (length + beyond)))
    return dataclasses.replace(
        self, windows_per_segment=length, segments_per_search=number)

  def host_search_fn(self) -> SearchFn:
    """Returns the search as it suits the host's CPU."""
    return functools.partial(
        self.search_fn, execution=execution.on_host(self.host_jit))

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


def reanalysed_windows(
    segments: tf.data.Dataset, reanalyse: Reanalyse,
    planning_model: PlanningModel, snapshot_directory: str,
    parameter_shapes: list[tf.TensorShape], *, unroll_steps: int,
    discount: float, keep_observations: bool, seed: int, deterministic: bool,
    service: Optional[service_lib.Service] = None) -> tf.data.Dataset:
  """Returns a dataset of shuffled `Window`s with targets of the newest weights.

  Args:
    segments: dataset of `Segment`, endless, in random order.
    reanalyse: how.
    planning_model: the network.
    snapshot_directory: where the trainer publishes its parameters.
    parameter_shapes: of a snapshot.
    unroll_steps: K.
    discount: the agent's, per decision.
    keep_observations: whether windows hold the observations of all T states.
    seed: of the searches and of the shuffling.
    deterministic: serial and not timed, so that which snapshot a search sees
      depends on nothing but the learner's step.
    service: that searches; None for a search in this process.
  """

  @tf.function(jit_compile=reanalyse.host_jit)
  def improve(vector, segment_batch, search_seed):
    parameters = snapshots.unpack(vector, parameter_shapes)
    return reanalyse.improvement_fn(
        planning_model, reanalyse.host_search_fn(), parameters, search_seed,
        segment_batch)

  def search(numbered, segment_batch) -> tuple[
      tf.Tensor, Segment, Improved, tuple[tf.Tensor, tf.Tensor]]:
    index, asked = numbered
    begun = tf.timestamp()
    with tf.control_dependencies([begun]):
      step, vector = snapshots.read(snapshot_directory, index)
    improved = improve(vector, segment_batch, rng.fold_in(
        rng.seed(seed), tf.cast(index, tf.int32)))
    return step, segment_batch, improved, (
        begun - asked, timing.since(begun, improved))

  def windows_of(step, segment_batch, improved, seconds) -> Window:
    windows = make_windows(
        segment_batch, improved, step, reanalyse, unroll_steps=unroll_steps,
        discount=discount, keep_observations=keep_observations)
    windows = tf.nest.map_structure(
        lambda x: tf.repeat(x, reanalyse.sample_reuse, axis=0), windows)
    return windows if deterministic else timing.spread(
        windows, read=seconds[0], search=seconds[1])

  parallel_searches = reanalyse.parallel_searches or tf.data.AUTOTUNE
  if service and service.is_local:
    parallel_searches = 1
  how = {} if deterministic else {
      'deterministic': False, 'num_parallel_calls': parallel_searches}
  numbers = orders.numbers().map(lambda number: (number, tf.timestamp()))
  dataset = tf.data.Dataset.zip((numbers, segments.batch(
      reanalyse.segments_per_search, drop_remainder=True)))
  if service:
    dataset = service.count_windows(
        service.distribute(dataset.map(search, **how)).map(windows_of))
  else:
    dataset = dataset.map(
        lambda *numbered: windows_of(*search(*numbered)), **how)
  return windows_lib.one_by_one(dataset).shuffle(
      reanalyse.shuffle_windows, seed=seed, reshuffle_each_iteration=False)


def make_windows(
    segments: Segment, improved: Improved, snapshot_step: tf.Tensor,
    reanalyse: Reanalyse, *, unroll_steps: int, discount: float,
    keep_observations: bool, cut_fn: Callable[..., Nest] = windows_lib.cut
    ) -> Nest:
  """Returns the windows of improved segments, leading [number of windows].

  Args:
    segments: leading [G, S].
    improved: leading [G, S].
    snapshot_step: scalar int64, learner step of the weights that planned.
    reanalyse: how.
    unroll_steps: K.
    discount: the agent's, per decision.
    keep_observations: whether windows hold the observations of all T states.
    cut_fn: `windows.cut`, or `windows.cut_all` for what that returns.
  """
  has_value = segments.is_state & ~windows_lib.absorbing(segments)
  value = reanalyse.value_target_fn(
      segments.reward, segments.discount * discount, segments.is_transition,
      tf.where(has_value, improved.value, 0.0),
      tf.where(has_value, improved.network_value, 0.0), reanalyse.td_steps)
  return cut_fn(
      segments, improved, value, snapshot_step,
      windows_per_segment=reanalyse.windows_per_segment,
      unroll_steps=unroll_steps, keep_observations=keep_observations)


def ahead(batches: tf.data.Dataset, deterministic: bool) -> tf.data.Dataset:
  """Returns batches made ahead of time, or strictly on demand."""
  options = tf.data.Options()
  options.deterministic = deterministic
  # Snapshots are files on purpose: a saved position need not hold them.
  options.experimental_external_state_policy = (
      tf.data.experimental.ExternalStatePolicy.IGNORE)
  # Would make batches ahead where it is not told how long they lie ready.
  options.experimental_optimization.inject_prefetch = False
  if not deterministic:
    if isinstance(batches.element_spec, Window):
      return timing.ahead(batches).with_options(options)
    return batches.prefetch(timing.BATCHES_AHEAD).with_options(options)
  options.autotune.enabled = False
  options.experimental_optimization.map_parallelization = False
  return batches.with_options(options)
