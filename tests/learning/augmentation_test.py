"""Augmentation of frames: against padding and cutting, one by one."""

import numpy as np
import tensorflow as tf

from tf_muzero.learning import augmentation


def test_vectors_are_not_augmented():
  x = tf.ones([2, 3, 4])
  assert augmentation.of_windows(lambda seed, frames: 1 / 0, (), x) is x


def _padded(frames, shift, max_shift):
  """Returns a frame as padding and cutting shifts it, step by step."""
  padded = np.pad(frames, [(max_shift, max_shift)] * 2 + [(0, 0)], 'edge')
  down, right = (max_shift + x for x in shift)
  return padded[down:down + frames.shape[0], right:right + frames.shape[1]]


def test_shifts_and_intensities():
  frames = np.random.default_rng(3).integers(
      1, 256, [300, 5, 4, 2]).astype(np.uint8)
  augment_fn = augmentation.shift_and_intensity(max_shift=2, intensity=0.05)
  seed = tf.constant([3, 4])
  found = augment_fn(seed, tf.constant(frames)).numpy()
  compiled = tf.function(augment_fn, jit_compile=True)
  np.testing.assert_allclose(compiled(seed, frames), found, rtol=1e-6)
  seen, factors = set(), []
  for frame, augmented in zip(frames, found):
    for shift in np.ndindex(5, 5):
      shift = tuple(x - 2 for x in shift)
      ratio = augmented / _padded(frame, shift, 2)
      if np.ptp(ratio) < 1e-5:  # One factor for the whole stack.
        seen.add(shift)
        factors.append(np.mean(ratio))
        break
  assert len(factors) == 300 and len(seen) == 25
  factors = np.array(factors)
  assert 0.9 - 1e-5 < factors.min() < 0.92 and 1.08 < factors.max() < 1.1 + 1e-5
  assert abs(factors.mean() - 1.0) < 0.01 and 0.04 < factors.std() < 0.05
  assert np.any(augment_fn(tf.constant([3, 5]), frames) != found)
