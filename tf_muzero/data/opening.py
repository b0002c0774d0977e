"""A directory, a name of TFDS or a `tf.data.Dataset` in, a `Dataset` out."""

import dataclasses
import types
from typing import Any, Mapping, Union

from absl import logging
from google.protobuf import json_format
import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from tf_muzero import quiet
from tf_muzero.data import action_values
from tf_muzero.data import dataset as dataset_lib
from tf_muzero.data import decoding
from tf_muzero.data import files
from tf_muzero.data import locating
from tf_muzero.data import public
from tf_muzero.data import subsets
from tf_muzero.data import understanding
from tf_muzero.data.dataset import Dataset
from tf_muzero.data.reading import Reading
from tf_muzero.types import Nest

# Settings of reading that say which files are read.
_OF_FILES = ('data_dir', 'prepare', 'split', 'percent')


def open_dataset(source: Union[str, Dataset, tf.data.Dataset],
                 reading: Reading = Reading()) -> Dataset:
  """Returns a dataset, its layout checked and none of its episodes read.

  But for a budget of steps, for which it reads the lengths of all episodes.

  Args:
    source: directory of the dataset: one that `collect` or `convert` wrote, or
      `<data_dir>/<name>/<config>/<version>` of TFDS; or a name of TFDS, such as
      `rlu_control_suite/cartpole_swingup`; or what `from_rlds` takes or
      returned.
    reading: what of it is read, and how.
  """
  if isinstance(source, tf.data.Dataset):
    return from_rlds(source, reading=reading)
  if isinstance(source, Dataset):
    if reading not in (Reading(), source.reading):
      raise ValueError('reading is given where the dataset is opened, or here, '
                       'but not at both places.')
    return source
  return _open_files(source, reading)


def from_rlds(dataset: tf.data.Dataset, *,
              metadata: Mapping[str, Any] = types.MappingProxyType({}),
              reading: Reading = Reading(), name: str = '') -> Dataset:
  """Returns a dataset of RLDS episodes that TensorFlow already has.

  Such as of `tfds.load(...)`, filtered and mapped with `rlds.transformations`.
  It is read once here, to count its episodes and steps; where `memory_mib` has
  room for all of it, once more when training starts, and else in every pass.
  Each time it must have the same episodes in the same order: it is shuffled
  and repeated by what reads it.

  Args:
    dataset: of dicts whose `steps` are nested `tf.data.Dataset`s; what they
      have besides is not read.
    metadata: what files would tell of themselves: `task` and `action_repeat`;
      `num_actions` of integers; `action_minimum` and `action_maximum` of
      vectors. Such as `builder.info.metadata` of TFDS.
    reading: how it is read; `data_dir`, `prepare`, `split` and `percent` are of
      files, and here an error.
    name: of the dataset of TFDS that it was made of, such as
      `rlu_atari/Asterix_run_1`, if its records are still as they were stored
      there: what is known of that one is corrected.
  """
  _check_elements(dataset, reading)
  steps = dataset.element_spec['steps'].element_spec
  features = tfds.features.FeaturesDict(
      {'steps': tfds.features.Dataset(_feature_of(steps, 'steps'))})
  known = public.lookup(*name.partition('/')[::2])
  try:
    understood = understanding.understand(features, metadata, known, reading)
  except ValueError as error:
    raise ValueError(
        f'This tf.data.Dataset cannot be read: {error}') from error
  elements = dataset.flat_map(lambda element: _dense(element['steps']))
  metadata = {**metadata, **_count(elements, understood)}
  if not metadata['num_episodes']:
    raise ValueError('This tf.data.Dataset has no episodes.')
  name = name or 'dataset'
  return _within_budget(action_values.complete(Dataset(
      directory='', name=name, **understood._asdict(),
      **_environment(metadata, known), metadata=metadata,
      split='',
      parts=(files.Part(name, np.arange(metadata['num_episodes'])),),
      reading=reading, oddities=known.oddities,
      approximate_steps=0, elements=elements)))


def _open_files(name: str, reading: Reading) -> Dataset:
  directory = locating.find_directory(name, reading.data_dir, reading.prepare)
  try:
    with quiet.below(logging.WARNING):  # TFDS tells which files it reads.
      info = tfds.builder_from_directory(directory).info
      files.check_format(info)
      known = public.lookup(info.name, info.config_name or '')
      metadata = dict(info.metadata or {})
      understood = understanding.understand(
          info.features, metadata, known, reading)
      split = subsets.resolve(info.splits, reading)
      parts = files.parts_of(info.splits[split].file_instructions)
  except (ValueError, KeyError, OSError, tf.errors.OpError,
          json_format.ParseError) as error:
    raise ValueError(
        f'{directory!r} is not a dataset that can be read: {error}') from error
  whole = [info.splits[name] for name in subsets.names_of(split)]
  if not parts:
    raise ValueError(f'There are no episodes in {split!r} of {directory!r}, '
                     f'of {sum(x.num_examples for x in whole)} in all.')
  problem = files.find_lost(directory, whole)
  if problem and not reading.skips:
    raise ValueError(problem)
  if problem:
    logging.warning('%s What is lost is skipped.', problem)
  approximate_steps = int(
      known.steps_per_split * len(whole) * files.count(parts)
      / sum(x.num_examples for x in whole))
  return _within_budget(action_values.complete(Dataset(
      directory=directory,
      name='/'.join(filter(None, [info.name, info.config_name])),
      **_environment(metadata, known), metadata=metadata,
      split=split, parts=parts, reading=reading, oddities=known.oddities,
      approximate_steps=approximate_steps, **understood._replace(tellings=(
          *understood.tellings,
          *subsets.describe_splits(info.splits, split, reading)))._asdict())))


