"""Any RLDS dataset in, checked episodes out."""

import dataclasses
import functools
from typing import Any, Callable, Iterator, Mapping, Optional, Sequence

from absl import logging
from google.protobuf import json_format  # type: ignore[import-untyped]
import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from tf_muzero.data import adapters
from tf_muzero.data import checks
from tf_muzero.data import decoding
from tf_muzero.data import files
from tf_muzero.data import layout
from tf_muzero.data import locating
from tf_muzero.data import public
from tf_muzero.data import records
from tf_muzero.data import skipping
from tf_muzero.data import subsets
from tf_muzero.data.decoding import Checked
from tf_muzero.data.reading import Reading
from tf_muzero.types import EnvironmentSpec
from tf_muzero.types import Episode


@dataclasses.dataclass(frozen=True)
class Dataset:
  """A dataset on disk.

  Attributes:
    directory: where it is.
    name: of the dataset and its configuration.
    spec: what an agent sees and does in it.
    task: id of the environment it is from, or empty where it does not tell.
    action_repeat: environment steps per record.
    metadata: what else the dataset tells of itself.
    split: of TFDS, such as `train` or `train[:10]`.
    features: of TFDS.
    parts: which episodes of which files are read.
    reading: the settings.
    oddities: sentences about the data, if it is a public one.
    adapter: makes of what is stored what it means.
    approximate_steps: about how many transitions the parts have, 0 where they
      are to be counted.
  """
  directory: str
  name: str
  spec: EnvironmentSpec
  task: str
  action_repeat: int
  metadata: Mapping[str, Any]
  split: str
  features: tfds.features.FeaturesDict
  parts: Sequence[files.Part]
  reading: Reading
  oddities: Sequence[str]
  adapter: adapters.Adapter
  approximate_steps: int

  @property
  def num_episodes(self) -> int:
    """Number of episodes that are read, bad ones included."""
    return files.count(self.parts)

  @functools.cached_property
  def num_steps(self) -> int:
    """Number of transitions; counted, if the dataset does not tell.

    Not exact for Atari of RL Unplugged, where counting would take hours.
    """
    if self.num_episodes == self.metadata.get('num_episodes'):
      return self.metadata['num_steps']
    return self.approximate_steps or int(lengths(self).sum())


def open_dataset(name: str, reading: Reading = Reading()) -> Dataset:
  """Returns a dataset, its layout checked and none of its episodes read.

  But for a budget of steps, for which it reads the lengths of all episodes.

  Args:
    name: directory of the dataset: one that `collect` wrote, or
      `<data_dir>/<name>/<config>/<version>` of TFDS; or a name of TFDS, such as
      `rlu_control_suite/cartpole_swingup`.
    reading: what of it is read, and how.
  """
  directory = locating.find_directory(name, reading.data_dir, reading.prepare)
  verbosity = logging.get_verbosity()
  logging.set_verbosity(logging.WARNING)  # TFDS tells which files it reads.
  try:
    info = tfds.builder_from_directory(directory).info
    known = public.lookup(info.name, info.config_name or '')
    metadata = dict(info.metadata or {})
    spec = layout.spec_of(info.features, {**known.metadata, **metadata})
    split = subsets.resolve(info.splits, reading)
    parts = files.parts_of(info.splits[split].file_instructions)
  except (ValueError, KeyError, OSError, json_format.ParseError) as error:
    raise ValueError(
        f'{directory!r} is not a dataset that can be read: {error}') from error
  finally:
    logging.set_verbosity(verbosity)
  whole = [info.splits[name] for name in subsets.names_of(split)]
  if not parts:
    raise ValueError(f'There are no episodes in {split!r} of {directory!r}, '
                     f'of {sum(x.num_examples for x in whole)} in all.')
  problem = files.find_lost(directory, whole)
  if problem and not reading.skips:
    raise ValueError(problem)
  if problem:
    logging.warning('%s What is lost is skipped.', problem)
  approximate_steps = int(
      known.steps_per_split * len(whole) * files.count(parts)
      / sum(x.num_examples for x in whole))
  return _within_budget(Dataset(
      directory=directory,
      name='/'.join(filter(None, [info.name, info.config_name])), spec=spec,
      task=metadata.get('task', known.task),
      action_repeat=metadata.get('action_repeat', 1), metadata=metadata,
      split=split, features=info.features, parts=parts, reading=reading,
      oddities=known.oddities,
      adapter=reading.adapter(known, metadata.get('reward_alignment', '')),
      approximate_steps=approximate_steps))


