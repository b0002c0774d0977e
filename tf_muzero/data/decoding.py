"""A serialised example in, a checked episode out; all in the graph."""

import os
from typing import Any, Callable, Mapping, NamedTuple, Optional

from dm_env import specs
import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from tf_muzero import actions
from tf_muzero.data import adapters
from tf_muzero.data import checks
from tf_muzero.data import layout
from tf_muzero.data import observations
from tf_muzero.data import stored_actions
from tf_muzero.data import tellings
from tf_muzero.types import EnvironmentSpec
from tf_muzero.types import Episode
from tf_muzero.types import Nest

# Episodes that are open at once; of frames, not more of them wait than fit. A
# saved position has all of them, and must not depend on the number of cores.
_OPEN = 8
_EXACT = 2**24  # Integers up to this one are all of them float32s.


class Checked(NamedTuple):
  """An episode and what was found about it.

  Attributes:
    episode: where nothing was found, as it is to be used.
    finding: the first problem.
    where: scalar string, file and number in it.
    told: [number of tellings] bool, what was settled, see `tellings`.
  """
  episode: Episode
  finding: checks.Finding
  where: tf.Tensor
  told: tf.Tensor


def make_decode_fn(spec: EnvironmentSpec, features: tfds.features.FeaturesDict,
                   adapter: adapters.Adapter,
                   image_layout: Optional[str] = None
                   ) -> Callable[[tf.Tensor, tf.Tensor], Checked]:
  """Returns (where, serialised example) -> Checked.

  A record that cannot be decoded is an error of TensorFlow, see `each`.

  Args:
    spec: what an agent sees and does.
    features: of the dataset.
    adapter: makes of what is stored what it means.
    image_layout: see `Reading`.
  """
  features = layout.only(features, layout.FIELDS)

  def decode(where: tf.Tensor, example: tf.Tensor) -> Checked:
    steps = layout.decode(features, adapter(_parse(features, example)),
                          spec.observation, image_layout)
    # As they are stored: what does not fit must not be narrowed before.
    stored = Episode(
        observations.flatten(_common(steps['observation'])), steps['action'],
        steps['reward'], steps['discount'])
    finding = checks.find(stored, steps['is_first'], steps['is_last'], spec)
    action, is_clipped = checks.clip(stored.action, spec.action)
    action = actions.to_network(action, spec.action)
    if action.dtype.is_floating:
      action = tf.clip_by_value(action, -1.0, 1.0)  # But for rounding, it is.
    observation = stored.observation
    told = steps['told'] | tellings.flags({
        'clipped': is_clipped, 'rounded': _is_rounded(steps['observation'])})
    if observation.dtype != tf.uint8:
      observation = tf.cast(observation, tf.float32)
    return Checked(_blank_end(Episode(
        observation, action, tf.cast(stored.reward, tf.float32),
        stored.discount)), finding, where, told)

  return decode


def make_length_fn(features: tfds.features.FeaturesDict,
                   adapter: adapters.Adapter
                   ) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
  """Returns (where, serialised example) -> number of transitions."""
  features = layout.only(features, layout.LENGTH_FIELDS)

  def length(where: tf.Tensor, example: tf.Tensor) -> tf.Tensor:
    del where
    steps = adapter(_parse(features, example))
    return tf.shape(steps['reward'])[0] - 1

  return length


def make_outline_fn(features: tfds.features.FeaturesDict,
                    adapter: adapters.Adapter
                    ) -> Callable[[tf.Tensor, tf.Tensor],
                                  tuple[tf.Tensor, tf.Tensor]]:
  """Returns (where, serialised example) -> (reward, discount), [R - 1] each.

  As in the `Episode` of `make_decode_fn`, without a look at observations.
  """
  features = layout.only(features, layout.LENGTH_FIELDS)

  def outline(where: tf.Tensor, example: tf.Tensor
              ) -> tuple[tf.Tensor, tf.Tensor]:
    del where
    steps = adapter(_parse(features, example))
    flat = lambda x: tf.reshape(tf.cast(x, tf.float32), [-1])[:-1]
    return flat(steps['reward']), flat(steps['discount'])

  return outline