def _environment(metadata: Mapping[str, Any], known: public.Known
                 ) -> dict[str, Any]:
  """Returns the task and the action repeat that metadata tells."""
  task = metadata.get('task', known.task)
  action_repeat = metadata.get('action_repeat', 1)
  if not isinstance(task, str):
    raise ValueError(f'metadata: task must be a text, got {task!r}.')
  if not isinstance(action_repeat, int) or action_repeat < 1:
    raise ValueError('metadata: action_repeat must be an integer >= 1, got '
                     f'{action_repeat!r}.')
  return {'task': task, 'action_repeat': action_repeat}


def _check_elements(dataset: tf.data.Dataset, reading: Reading) -> None:
  """Raises ValueError unless these are the episodes of one pass."""
  spec = dataset.element_spec
  if not isinstance(spec, Mapping) or not (
      isinstance(spec.get('steps'), tf.data.DatasetSpec)
      and isinstance(spec['steps'].element_spec, Mapping)):
    raise ValueError(
        "An RLDS dataset has dicts with a nested dataset 'steps' of dicts, an "
        f'episode each; this one has {spec}.')
  if dataset.cardinality() == tf.data.INFINITE_CARDINALITY:
    raise ValueError('This tf.data.Dataset never ends: leave out repeat(), '
                     'training repeats it.')
  default = Reading()
  for name in _OF_FILES:
    if getattr(reading, name) != getattr(default, name):
      raise ValueError(
          f'reading.{name} says which files are read, and this is a '
          'tf.data.Dataset: choose its episodes with filter, take and skip.')


def _feature_of(spec: Nest, name: str) -> Nest:
  """Returns the features of TFDS that would be stored as the tensors are."""
  if isinstance(spec, Mapping):
    return {key: _feature_of(part, key) for key, part in spec.items()}
  if not isinstance(spec, tf.TensorSpec) or spec.shape.rank is None:
    raise ValueError(f'{name!r} must be a tensor of known rank in each step of '
                     f'an episode, got {spec}.')
  return tfds.features.Tensor(shape=tuple(spec.shape), dtype=spec.dtype)


def _dense(steps: tf.data.Dataset) -> tf.data.Dataset:
  """Returns the steps of an episode as one element [R, ...]; R may be 0.

  A dataset, since an operation that gives the element itself has a state, and
  the position of an iterator with such a one cannot be saved.
  """
  none = tf.nest.map_structure(
      lambda spec: tf.zeros([0, *(size or 0 for size in spec.shape)],
                            spec.dtype), steps.element_spec)
  return steps.batch(tf.int64.max).concatenate(
      tf.data.Dataset.from_tensors(none)).take(1)


def _count(elements: tf.data.Dataset, understood: understanding.Understood
           ) -> dict[str, int]:
  """Returns how many episodes and steps there are."""
  length_fn = decoding.make_length_fn(understood.features, understood.adapter)
  logging.info('The episodes of the tf.data.Dataset are counted.')
  lengths = [max(0, int(length)) for length in elements.map(
      lambda steps: length_fn(tf.constant(''), steps)).as_numpy_iterator()]
  logging.info('%d episodes, %d steps.', len(lengths), sum(lengths))
  return {'num_episodes': len(lengths), 'num_steps': sum(lengths)}


def _within_budget(dataset: Dataset) -> Dataset:
  """Returns the dataset without what is over its budget or held out."""
  total, reading = dataset.num_episodes, dataset.reading
  parts, held_out_parts = subsets.hold_out(subsets.draw(
      dataset.parts, reading, lambda: dataset_lib.lengths(dataset)), reading)
  parts = subsets.best(parts, reading, lambda: dataset_lib.returns(
      dataclasses.replace(dataset, parts=parts)))
  chosen = dataclasses.replace(
      dataset, parts=parts, held_out_parts=held_out_parts,
      approximate_steps=int(
          dataset.approximate_steps * files.count(parts) / total))
  subset = subsets.describe(reading)
  if subset:
    logging.info('%s: %d episodes: %s.', dataset.name, chosen.num_episodes,
                 subset)
  return chosen
