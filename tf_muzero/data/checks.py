"""What can be wrong with the values of an episode."""

from typing import NamedTuple

from dm_env import specs
import tensorflow as tf

from tf_muzero.types import Episode
from tf_muzero.types import EnvironmentSpec

_TOLERANCE = 1e-5  # Of the bounds of actions.

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
UNDECODABLE = len(PROBLEMS) - 1  # Found by `decoding`; the others by `find`.


class Finding(NamedTuple):
  """The first problem of an episode.

  Attributes:
    problem: scalar int64, 0 for none; see `PROBLEMS`.
    step: scalar int64, the first record that has it.
  """
  problem: tf.Tensor
  step: tf.Tensor


def find(episode: Episode, is_first: tf.Tensor, is_last: tf.Tensor,
         spec: EnvironmentSpec) -> Finding:
  """Returns the first problem of an episode, in a graph or eagerly.

  Args:
    episode: R records, the last one's action, reward and discount included,
      whatever they are: they are not looked at.
    is_first: [R] bool, as stored.
    is_last: [R] bool, as stored.
    spec: bounds of the actions.
  """
  num_records = tf.shape(episode.reward, tf.int64)[0]
  record = tf.range(num_records)
  is_transition = record < num_records - 1
  bad = tf.stack([
      record < 2 - num_records,
      _not_finite(episode.observation),
      _not_finite(episode.action) & is_transition,
      _out_of_bounds(episode.action, spec.action) & is_transition,
      _not_finite(episode.reward) & is_transition,
      ~((episode.discount >= 0.0) & (episode.discount <= 1.0)) & is_transition,
      (episode.discount == 0.0) & (record < num_records - 2),
      is_first != (record == 0),
      is_last != (record == num_records - 1)])  # [problems, R]
  # An episode without records has one that is too few: an argmax needs it.
  is_empty = tf.cast(num_records == 0, tf.int32)
  bad = tf.pad(bad, [[0, 0], [0, is_empty]], constant_values=True)
  exists = tf.reduce_any(bad, axis=1)
  first = tf.argmax(tf.cast(exists, tf.int32))
  step = tf.argmax(tf.cast(bad[first], tf.int32))
  return Finding(tf.where(tf.reduce_any(exists), first + 1, 0), step)


def sentence(finding: Finding, where: tf.Tensor) -> tf.Tensor:
  """Returns what `describe` does, as a scalar string in the graph."""
  return tf.strings.join([
      where, ', step ', tf.strings.as_string(finding.step), ': ',
      tf.gather(tf.constant(PROBLEMS), finding.problem)])


def describe(finding: Finding, where: bytes) -> str:
  """Returns a sentence about a problem of an episode of arrays."""
  return (f'{where.decode()}, step {int(finding.step)}: '
          f'{PROBLEMS[int(finding.problem)]}.')


def _not_finite(x: tf.Tensor) -> tf.Tensor:
  """Returns [R] bool, where any element of x [R, ...] is not finite."""
  if not x.dtype.is_floating:
    return tf.zeros(tf.shape(x)[:1], tf.bool)
  return _any(~tf.math.is_finite(x))


def _out_of_bounds(action: tf.Tensor, spec: specs.Array) -> tf.Tensor:
  if isinstance(spec, specs.DiscreteArray):
    return (action < spec.minimum) | (action > spec.maximum)
  return _any((action < spec.minimum - _TOLERANCE)
              | (action > spec.maximum + _TOLERANCE))


def _any(flags: tf.Tensor) -> tf.Tensor:
  """Returns [R], whether any of [R, ...] is true."""
  return tf.reduce_any(flags, axis=list(range(1, flags.shape.rank)))
