"""Rows of episodes, and the datasets that are made of files of them."""

import h5py
import numpy as np

from tf_muzero import convert as convert_lib
from tf_muzero.data import episodes as episodes_lib

LENGTHS = [3, 1, 5, 4]
ENDS = ['terminal', 'cut', 'terminal', 'cut']


def convert(source, directory, **settings):
  """Returns the dataset that is written of a source."""
  convert_lib.convert(str(source), str(directory), **settings)
  return episodes_lib.open_dataset(str(directory))


def steps(seed=0, is_discrete=False, width=2):
  """Returns rows of some episodes, and what comes after each of them."""
  rng = np.random.default_rng(seed)
  rows = {name: [] for name in (
      'observations', 'actions', 'rewards', 'terminals', 'timeouts',
      'next_observations')}
  for length, end in zip(LENGTHS, ENDS):
    observation = rng.normal(size=(length + 1, 3))
    rows['observations'].append(observation[:-1])
    rows['next_observations'].append(observation[1:])
    rows['actions'].append(
        rng.integers(3, size=length) if is_discrete
        else rng.uniform(-2.0, 2.0, (length, width)))
    rows['rewards'].append(rng.normal(size=length))
    at_end = np.arange(length) == length - 1
    rows['terminals'].append(at_end & (end == 'terminal'))
    rows['timeouts'].append(at_end & (end == 'cut'))
  return {name: np.concatenate(parts) for name, parts in rows.items()}


def write_hdf5(path, rows):
  with h5py.File(path, 'w') as file:
    for name, values in rows.items():
      file[name] = values


def check(dataset, rows, lengths=tuple(LENGTHS), has_final=True):
  """Checks the episodes of a dataset against the rows that it was made of."""
  low, high = (np.float32(dataset.metadata[f'action_{x}'])
               for x in ('minimum', 'maximum'))
  found = episodes_lib.load_episodes(dataset)
  assert [len(x.reward) - 1 for x in found] == list(lengths)
  start = 0
  for episode, length, stored, end in zip(found, lengths, LENGTHS, ENDS):
    stop = start + length
    np.testing.assert_allclose(
        episode.observation[:length], rows['observations'][start:stop],
        rtol=1e-6)
    if has_final:
      np.testing.assert_allclose(
          episode.observation[-1], rows['next_observations'][stop - 1],
          rtol=1e-6)
    np.testing.assert_allclose(
        (episode.action[:-1] + 1.0) / 2.0 * (high - low) + low,
        rows['actions'][start:stop], atol=1e-5)
    np.testing.assert_allclose(
        episode.reward[:-1], rows['rewards'][start:stop], rtol=1e-6)
    assert episode.discount[length - 1] == (0.0 if end == 'terminal' else 1.0)
    start += stored
