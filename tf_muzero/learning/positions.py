"""What a position in the data belongs to.

A saved position is that of one order: of a dataset, read in one way, with one
seed. `data-<step>.json` tells of which. Only the TensorFlow that wrote it reads
it: others keep other things of an iterator.
"""

import dataclasses
import json
import os
from typing import Any, Mapping, NamedTuple, Optional
import zlib

import tensorflow as tf

from tf_muzero import whole_files
from tf_muzero.data import episodes as episodes_lib

_PROBE = 2**16  # Bytes of a file that are compared.
_IRRELEVANT = ('reanalyse.host_jit', 'reading.data_dir', 'reading.prepare',
               'interaction.num_processes')


class Order(NamedTuple):
  """An order of the data.

  Attributes:
    begun_at: learner step at which it began, 0 but where one was lost.
    settings: what it depends on, by name.
  """
  begun_at: int
  settings: dict[str, Any]


def describe(source: Any, **settings: Any) -> dict[str, Any]:
  """Returns what an order depends on, as JSON has it.

  Args:
    source: a dataset, or an environment alone.
    **settings: numbers, texts, functions, and dataclasses of them.
  """
  flat = {'task': source.task, 'action_repeat': source.action_repeat,
          'tensorflow': '.'.join(tf.__version__.split('.')[:2])}
  if isinstance(source, episodes_lib.Dataset):
    flat.update(dataset=source.absolute_place, split=source.split,
                num_episodes=source.num_episodes,
                content=_fingerprint(source))
    settings['reading'] = source.reading
  for name, value in settings.items():
    if dataclasses.is_dataclass(value):
      flat.update({f'{name}.{field.name}': getattr(value, field.name)
                   for field in dataclasses.fields(value)})
    else:
      flat[name] = value
  for name in _IRRELEVANT:
    flat.pop(name, None)
  return json.loads(json.dumps(flat, default=_name))


def write(path: str, order: Order) -> None:
  """Writes what the position at `path` belongs to beside it."""
  whole_files.write_json(path + '.json', order._asdict())


def read(path: str) -> Optional[Order]:
  """Returns what the position at `path` belongs to, if that was written."""
  if not tf.io.gfile.exists(path + '.json'):
    return None
  with tf.io.gfile.GFile(path + '.json') as file:
    return Order(**json.load(file))


def differences(
    saved: Mapping[str, Any], present: Mapping[str, Any]) -> list[str]:
  """Returns what differs, such as `batch_size: 128, was 256`."""
  return [f'{name}: {present.get(name)!r}, was {saved.get(name)!r}'
          for name in sorted({*saved, *present})
          if saved.get(name) != present.get(name)]


def _name(value: Any) -> str:
  """Returns the name of a function, without where in memory it is."""
  value = getattr(value, 'func', value)  # Of a functools.partial.
  return getattr(value, '__name__', type(value).__name__)


def _fingerprint(dataset: episodes_lib.Dataset) -> int:
  """Returns a number of what its files say of themselves and begin with."""
  if not dataset.directory:
    return 0
  told = [os.path.join(dataset.directory, name)
          for name in ('dataset_info.json', 'metadata.json')]
  checksum = 0
  for path in [*told, dataset.parts[0].path, dataset.parts[-1].path]:
    if tf.io.gfile.exists(path):
      with tf.io.gfile.GFile(path, 'rb') as file:
        checksum = zlib.crc32(file.read(_PROBE), checksum)
  return checksum
