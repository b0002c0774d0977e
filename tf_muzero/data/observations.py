"""What an observation looks like to a network."""

from dm_env import specs
import numpy as np
import tensorflow as tf

from tf_muzero.data import entries
from tf_muzero.types import Nest


def flatten(observation: Nest) -> tf.Tensor:
  """Returns the model's input of an environment's observation.

  The entries of a dict are concatenated along the last axis, in the sorted
  order of their names. An observation that is one array stays what it is.

  Args:
    observation: array [..., D], or dict from name to array [..., D_i] of equal
      leading shapes, or a nest of dicts.

  Returns:
    [..., D], or [..., sum of D_i].
  """
  parts = tf.nest.flatten(observation)  # Sorts the keys of dicts.
  if len(parts) == 1:
    return tf.convert_to_tensor(parts[0])
  return tf.concat(parts, axis=-1)


def unflatten(vectors: np.ndarray, spec: Nest) -> Nest:
  """Returns observations of which `flatten` makes these; NumPy.

  Args:
    vectors: [..., D], or frames.
    spec: nest of `dm_env.specs.Array` of one observation.
  """
  parts = tf.nest.flatten(spec)
  if len(parts) == 1:
    return tf.nest.pack_sequence_as(spec, [vectors])
  ends = np.cumsum([part.shape[0] for part in parts])[:-1]
  return tf.nest.pack_sequence_as(spec, np.split(vectors, ends, axis=-1))


def stack(observation: tf.Tensor, num_frames: int) -> tf.Tensor:
  """Returns each observation together with those before it.

  Args:
    observation: [B, N + F - 1, ..., C], flat vectors or frames of consecutive
      records.
    num_frames: F.

  Returns:
    [B, N, ..., F * C], along the last axis the oldest first.
  """
  if num_frames == 1:
    return observation
  num_stacks = observation.shape[1] - num_frames + 1
  return tf.concat([observation[:, i:i + num_stacks]
                    for i in range(num_frames)], axis=-1)


def width(spec: Nest) -> int:
  """Returns the length of the vector that `flatten` makes.

  Args:
    spec: nest of `dm_env.specs.Array` of vectors.
  """
  for entry in tf.nest.flatten(spec):
    if len(entry.shape) != 1:
      raise ValueError(
          f'Observation {entry.name!r} has the shape {tuple(entry.shape)}: a '
          'picture must be all that is observed. Of a dataset, '
          'reading.Reading.observation_entries names what is used; an '
          'environment alone must show either vectors or one picture.')
  return sum(entry.shape[0] for entry in tf.nest.flatten(spec))


def names(spec: Nest) -> list[str]:
  """Returns what to call each component of the vector that `flatten` makes.

  Such as `robot/pos[2]`; nothing for frames.

  Args:
    spec: nest of `dm_env.specs.Array`.
  """
  return [f'{path}[{i}]' for path, entry in entries.walk(spec)
          if len(entry.shape) == 1 for i in range(entry.shape[0])]


def model_input(spec: Nest, num_frames: int = 1) -> specs.Array:
  """Returns the spec of one model input: flattened and stacked.

  Args:
    spec: nest of `dm_env.specs.Array`: vectors, or one frame [H, W, C].
    num_frames: F.
  """
  parts = tf.nest.flatten(spec)
  shape = parts[0].shape if len(parts) == 1 else (width(spec),)
  return specs.Array((*shape[:-1], num_frames * shape[-1]),
                     np.dtype(parts[0].dtype), 'model_input')
