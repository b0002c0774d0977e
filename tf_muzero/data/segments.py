"""Episodes cut into segments of fixed shape."""

import tensorflow as tf

from tf_muzero.data import observations
from tf_muzero.types import EnvironmentSpec
from tf_muzero.types import Episode
from tf_muzero.types import Segment


def segments(episodes: tf.data.Dataset, *, windows_per_segment: int,
             unroll_steps: int, td_steps: int, frame_stack: int = 1,
             shuffle_segments: int = 0, episodes_at_once: int = 1,
             seed: int = 0) -> tf.data.Dataset:
  """Returns a dataset of `Segment`s of S = L + K + n records.

  An episode is cut at its records 0, L, 2L, ...; each segment goes on for
  K + n records past the next cut, or is padded. So each record with a
  transition is once among the first L of a segment: once a pass, a training
  window starts there.

  Args:
    episodes: dataset of `Episode`.
    windows_per_segment: L.
    unroll_steps: K.
    td_steps: n, how far a value target looks past the window's end.
    frame_stack: F; a segment has the F - 1 observations before it.
    shuffle_segments: size of a shuffle buffer, in segments; 0 for none.
    episodes_at_once: that segments are taken from in turns, so that neighbours
      are of different episodes; all of them are held, decoded.
    seed: of the shuffling.
  """
  for name, number, low in (
      ('windows_per_segment', windows_per_segment, 1),
      ('unroll_steps', unroll_steps, 0), ('td_steps', td_steps, 0),
      ('frame_stack', frame_stack, 1),
      ('shuffle_segments', shuffle_segments, 0),
      ('episodes_at_once', episodes_at_once, 1)):
    if number < low:
      raise ValueError(f'{name} must be >= {low}, got {number}.')
  length = windows_per_segment + unroll_steps + td_steps
  dataset = episodes.interleave(
      lambda episode: tf.data.Dataset.from_tensor_slices(
          cut(episode, windows_per_segment, length, frame_stack)),
      cycle_length=episodes_at_once)
  if shuffle_segments:
    dataset = dataset.shuffle(shuffle_segments, seed=seed)
  return dataset


def segment_spec(spec: EnvironmentSpec, length: int, frame_stack: int = 1
                 ) -> Segment:
  """Returns the specs of the tensors of a segment.

  Args:
    spec: what an agent in the environment sees and does.
    length: S.
    frame_stack: F.
  """
  one = observations.model_input(spec.observation)
  each = lambda dtype: tf.TensorSpec([length], dtype)
  return Segment(
      tf.TensorSpec([length + frame_stack - 1, *one.shape], one.dtype),
      tf.TensorSpec([length, *spec.action.shape], spec.action.dtype),
      each(tf.float32), each(tf.float32), each(tf.bool), each(tf.bool),
      tf.TensorSpec([], tf.int64))


def cut(episode: Episode, stride: int, length: int, frame_stack: int = 1,
        played_step: int = -1) -> Segment:
  """Returns all segments of an episode, leading [number of segments].

  Args:
    episode: R records.
    stride: L, records from the start of one to the start of the next.
    length: S.
    frame_stack: F.
    played_step: of the weights that played the episode, see `Segment`.
  """
  starts = tf.range(0, tf.shape(episode.reward)[0] - 1, stride)
  return cut_at(episode, starts, length, frame_stack, played_step)


def count(num_records: int, stride: int) -> int:
  """Returns how many segments `cut` makes of an episode."""
  return -(-(num_records - 1) // stride)


def cut_at(episode: Episode, starts: tf.Tensor, length: int,
           frame_stack: int = 1, played_step: int = -1) -> Segment:
  """Returns the segments that start at these records, leading [segments].

  Args:
    episode: R records.
    starts: [segments] int32.
    length: S.
    frame_stack: F.
    played_step: of the weights that played the episode, see `Segment`.
  """
  num_records = tf.shape(episode.reward)[0]
  records = starts[:, tf.newaxis] + tf.range(length)  # [segments, S]
  is_state = records < num_records
  is_transition = records < num_records - 1
  # The last record is blank but for its observation: it is the padding.
  stored = tf.minimum(records, num_records - 1)
  at = lambda x: tf.ensure_shape(
      tf.gather(x, stored), [None, length, *x.shape[1:]])
  return Segment(
      observation=tf.nest.map_structure(
          lambda x: _with_history(x, starts, length, frame_stack),
          episode.observation),
      action=at(episode.action), reward=at(episode.reward),
      discount=at(episode.discount), is_state=is_state,
      is_transition=is_transition, played_step=tf.fill(
          tf.shape(starts), tf.constant(played_step, tf.int64)))


def _with_history(observation: tf.Tensor, starts: tf.Tensor, length: int,
                  frame_stack: int) -> tf.Tensor:
  """Returns [segments, S + F - 1, ...]; before the episode there are zeros.

  Args:
    observation: [R, ...].
    starts: [segments] records that segments start at.
    length: S.
    frame_stack: F.
  """
  zeros = tf.zeros(
      [frame_stack - 1, *observation.shape[1:]], observation.dtype)
  observation = tf.concat([zeros, observation], axis=0)
  records = starts[:, tf.newaxis] + tf.range(length + frame_stack - 1)
  stored = tf.minimum(records, tf.shape(observation)[0] - 1)
  return tf.ensure_shape(
      tf.gather(observation, stored),
      [None, length + frame_stack - 1, *observation.shape[1:]])
