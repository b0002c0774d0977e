"""What can be wrong with the values of an episode."""

from typing import NamedTuple, Optional

from dm_env import specs
import numpy as np
import tensorflow as tf

from tf_muzero import actions
from tf_muzero.data import observations
from tf_muzero.types import Episode
from tf_muzero.types import EnvironmentSpec

# Of the bounds of actions, as a share of their range: what is beyond them by
# no more is rounding, of float32 and of what was computed before.
_TOLERANCE = 1e-3
_FLOAT_TOLERANCE = 1e-5

# Problem number -> what to say.
PROBLEMS = (
    'no problem',
    'the episode has fewer than two records',
    'observation is not finite',
    'action is not finite',
    'action is out of bounds',
    'reward is not finite',
    'discount is not in [0, 1]',
    'discount is 0 before the last transition',
    'is_first is not true at the first record alone',
    'is_last is not true at the last record alone',
    'the record cannot be decoded: it is not what features.json says',
)
OUT_OF_BOUNDS = PROBLEMS.index('action is out of bounds')
UNDECODABLE = len(PROBLEMS) - 1  # Found by `decoding`; the others by `find`.


class Finding(NamedTuple):
  """The first problem of an episode.

  Attributes:
    problem: scalar int64, 0 for none; see `PROBLEMS`.
    step: scalar int64, the first record that has it.
    component: scalar int64, of the vector that has it.
    value: scalar float64, what is wrong.
  """
  problem: tf.Tensor
  step: tf.Tensor
  component: tf.Tensor
  value: tf.Tensor


def find(episode: Episode, is_first: tf.Tensor, is_last: tf.Tensor,
         spec: EnvironmentSpec) -> Finding:
  """Returns the first problem of an episode, in a graph or eagerly.

  Args:
    episode: R records, the last one's action, reward and discount included,
      whatever they are: they are not looked at. Actions are as the environment
      has them. Numbers may be of other types than those of an `Episode`: they
      are looked at as they are, and must fit.
    is_first: [R] bool, as stored.
    is_last: [R] bool, as stored.
    spec: bounds of the actions.
  """
  num_records = tf.shape(episode.reward, tf.int64)[0]
  record = tf.range(num_records)
  is_transition = record < num_records - 1
  is_beyond = _beyond(episode.action, spec.action)
  bad = tf.stack([
      record < 2 - num_records,
      _any(_not_finite(episode.observation)),
      _any(_not_finite(episode.action)) & is_transition,
      _any(is_beyond) & is_transition,
      _not_finite(episode.reward) & is_transition,
      ~((episode.discount >= 0.0) & (episode.discount <= 1.0)) & is_transition,
      (episode.discount == 0.0) & (record < num_records - 2),
      is_first != (record == 0),
      is_last != (record == num_records - 1)])  # [problems, R]
  # An episode without records has one that is too few: an argmax needs it.
  is_empty = tf.cast(num_records == 0, tf.int32)
  bad = tf.pad(bad, [[0, 0], [0, is_empty]], constant_values=True)
  exists = tf.reduce_any(bad, axis=1)
  problem = tf.where(tf.reduce_any(exists), tf.argmax(
      tf.cast(exists, tf.int32)) + 1, 0)
  step = tf.argmax(tf.cast(bad[tf.maximum(problem, 1) - 1], tf.int32))
  at = lambda flags, x: _component(flags, x, step)
  nothing = tf.constant(0, tf.int64), tf.constant(0.0, tf.float64)
  places = [nothing, nothing,
            nothing if episode.observation.dtype == tf.uint8 else
            at(_not_finite(episode.observation), episode.observation),
            at(_not_finite(episode.action), episode.action),
            at(is_beyond, episode.action), at(None, episode.reward),
            at(None, episode.discount), *[nothing] * 3]
  component, value = (tf.stack(x)[problem] for x in zip(*places))
  return Finding(problem, step, component, value)


def out_of_bounds(action: tf.Tensor, spec: specs.Array,
                  tolerance: float = _TOLERANCE) -> tf.Tensor:
  """Returns [R] bool, where actions are beyond their bounds.

  Args:
    action: [R] or [R, n] as the environment has them, of any type.
    spec: of the environment's actions.
    tolerance: share of the range that is no matter.
  """
  return _any(_beyond(action, spec, tolerance))


