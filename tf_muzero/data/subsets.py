"""Parts of a dataset: whole splits, their first episodes, and budgets."""

from typing import Any, Callable, Sequence

import numpy as np

from tf_muzero.data import files
from tf_muzero.data.reading import Reading


def resolve(splits: Any, reading: Reading) -> str:
  """Returns the split to read, in TFDS's notation.

  Args:
    splits: of TFDS.
    reading: the settings.
  """
  split = reading.split or (
      'train' if 'train' in splits else '+'.join(sorted(splits)))
  unknown = [name for name in names_of(split) if name not in splits]
  if unknown:
    raise ValueError(f'the splits are {", ".join(splits)}, not '
                     f'{", ".join(map(repr, unknown))}')
  if reading.percent == 100.0:
    return split
  # As in the subsets that others use: rounded down, split by split.
  return '+'.join(
      f'{name}[:{int(reading.percent * splits[name].num_examples / 100.0)}]'
      for name in names_of(split))


def names_of(split: str) -> list[str]:
  """Returns the names of the splits that a split is made of."""
  return [part.split('[')[0] for part in split.split('+')]


def describe_splits(splits: Any, split: str, reading: Reading
                    ) -> tuple[str, ...]:
  """Returns sentences about splits that nobody asked for, or left out.

  Args:
    splits: of TFDS.
    split: that is read.
    reading: the settings.
  """
  if reading.split:
    return ()
  names = names_of(split)
  left_out = [name for name in splits if name not in names]
  found = []
  if len(names) > 1 and 'train' not in names:
    found.append(f"there is no split 'train': {_listed(names)} are read; "
                 'reading.Reading.split chooses')
  if left_out:
    found.append(f'of the splits, {_listed(names)} is read, and not '
                 f'{_listed(left_out)}; reading.Reading.split chooses')
  return tuple(found)


def _listed(names: Sequence[str]) -> str:
  """Returns the names, or some of them."""
  if len(names) <= 5:
    return ', '.join(names)
  return f'{len(names)} from {names[0]} to {names[-1]}'


def draw(parts: Sequence[files.Part], reading: Reading,
         lengths_fn: Callable[[], np.ndarray]
         ) -> Sequence[files.Part]:
  """Returns the episodes that a budget allows.

  They are drawn without replacement. With a budget of steps, drawing goes on
  until an episode does not fit.

  Args:
    parts: N episodes.
    reading: the settings.
    lengths_fn: returns [N] transitions of the episodes; expensive.
  """
  if reading.max_episodes is None and reading.max_steps is None:
    return parts
  order = np.random.default_rng(reading.seed).permutation(files.count(parts))
  order = order[:reading.max_episodes]
  if reading.max_steps is None:
    return files.choose(parts, order)
  totals = np.cumsum(lengths_fn()[order])
  num_chosen = int(np.searchsorted(totals, reading.max_steps, side='right'))
  if not num_chosen:
    raise ValueError(
        f'max_steps must be >= {totals[0]}, the length of the first episode '
        f'that was drawn, got {reading.max_steps}.')
  return files.choose(parts, order[:num_chosen])


def hold_out(parts: Sequence[files.Part], reading: Reading
             ) -> tuple[Sequence[files.Part], Sequence[files.Part]]:
  """Returns the episodes to train on, and those that are held out.

  Of a single episode nothing is held out.

  Args:
    parts: N episodes.
    reading: the settings.
  """
  total = files.count(parts)
  if not reading.held_out or total < 2:
    return parts, ()
  number = min(max(round(reading.held_out * total), 1), total - 1)
  # Not the numbers that a budget was drawn with.
  order = np.random.default_rng([reading.seed, 1]).permutation(total)
  return (files.choose(parts, order[number:]),
          files.choose(parts, order[:number]))


def best(parts: Sequence[files.Part], reading: Reading,
         returns_fn: Callable[[], np.ndarray]) -> Sequence[files.Part]:
  """Returns the episodes with the highest returns; of equal ones, the first.

  Args:
    parts: N episodes.
    reading: the settings.
    returns_fn: returns [N] sums of their rewards; expensive.
  """
  if reading.best == 1.0:
    return parts
  number = max(round(reading.best * files.count(parts)), 1)
  return files.choose(
      parts, np.argsort(-returns_fn(), kind='stable')[:number])


def describe(reading: Reading) -> str:
  """Returns what of the split is read, in words; '' where all of it is."""
  words = []
  if reading.percent < 100.0:
    words.append(f'the first {reading.percent:g}% of each split')
  for number, unit in ((reading.max_episodes, 'episodes'),
                       (reading.max_steps, 'steps')):
    if number is not None:
      words.append(f'at most {number} {unit}, drawn with seed {reading.seed}')
  if reading.held_out:
    words.append(f'without the {100.0 * reading.held_out:g}% that are held out')
  if reading.best < 1.0:
    words.append(
        f'the best {100.0 * reading.best:g}% of these, by their return')
  return '; '.join(words)
