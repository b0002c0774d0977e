"""A serialised example in, a checked episode out; all in the graph."""

import os
from typing import Any, Callable, Mapping, NamedTuple

import tensorflow as tf
import tensorflow_datasets as tfds

from tf_muzero import actions
from tf_muzero.data import adapters
from tf_muzero.data import checks
from tf_muzero.data import layout
from tf_muzero.data import observations
from tf_muzero.types import EnvironmentSpec
from tf_muzero.types import Episode
from tf_muzero.types import Nest

# Episodes that are open at once; of frames, not more of them wait than fit. A
# saved position has all of them, and must not depend on the number of cores.
_OPEN = 8


class Checked(NamedTuple):
  """An episode and what was found about it.

  Attributes:
    episode: where nothing was found, as it is to be used.
    finding: the first problem.
    where: scalar string, file and number in it.
    is_terminal: scalar bool, what the dataset says of the last record; what
      counts is the discount before it.
  """
  episode: Episode
  finding: checks.Finding
  where: tf.Tensor
  is_terminal: tf.Tensor


def make_decode_fn(spec: EnvironmentSpec, features: tfds.features.FeaturesDict,
                   adapter: adapters.Adapter
                   ) -> Callable[[tf.Tensor, tf.Tensor], Checked]:
  """Returns (where, serialised example) -> Checked.

  A record that cannot be decoded is an error of TensorFlow, see `each`.

  Args:
    spec: what an agent sees and does.
    features: of the dataset.
    adapter: makes of what is stored what it means.
  """
  features = layout.only(features, layout.FIELDS)

  def decode(where: tf.Tensor, example: tf.Tensor) -> Checked:
    steps = layout.decode(features, adapter(_parse(features, example)))
    episode = Episode(
        observations.flatten(steps['observation']), steps['action'],
        steps['reward'], steps['discount'])
    finding = checks.find(episode, steps['is_first'], steps['is_last'], spec)
    episode = episode._replace(
        action=actions.to_network(episode.action, spec.action))
    return Checked(_blank_end(episode), finding, where, tf.reduce_any(
        steps['is_terminal'][-1:]))

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


def each(encoded: tf.data.Dataset, fn: Callable[[tf.Tensor, tf.Tensor], Nest],
         otherwise_fn: Callable[[tf.Tensor, Nest], Nest]) -> tf.data.Dataset:
  """Returns what a function makes of records, in their order.

  Args:
    encoded: dataset of (where, serialised example).
    fn: (where, serialised example) -> nest of tensors; may raise.
    otherwise_fn: (where, spec of the nest) -> what stands for it then.
  """
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
  return nothing._replace(where=where, finding=checks.Finding(
      tf.constant(checks.UNDECODABLE, tf.int64), tf.constant(0, tf.int64)))


def _parse(features: tfds.features.FeaturesDict, example: Nest
           ) -> Mapping[str, Any]:
  """Returns the steps of an example as dense tensors, serialised or not."""
  if not tf.is_tensor(example):  # Of a `tf.data.Dataset`.
    return {field: example[field] for field in features['steps'].feature}
  return features.deserialize_example(
      example, decoders={'steps': tfds.decode.SkipDecoding()})['steps']


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
