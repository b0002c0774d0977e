"""What lies in the directory of a dataset, and what of it is read."""

import concurrent.futures
from typing import Any, NamedTuple, Optional, Sequence

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from tf_muzero import paths
from tf_muzero.data import foreign

_RECORD_OVERHEAD = 16  # Bytes that a TFRecord file adds to each record.
_READ_FORMAT = tfds.core.FileFormat.TFRECORD
_SIZES_AT_ONCE = 32  # That are asked for; each takes a while over a network.


class Part(NamedTuple):
  """Episodes of a file.

  Attributes:
    path: of the file.
    numbers: [n] int64, which of its records, ascending.
  """
  path: str
  numbers: np.ndarray


def check_format(info: Any) -> None:
  """Raises ValueError unless TensorFlow reads the files that TFDS describes."""
  if info.file_format not in (None, _READ_FORMAT):
    raise ValueError(
        f'its files are {info.file_format.value}, and only '
        f'{_READ_FORMAT.value} is read. To convert it, run "pip install '
        'apache-beam" and "tfds convert_format --dataset_version_dir='
        f'{info.data_dir} --out_dir=NEW --out_file_format='
        f'{_READ_FORMAT.value}".')


def parts_of(instructions: Sequence[Any]) -> tuple[Part, ...]:
  """Returns what TFDS says that a split is made of."""
  parts = []
  for file in instructions:
    stop = file.examples_in_shard if file.take == -1 else file.skip + file.take
    if stop > file.skip:
      parts.append(Part(
          paths.absolute(str(file.filename)), np.arange(file.skip, stop)))
  return tuple(parts)


def count(parts: Sequence[Part]) -> int:
  """Returns the number of episodes."""
  return sum(len(part.numbers) for part in parts)


def choose(parts: Sequence[Part], indices: np.ndarray) -> tuple[Part, ...]:
  """Returns some of the episodes, in the stored order.

  Args:
    parts: N episodes.
    indices: in [0, N), of episodes counted over all parts.
  """
  stops = np.cumsum([len(part.numbers) for part in parts])
  chosen, start = [], 0
  indices = np.sort(indices)
  for part, stop in zip(parts, stops):
    inside = indices[np.searchsorted(indices, start):
                     np.searchsorted(indices, stop)]
    if inside.size:
      chosen.append(Part(part.path, part.numbers[inside - start]))
    start = stop
  return tuple(chosen)


def shard(parts: Sequence[Part], index: int, num_shards: int
          ) -> tuple[Part, ...]:
  """Returns the episodes of one host of several: each has as many, or one less.

  They lie together, so that a host opens few files; there may be fewer files
  than hosts.

  Args:
    parts: of all hosts.
    index: of the host, in [0, num_shards).
    num_shards: how many hosts there are.
  """
  if not 0 <= index < num_shards:
    raise ValueError(f'shard must be (index, count) with 0 <= index < count, '
                     f'got {(index, num_shards)}.')
  total = count(parts)
  chosen = choose(parts, np.arange(
      total * index // num_shards, total * (index + 1) // num_shards))
  if not chosen:
    raise ValueError(f'There are no episodes for host {index} of {num_shards}: '
                     f'the dataset has only {total}.')
  return chosen


def check_exists(directory: str):
  """Raises ValueError that helps where there is no dataset."""
  if not is_directory(directory):
    raise ValueError(foreign.how_to_convert(directory) or (
        f'There is no directory {directory!r}.'))
  try:
    tf.io.gfile.stat(f'{directory}/dataset_info.json')
    return
  except tf.errors.NotFoundError:
    pass
  except tf.errors.OpError as error:
    raise _unreadable(directory, error) from error
  inside = sorted(
      path.rsplit('/', 1)[0] for depth in ('*', '*/*', '*/*/*')
      for path in tf.io.gfile.glob(f'{directory}/{depth}/dataset_info.json'))
  how = '' if inside else foreign.how_to_convert(directory)
  if how:
    raise ValueError(how)
  raise ValueError(
      f'{directory!r} is not a dataset: it has no dataset_info.json'
      + (f'; is it {" or ".join(inside[:5])}?' if inside else '.'))


def is_directory(directory: str) -> bool:
  """Returns whether there is one; raises ValueError if that cannot be known.

  Such as without permission, without a network, or without a file system for
  names like `gs://...`.
  """
  try:
    return tf.io.gfile.stat(directory).is_directory
  except tf.errors.NotFoundError:
    return False
  except tf.errors.OpError as error:
    # An object store has nothing at the name itself.
    if tf.io.gfile.isdir(directory):
      return True
    raise _unreadable(directory, error) from error


def _unreadable(directory: str, error: tf.errors.OpError) -> ValueError:
  return ValueError(f'{directory!r} cannot be read: {error.message}')


def find_lost(directory: str, splits: Sequence[Any]) -> str:
  """Returns a sentence about files that are missing or shorter than they were.

  Args:
    directory: of the dataset.
    splits: of TFDS.
  """
  names = [str(path) for split in splits for path in split.filepaths]
  with concurrent.futures.ThreadPoolExecutor(_SIZES_AT_ONCE) as pool:
    sizes = list(pool.map(_size, names))
  missing = [path for path, size in zip(names, sizes) if size is None]
  if missing:
    return (f'{directory!r} lacks {len(missing)} of its {len(names)} files, '
            f'such as {missing[0]}.')
  size = sum(filter(None, sizes))
  expected = sum(split.num_bytes + _RECORD_OVERHEAD * split.num_examples
                 for split in splits)
  if size < expected:
    return (f'The files of {directory!r} are truncated: they have {size} bytes '
            f'and should have {expected}.')
  return ''


def _size(path: str) -> Optional[int]:
  """Returns how many bytes a file has, None where there is none."""
  try:
    return tf.io.gfile.stat(path).length
  except tf.errors.NotFoundError:
    return None


def locate(parts: Sequence[Part], index: int) -> tuple[int, str]:
  """Returns which part an episode is of, and what to call it.

  Args:
    parts: of a dataset.
    index: of the episode, counted over all parts.
  """
  for i, part in enumerate(parts):
    if index < len(part.numbers):
      return i, f'{part.path}, episode {part.numbers[index]}'
    index -= len(part.numbers)
  return len(parts), 'what follows the last episode'
