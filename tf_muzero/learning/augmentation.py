"""Augmentation of frames, which consistency of embeddings is learned with."""

from typing import Callable

import tensorflow as tf

from tf_muzero import ranges
from tf_muzero import rng

# (seed [2] int32, frames [N, H, W, C] of 0 to 255) -> the same, float32.
AugmentFn = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]

_LARGEST = 2.0  # Standard deviations of the intensity.


def shift_and_intensity(*, max_shift: int, intensity: float) -> AugmentFn:
  """Returns random shifts, and random factors of all of a frame's pixels.

  A frame is padded with its border and cut out elsewhere, and multiplied by
  1 + intensity * clip(noise, -2, 2), normal noise: the stacked frames of a
  model input alike, each model input anew (Yarats et al. 2021, DrQ; used by
  SPR and EfficientZero; all recalled). Brighter pixels may exceed 255.

  Args:
    max_shift: pixels, up and down, left and right; 4 in the papers.
    intensity: standard deviation of the factor; 0.05 in the papers.
  """
  ranges.at_least(0, max_shift=max_shift, intensity=intensity)

  def augment(seed: tf.Tensor, frames: tf.Tensor) -> tf.Tensor:
    shift_seed, intensity_seed = rng.split(seed)
    num = tf.shape(frames)[0]
    shifts = tf.cast(tf.floor(
        rng.uniform(shift_seed, [num, 2]) * (2 * max_shift + 1)), tf.int32)
    noise = tf.clip_by_value(
        rng.normal(intensity_seed, [num]), -_LARGEST, _LARGEST)
    factor = 1.0 + intensity * noise
    shifted = _shift(frames, shifts - max_shift)
    return tf.cast(shifted, tf.float32) * tf.reshape(factor, [-1, 1, 1, 1])

  return augment


def of_windows(augment_fn: AugmentFn, seed: tf.Tensor, observation: tf.Tensor
               ) -> tf.Tensor:
  """Returns model inputs of windows augmented; vectors as they are.

  Args:
    augment_fn: for frames.
    seed: [2] int32.
    observation: [B, T, H, W, C] frames, or [B, T, size].
  """
  if observation.shape.rank != 5:
    return observation
  frames = augment_fn(
      seed, tf.reshape(observation, [-1, *observation.shape[2:]]))
  return tf.reshape(frames, [-1, *observation.shape[1:]])


def _shift(frames: tf.Tensor, shifts: tf.Tensor) -> tf.Tensor:
  """Returns frames [N, H, W, C], each seen from [N, 2] pixels further on."""
  for axis in (0, 1):
    size = frames.shape[axis + 1]
    indices = tf.clip_by_value(
        tf.range(size) + shifts[:, axis, tf.newaxis], 0, size - 1)
    frames = tf.gather(frames, indices, axis=axis + 1, batch_dims=1)
  return frames