def episodes(dataset: Dataset, *, seed: Optional[int] = None,
             repeat: bool = False, shuffle_episodes: int = 256,
             shard: tuple[int, int] = (0, 1), notes: str = '',
             dealt: bool = False) -> tf.data.Dataset:
  """Returns a `tf.data.Dataset` of `Episode`s, their values checked.

  What is damaged or has a bad value raises `tf.errors.InvalidArgumentError`
  when it is read; or it is logged and left out, as the dataset's `reading`
  says. The position of an iterator can be saved with `tf.train.Checkpoint`.

  Args:
    dataset: what to read.
    seed: of the order, a new one in each pass; None keeps the stored order.
    repeat: whether to go on for ever.
    shuffle_episodes: size of the shuffle buffer; episodes in it are as they
      are on disk.
    shard: (index of this host, number of hosts); over all of them, each episode
      is read once a pass.
    notes: directory that tells what was skipped, see `skipping.note`.
    dealt: whether processes can share the passes, as `orders` says; passes then
      overlap where they meet, by the shuffle buffer and the open files.
  """
  def take(checked: Checked) -> Episode:
    with tf.control_dependencies([tf.debugging.Assert(
        checked.finding.problem == 0, [
            'Bad episode: ' + checks.sentence(checked.finding, checked.where)
            + '. Remove it, or set on_bad_episode to skip.'])]):
      return tf.nest.map_structure(tf.identity, checked.episode)

  skip = dataset.reading.skips
  encoded = records.read(
      files.shard(dataset.parts, *shard), seed=seed, repeat=repeat,
      shuffle_episodes=shuffle_episodes, skip=skip, notes=notes, dealt=dealt)
  decoded = _decoded(dataset, encoded)
  if not skip:
    return decoded.map(take)
  return skipping.without_bad(decoded, notes).map(
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
      for checked in _decoded(dataset, records.read(parts)).as_numpy_iterator():
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

  for checked in read(dataset, on_damage if skip else None):
    if not checked.finding.problem:
      yield checked.episode
      continue
    message = (f'Bad episode in {dataset.directory!r}: '
               f'{checks.describe(checked.finding, checked.where)}')
    if not skip:
      raise ValueError(message)
    num_skipped += 1
    logging.warning('%s Skipped; %d so far.', message, num_skipped)
    skipping.note(
        notes, checks.sentence(checked.finding, checked.where), 1)


def lengths(dataset: Dataset) -> np.ndarray:
  """Returns the number of transitions of each episode, in the stored order.

  Of what cannot be read it is 0, if bad episodes are skipped.
  """
  length_fn, skip = (decoding.make_length_fn(dataset.features, dataset.adapter),
                     dataset.reading.skips)
  found = decoding.each(
      records.read(dataset.parts, skip=skip),
      lambda where, example: (where, length_fn(where, example)),
      lambda where, spec: (where, tf.constant(-1)))
  try:
    by_name = dict(found.as_numpy_iterator())
  except tf.errors.OpError as error:
    raise ValueError(f'{dataset.directory!r} cannot be read: '
                     f'{error.message.splitlines()[0]}') from error
  bad = [name.decode() for name, length in by_name.items() if length < 0]
  if bad and not skip:
    raise ValueError(f'{dataset.directory!r} cannot be read: {bad[0]}: '
                     f'{checks.PROBLEMS[checks.UNDECODABLE]}.')
  return np.array([max(0, by_name.get(name, 0))
                   for name in records.names(dataset.parts)])


def _decoded(dataset: Dataset, encoded: tf.data.Dataset) -> tf.data.Dataset:
  """Returns a dataset of `Checked`, good and bad, of what `records` gives."""
  return decoding.each(encoded, _decode_fn(dataset), decoding.undecodable)


def _decode_fn(dataset: Dataset) -> Callable[[tf.Tensor, tf.Tensor], Checked]:
  return decoding.make_decode_fn(
      dataset.spec, dataset.features, dataset.adapter)


def _with_reason(dataset: Dataset, parts: Sequence[files.Part], index: int,
                 checked: Checked) -> Checked:
  """Returns what cannot be decoded with what TensorFlow says of it."""
  reason = ''
  try:
    list(records.read(files.choose(parts, np.array([index]))).map(
        _decode_fn(dataset)))
  except tf.errors.OpError as error:
    reason = f' ({error.message.splitlines()[0]})'
  except UnicodeDecodeError:  # What TensorFlow says has the record in it.
    pass
  return checked._replace(where=checked.where + reason.encode())


def _within_budget(dataset: Dataset) -> Dataset:
  """Returns the dataset without the episodes that are over its budget."""
  total, reading = dataset.num_episodes, dataset.reading
  parts = subsets.draw(dataset.parts, reading, lambda: lengths(dataset))
  chosen = dataclasses.replace(
      dataset, parts=parts, approximate_steps=int(
          dataset.approximate_steps * files.count(parts) / total))
  subset = subsets.describe(reading)
  if subset:
    logging.info('%s: %d episodes: %s.', dataset.name, chosen.num_episodes,
                 subset)
  return chosen
