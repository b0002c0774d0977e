"""The store of searched segments, which decides what is trained on.

Whoever searches (the host, a service, the devices between train steps, fresh
play) delivers segments. The store holds the newest of each source, on the
devices that learn; windows are drawn from them independently of each other. It
asks for more whenever `sample_reuse` windows were trained on for each one that
was searched.
"""

import functools
from typing import Any, Callable, NamedTuple, Optional, Sequence, Union

import tensorflow as tf

from tf_muzero import rng
from tf_muzero.reanalyse import rows as rows_lib
from tf_muzero.reanalyse import sampling
from tf_muzero.reanalyse import timing
from tf_muzero.reanalyse import windows as windows_lib
from tf_muzero.types import Searched
from tf_muzero.types import Segment
from tf_muzero.types import Window

# (segments, number of the search and of the replica) -> Searched.
SearchFn = Callable[[Segment, tf.Tensor], Searched]
_STREAM = 3  # Of the seed; what searches and plays has others.


class Source(NamedTuple):
  """What a store is filled from.

  Attributes:
    segments: endless batches of `Searched` segments, of one size; of `Segment`s
      where `search_fn` searches them. A `tf.data.Dataset` for all replicas of
      this host together, or a distributed one.
    spec: of what one replica gets of a batch.
    batch_size: its windows in a learner step, over all replicas everywhere.
    capacity: windows that are held of it on this host, at least one batch of
      segments. The more, the older are the weights that made their targets.
    sample_reuse: windows that are trained on for each one that is searched;
      those that the store is filled with at first do not count.
    search_fn: searches on the replicas; None where it is done.
  """
  segments: Any
  spec: Union[Searched, Segment]
  batch_size: int
  capacity: int
  sample_reuse: int
  search_fn: Optional[SearchFn] = None


class _Part(NamedTuple):
  """The slots of a source on each replica, and its counters on the host.

  Attributes:
    source: see `Source`.
    iterator: of its segments.
    slots: first one, and the one after the last.
    num_new: segments that a replica gets at once.
    share: its windows in a learner step, over the replicas of this host.
    num_added: variable, segments that each replica got so far.
    left: variable, windows to be trained on before the next search.
  """
  source: Source
  iterator: Any
  slots: tuple[int, int]
  num_new: int
  share: int
  num_added: tf.Variable
  left: tf.Variable


