"""How episodes lie in a TFDS dataset: the layouts of RL Unplugged.

An example is an episode: `steps`, whose fields are observation, action, reward,
discount, is_first, is_last and is_terminal, beside metadata of the episode.
Vectors lie as in `rlu_control_suite`, frames as in `rlu_atari`.
"""

from typing import Any, Mapping, Optional, Sequence

from dm_env import specs
import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from tf_muzero.data import entries
from tf_muzero.data import stored_actions
from tf_muzero.types import EnvironmentSpec
from tf_muzero.types import Nest

FIELDS = ('observation', 'action', 'reward', 'discount', 'is_first', 'is_last',
          'is_terminal')
NEEDED_FIELDS = FIELDS[:3]
_PNG_CHANNELS = (1, 3, 4)  # That TensorFlow reads.
LENGTH_FIELDS = ('reward', 'discount', 'is_terminal')  # What lengths depend on.


def features(spec: EnvironmentSpec) -> tfds.features.FeaturesDict:
  """Returns the features of a dataset of what happens in an environment."""
  # Entries are compressed, as those of rlu_control_suite are.
  encoding = (tfds.features.Encoding.ZLIB if isinstance(spec.observation, dict)
              else tfds.features.Encoding.NONE)
  observation = tf.nest.map_structure(
      lambda entry: _observation_feature(entry, encoding), spec.observation)
  if isinstance(spec.action, specs.DiscreteArray):
    action = tfds.features.Scalar(np.int64)
  else:
    action = tfds.features.Tensor(shape=spec.action.shape, dtype=np.float32)
  return tfds.features.FeaturesDict({
      'steps': tfds.features.Dataset({
          'observation': _features_dict(observation),
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
  found = tf.nest.flatten(spec)
  return len(found) == 1 and entries.is_frame(found[0])


def check_fields(features_: tfds.features.FeaturesDict) -> tuple[str, ...]:
  """Returns which of `FIELDS` the steps have; checks those that must be."""
  steps = steps_of(features_)
  missing = [name for name in NEEDED_FIELDS if name not in steps]
  if missing:
    raise ValueError(
        f'steps must have the fields {", ".join(NEEDED_FIELDS)}; there '
        f'is no {", ".join(missing)}, only {", ".join(sorted(steps))}.')
  for name in ('reward', *(x for x in FIELDS[3:] if x in steps)):
    if steps[name].shape not in ((), (1,)):
      raise ValueError(
          f'{name} must be a scalar, got shape {steps[name].shape}.')
  return tuple(name for name in FIELDS if name in steps)


def describe_image(features_: tfds.features.FeaturesDict) -> str:
  """Returns how frames are stored, in words."""
  (_, feature), = entries.walk(steps_of(features_)['observation'])
  if isinstance(feature, tfds.features.Image):
    return feature.to_json_content().encoding_format or 'images'
  return 'plain bytes'


def only(features_: tfds.features.FeaturesDict, fields: Sequence[str]
         ) -> tfds.features.FeaturesDict:
  """Returns the features of some fields of the steps, and of nothing else.

  What an example has besides is not parsed: metadata can be a whole network.

  Args:
    features_: the dataset's.
    fields: that are wanted, as far as they are there.
  """
  steps = steps_of(features_)
  return tfds.features.FeaturesDict({'steps': tfds.features.Dataset(
      {field: steps[field] for field in fields if field in steps})})


def with_entries(features_: tfds.features.FeaturesDict,
                 wanted: Optional[Sequence[str]]) -> tfds.features.FeaturesDict:
  """Returns the features of `FIELDS` with some entries of the observation.

  Args:
    features_: the dataset's.
    wanted: see `entries.choose`.
  """
  steps = dict(steps_of(only(features_, FIELDS)).items())
  steps['observation'] = entries.choose(steps['observation'], wanted)
  return tfds.features.FeaturesDict({'steps': tfds.features.Dataset(steps)})


def decode(features_: tfds.features.FeaturesDict, steps: Mapping[str, Any],
           observation_spec: Nest, image_layout: Optional[str]
           ) -> dict[str, Nest]:
  """Returns the steps of an episode as dense tensors.

  All of an episode is inflated by a few operations, where TFDS would decode one
  step after the other. Each frame is decoded once, many at the same time.

  Args:
    features_: the dataset's.
    steps: as read with `tfds.decode.SkipDecoding`, and adapted.
    observation_spec: of the observation.
    image_layout: see `Reading`.

  Returns:
    Observation (nest of [R, D_i] in their stored types, or of one [R, H, W, C]
    uint8), action ([R] int64, or [R, n] float32 or float64), reward and
    discount ([R] floats), is_first, is_last and is_terminal ([R] bool), and
    told ([number of tellings] bool).
  """
  feature = steps_of(features_)
  return {**steps,
          'observation': entries.map_entries(
              lambda path, part, stored, spec: entries.decode(
                  part, stored, spec, image_layout),
              feature['observation'], steps['observation'], observation_spec),
          'action': stored_actions.decode(feature['action'], steps['action'])}


def _observation_feature(entry: specs.Array, encoding: tfds.features.Encoding
                         ) -> tfds.features.FeatureConnector:
  """Returns how an entry is stored; the encoding is of vectors."""
  if entries.is_frame(entry) and entry.shape[-1] not in _PNG_CHANNELS:
    return tfds.features.Tensor(shape=entry.shape, dtype=np.uint8,
                                encoding=tfds.features.Encoding.ZLIB)
  if entries.is_frame(entry):
    return tfds.features.Image(
        shape=entry.shape, dtype=np.uint8, encoding_format='png')
  return tfds.features.Tensor(
      shape=entry.shape, dtype=np.float32, encoding=encoding)


def _features_dict(nest: Nest) -> Any:
  """Returns the features of a nest of dicts."""
  if not isinstance(nest, dict):
    return nest
  return tfds.features.FeaturesDict(
      {name: _features_dict(part) for name, part in nest.items()})


def _metadata_features(spec: EnvironmentSpec) -> dict[str, Any]:
  """Returns the features beside the steps, as the public datasets have them."""
  if is_image(spec.observation):
    return {'checkpoint_id': np.int64, 'episode_id': np.int64,
            'episode_return': np.float32}
  return {'episode_id': np.int64, 'timestamp': np.int64}


def steps_of(features_: tfds.features.FeaturesDict
             ) -> tfds.features.FeaturesDict:
  """Returns the features of the steps; raises ValueError if there are none."""
  is_dict = isinstance(features_, tfds.features.FeaturesDict)
  steps = dict(features_.items()).get('steps') if is_dict else None
  if not isinstance(steps, tfds.features.Dataset) or not isinstance(
      steps.feature, tfds.features.FeaturesDict):
    raise ValueError("An RLDS dataset has a nested dataset 'steps' in each "
                     f'example; this one has {features_}.')
  return steps.feature
