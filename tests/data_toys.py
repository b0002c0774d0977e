"""Episodes and datasets that are arbitrary, small, and made in no time."""

import dm_env
from dm_env import specs
import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from tf_muzero.data import writing
from tf_muzero.types import Episode
from tf_muzero.types import EnvironmentSpec

STATE_SPEC = EnvironmentSpec(
    {'velocity': specs.Array([2], np.float32, 'velocity'),
     'angle': specs.Array([1], np.float32, 'angle')},
    specs.BoundedArray([2], np.float32, -1.0, 1.0, 'action'))
BOARD_SPEC = EnvironmentSpec(
    specs.Array([3], np.float32, 'board'), specs.DiscreteArray(4))
FRAME_SPEC = EnvironmentSpec(
    specs.Array([6, 5, 1], np.uint8, 'frame'), specs.DiscreteArray(4))


def play(rng, spec, num_transitions, is_terminal=False):
  """Returns the time steps and actions of an episode."""
  def observe():
    if isinstance(spec.observation, dict):
      return {name: rng.normal(size=part.shape).astype(np.float32)
              for name, part in spec.observation.items()}
    if spec.observation.dtype == np.uint8:
      return rng.integers(256, size=spec.observation.shape, dtype=np.uint8)
    return rng.normal(size=spec.observation.shape).astype(np.float32)

  time_steps, actions = [dm_env.restart(observe())], []
  for i in range(num_transitions):
    if isinstance(spec.action, specs.DiscreteArray):
      actions.append(np.int32(rng.integers(spec.action.num_values)))
    else:
      actions.append(
          rng.uniform(-1.0, 1.0, spec.action.shape).astype(np.float32))
    reward, is_last = rng.normal(), i == num_transitions - 1
    make = (dm_env.transition if not is_last else
            dm_env.termination if is_terminal else dm_env.truncation)
    time_steps.append(make(reward, observe()))
  return time_steps, actions


def episode_of(time_steps, actions):
  """Returns what a reader should make of an episode, in plain Python."""
  flat = []
  for time_step in time_steps:
    parts = time_step.observation
    flat.append(np.concatenate([parts[name] for name in sorted(parts)])
                if isinstance(parts, dict) else parts)
  return Episode(
      np.stack(flat), np.stack([*actions, np.zeros_like(actions[0])]),
      np.float32([*(t.reward for t in time_steps[1:]), 0.0]),
      np.float32([*(t.discount for t in time_steps[1:]), 1.0]))


def write(directory, played, spec, *, episodes_per_file=100, **metadata):
  """Writes a dataset of what `play` returned."""
  with writing.new_dataset(
      str(directory), name='toy', spec=spec, metadata=metadata,
      episodes_per_file=episodes_per_file) as add:
    for time_steps, actions in played:
      add(writing.played(time_steps, actions, spec))


def write_raw(directory, features, examples):
  """Writes examples as they are, unchecked, as others would."""
  directory.mkdir(parents=True)
  identity = tfds.core.dataset_info.DatasetIdentity(
      name='raw', version=tfds.core.Version('1.0.0'), data_dir=str(directory),
      module_name='')
  writer = tfds.core.SequentialWriter(
      tfds.core.DatasetInfo(builder=identity, features=features), 100)
  writer.initialize_splits(['train'])
  writer.add_examples({'train': examples})
  writer.close_all()


def raw_features(**steps):
  """Returns features that others might have."""
  return tfds.features.FeaturesDict({'steps': tfds.features.Dataset({
      'observation': tfds.features.Tensor(shape=(2, 2), dtype=np.float64),
      'action': tfds.features.Tensor(shape=(1,), dtype=np.float64),
      'reward': np.float32, 'discount': np.float32, 'is_first': np.bool_,
      'is_last': np.bool_, 'is_terminal': np.bool_, **steps})})


def raw_steps(**steps):
  """Returns an example of two transitions."""
  return {'steps': {
      'observation': np.arange(12.0).reshape(3, 2, 2),
      'action': np.full([3, 1], 0.5), 'reward': np.float32([1.0, 2.0, 9.0]),
      'discount': np.float32([1.0, 1.0, 0.0]),
      'is_first': [True, False, False], 'is_last': [False, False, True],
      'is_terminal': [False, False, True], **steps}}


def spoil(file, number):
  """Makes a record of nonsense, with a checksum that says it is right."""
  records = list(tf.data.TFRecordDataset(str(file)).as_numpy_iterator())
  records[number] = b'\xff' * len(records[number])
  with tf.io.TFRecordWriter(str(file)) as writer:
    for record in records:
      writer.write(record)
