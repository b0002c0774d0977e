"""Searches on the accelerator, between train steps: `placement = 'device'`.

For networks that the host's CPUs cannot carry (docs/planning.md). The dataset
delivers batches of segments instead of windows. Whenever windows run short,
each replica searches its share of a batch with the learner's present weights,
and keeps the windows where it trains on them. All shapes are static.
"""

import functools
from typing import Callable, Sequence

import tensorflow as tf

from tf_muzero import rng
from tf_muzero.data import segments as segments_lib
from tf_muzero.networks.agent import Agent
from tf_muzero.networks.contract import Network
from tf_muzero.reanalyse import pipeline
from tf_muzero.reanalyse import windows as windows_lib
from tf_muzero.search import execution
from tf_muzero.types import EnvironmentSpec
from tf_muzero.types import Segment
from tf_muzero.types import Window

# () -> (variables of the network that searches, the learner's step).
LearnerFn = Callable[[], tuple[Sequence[tf.Variable], tf.Variable]]
_EMPTY = -1  # Draws left in a slot without a window; 0 is a window used up.


class DeviceReanalyse(tf.Module):
  """Searches segments and holds their windows, on all replicas.

  Batches are complete: a window that starts at a state without an action is
  never drawn, and none twice in a batch. Each window is drawn `sample_reuse`
  times, at random among at least `shuffle_windows` draws to come. With several
  replicas it is so on average: one that is short of windows repeats some, one
  that has too many drops some. Windows and counters are variables of this
  module, to be saved beside the position in the data; the network is not.
  """

  def __init__(
      self, strategy: tf.distribute.Strategy, reanalyse: pipeline.Reanalyse,
      agent: Agent, spec: EnvironmentSpec, network: Network,
      learner_fn: LearnerFn, *, batch_size: int, unroll_steps: int,
      keep_observations: bool, seed: int):
    """Creates the buffers; call outside of the strategy's scope.

    Args:
      strategy: where to search.
      reanalyse: how. `segments_per_search` and `shuffle_windows` are numbers
        over all replicas.
      agent: the network and what it means.
      spec: what it sees and does.
      network: of the agent, outside of any strategy: only its graph is used.
      learner_fn: says what to search with; not kept, and so not saved.
      batch_size: windows of a learner step, over all replicas.
      unroll_steps: K.
      keep_observations: whether windows hold the observations of all T states.
      seed: of the searches and of the order of the windows.
    """
    super().__init__(name='device_reanalyse')
    self._strategy = strategy
    self._learner_fn = learner_fn
    self._seed = seed
    self._reuse = reanalyse.sample_reuse
    self._batch_size = batch_size
    # So many draws are of a batch of different windows at least.
    self._wanted = max(reanalyse.shuffle_windows,
                       batch_size * reanalyse.sample_reuse)
    replicas = strategy.num_replicas_in_sync
    feed_size(strategy, reanalyse, batch_size)
    compiles, suited = _compilation(strategy, reanalyse.host_jit)
    search_fn = functools.partial(reanalyse.search_fn, execution=suited)
    # Kept: the variables of its graph must live on.
    self._planning_model = agent.plan_with(network, spec)

    @tf.function(jit_compile=compiles)
    def search(parameters, seed, segments, step):
      improved = reanalyse.improvement_fn(
          self._planning_model, search_fn, parameters, seed, segments)
      return pipeline.make_windows(
          segments, improved, step, reanalyse, unroll_steps=unroll_steps,
          discount=agent.discount, keep_observations=keep_observations,
          cut_fn=windows_lib.cut_all)

    segments = segments_lib.segment_spec(
        spec, reanalyse.windows_per_segment + unroll_steps
        + reanalyse.td_steps, agent.frame_stack)
    self._search_fn = _trace(
        search, network.variables, segments,
        reanalyse.segments_per_search // replicas)
    self.window_spec, _ = self._search_fn.structured_outputs
    num_new = self.window_spec.value.shape[0]
    self._make_variables(-(-self._wanted // replicas) + num_new)

  def next_windows(self, iterator) -> Window:
    """Returns each replica's windows for one learner step.

    Searches first, as long as windows are short.

    Args:
      iterator: of batches of segments.
    """
    left, _ = tf.while_loop(
        lambda left, lacking: (left < self._wanted) | (lacking > 0),
        lambda left, lacking: self._add_windows(left, iterator),
        (self._left.read_value(), 0))
    self._left.assign(left - self._batch_size)
    # Of no search.
    seed = rng.fold_in(self._base_seed(), -1)
    return self._strategy.run(self._draw, (seed,))

  def _make_variables(self, num_slots: int) -> None:
    """Creates the slots of each replica, and the counters."""
    with self._strategy.scope():
      make = functools.partial(
          tf.Variable, trainable=False,
          synchronization=tf.VariableSynchronization.ON_READ,
          aggregation=tf.VariableAggregation.NONE)
      self._draws_left = make(tf.fill([num_slots], _EMPTY))
      # Rows, which a TPU does not pad as it would frames.
      self._slots = [
          make(tf.zeros([num_slots, x.shape[1:].num_elements()], x.dtype))
          for x in tf.nest.flatten(self.window_spec)]
    with tf.device('CPU:0'):
      count = functools.partial(
          tf.Variable, 0, dtype=tf.int64, trainable=False)
      self._left = count()  # Draws of all windows, over all replicas.
      self._num_searches = count()
      self._begun = count()  # At this learner step, with empty slots.

  def _base_seed(self) -> tf.Tensor:
    # A run that lost its slots begins with others, and with another seed.
    return tf.stack([self._seed, tf.cast(self._begun, tf.int32)])

  def _add_windows(self, left: tf.Tensor, iterator
                   ) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the draws left after a search, and replicas without a batch."""
    number = self._num_searches.read_value()
    self._begun.assign(tf.where(
        number == 0, tf.identity(self._learner_fn()[1]), self._begun))
    num_windows, lacking = self._strategy.run(
        self._search, (next(iterator), number, self._base_seed()))
    self._num_searches.assign_add(1)
    num_windows, lacking = (self._strategy.reduce(
        tf.distribute.ReduceOp.SUM, x, axis=None)
                            for x in (num_windows, lacking))
    return left + self._reuse * tf.cast(num_windows, tf.int64), lacking

  def _search(self, segments: Segment, number: tf.Tensor, seed: tf.Tensor
              ) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns how many windows a replica got, and whether it lacks a batch."""
    windows, has_action = self._search_fn(
        tuple(x.read_value() for x in self._learner_fn()[0]),
        rng.fold_in(seed, _of_replica(number)), segments,
        tf.identity(self._learner_fn()[1]))
    num_new = has_action.shape[0]
    # Empty slots are overwritten first, then windows that are used up.
    slots = tf.math.top_k(-self._draws_left.read_value(), num_new).indices
    for slot, x in zip(self._slots, tf.nest.flatten(windows)):
      _write(slot, slots, tf.reshape(x, [num_new, -1]))
    _write(self._draws_left, slots, tf.where(has_action, self._reuse, _EMPTY))
    num_held = tf.reduce_sum(
        tf.cast(self._draws_left.read_value() != _EMPTY, tf.int32))
    share = self._batch_size // self._strategy.num_replicas_in_sync
    return (tf.reduce_sum(tf.cast(has_action, tf.int32)),
            tf.cast(num_held < share, tf.int32))

  def _draw(self, seed: tf.Tensor) -> Window:
    """Returns a replica's windows, drawn in proportion to the draws left."""
    left = self._draws_left.read_value()
    log_weight = tf.where(
        left > 0, tf.math.log(tf.cast(tf.maximum(left, 1), tf.float32)),
        tf.where(left == _EMPTY, -1e9, -1e3))
    noise = rng.gumbel(rng.fold_in(
        seed, _of_replica(tf.identity(self._learner_fn()[1]))), left.shape)
    share = self._batch_size // self._strategy.num_replicas_in_sync
    slots = tf.math.top_k(log_weight + noise, share).indices
    _write(self._draws_left, slots, tf.maximum(tf.gather(left, slots) - 1, 0))
    return tf.nest.map_structure(
        lambda x, spec: tf.reshape(x, [share, *spec.shape[1:]]),
        tf.nest.pack_sequence_as(self.window_spec, [
            tf.raw_ops.ResourceGather(
                resource=x.handle, indices=slots, dtype=x.dtype)
            for x in self._slots]), self.window_spec)


def check(reanalyse: pipeline.Reanalyse, reanalyse_fraction: float) -> None:
  """Raises ValueError for devices that would have to search fresh data too."""
  if reanalyse.placement == 'device' and reanalyse_fraction < 1.0:
    raise ValueError(
        "placement must be 'host' for a reanalyse_fraction of "
        f'{reanalyse_fraction}: on devices only stored data is searched.')


def feed_size(strategy: tf.distribute.Strategy, reanalyse: pipeline.Reanalyse,
              batch_size: int) -> int:
  """Returns the elements of a batch of the dataset: windows, or segments."""
  if reanalyse.placement == 'host':
    return batch_size
  replicas = strategy.num_replicas_in_sync
  for name, size in (
      ('batch_size', batch_size),
      ('segments_per_search', reanalyse.segments_per_search)):
    if size % replicas:
      raise ValueError(f'{name} must be a multiple of the {replicas} replicas'
                       f' to search on devices, got {size}.')
  return reanalyse.segments_per_search


def _compilation(strategy: tf.distribute.Strategy, jit: bool
                 ) -> tuple[bool, execution.Execution]:
  """Returns whether XLA is asked for, and what suits the devices."""
  if isinstance(strategy, tf.distribute.TPUStrategy):
    # The strategy compiles by itself.
    return False, execution.Execution.ANYWHERE
  return jit, execution.by_default(jit)


def _trace(search_fn: Callable, weights: Sequence[tf.Variable],
           segment: Segment, num_segments: int
           ) -> tf.types.experimental.ConcreteFunction:
  """Returns the search of one replica's share, traced once for all of them."""
  return search_fn.get_concrete_function(  # type: ignore[attr-defined]
      tuple(tf.TensorSpec(x.shape, x.dtype) for x in weights),
      tf.TensorSpec([2], tf.int32), tf.nest.map_structure(
          lambda x: tf.TensorSpec([num_segments, *x.shape], x.dtype), segment),
      tf.TensorSpec([], tf.int64))


def _of_replica(number: tf.Tensor) -> tf.Tensor:
  """Returns a number that no other replica has, nor this one at another."""
  context = tf.distribute.get_replica_context()
  return (tf.cast(number, tf.int32) * context.num_replicas_in_sync
          + context.replica_id_in_sync_group)


def _write(variable: tf.Variable, rows: tf.Tensor, values: tf.Tensor) -> None:
  # Variables of one replica have no `scatter_update`.
  tf.raw_ops.ResourceScatterUpdate(
      resource=variable.handle, indices=rows, updates=values)