class Store:
  """Holds searched segments on the replicas, and draws windows from them.

  Of each batch exactly `batch_size` windows are of each source. They are drawn
  with replacement: none is in a batch twice but by chance.
  """

  def __init__(self, sources: Sequence[Source], cutting: windows_lib.Cutting, *,
               seed: int, strategy: Optional[tf.distribute.Strategy] = None,
               host: tuple[int, int] = (0, 1)):
    """Creates an empty store; call outside of the strategy's scope.

    Args:
      sources: one or two, in the order in which windows stand in a batch. The
        last one is asked first.
      cutting: how windows are made.
      seed: of what is drawn.
      strategy: that trains; by default the present one.
      host: (index of this host, number of hosts), where each has a store.
    """
    self._strategy = strategy or tf.distribute.get_strategy()
    self._cutting = cutting
    self._seed = seed
    self.batch_size = sum(source.batch_size for source in sources)
    self._num_replicas = self._strategy.num_replicas_in_sync
    if self.batch_size % self._num_replicas:
      raise ValueError(
          f'batch_size must be a multiple of the {self._num_replicas} replicas '
          f'that train, got {self.batch_size}.')
    self._local_replicas = self._num_replicas // host[1]
    self._first_replica = host[0] * self._local_replicas
    self._parts: list[_Part] = []
    for source in sources:
      self._parts.append(self._make_part(source))
    with tf.device('CPU:0'):
      self._num_draws = tf.Variable(0, dtype=tf.int64, trainable=False)
    self._rows = rows_lib.Rows(
        self._strategy, self._whole_spec(), self._parts[-1].slots[1])
    self._weights_fn = tf.function(self._rows.weights, autograph=False)

  @property
  def num_bytes(self) -> int:
    """Size of what a replica holds."""
    return sum(x[0].dtype.size * x[0].shape.num_elements()
               for x in self._rows.variables())

  def fill_shares(self) -> list[float]:
    """Returns which share of its capacity each source holds on this host."""
    weights = self._strategy.experimental_local_results(
        self._strategy.run(self._weights_fn))
    return [sum(
        int(tf.math.count_nonzero(x[slice(*part.slots)])) for x in weights
        ) / part.source.capacity for part in self._parts]

  def position(self) -> tf.train.Checkpoint:
    """Returns what saves and restores it, with its iterators.

    Those of a service and distributed ones cannot be saved.
    """
    return tf.train.Checkpoint(
        iterators=[part.iterator for part in self._parts],
        counters=[self._num_draws, *(x for part in self._parts
                                     for x in (part.num_added, part.left))],
        rows=self._rows.variables())

  def next_windows(self, ended: Optional[tf.Tensor] = None
                   ) -> tuple[Window, dict[str, tf.Tensor]]:
    """Returns each replica's windows for one learner step, in a graph.

    Args:
      ended: [] float64 time at which the step before ended, if it is known.

    Returns:
      The windows. And seconds by name: what it took to make the segments that
      were added for them, and how long was `waited` for these.
    """
    if ended is None:
      ended = tf.constant(0.0, tf.float64)
    seconds = {name: tf.constant(0.0, tf.float64) for name in (
        'waited', *timing.names(self._parts[0].source.spec))}
    for index, part in reversed(list(enumerate(self._parts))):
      seconds = self._fill(index, ended, seconds)
      part.left.assign_sub(part.share)
    number = self._num_draws.read_value()
    self._num_draws.assign_add(1)
    return self._strategy.run(self.draw, (number,)), {
        name: tf.cast(x, tf.float32) for name, x in seconds.items()}

  def insert(self, index: int, element: Any, added: tf.Tensor) -> None:
    """In a replica: writes segments of a source, of which it got `added`."""
    part, replica = self._parts[index], self._replica()
    if self._gives_whole() and self._local_replicas > 1:
      element = tf.nest.map_structure(
          lambda x: tf.reshape(
              x, [self._local_replicas, part.num_new, *x.shape[1:]])[
                  replica - self._first_replica], element)
    added = tf.cast(added, tf.int32)
    number = added // part.num_new * self._num_replicas + replica
    first, end = part.slots
    slots = first + (added + tf.range(part.num_new)) % (end - first)
    self._rows.write(slots, self._searched(part.source, element, number))

  def draw(self, number: tf.Tensor) -> Window:
    """In a replica: returns its windows of the learner step of that number."""
    cutting = self._cutting
    share = self.batch_size // self._num_replicas
    replica = self._replica()
    seed = rng.fold_in(
        rng.seed(self._seed, _STREAM),
        tf.cast(number, tf.int32) * self._num_replicas + replica)
    weights = self._rows.weights()
    drawn = [
        sampling.draw(
            rng.fold_in(seed, i), weights[part.slots[0]:part.slots[1]], share)
        for i, part in enumerate(self._parts)]
    slots, start, importance = drawn[0]
    if len(self._parts) > 1:  # Whose windows are the first ones.
      size = self._parts[0].source.batch_size
      is_first = tf.range(share) < (
          size * (replica + 1) // self._num_replicas
          - size * replica // self._num_replicas)
      slots, start, importance = (tf.where(is_first, x, y) for x, y in zip(
          drawn[0], (self._parts[1].slots[0] + drawn[1][0], *drawn[1][1:])))
    windows = self._rows.cut(
        slots, start, unroll_steps=cutting.unroll_steps,
        keep_observations=cutting.keep_observations)
    if not cutting.priority_exponent:
      return windows._replace(importance=tf.ones_like(importance))
    importance **= -cutting.importance_exponent
    return windows._replace(importance=importance / tf.reduce_max(importance))

  def _make_part(self, source: Source) -> _Part:
    num_new = _segment_of(source.spec).reward.shape[0]
    wanted = -(-source.capacity // (
        self._cutting.windows_per_segment * self._local_replicas))
    first = self._parts[-1].slots[1] if self._parts else 0
    # As `draw` has it: what the sources before this one leave.
    until = source.batch_size + sum(
        part.source.batch_size for part in self._parts)
    begin, end = (until * (self._first_replica + i) // self._num_replicas
                  for i in (0, self._local_replicas))
    share = end - begin - sum(part.share for part in self._parts)
    with tf.device('CPU:0'):
      num_added, left = (
          tf.Variable(0, dtype=tf.int64, trainable=False) for _ in range(2))
    return _Part(source, iter(source.segments),
                 (first, first + max(wanted, num_new)), num_new, share,
                 num_added, left)

  def _whole_spec(self) -> Window:
    """Returns the spec of what is written, which all parts have alike."""
    specs = []
    for part in self._parts:
      search = tf.function(
          functools.partial(self._searched, part.source), autograph=False)
      whole = search.get_concrete_function(
          part.source.spec, tf.TensorSpec([], tf.int32)).structured_outputs
      specs.append(tf.nest.map_structure(
          lambda x: tf.TensorSpec([None, *x.shape[1:]], x.dtype), whole))
    for other in specs[1:]:
      windows_lib.check_alike(specs[0], other)
    return specs[0]

  def _searched(self, source: Source, element: Any, number: tf.Tensor
                ) -> Window:
    """Returns what is written, in a replica."""
    if source.search_fn:
      element = source.search_fn(element, number)
    return windows_lib.weighted(element, self._cutting)

  def _fill(self, index: int, ended: tf.Tensor, seconds: dict[str, tf.Tensor]
            ) -> dict[str, tf.Tensor]:
    """Adds segments until a learner step's windows can be drawn."""
    part = self._parts[index]
    num_slots = part.slots[1] - part.slots[0]

    def is_short(added, left, _):
      return (added < num_slots) | (left < part.share)

    def add(added, left, seconds):
      asked = tf.timestamp()
      with tf.control_dependencies([asked]):
        element = next(part.iterator)
      waited = timing.now(element) - tf.maximum(asked, ended)
      num_windows, taken = self._look(element)
      self._strategy.run(functools.partial(self.insert, index),
                         (element, added))
      # What fills it at first is not counted.
      left += tf.where(added < num_slots, tf.constant(0, tf.int64),
                       part.source.sample_reuse * num_windows)
      taken['waited'] = tf.maximum(waited, 0.0)
      return added + part.num_new, left, {
          name: x + taken.get(name, 0.0) for name, x in seconds.items()}

    added, left, seconds = tf.while_loop(
        is_short, add, (part.num_added.read_value(), part.left.read_value(),
                        seconds), parallel_iterations=1)
    part.num_added.assign(added)
    part.left.assign(left)
    return seconds

  def _look(self, element) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Returns the number of windows of an element, and its seconds."""
    def look(element):
      starts = windows_lib.starts(
          _segment_of(element), self._cutting.windows_per_segment)
      return (tf.reduce_sum(tf.cast(starts, tf.int64)),
              {name: tf.reduce_sum(tf.cast(x, tf.float64))
               for name, x in timing.of(element).items()})

    if self._gives_whole():
      return look(element)
    return tf.nest.map_structure(
        lambda x: self._strategy.reduce(tf.distribute.ReduceOp.SUM, x, None),
        self._strategy.run(look, (element,)))

  def _gives_whole(self) -> bool:
    """Whether a replica is given all, and takes its part."""
    return isinstance(self._parts[0].source.segments, tf.data.Dataset)

  def _replica(self) -> tf.Tensor:
    if self._num_replicas == 1:
      return tf.constant(0)
    return tf.distribute.get_replica_context().replica_id_in_sync_group


def _segment_of(element: Union[Searched, Segment]) -> Segment:
  return element.segment if isinstance(element, Searched) else element
