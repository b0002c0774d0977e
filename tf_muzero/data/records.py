"""Files in, stored episodes out; what is lost on the way is told."""

import os
from typing import Optional, Sequence

import numpy as np
import tensorflow as tf

from tf_muzero.data import files
from tf_muzero.data import orders
from tf_muzero.data import skipping

_FILES_AT_ONCE = 16  # That a shuffled pass reads from.
_END = np.iinfo(np.int64).max  # Stands behind the last record of a file.


def read(parts: Sequence[files.Part],
         elements: Optional[tf.data.Dataset] = None, *,
         seed: Optional[int] = None, repeat: bool = False,
         shuffle_episodes: int = 1, skip: Optional[bool] = None,
         notes: str = '', dealt: bool = False) -> tf.data.Dataset:
  """Returns passes over (where, serialised example): two scalar strings.

  A damaged file ends where the damage is: what is behind it cannot be found.

  Args:
    parts: which episodes of which files.
    elements: what there is in place of the one file, see `dataset.Dataset`; its
      elements then stand where serialised examples would. What fails in it is
      raised as it is.
    seed: of the order; None keeps the stored order.
    repeat: whether to go on for ever; else there is one pass.
    shuffle_episodes: size of the shuffle buffer.
    skip: whether damage is logged and left out, or raises
      `tf.errors.InvalidArgumentError` that names the file; None raises what
      TensorFlow says of it.
    notes: see `skipping.note`.
    dealt: see `episodes.episodes`.
  """
  stops = np.cumsum([len(part.numbers) for part in parts])
  every_number = np.concatenate([part.numbers for part in parts])

  def read_file(path, start, stop):
    numbers = tf.constant(every_number)[start:stop]
    if elements is not None:
      records = elements
    elif skip is None:
      records = tf.data.TFRecordDataset(path)
    else:
      records = tf.data.TFRecordDataset(_if_exists(path)).ignore_errors(
          log_warning=True)
    records = records.enumerate().skip(numbers[0]).take(
        numbers[-1] + 1 - numbers[0])
    records = records.filter(lambda number, _: tf.reduce_any(
        numbers[_find(numbers, number):][:1] == number))
    if skip is not None and elements is None:
      records = _account(records, path, numbers, skip, notes)
    return records.map(lambda number, example: (_where(path, number), example))

  table = ([part.path for part in parts], np.concatenate([[0], stops[:-1]]),
           stops)
  paths = tf.data.Dataset.from_tensor_slices(table)
  if dealt:
    paths = orders.passes(len(parts), seed, None if repeat else 1).map(
        lambda i: tuple(tf.gather(x, i) for x in table))
  elif seed is not None:
    paths = paths.shuffle(len(parts), seed=seed)
  examples = paths.interleave(read_file, cycle_length=(
      1 if seed is None else min(_FILES_AT_ONCE, len(parts))))
  if seed is not None:
    examples = examples.shuffle(
        min(shuffle_episodes, len(every_number)), seed=seed)
  return examples.repeat() if repeat and not dealt else examples


def _account(records: tf.data.Dataset, path: tf.Tensor, numbers: tf.Tensor,
             skip: bool, notes: str) -> tf.data.Dataset:
  """Returns the records; tells of those that should be there and are not."""
  def compare(num_before, element):
    number, _ = element
    position = _find(numbers, number)
    num_lost = position - num_before
    words = tf.strings.join([
        'Cannot be read: ', tf.strings.as_string(num_lost), ' episodes of ',
        path, ' from number ', tf.strings.as_string(
            numbers[tf.minimum(num_before, position - 1)]), ' on; '])
    def tell():
      return tf.group(tf.print(words + 'skipped.'),
                      skipping.note(notes, words + 'skipped.', num_lost))
    if skip:
      tf.cond(num_lost > 0, tell, tf.no_op)
    else:
      tf.debugging.Assert(num_lost == 0, [
          words + 'the file is damaged. `python -m tf_muzero.inspect` tells '
          'more; restore the file, or set on_bad_episode to skip.'])
    return position + 1, element

  end = tf.data.Dataset.from_tensors((tf.constant(_END), tf.constant('')))
  return records.concatenate(end).scan(
      tf.constant(0, tf.int64), compare).filter(
          lambda number, _: number != _END)


def _if_exists(path: tf.Tensor) -> tf.Tensor:
  """Returns [path], or [] if there is no such file.

  To ignore that a file cannot be opened would be to try it for ever.
  """
  return tf.io.matching_files(
      tf.strings.regex_replace(path, r'([\[\]*?\\])', r'\\\1'))


def _find(numbers: tf.Tensor, number: tf.Tensor) -> tf.Tensor:
  """Returns how many of the ascending numbers are less."""
  return tf.searchsorted(numbers, number[tf.newaxis], out_type=tf.int64)[0]


def names(parts: Sequence[files.Part]) -> list[bytes]:
  """Returns `where` of every episode, in the stored order."""
  return [f'{os.path.basename(part.path)}, episode {number}'.encode()
          for part in parts for number in part.numbers]


def _where(path: tf.Tensor, number: tf.Tensor) -> tf.Tensor:
  name = tf.strings.split(path, os.sep)[-1]
  return tf.strings.join([name, ', episode ', tf.strings.as_string(number)])
