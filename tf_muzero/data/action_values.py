"""Which actions a dataset has; a pass over these alone."""

import dataclasses
from typing import NamedTuple

from dm_env import specs
import numpy as np
import tensorflow as tf

from tf_muzero import actions
from tf_muzero.data import decoding
from tf_muzero.data import records
from tf_muzero.data import stored_actions
from tf_muzero.data.dataset import Dataset

_MOST_ACTIONS = 2**16  # More of them are a mistake.


class Values(NamedTuple):
  """What was found, in the dataset's own range.

  Attributes:
    low: [n] least of each component, n = 1 for integers.
    high: [n] greatest.
    num_beyond: episodes with actions that are out of bounds.
    num_episodes: that could be read.
  """
  low: np.ndarray
  high: np.ndarray
  num_beyond: int
  num_episodes: int


def find(dataset: Dataset) -> Values:
  """Returns which actions there are; what cannot be read is left out."""
  action_fn = decoding.make_action_fn(
      dataset.spec.action, dataset.features, dataset.adapter)
  found = decoding.each(
      records.read(dataset.parts, dataset.elements, skip=True), action_fn,
      lambda where, spec: tf.nest.map_structure(
          lambda x: tf.zeros([0, *x.shape[1:]], x.dtype), spec))
  size = int(np.prod(dataset.spec.action.shape, dtype=np.int64))
  low, high = np.full([size], np.inf), np.full([size], -np.inf)
  num_beyond = num_episodes = 0
  for least, most, is_beyond in found.as_numpy_iterator():
    low, high = (np.minimum(low, least.min(0, initial=np.inf)),
                 np.maximum(high, most.max(0, initial=-np.inf)))
    num_episodes += len(is_beyond)
    num_beyond += int(is_beyond.sum())
  return Values(low, high, num_beyond, num_episodes)


def complete(dataset: Dataset) -> Dataset:
  """Returns the dataset; counts its actions, if nothing tells how many it has.

  Raises ValueError where that would take hours.
  """
  spec = dataset.spec.action
  if not isinstance(spec, specs.DiscreteArray) or (
      spec.num_values != stored_actions.UNKNOWN):
    return dataset
  setting = ("num_actions in the dataset's metadata, or in reading.Reading, "
             'tells it')
  if dataset.approximate_steps:
    raise ValueError(
        f'{dataset.place!r}: nothing tells how many actions there are, and '
        f'there are about {dataset.approximate_steps} to look at: {setting}.')
  values, start = find(dataset), actions.start_of(spec)
  if not np.isfinite(values.high).all():
    raise ValueError(f'{dataset.place!r}: nothing tells how many actions there '
                     f'are, and none of them can be read: {setting}.')
  low, high = int(values.low[0]), int(values.high[0])
  number = high - start + 1
  if not 1 <= number <= _MOST_ACTIONS:
    raise ValueError(
        f'{dataset.place!r}: nothing tells how many actions there are, and '
        f'they go from {low} to {high}: {setting}, and action_start tells the '
        'lowest one.')
  telling = (f'nothing tells how many actions there are; the greatest one seen '
             f'is {high}, so there are {number} from {start} on; {setting}')
  if low > start:
    telling += (f'. The least one seen is {low}: if it is the lowest, '
                f'action_start = {low} tells it')
  return dataclasses.replace(
      dataset, tellings=(*dataset.tellings, telling),
      spec=dataset.spec._replace(action=actions.Integers(number, start)))


def advise(dataset: Dataset) -> str:
  """Returns what to do about actions that are out of bounds, in words."""
  if dataset.approximate_steps:
    return ''
  values, spec = find(dataset), dataset.spec.action
  where = (f'In {values.num_beyond} of {values.num_episodes} episodes actions '
           'are out of bounds')
  if not isinstance(spec, specs.DiscreteArray):
    text = [', '.join(f'{x:.6g}' for x in bound)
            for bound in (values.low, values.high)]
    return (f'{where}; in all, they go from [{text[0]}] to [{text[1]}]. If '
            "they are right, tell the environment's own bounds, which include "
            "these, in the dataset's metadata or in reading.Reading: "
            f'action_minimum = [{text[0]}] and action_maximum = [{text[1]}], '
            'for example.')
  low, high = int(values.low[0]), int(values.high[0])
  start = actions.start_of(spec)
  ways = []
  if high - low < spec.num_values and abs(low) < _MOST_ACTIONS:
    ways.append(f'action_start = {low}')
  if low >= start and high - start < _MOST_ACTIONS:
    ways.append(f'num_actions = {high - start + 1}')
  return (f'{where}; in all, they go from {low} to {high}, and {start} to '
          f'{start + spec.num_values - 1} was expected.' + (
              f' If they are right, set {" or ".join(ways)} in '
              'reading.Reading.' if ways else ''))
