"""Training windows, cut out of searched segments."""

import tensorflow as tf

from tf_muzero.types import Improved
from tf_muzero.types import Segment
from tf_muzero.types import Window


def absorbing(segments: Segment) -> tf.Tensor:
  """Returns where an episode has terminated: [G, S] bool.

  Absorbing states follow a terminal transition, padding included. A truncated
  episode has none: what lies past its end is not known.
  """
  alive = tf.where(segments.is_transition, segments.discount, 1.0)
  return tf.math.cumprod(alive, axis=1, exclusive=True) <= 0.0


def one_by_one(batches: tf.data.Dataset) -> tf.data.Dataset:
  """Returns the elements of batches.

  `Dataset.unbatch`, but for elements without content, such as the actions of
  windows with K = 0: those make it end the process.
  """
  specs = tf.nest.flatten(batches.element_spec)
  if all(spec.shape[1:].num_elements() != 0 for spec in specs):
    return batches.unbatch()
  return batches.flat_map(lambda *batch: tf.data.Dataset.from_tensor_slices(
      tf.nest.pack_sequence_as(batches.element_spec, tf.nest.flatten(batch))))


def cut(segments: Segment, improved: Improved, value: tf.Tensor,
        snapshot_step: tf.Tensor, *, windows_per_segment: int,
        unroll_steps: int, keep_observations: bool) -> Window:
  """Returns the windows of all states that have a stored action.

  Their number is not static; for the rest see `cut_all`.
  """
  windows, has_action = cut_all(
      segments, improved, value, snapshot_step,
      windows_per_segment=windows_per_segment, unroll_steps=unroll_steps,
      keep_observations=keep_observations)
  return tf.nest.map_structure(
      lambda x: tf.boolean_mask(x, has_action), windows)


def cut_all(
    segments: Segment, improved: Improved, value: tf.Tensor,
    snapshot_step: tf.Tensor, *, windows_per_segment: int, unroll_steps: int,
    keep_observations: bool) -> tuple[Window, tf.Tensor]:
  """Returns all windows [G * L], and which of them to train on.

  Past the end of a terminated episode: value and reward 0, no policy loss
  (MuZero, appendix G). Past a truncation: no loss at all.

  Args:
    segments: leading [G, S].
    improved: leading [G, S].
    value: [G, S] value targets.
    snapshot_step: scalar int64.
    windows_per_segment: L; windows start at the first L states.
    unroll_steps: K.
    keep_observations: whether windows hold the observations of all T states.

  Returns:
    Windows with leading [G * L], segment by segment, and [G * L] bool: whether
    the first state has a stored action. Where not, the segment is padding.
  """
  start = tf.range(windows_per_segment)[:, tf.newaxis]
  states = start + tf.range(unroll_steps + 1)
  # The first of a state's F observations has the number of the state.
  num_frames = segments.observation.shape[1] - segments.reward.shape[1] + 1
  seen = start + tf.range(
      num_frames + (unroll_steps if keep_observations else 0))
  steps = states[:, :-1]
  is_absorbing = absorbing(segments)
  known_reward = segments.is_transition | is_absorbing
  known_value = segments.is_state | is_absorbing

  def at(x, indices):  # [G, S, ...] -> [G, L, indices per window, ...]
    return tf.gather(x, indices, axis=1)

  windows = Window(
      observation=at(segments.observation, seen),
      action=at(segments.action, steps),
      reward=at(segments.reward, steps),
      candidates=at(improved.candidates, states),
      weights=at(improved.weights, states),
      value=at(value, states),
      policy_mask=tf.cast(at(segments.is_transition, states), tf.float32),
      value_mask=tf.cast(at(known_value, states), tf.float32),
      reward_mask=tf.cast(at(known_reward, steps), tf.float32),
      snapshot_step=tf.fill(
          [segments.reward.shape[0], windows_per_segment], snapshot_step),
      diagnostics={k: v[:, :windows_per_segment]
                   for k, v in improved.diagnostics.items()})
  return tf.nest.map_structure(
      lambda x: tf.reshape(x, [-1, *x.shape[2:]]),
      (windows, segments.is_transition[:, :windows_per_segment]))
