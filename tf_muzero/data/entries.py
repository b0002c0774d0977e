"""Entries of stored observations: which are used, and what they become.

An entry becomes a float32 vector or a uint8 frame [H, W, C]. What could be
either, or lies in another order, is not guessed.
"""

from typing import Any, Callable, Iterator, Mapping, Optional, Sequence

from dm_env import specs
import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from tf_muzero import pictures
from tf_muzero.types import Nest

LAYOUTS = ('channels_last', 'channels_first', 'flattened')
_SETTING = 'reading.Reading.observation_entries'


def choose(feature: Any, wanted: Optional[Sequence[str]]) -> Any:
  """Returns the feature of an observation with the wanted entries alone.

  Args:
    feature: of TFDS.
    wanted: paths such as `robot/pos`, or the start of some, such as `robot`;
      None for all entries.
  """
  if wanted is None:
    return feature
  if not isinstance(feature, tfds.features.FeaturesDict):
    raise ValueError(
        f'observation_entries has {", ".join(map(repr, wanted))}, but the '
        'observation is a single array: it has no entries, and so no names to '
        'choose from. Leave observation_entries out.')
  paths = [path for path, _ in walk(feature)]
  is_of = lambda path, name: path == name or path.startswith(f'{name}/')
  for name in wanted:
    if not any(is_of(path, name) for path in paths):
      raise ValueError(f'observation_entries has {name!r}, but the entries are '
                       f'{", ".join(paths)}.')
  return _reduced(feature, [
      path for path in paths if any(is_of(path, name) for name in wanted)], '')


def walk(nest: Nest, path: str = '') -> Iterator[tuple[str, Any]]:
  """Yields path and value of each entry, in the order of the model's input."""
  is_dict: bool = isinstance(nest, (Mapping, tfds.features.FeaturesDict))
  if is_dict:
    for name in sorted(nest.keys()):
      yield from walk(nest[name], f'{path}/{name}' if path else name)
  else:
    yield path or 'observation', nest


def spec_of(feature: Any, image_layout: Optional[str]
            ) -> tuple[Nest, tuple[str, ...]]:
  """Returns the specs of an observation, and sentences about what was settled.

  Args:
    feature: of TFDS.
    image_layout: see `Reading`.
  """
  told: list[str] = []

  def one(path: str, entry: Any) -> specs.Array:
    try:
      spec, telling = _spec(path, entry, image_layout)
    except ValueError as error:
      if path == 'observation':
        raise
      raise ValueError(f'{error} Or leave it out: {_SETTING} names the entries '
                       'that are used.') from None
    told.extend([telling] if telling else [])
    return spec

  spec = map_entries(one, feature)
  by_path = dict(walk(spec))
  images = [path for path, entry in by_path.items() if is_frame(entry)]
  others = [path for path in by_path if path not in images]
  if images and len(by_path) > 1:
    raise ValueError(
        f'An image must be all that is observed; there are '
        f'{", ".join(by_path)}, of which {" and ".join(map(repr, images))} '
        f'{"is an image" if len(images) == 1 else "are images"}. '
        f'{_SETTING} names the entries that are used: '
        + ' or '.join(repr(x) for x in [others, *([x] for x in images)] if x)
        + '.')
  return spec, tuple(told)


def is_frame(entry: specs.Array) -> bool:
  """Returns whether an entry is a frame, [H, W, C] uint8."""
  return len(entry.shape) == 3 and entry.dtype == np.uint8


def map_entries(fn: Callable[..., Any], feature: Any, *values: Nest,
                path: str = '') -> Nest:
  """Returns the nest of `fn(path, feature, *values)` of a feature's leaves."""
  if isinstance(feature, tfds.features.FeaturesDict):
    return {key: map_entries(fn, entry, *(v[key] for v in values),
                             path=f'{path}/{key}' if path else key)
            for key, entry in feature.items()}
  return fn(path or 'observation', feature, *values)


def decode(feature: Any, encoded: tf.Tensor, spec: specs.Array,
           image_layout: Optional[str]) -> tf.Tensor:
  """Returns [R, D] of an entry in its stored type, or [R, H, W, C] uint8.

  Args:
    feature: of TFDS.
    encoded: [R, ...] as read with `tfds.decode.SkipDecoding`.
    spec: of the entry.
    image_layout: see `Reading`.
  """
  if isinstance(feature, tfds.features.Image):
    # A `tf.data.Dataset` has images decoded.
    return (_decode_images(encoded, feature.shape)
            if encoded.dtype == tf.string else encoded)
  values = dense(feature, encoded)
  if not is_frame(spec):
    return tf.reshape(values, [-1, *spec.shape])
  if values.dtype == tf.bool:
    values = tf.cast(values, tf.uint8) * 255
  if len(feature.shape) == 3 and image_layout == 'channels_first':
    values = tf.transpose(
        tf.reshape(values, [-1, *feature.shape]), [0, 2, 3, 1])
  return tf.reshape(values, [-1, *spec.shape])


