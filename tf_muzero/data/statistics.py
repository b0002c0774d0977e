"""Mean and deviation of what a network sees."""

import numpy as np

from tf_muzero.data import episodes
from tf_muzero.data import layout


def observation_statistics(dataset: episodes.Dataset
                           ) -> tuple[np.ndarray, ...]:
  """Returns mean and standard deviation of the model's input, [D] each.

  Reads the whole dataset and so checks all of it. An input that never changes
  gets the deviation 1. Frames have a known range and no statistics: `()`.
  """
  if layout.is_image(dataset.spec.observation):
    return ()
  count = 0
  mean, squares = np.zeros([]), np.zeros([])
  for episode in episodes.iterate(dataset):
    x = episode.observation.astype(np.float64)
    # Chan et al.'s update, which does not cancel as sums of squares would.
    difference, total = x.mean(axis=0) - mean, count + len(x)
    squares = squares + ((x - x.mean(axis=0))**2).sum(axis=0) + (
        difference**2 * count * len(x) / total)
    mean = mean + difference * len(x) / total
    count = total
  if not count:
    raise ValueError(f'{dataset.place!r} has not one good episode.')
  deviation = np.sqrt(squares / count)
  return (mean.astype(np.float32),
          np.where(deviation < 1e-6, 1.0, deviation).astype(np.float32))
