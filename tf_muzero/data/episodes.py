"""Any RLDS dataset in, checked episodes out."""

from typing import Callable, Iterator, Optional, Sequence

from absl import logging
import numpy as np
import tensorflow as tf

from tf_muzero.data import action_values
from tf_muzero.data import checks
from tf_muzero.data import dataset as dataset_lib
from tf_muzero.data import decoding
from tf_muzero.data import files
from tf_muzero.data import opening
from tf_muzero.data import records
from tf_muzero.data import skipping
from tf_muzero.data import tellings
from tf_muzero.data.dataset import Dataset
from tf_muzero.data.decoding import Checked
from tf_muzero.types import Episode


open_dataset = opening.open_dataset
from_rlds = opening.from_rlds
lengths = dataset_lib.lengths
returns = dataset_lib.returns


def episodes(dataset: Dataset, *, seed: Optional[int] = None,
             repeat: bool = False, shuffle_episodes: int = 256,
             shard: tuple[int, int] = (0, 1), notes: str = '',
             dealt: bool = False) -> tf.data.Dataset:
  """Returns a `tf.data.Dataset` of `Episode`s, their values checked.

  What is damaged or has a bad value raises `tf.errors.InvalidArgumentError`
  when it is read; or it is logged and left out, as the dataset's `reading`
  says. The position of an iterator can be saved with `tf.train.Checkpoint`,
  but not that of a `tf.data.Dataset` which Python itself makes.

  Args:
    dataset: what to read.
    seed: of the order, a new one in each pass; None keeps the stored order.
    repeat: whether to go on for ever.
    shuffle_episodes: size of the shuffle buffer; episodes in it are as they
      are on disk. Of a `tf.data.Dataset`, no more than have room.
    shard: (index of this host, number of hosts); over all of them, each episode
      is read once a pass.
    notes: directory that tells what was skipped, see `skipping.note`.
    dealt: whether processes can share the passes, as `orders` says; passes then
      overlap where they meet, by the shuffle buffer and the open files.
  """
  def take(checked: Checked) -> Episode:
    sentence = checks.sentence(checked.finding, checked.where, dataset.spec)
    with tf.control_dependencies([tf.debugging.Assert(
        checked.finding.problem == 0, [
            'Bad episode: ' + sentence
            + '. Remove it, or set on_bad_episode to skip.'])]):
      return tf.nest.map_structure(tf.identity, checked.episode)

  skip, parts = dataset.reading.skips, files.shard(dataset.parts, *shard)
  encoded = records.read(
      parts, dataset.elements, seed=seed, repeat=repeat,
      shuffle_episodes=dataset.shuffled_at_once(shuffle_episodes), skip=skip,
      notes=notes, dealt=dealt)
  for telling in dataset.tellings:
    tellings.warn(f'{dataset.place}: {telling}.')
  decoded = tellings.tell_each_once(
      _decoded(dataset, encoded), dataset.place, dataset.terminal_from)
  if not skip:
    return decoded.map(take)
  return skipping.without_bad(
      decoded, notes, files.count(parts), dataset.spec).map(
          lambda checked: checked.episode)


def read(dataset: Dataset,
         on_damage: Optional[Callable[[str, int], None]] = None
         ) -> Iterator[Checked]:
  """Yields all episodes as arrays, good and bad, in the stored order.

  Args:
    dataset: what to read.
    on_damage: called with a sentence and a number of episodes, for each file
      that cannot be read to its end; by default, that raises ValueError.
  """
  parts = list(dataset.parts)
  while parts:
    num_read = 0
    try:
      for checked in _decoded(dataset, records.read(
          parts, dataset.elements)).as_numpy_iterator():
        if checked.finding.problem == checks.UNDECODABLE:
          checked = _with_reason(dataset, parts, num_read, checked)
        yield checked
        num_read += 1
      message = f'there are only {num_read} of {files.count(parts)} episodes'
    except tf.errors.OpError as error:
      message = error.message.splitlines()[0]
    if num_read == files.count(parts):
      return
    number, where = files.locate(parts, num_read)
    message = (f'{where} cannot be read, nor what follows it in the file: '
               f'{message}')
    if not on_damage:
      raise ValueError(message)
    on_damage(message, files.count(parts[:number + 1]) - num_read)
    del parts[:number + 1]


def load_episodes(dataset: Dataset) -> list[Episode]:
  """Returns all episodes as arrays, in the stored order.

  What is damaged or has a bad value raises ValueError with the file, the
  episode, the step and the field; or it is logged and left out, as the
  dataset's `reading` says.
  """
  return list(iterate(dataset))


def iterate(dataset: Dataset, notes: str = '') -> Iterator[Episode]:
  """Yields what `load_episodes` returns; for `notes` see `episodes`."""
  skip, num_skipped = dataset.reading.skips, 0

  def on_damage(message: str, num_lost: int) -> None:
    logging.warning(message)
    skipping.note(notes, message, num_lost)

  for telling in dataset.tellings:
    tellings.warn(f'{dataset.place}: {telling}.')
  counts, num_good, last_words = np.zeros([len(tellings.TELLINGS)]), 0, ''
  for checked in read(dataset, on_damage if skip else None):
    if not checked.finding.problem:
      counts, num_good = counts + checked.told, num_good + 1
      yield checked.episode
      continue
    words = checks.describe(checked.finding, checked.where, dataset.spec)
    message = f'Bad episode in {dataset.place!r}: {words}'
    if not skip:
      raise ValueError(_advised(message, checked.finding, dataset))
    num_skipped += 1
    logging.warning('%s Skipped; %d so far.', message, num_skipped)
    skipping.note(notes, words.rstrip('.'), 1)
    last_words = _advised(message, checked.finding, dataset) if (
        num_skipped == dataset.num_episodes) else message
  if num_skipped and not num_good:
    raise ValueError(
        f'{dataset.place!r} has not one good episode. {last_words}')
  if num_good:
    for telling in tellings.describe(counts, num_good, dataset.terminal_from):
      tellings.warn(f'{dataset.place}: {telling}.')


def _advised(message: str, finding: checks.Finding, dataset: Dataset) -> str:
  """Returns a message about a bad episode with what to do about it."""
  if finding.problem == checks.OUT_OF_BOUNDS:
    return f'{message} {action_values.advise(dataset)}'.rstrip()
  return message


def _decoded(dataset: Dataset, encoded: tf.data.Dataset) -> tf.data.Dataset:
  """Returns a dataset of `Checked`, good and bad, of what `records` gives."""
  return decoding.each(encoded, _decode_fn(dataset), decoding.undecodable)


def _decode_fn(dataset: Dataset) -> Callable[[tf.Tensor, tf.Tensor], Checked]:
  return decoding.make_decode_fn(
      dataset.spec, dataset.features, dataset.adapter,
      dataset.reading.image_layout)


def _with_reason(dataset: Dataset, parts: Sequence[files.Part], index: int,
                 checked: Checked) -> Checked:
  """Returns what cannot be decoded with what TensorFlow says of it."""
  reason = ''
  try:
    list(records.read(
        files.choose(parts, np.array([index])), dataset.elements).map(
            tf.autograph.experimental.do_not_convert(_decode_fn(dataset))))
  except tf.errors.OpError as error:
    reason = f' ({error.message.splitlines()[0]})'
  except UnicodeDecodeError:  # What TensorFlow says has the record in it.
    pass
  return checked._replace(where=checked.where + reason.encode())
