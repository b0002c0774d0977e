"""How episodes lie in a TFDS dataset: the layouts of RL Unplugged.

An example is an episode: `steps`, whose fields are observation, action, reward,
discount, is_first, is_last and is_terminal, beside metadata of the episode.
Vectors lie as in `rlu_control_suite`, frames as in `rlu_atari`.
"""

from typing import Any, Callable, Mapping, Sequence

from dm_env import specs
import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from tf_muzero.types import EnvironmentSpec
from tf_muzero.types import Nest

FIELDS = ('observation', 'action', 'reward', 'discount', 'is_first', 'is_last',
          'is_terminal')
LENGTH_FIELDS = ('reward', 'discount', 'is_terminal')  # What lengths depend on.


def features(spec: EnvironmentSpec) -> tfds.features.FeaturesDict:
  """Returns the features of a dataset of what happens in an environment."""
  if isinstance(spec.observation, dict):
    # Compressed, as the entries of rlu_control_suite are.
    observation = {
        name: _observation_feature(entry, tfds.features.Encoding.ZLIB)
        for name, entry in spec.observation.items()}
  else:
    observation = _observation_feature(
        spec.observation, tfds.features.Encoding.NONE)
  if isinstance(spec.action, specs.DiscreteArray):
    action = tfds.features.Scalar(np.int64)
  else:
    action = tfds.features.Tensor(shape=spec.action.shape, dtype=np.float32)
  return tfds.features.FeaturesDict({
      'steps': tfds.features.Dataset({
          'observation': observation,
          'action': action,
          'reward': np.float32,
          'discount': np.float32,
          'is_first': np.bool_,
          'is_last': np.bool_,
          'is_terminal': np.bool_,
      }),
      **_metadata_features(spec),
  })


def episode_metadata(spec: EnvironmentSpec, *, number: int, time_ms: int,
                     episode_return: float) -> dict[str, Any]:
  """Returns what is stored beside the steps of an episode.

  Args:
    spec: of the environment.
    number: of the episode in its dataset.
    time_ms: when it was written, in milliseconds of Unix time.
    episode_return: sum of its rewards.
  """
  known = {'checkpoint_id': 0, 'episode_id': number, 'timestamp': time_ms,
           'episode_return': np.float32(episode_return)}
  return {name: known[name] for name in _metadata_features(spec)}


def is_image(spec: Nest) -> bool:
  """Returns whether all that is observed is a frame, [H, W, C] uint8."""
  entries = tf.nest.flatten(spec)
  return len(entries) == 1 and _is_frame(entries[0])


def spec_of(features_: tfds.features.FeaturesDict,
            metadata: Mapping[str, Any]) -> EnvironmentSpec:
  """Returns what an agent sees and does in a dataset; checks its layout.

  Args:
    features_: the dataset's.
    metadata: the dataset's. `num_actions` must be in it where actions are
      integers of no known bound.
  """
  steps = _steps(features_)
  missing = [name for name in FIELDS if name not in steps]
  if missing:
    raise ValueError(f'steps must have the fields {", ".join(FIELDS)}; there '
                     f'is no {", ".join(missing)}, only {", ".join(steps)}.')
  for name in ('reward', 'discount'):
    if steps[name].shape not in ((), (1,)):
      raise ValueError(
          f'{name} must be a scalar, got shape {steps[name].shape}.')
  observation = _map_entries(_observation_spec, steps['observation'])
  entries = tf.nest.flatten(observation)
  images = [entry.name for entry in entries if _is_frame(entry)]
  if images and len(entries) > 1:
    raise ValueError(
        f'Observation {images[0]!r} is an image, which must be all that is '
        f'observed; there are {", ".join(entry.name for entry in entries)}.')
  return EnvironmentSpec(observation, _action_spec(steps['action'], metadata))


def describe_image(features_: tfds.features.FeaturesDict) -> str:
  """Returns how frames are stored, in words."""
  feature, = tf.nest.flatten(_map_entries(
      lambda name, feature: feature, _steps(features_)['observation']))
  if isinstance(feature, tfds.features.Image):
    return feature.to_json_content().encoding_format or 'images'
  return 'plain bytes'


def only(features_: tfds.features.FeaturesDict, fields: Sequence[str]
         ) -> tfds.features.FeaturesDict:
  """Returns the features of some fields of the steps, and of nothing else.

  What an example has besides is not parsed: metadata can be a whole network.
  """
  steps = _steps(features_)
  return tfds.features.FeaturesDict({'steps': tfds.features.Dataset(
      {field: steps[field] for field in fields})})


def decode(features_: tfds.features.FeaturesDict, steps: Mapping[str, Any]
           ) -> dict[str, Nest]:
  """Returns the steps of an episode as dense tensors.

  All of an episode is inflated by a few operations, where TFDS would decode one
  step after the other. Each frame is decoded once, many at the same time.

  Args:
    features_: the dataset's.
    steps: as read with `tfds.decode.SkipDecoding`.

  Returns:
    Observation (nest of [R, D_i] float32, or of one [R, H, W, C] uint8), action
    ([R] int32 or [R, n] float32), reward and discount ([R] float32), is_first,
    is_last and is_terminal ([R] bool).
  """
  action = steps['action']
  return {
      'observation': _map_entries(
          _decode_entry, _steps(features_)['observation'],
          steps['observation']),
      'action': tf.cast(
          action, tf.float32 if action.dtype.is_floating else tf.int32),
      'reward': tf.reshape(tf.cast(steps['reward'], tf.float32), [-1]),
      'discount': tf.reshape(tf.cast(steps['discount'], tf.float32), [-1]),
      'is_first': steps['is_first'],
      'is_last': steps['is_last'],
      'is_terminal': steps['is_terminal'],
  }