def clip(action: tf.Tensor, spec: specs.Array) -> tuple[tf.Tensor, tf.Tensor]:
  """Returns actions within their bounds, and whether that is worth telling.

  Args:
    action: [R] or [R, n] without a problem but at the last record, as the
      environment has them.
    spec: of the environment's actions.

  Returns:
    [R] int32 or [R, n] float32, and scalar bool: whether more than the rounding
    of float32 was clipped.
  """
  if isinstance(spec, specs.DiscreteArray):
    return tf.cast(action, tf.int32), tf.constant(False)
  beyond = out_of_bounds(action, spec, _FLOAT_TOLERANCE)[:-1]
  return (tf.clip_by_value(
      tf.cast(action, tf.float32), spec.minimum, spec.maximum),
          tf.reduce_any(beyond))


def sentence(finding: Finding, where: tf.Tensor, spec: EnvironmentSpec
             ) -> tf.Tensor:
  """Returns what `describe` does, as a scalar string; in a graph or eagerly."""
  number = tf.strings.as_string(finding.component)
  value = tf.strings.as_string(finding.value, shortest=True)
  name = tf.strings.join(['component ', number])
  names = observations.names(spec.observation)
  observed = name if not names else tf.gather(
      tf.constant(names), tf.minimum(finding.component, len(names) - 1))
  overflow = tf.where(
      tf.math.is_finite(finding.value), ', too large for float32', '')
  if isinstance(spec.action, specs.DiscreteArray):
    start = actions.start_of(spec.action)
    beyond = [': it is ', tf.strings.as_string(
        tf.cast(finding.value, tf.int64)), f', and they go from {start} to '
              f'{start + spec.action.num_values - 1}']
  else:
    low, high = (tf.strings.as_string(tf.gather(
        np.broadcast_to(x, spec.action.shape), tf.minimum(
            finding.component, spec.action.shape[0] - 1)), shortest=True)
                 for x in (spec.action.minimum, spec.action.maximum))
    beyond = [': ', name, ' is ', value, ', and its bounds are [', low, ', ',
              high, ']']
  details = ['', '', tf.strings.join([': ', observed, ' is ', value, overflow]),
             tf.strings.join([': ', name, ' is ', value, overflow]),
             tf.strings.join(beyond),
             tf.strings.join([': it is ', value, overflow]),
             tf.strings.join([': it is ', value]), '', '', '', '']
  return tf.strings.join([
      where, ', step ', tf.strings.as_string(finding.step), ': ',
      tf.gather(tf.constant(PROBLEMS), finding.problem),
      tf.gather(tf.stack(details), finding.problem)])


def describe(finding: Finding, where: bytes, spec: EnvironmentSpec) -> str:
  """Returns a sentence about a problem of an episode of arrays.

  Args:
    finding: the problem.
    where: file and number of the episode.
    spec: what an agent sees and does.
  """
  return sentence(Finding(*map(tf.constant, finding)), tf.constant(where),
                  spec).numpy().decode() + '.'


def _not_finite(x: tf.Tensor) -> tf.Tensor:
  """Returns where elements of x [R, ...] are not finite as float32."""
  if not x.dtype.is_floating:
    return tf.zeros(tf.shape(x), tf.bool) if x.shape.rank < 3 else (
        tf.zeros([tf.shape(x)[0], 1], tf.bool))
  return ~tf.math.is_finite(tf.cast(x, tf.float32))


def _beyond(action: tf.Tensor, spec: specs.Array,
            tolerance: float = _TOLERANCE) -> tf.Tensor:
  """Returns where elements of actions [R] or [R, n] are out of bounds."""
  if isinstance(spec, specs.DiscreteArray):
    action = tf.cast(action, tf.int64)
    return (action < int(spec.minimum)) | (action > int(spec.maximum))
  slack = tolerance * (spec.maximum - spec.minimum)
  low, high = (tf.constant(x, action.dtype)
               for x in (spec.minimum - slack, spec.maximum + slack))
  return (action < low) | (action > high)


def _component(flags: Optional[tf.Tensor], x: tf.Tensor, step: tf.Tensor
               ) -> tuple[tf.Tensor, tf.Tensor]:
  """Returns the first flagged component of a record, and its value.

  Args:
    flags: [R] or [R, D] bool; None for all.
    x: [R] or [R, D].
    step: of the record; there may be no records.
  """
  row = lambda values, end: tf.concat(
      [tf.reshape(values[step:step + 1], [-1]), [end]], axis=0)
  values = row(tf.cast(x, tf.float64), tf.constant(0.0, tf.float64))
  i = (tf.constant(0, tf.int64) if flags is None else
       tf.argmax(tf.cast(row(flags, True), tf.int32)))
  return i, values[i]


def _any(flags: tf.Tensor) -> tf.Tensor:
  """Returns [R], whether any of [R, ...] is true."""
  return tf.reduce_any(flags, axis=list(range(1, flags.shape.rank)))