def make_action_fn(spec: specs.Array, features: tfds.features.FeaturesDict,
                   adapter: adapters.Adapter
                   ) -> Callable[[tf.Tensor, tf.Tensor], tuple[tf.Tensor, ...]]:
  """Returns (where, serialised example) -> what actions an episode has.

  These are least and greatest of each component, [1, n] float64, infinities
  where there are none; and whether any is out of bounds, [1] bool.

  Args:
    spec: of the actions, as the environment has them.
    features: of the dataset.
    adapter: makes of what is stored what it means.
  """
  features = layout.only(features, ('action', *layout.LENGTH_FIELDS))

  def action(where: tf.Tensor, example: tf.Tensor) -> tuple[tf.Tensor, ...]:
    del where
    steps = adapter(_parse(features, example))
    taken = stored_actions.decode(
        features['steps'].feature['action'], steps['action'])[:-1]
    is_beyond = tf.reduce_any(checks.out_of_bounds(taken, spec), keepdims=True)
    values = tf.reshape(tf.cast(taken, tf.float64), [
        -1, int(np.prod(spec.shape, dtype=np.int64))])
    is_finite = tf.math.is_finite(values)
    bounds = [reduce(tf.where(is_finite, values, tf.constant(
        empty, tf.float64)), axis=0, keepdims=True) for reduce, empty in (
            (tf.reduce_min, np.inf), (tf.reduce_max, -np.inf))]
    return (*bounds, is_beyond)

  return action


def each(encoded: tf.data.Dataset, fn: Callable[[tf.Tensor, tf.Tensor], Nest],
         otherwise_fn: Callable[[tf.Tensor, Nest], Nest]) -> tf.data.Dataset:
  """Returns what a function makes of records, in their order.

  Args:
    encoded: dataset of (where, serialised example).
    fn: (where, serialised example) -> nest of tensors; may raise.
    otherwise_fn: (where, spec of the nest) -> what stands for it then.
  """
  # Nothing here needs AutoGraph, which makes tracing slower.
  @tf.autograph.experimental.do_not_convert
  def one(where: tf.Tensor, example: tf.Tensor) -> tf.data.Dataset:
    made = tf.data.Dataset.from_tensors((where, example)).map(fn)
    otherwise = tf.data.Dataset.from_tensors(
        otherwise_fn(where, made.element_spec))
    return made.ignore_errors(log_warning=True).concatenate(otherwise).take(1)

  return encoded.interleave(
      one, cycle_length=_OPEN, deterministic=True,
      num_parallel_calls=min(os.cpu_count() or 1, _OPEN))


def undecodable(where: tf.Tensor, spec: Checked) -> Checked:
  """Returns what stands for a record that cannot be decoded."""
  nothing = tf.nest.map_structure(
      lambda x: tf.zeros([size or 0 for size in x.shape], x.dtype), spec)
  return nothing._replace(where=where, finding=nothing.finding._replace(
      problem=tf.constant(checks.UNDECODABLE, tf.int64)))


def _parse(features: tfds.features.FeaturesDict, example: Nest
           ) -> Mapping[str, Any]:
  """Returns the steps of an example as dense tensors, serialised or not."""
  if not tf.is_tensor(example):  # Of a `tf.data.Dataset`.
    return {field: example[field] for field in features['steps'].feature}
  return features.deserialize_example(
      example, decoders={'steps': tfds.decode.SkipDecoding()})['steps']


def _common(entries: Nest) -> Nest:
  """Returns numbers of one type, which loses nothing of floats; or a frame."""
  found = tf.nest.flatten(entries)
  if len(found) == 1 and found[0].dtype == tf.uint8 and found[0].shape.rank > 2:
    return entries
  dtype = (tf.float64 if any(x.dtype == tf.float64 for x in found)
           else tf.float32)
  return tf.nest.map_structure(lambda x: tf.cast(x, dtype), entries)


def _is_rounded(entries: Nest) -> tf.Tensor:
  """Returns whether float32 rounds any of the integers."""
  found = [tf.cast(x, tf.int64) for x in tf.nest.flatten(entries)
           if x.dtype.is_integer and x.dtype.size > 2]
  large = [tf.reduce_any((x > _EXACT) | (x < -_EXACT)) for x in found]
  return tf.reduce_any(large) if large else tf.constant(False)


def _blank_end(episode: Episode) -> Episode:
  """Returns an episode whose last record is nothing but an observation.

  What datasets have in the last record besides is anything: it means nothing.
  """
  num_records = tf.shape(episode.reward)[0]
  is_transition = tf.range(num_records) < num_records - 1
  blank = lambda x: tf.where(
      tf.reshape(is_transition, [-1] + [1] * (x.shape.rank - 1)), x,
      tf.zeros([], x.dtype))
  return episode._replace(
      action=blank(episode.action), reward=blank(episode.reward),
      discount=tf.where(is_transition, episode.discount, 1.0))