def _is_frame(entry: specs.Array) -> bool:
  return len(entry.shape) == 3 and entry.dtype == np.uint8


def _observation_feature(entry: specs.Array, encoding: tfds.features.Encoding
                         ) -> tfds.features.FeatureConnector:
  """Returns how an entry is stored; the encoding is of vectors."""
  if _is_frame(entry):
    return tfds.features.Image(
        shape=entry.shape, dtype=np.uint8, encoding_format='png')
  return tfds.features.Tensor(
      shape=entry.shape, dtype=np.float32, encoding=encoding)


def _metadata_features(spec: EnvironmentSpec) -> dict[str, Any]:
  """Returns the features beside the steps, as the public datasets have them."""
  if is_image(spec.observation):
    return {'checkpoint_id': np.int64, 'episode_id': np.int64,
            'episode_return': np.float32}
  return {'episode_id': np.int64, 'timestamp': np.int64}


def _steps(features_: tfds.features.FeaturesDict
           ) -> tfds.features.FeaturesDict:
  is_dict = isinstance(features_, tfds.features.FeaturesDict)
  steps = dict(features_.items()).get('steps') if is_dict else None
  if not isinstance(steps, tfds.features.Dataset) or not isinstance(
      steps.feature, tfds.features.FeaturesDict):
    raise ValueError("An RLDS dataset has a nested dataset 'steps' in each "
                     f'example; this one has {features_}.')
  return steps.feature


def _map_entries(fn: Callable[..., Any], feature: Any, *values: Nest,
                 name: str = 'observation') -> Nest:
  """Returns the nest of `fn(name, feature, *values)` of a feature's leaves."""
  if isinstance(feature, tfds.features.FeaturesDict):
    return {key: _map_entries(fn, entry, *(v[key] for v in values), name=key)
            for key, entry in feature.items()}
  return fn(name, feature, *values)


def _observation_spec(name: str, feature: Any) -> specs.Array:
  """Returns the spec of an entry: a float32 vector, or a uint8 frame."""
  if isinstance(feature, tfds.features.Image):
    if None in feature.shape or feature.np_dtype != np.uint8:
      raise ValueError(f'Image {name!r} must be of uint8 and of fixed shape, '
                       f'got {feature}.')
    return specs.Array(feature.shape, np.uint8, name)
  if not isinstance(feature, tfds.features.Tensor) or (
      None in feature.shape or not (
          feature.tf_dtype.is_floating or feature.tf_dtype.is_integer)):
    raise ValueError(f'Observation {name!r} must be a tensor of numbers of '
                     f'fixed shape, got {feature}.')
  stored = specs.Array(feature.shape, feature.np_dtype, name)
  return stored if _is_frame(stored) else specs.Array(
      [int(np.prod(feature.shape, dtype=np.int64))], np.float32, name)


def _action_spec(feature: Any, metadata: Mapping[str, Any]) -> specs.Array:
  if isinstance(feature, tfds.features.ClassLabel):
    return specs.DiscreteArray(feature.num_classes, np.int32, 'action')
  dtype = feature.tf_dtype
  if dtype.is_floating and len(feature.shape) == 1:
    return specs.BoundedArray(feature.shape, np.float32, -1.0, 1.0, 'action')
  if dtype.is_integer and not feature.shape:
    if 'num_actions' not in metadata:
      raise ValueError('Actions are integers, but nothing tells how many there '
                       "are: 'num_actions' in the metadata does.")
    return specs.DiscreteArray(metadata['num_actions'], np.int32, 'action')
  raise ValueError('action must be a vector of floats or a single integer, got '
                   f'{feature}.')


def _decode_entry(name: str, feature: Any, encoded: tf.Tensor) -> tf.Tensor:
  """Returns [R, D] float32, or [R, H, W, C] uint8, of an entry as stored."""
  if isinstance(feature, tfds.features.Image):
    return _decode_images(encoded, feature.shape)
  if encoded.dtype == tf.string:
    if feature.to_json_content().encoding == 'zlib':
      encoded = tf.io.decode_compressed(encoded, 'ZLIB')
    encoded = tf.io.decode_raw(encoded, feature.tf_dtype)
  spec = _observation_spec(name, feature)
  return tf.reshape(tf.cast(encoded, spec.dtype), [-1, *spec.shape])


def _decode_images(encoded: tf.Tensor, shape: Sequence[int]) -> tf.Tensor:
  """Returns [R, H, W, C] uint8 of [R] strings; PNG and JPEG."""
  def decode_image(content):
    return tf.ensure_shape(
        tf.io.decode_png(content, channels=shape[-1]), shape)

  return tf.map_fn(
      decode_image, encoded, fn_output_signature=tf.TensorSpec(shape, tf.uint8))
