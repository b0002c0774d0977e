"""Stored actions: of which kind they are, and their own range."""

from typing import Any, Mapping, Optional

from dm_env import specs
import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from tf_muzero import actions
from tf_muzero.data import entries
from tf_muzero.data.reading import Reading
from tf_muzero.types import Nest

# Stands for a number of actions that nothing tells, until they are counted.
UNKNOWN = 2**30
LARGEST = 2**31 - 1  # That an action can be.
_DISCRETE_SETTINGS = ('num_actions', 'action_start')
_BOUNDS = ('action_minimum', 'action_maximum')


def spec_of(feature: Any, metadata: Mapping[str, Any], reading: Reading
            ) -> specs.Array:
  """Returns the spec of the actions, as the environment has them.

  The number of integers may be `UNKNOWN`.

  Args:
    feature: of TFDS.
    metadata: of the dataset: `num_actions` and `action_start` of integers,
      `action_minimum` and `action_maximum` of vectors.
    reading: settings, which count before the metadata.
  """
  width = _width(feature)
  if width is None:
    _check_unset(reading, _BOUNDS, 'integers')
    return _integers(feature, metadata, reading)
  _check_unset(reading, _DISCRETE_SETTINGS, 'vectors')
  return _vector(width, metadata, reading)


def decode(feature: Any, encoded: Nest) -> tf.Tensor:
  """Returns [R] int64, or [R, n] float32 or float64, of actions as stored.

  Args:
    feature: of TFDS.
    encoded: [R, ...] as read with `tfds.decode.SkipDecoding`.
  """
  if not isinstance(feature, tfds.features.FeaturesDict):
    values = entries.dense(feature, encoded)
    if values.dtype.is_floating:
      return tf.reshape(_widened(values), [-1, max(1, _size(feature))])
    return tf.reshape(tf.cast(values, tf.int64), [-1])
  parts = [decode(part, value) for part, value in zip(
      tf.nest.flatten(dict(_tree(feature))), tf.nest.flatten(encoded))]
  dtype = tf.float64 if any(
      x.dtype == tf.float64 for x in parts) else tf.float32
  return tf.concat([tf.cast(x, dtype) for x in parts], axis=-1)


def _tree(feature: tfds.features.FeaturesDict) -> Nest:
  return {name: _tree(part) if isinstance(part, tfds.features.FeaturesDict)
          else part for name, part in feature.items()}


def _widened(values: tf.Tensor) -> tf.Tensor:
  return values if values.dtype == tf.float64 else tf.cast(values, tf.float32)


def _size(feature: Any) -> int:
  return int(np.prod(feature.shape, dtype=np.int64))


def _width(feature: Any) -> Optional[int]:
  """Returns the width of vectors of actions; None for integers."""
  if isinstance(feature, tfds.features.FeaturesDict):
    return sum(_part_width(path, part) for path, part in entries.walk(feature))
  if not isinstance(feature, tfds.features.Tensor):
    raise ValueError('action must be a vector of floats or a single integer, '
                     f'got {feature}.')
  shape, dtype = tuple(feature.shape), feature.tf_dtype
  if None in shape:
    raise ValueError(f'action must be of fixed shape, got {feature}.')
  if dtype.is_floating and (not shape or (len(shape) == 1 and shape[0])):
    return _size(feature)
  if dtype.is_integer and shape in ((), (1,)):
    return None
  stored = f'action is stored as {dtype.name}{list(shape)}'
  if dtype == tf.bool:
    raise ValueError(f'{stored}; store it as an integer, 0 for false and 1 for '
                     'true, and num_actions = 2.')
  if dtype.is_integer:
    raise ValueError(
        f'{stored}, and must be a single integer. Number all combinations of '
        'the integers from 0 on, such as a[0] * n1 + a[1] where the second '
        'has n1 values, and store that number.')
  raise ValueError('action must be a vector of floats or a single integer, got '
                   f'{feature}.')


def _part_width(path: str, part: Any) -> int:
  if not isinstance(part, tfds.features.Tensor) or (
      not part.tf_dtype.is_floating or len(part.shape) > 1
      or None in part.shape
      or not _size(part)):
    raise ValueError(
        'Entries of an action must be vectors of floats, which are '
        f'concatenated in sorted order; {path!r} is {part}.')
  return _size(part)


def _check_unset(reading: Reading, names: tuple[str, ...], kind: str) -> None:
  for name in names:
    if getattr(reading, name) is not None:
      raise ValueError(f'reading.Reading.{name} is given, but the actions are '
                       f'{kind}.')


def _integers(feature: Any, metadata: Mapping[str, Any], reading: Reading
              ) -> specs.DiscreteArray:
  classes = getattr(feature, 'num_classes', None)
  number, start = reading.num_actions, reading.action_start
  if number is None:
    number = classes or _told(metadata, 'num_actions', UNKNOWN)
  if start is None:
    start = _told(metadata, 'action_start', 0)
  if number < 1 or max(abs(start), abs(start + number)) > LARGEST:
    raise ValueError(
        f'num_actions must be >= 1, and actions must fit in 31 bits, got '
        f'{number} of them from {start} on.')
  return actions.Integers(number, start)


def _told(metadata: Mapping[str, Any], name: str, default: int) -> int:
  """Returns an integer of the metadata."""
  value = metadata.get(name, default)
  if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
    raise ValueError(
        f'{name} of the metadata must be an integer, got {value!r}. Correct '
        f'it, or set {name} in reading.Reading, which counts first.')
  return int(value)


def _vector(width: int, metadata: Mapping[str, Any], reading: Reading
            ) -> specs.BoundedArray:
  """Returns the spec of vectors; [-1, 1] where nothing tells their bounds."""
  bounds: list[np.ndarray] = []
  for name, default in zip(_BOUNDS, (-1.0, 1.0)):
    value = getattr(reading, name)
    where = f'reading.Reading.{name}'
    if value is None:
      value, where = metadata.get(name), f'{name} of the metadata'
    if value is None and any(
        metadata.get(x) is not None or getattr(reading, x) is not None
        for x in _BOUNDS):
      raise ValueError('action_minimum and action_maximum must be given '
                       f'together; there is no {name}.')
    bounds.append(_bound(where, default if value is None else value, width))
  return actions.bounded([width], bounds[0], bounds[1])


def _bound(where: str, value: Any, width: int) -> np.ndarray:
  """Returns [width] numbers of what was given."""
  problem = ValueError(
      f'{where} must be a number or {width} of them, got {value!r}.')
  if isinstance(value, str):
    raise problem
  try:
    found = np.asarray(value, np.float32)
  except (TypeError, ValueError):
    raise problem from None
  if found.shape not in ((), (width,)):
    raise problem
  return np.broadcast_to(found, [width])
