"""Training windows, cut out of searched segments."""

from typing import Any, Callable, NamedTuple

import tensorflow as tf

from tf_muzero.types import Searched
from tf_muzero.types import Segment
from tf_muzero.types import Window

_LEAST_GAP, _LEAST_WEIGHT = 1e-6, 1e-30  # So that every window can be drawn.


class Cutting(NamedTuple):
  """How windows are made of searched segments.

  Attributes:
    value_fn: searched segments -> value targets [G, S].
    windows_per_segment: L; windows start at the first L states.
    unroll_steps: K.
    keep_observations: whether windows hold the observations of all T states.
    priority_exponent: alpha, see `pipeline.Reanalyse`.
    importance_exponent: beta, likewise.
  """
  value_fn: Callable[[Searched], tf.Tensor]
  windows_per_segment: int
  unroll_steps: int
  keep_observations: bool
  priority_exponent: float = 0.0
  importance_exponent: float = 0.0


def absorbing(segments: Segment) -> tf.Tensor:
  """Returns where an episode has terminated: [G, S] bool.

  Absorbing states follow a terminal transition, padding included. A truncated
  episode has none: what lies past its end is not known.
  """
  alive = tf.where(segments.is_transition, segments.discount, 1.0)
  return tf.math.cumprod(alive, axis=1, exclusive=True) <= 0.0


def starts(segments: Segment, windows_per_segment: int) -> tf.Tensor:
  """Returns at which states windows start: [G, S] bool.

  At the first L states, where there is a stored action; they come first.
  """
  length = segments.reward.shape[1]
  return segments.is_transition & (tf.range(length) < windows_per_segment)


def whole(searched: Searched, value: tf.Tensor) -> Window:
  """Returns each segment as one long window of all its states, leading [G].

  Past the end of a terminated episode: value and reward 0, no policy loss
  (MuZero, appendix G). Past a truncation: no loss at all. Fields of a window
  that are of its first state alone are here of all states, [G, S]; the
  importance is 1.

  Args:
    searched: leading [G].
    value: [G, S] value targets.
  """
  segment, improved = searched.segment, searched.improved
  is_absorbing = absorbing(segment)
  number = lambda is_so: tf.cast(is_so, tf.float32)
  return Window(
      observation=segment.observation, action=segment.action,
      reward=segment.reward, candidates=improved.candidates,
      weights=improved.weights, value=value,
      policy_mask=number(segment.is_transition),
      value_mask=number(segment.is_state | is_absorbing),
      reward_mask=number(segment.is_transition | is_absorbing),
      snapshot_step=tf.broadcast_to(
          searched.snapshot_step[:, tf.newaxis], value.shape),
      importance=tf.ones_like(value), diagnostics=improved.diagnostics)


def weighted(searched: Searched, cutting: Cutting) -> Window:
  """Returns what `whole` does, with a weight of each state as its importance.

  Windows are drawn in proportion to them; none starts where it is 0.
  """
  value = cutting.value_fn(searched)
  weights = tf.cast(
      starts(searched.segment, cutting.windows_per_segment), tf.float32)
  if cutting.priority_exponent:
    gap = tf.abs(searched.improved.value - value)
    weights *= tf.maximum(
        (gap + _LEAST_GAP) ** cutting.priority_exponent, _LEAST_WEIGHT)
  return whole(searched, value)._replace(importance=weights)


def check_alike(one: Window, other: Window) -> None:
  """Raises ValueError for windows of different shapes or types, specs."""
  for field in Window._fields:
    stored, played = getattr(one, field), getattr(other, field)
    if stored != played:
      raise ValueError(
          f'Reanalysed and fresh windows differ in {field}: {stored} and '
          f'{played}. Are dataset and environment of the same task?')


def cut(rows: Window, segment: tf.Tensor, start: tf.Tensor, *, length: int,
        unroll_steps: int, frame_stack: int, keep_observations: bool,
        gather_fn: Callable[[Any, tf.Tensor], tf.Tensor] = tf.gather) -> Window:
  """Returns B windows out of what `whole` returns.

  Args:
    rows: all states of all segments, one after the other: leading [G * S].
      Observations have F - 1 more for each segment.
    segment: [B] numbers of segments.
    start: [B] states that the windows start at.
    length: S.
    unroll_steps: K.
    frame_stack: F.
    keep_observations: whether windows hold the observations of all T states.
    gather_fn: (leaf of `rows`, indices) -> rows.
  """
  def take(x, num, extra=0):  # Extra states of a segment.
    first = segment * (length + extra) + start
    indices = first[:, tf.newaxis] + tf.range(num)
    return tf.nest.map_structure(lambda leaf: gather_fn(leaf, indices), x)

  def of_first(x):
    return tf.nest.map_structure(lambda leaf: leaf[:, 0], take(x, 1))

  num_states = unroll_steps + 1
  # The first of a state's F observations has the number of the state.
  observation = take(
      rows.observation, frame_stack + keep_observations * unroll_steps,
      frame_stack - 1)
  return Window(
      observation=observation, action=take(rows.action, num_states),
      reward=take(rows.reward, unroll_steps),
      candidates=take(rows.candidates, num_states),
      weights=take(rows.weights, num_states),
      value=take(rows.value, num_states),
      policy_mask=take(rows.policy_mask, num_states),
      value_mask=take(rows.value_mask, num_states),
      reward_mask=take(rows.reward_mask, unroll_steps),
      snapshot_step=of_first(rows.snapshot_step),
      importance=of_first(rows.importance),
      diagnostics=of_first(rows.diagnostics))
