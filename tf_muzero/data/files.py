"""What lies in the directory of a dataset."""

from typing import Any, Sequence

import tensorflow as tf

_RECORD_OVERHEAD = 16  # Bytes that a TFRecord file adds to each record.


def check_exists(directory: str):
  """Raises ValueError that helps where there is no dataset."""
  if not tf.io.gfile.isdir(directory):
    raise ValueError(f'There is no directory {directory!r}.')
  if tf.io.gfile.exists(f'{directory}/dataset_info.json'):
    return
  inside = sorted(
      path.rsplit('/', 1)[0] for depth in ('*', '*/*', '*/*/*')
      for path in tf.io.gfile.glob(f'{directory}/{depth}/dataset_info.json'))
  raise ValueError(
      f'{directory!r} is not a dataset: it has no dataset_info.json'
      + (f'; is it {" or ".join(inside[:5])}?' if inside else '.'))


def check_sizes(directory: str, split_info: Any):
  """Raises ValueError where files are missing or shorter than they were.

  Args:
    directory: of the dataset.
    split_info: of TFDS.
  """
  paths = [str(path) for path in split_info.filepaths]
  missing = [path for path in paths if not tf.io.gfile.exists(path)]
  if missing:
    raise ValueError(f'{directory!r} lacks {len(missing)} of its '
                     f'{len(paths)} files, such as {missing[0]}.')
  size = sum(tf.io.gfile.stat(path).length for path in paths)
  expected = split_info.num_bytes + _RECORD_OVERHEAD * split_info.num_examples
  if size < expected:
    raise ValueError(
        f'The files of {directory!r} are truncated: they have {size} bytes and '
        f'should have {expected}.')


def describe_episode(files: Sequence[Any], index: int) -> str:
  """Returns which episode of which file is episode `index` of a dataset.

  Args:
    files: of `Dataset`.
    index: counted from 0 in the stored order.
  """
  for file in files:
    if index < file.take:
      return f'{file.filename}, episode {file.skip + index}'
    index -= file.take
  return 'what follows the last episode'
