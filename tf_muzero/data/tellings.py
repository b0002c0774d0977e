"""What was settled in reading episodes that others may have meant otherwise."""

import functools
from typing import Mapping

from absl import logging
import numpy as np
import tensorflow as tf

# Name of what was settled in an episode -> what to say of it.
TELLINGS = {
    'no is_first': 'is_first is never true: the first record counts as the '
                   'first',
    'no is_last': 'is_last is never true: the last record counts as the last',
    'only is_terminal': 'is_terminal says that the last transition is '
                        'terminal, and its discount is not 0',
    'only discount': 'the discount of the last transition is 0, and '
                     'is_terminal does not say that it is terminal',
    'early is_terminal': 'is_terminal is true before the last record too: only '
                         'the last one counts',
    'clipped': 'actions are beyond their bounds by up to 0.1% of the range, '
               'and clipped',
    'rounded': 'the observation has integers beyond 2**24, which float32 '
               'rounds',
}
_CONTRADICTIONS = ('only is_terminal', 'only discount')


def flags(told: Mapping[str, tf.Tensor]) -> tf.Tensor:
  """Returns [number of tellings] bool of what is known by name."""
  return tf.stack([tf.convert_to_tensor(told.get(name, False))
                   for name in TELLINGS])


def sentence(name: str, terminal_from: str) -> str:
  """Returns what to say of something that was settled.

  Args:
    name: one of `TELLINGS`.
    terminal_from: which field says what is terminal.
  """
  if name not in _CONTRADICTIONS:
    return TELLINGS[name]
  other = 'discount' if terminal_from == 'is_terminal' else 'is_terminal'
  return (f'{TELLINGS[name]}; {terminal_from} counts (with '
          f'reading.Reading.terminal_from = {other!r}, the other one would)')


def describe(counts: np.ndarray, num_episodes: int, terminal_from: str
             ) -> list[str]:
  """Returns sentences with numbers of episodes.

  Args:
    counts: [number of tellings] in how many episodes each was settled.
    num_episodes: that were looked at.
    terminal_from: see `sentence`.
  """
  return [f'in {int(count)} of {num_episodes} episodes, '
          f'{sentence(name, terminal_from)}'
          for name, count in zip(TELLINGS, counts) if count]


@functools.lru_cache(maxsize=None)
def warn(message: str) -> None:
  """Logs a warning, the same one once."""
  logging.warning('%s', message)


def tell_each_once(decoded: tf.data.Dataset, place: str, terminal_from: str
                   ) -> tf.data.Dataset:
  """Returns the episodes; prints what is settled, for the first time it is.

  Args:
    decoded: dataset of `decoding.Checked`.
    place: what messages call the dataset.
    terminal_from: see `sentence`.
  """
  lines = tf.constant([
      f'{place}: {sentence(name, terminal_from)}; so in episodes from '
      for name in TELLINGS])

  def tell(before, checked):
    new = checked.told & ~before
    def say():
      return tf.print(tf.strings.reduce_join(tf.strings.join(
          [tf.boolean_mask(lines, new), checked.where, ' on.']),
          separator='\n'))
    tf.cond(tf.reduce_any(new), say, tf.no_op)
    return before | new, checked

  return decoded.scan(tf.zeros([len(TELLINGS)], tf.bool), tell)