def dense(feature: Any, encoded: tf.Tensor) -> tf.Tensor:
  """Returns numbers [...] of a tensor as stored, compressed or not."""
  if encoded.dtype != tf.string:
    return encoded
  if feature.to_json_content().encoding == 'zlib':
    encoded = tf.io.decode_compressed(encoded, 'ZLIB')
  # Truth values are a byte each.
  is_bool = feature.tf_dtype == tf.bool
  values = tf.io.decode_raw(encoded, tf.uint8 if is_bool else feature.tf_dtype)
  values = tf.cast(values, tf.bool) if is_bool else values
  return tf.reshape(values, [-1, *feature.shape])


def _reduced(feature: tfds.features.FeaturesDict, chosen: Sequence[str],
             start: str) -> tfds.features.FeaturesDict:
  """Returns the dict with the chosen paths alone."""
  kept = {}
  for name, entry in feature.items():
    path = f'{start}{name}'
    if isinstance(entry, tfds.features.FeaturesDict):
      if any(other.startswith(f'{path}/') for other in chosen):
        kept[name] = _reduced(entry, chosen, f'{path}/')
    elif path in chosen:
      kept[name] = entry
  return tfds.features.FeaturesDict(kept)


def _spec(path: str, feature: Any, image_layout: Optional[str]
          ) -> tuple[specs.Array, str]:
  """Returns the spec of an entry: a vector or a frame; and what to tell."""
  name = path.rsplit('/', maxsplit=1)[-1]
  if isinstance(feature, tfds.features.Image):
    if None in feature.shape or feature.np_dtype != np.uint8:
      raise ValueError(
          f'Image {path!r} must be of uint8 and of fixed shape, got {feature}. '
          'Resize the pictures and write the dataset anew, or choose other '
          'entries with observation_entries.')
    return specs.Array(feature.shape, np.uint8, name), ''
  if not isinstance(feature, tfds.features.Tensor) or (
      None in feature.shape or not (
          feature.tf_dtype.is_floating or feature.tf_dtype.is_integer
          or feature.tf_dtype == tf.bool)):
    raise ValueError(f'Observation {path!r} must be a tensor of numbers of '
                     f'fixed shape, got {feature}.')
  shape = tuple(feature.shape)
  if 0 in shape:
    raise ValueError(f'Observation {path!r} has the shape {shape}: there is '
                     'nothing in it.')
  if image_layout != 'flattened' and pictures.looks_like_one(
      shape, feature.np_dtype):
    shape, telling = _picture(path, shape, feature.np_dtype, image_layout)
    return specs.Array(shape, np.uint8, name), telling
  return specs.Array([int(np.prod(shape, dtype=np.int64))], np.float32,
                     name), ''


def _picture(path: str, shape: Sequence[int], dtype: Any,
             image_layout: Optional[str]) -> tuple[tuple[int, ...], str]:
  """Returns [H, W, C] of what must be a picture, and what to tell."""
  stored = f'Observation {path!r} is stored as {np.dtype(dtype).name}{shape}'
  flatten = ("image_layout = 'flattened' in reading.Reading makes a vector of "
             f'{int(np.prod(shape))} numbers of it')
  if dtype not in pictures.DTYPES or len(shape) > 3:
    raise ValueError(
        f'{stored}, which looks like a picture, and those must be uint8 of '
        'shape (H, W, C), from 0 to 255. Convert the data, numbers in [0, 1] '
        f'for example with (255 * x).astype(uint8); {flatten}.')
  as_bool = '; false is 0 and true is 255' if dtype == np.bool_ else ''
  if len(shape) == 2:
    return (*shape, 1), f'{stored}: it is a picture of one channel{as_bool}'
  if image_layout is None and pictures.looks_channels_first(shape):
    raise ValueError(
        f'{stored}, which looks like a picture whose channels come first. '
        "Tell it with image_layout = 'channels_first' in reading.Reading, or "
        f"'channels_last' if the shape is (H, W, C); {flatten}.")
  if image_layout is None and shape[-1] > pictures.MOST_CHANNELS:
    raise ValueError(
        f'{stored}, a picture of {shape[-1]} channels if its shape is '
        "(H, W, C). Tell it with image_layout = 'channels_last' in "
        f"reading.Reading, or 'channels_first'; {flatten}.")
  if image_layout == 'channels_first':
    shape = (*shape[1:], shape[0])
    return shape, f'{stored}: it is a picture of shape {shape}{as_bool}'
  return tuple(shape), f'{stored}: it is a picture{as_bool}' if as_bool else ''


def _decode_images(encoded: tf.Tensor, shape: Sequence[int]) -> tf.Tensor:
  """Returns [R, H, W, C] uint8 of [R] strings; PNG and JPEG."""
  def decode_image(content):
    return tf.ensure_shape(
        tf.io.decode_png(content, channels=shape[-1]), shape)

  return tf.map_fn(
      decode_image, encoded, fn_output_signature=tf.TensorSpec(shape, tf.uint8))
