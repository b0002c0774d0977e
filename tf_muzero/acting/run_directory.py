"""What a run directory tells about its agent's task and weights.

`task.json` is written by the training command before it starts; the weights
are in `checkpoints/`, as the trainer saved them (`learning.checkpoint_files`).
"""

import json
import os
from typing import Any, NamedTuple, Union

from dm_env import specs
import numpy as np
import tensorflow as tf

from tf_muzero import actions
from tf_muzero import paths
from tf_muzero import whole_files
from tf_muzero.learning import checkpoint_files
from tf_muzero.networks.contract import Network
from tf_muzero.types import EnvironmentSpec
from tf_muzero.types import Nest

_FILE, _CONFIG = 'task.json', 'config.gin'


class Task(NamedTuple):
  """What an agent was trained for.

  Attributes:
    name: the environment's id, such as `dm_control:cartpole/swingup`.
    action_repeat: environment steps per decision.
    spec: what the agent sees and does.
    num_datapoints: stored states it was trained on, for the width rule.
  """
  name: str
  action_repeat: int
  spec: EnvironmentSpec
  num_datapoints: int


def checked(directory: str) -> str:
  """Returns the directory of a run that is to be made or to go on.

  Raises ValueError where it is that of something else.
  """
  directory = paths.checked(directory, 'run_directory')
  for name, what in (('dataset_info.json', 'a dataset'),
                     ('saved_model.pb', 'an exported policy')):
    if tf.io.gfile.exists(os.path.join(directory, name)):
      raise ValueError(
          f'run_directory {directory!r} is {what}; a run needs a directory of '
          'its own: tf-muzero train RUN DATASET.')
  return directory


def save_task(directory: str, task: Task) -> None:
  """Writes `task.json` into a run directory."""
  tf.io.gfile.makedirs(directory)
  content = {
      'task': task.name,
      'action_repeat': task.action_repeat,
      'num_datapoints': task.num_datapoints,
      'observation': nest_to_json(task.spec.observation),
      'action': nest_to_json(task.spec.action),
  }
  whole_files.write_json(os.path.join(directory, _FILE), content)


def load_task(directory: str) -> Task:
  """Returns what `save_task` wrote."""
  path = os.path.join(paths.checked(directory, 'directory'), _FILE)
  try:
    with tf.io.gfile.GFile(path) as file:
      content = json.loads(file.read())
  except tf.errors.NotFoundError as error:
    raise ValueError(_what_is_missing(directory)) from error
  except tf.errors.OpError as error:
    raise ValueError(f'The run {directory!r} cannot be read: '
                     f'{error.message}') from error
  return Task(
      content['task'], content['action_repeat'],
      EnvironmentSpec(nest_from_json(content['observation']),
                      nest_from_json(content['action'])),
      content['num_datapoints'])


def _what_is_missing(directory: str) -> str:
  """Returns what is wrong with a directory without `task.json`."""
  if not tf.io.gfile.exists(directory):
    return f'There is no directory {directory!r}.'
  if not tf.io.gfile.exists(os.path.join(directory, _CONFIG)):
    return f'{directory!r} is not a run directory: it has no {_CONFIG}.'
  return f'The run {directory!r} has not begun yet: it has no {_FILE}.'


def find_checkpoint(directory: str, name: Union[str, int] = 'last') -> str:
  """Returns the path of a checkpoint; raises ValueError if it is not there.

  Args:
    directory: of the run.
    name: `last`, `best`, or the learner step of one that is there.
  """
  return checkpoint_files.find(
      checkpoint_files.directory_of(directory), name, 'checkpoint').path


def shown(name: Union[str, int]) -> str:
  """Returns what to add to the step of a checkpoint that is the best."""
  return ', the best' if name == checkpoint_files.BEST else ''


def restore_network(directory: str, network: Network,
                    checkpoint: Union[str, int] = 'last') -> int:
  """Sets a network's weights to a target network's; returns its learner step.

  Args:
    directory: of the run; it may be in use.
    network: like the one that was trained.
    checkpoint: see `find_checkpoint`.
  """
  path = find_checkpoint(directory, checkpoint)
  while True:
    try:
      status = tf.train.Checkpoint(target=network).restore(path)
      break
    except tf.errors.NotFoundError:
      newer = find_checkpoint(directory, checkpoint)
      if newer == path:
        raise
      path = newer  # A training replaced it just now.
  try:
    status.assert_existing_objects_matched().expect_partial()
  except AssertionError as error:
    raise ValueError(
        f'{path} has other weights than the network: was the network, or the '
        'agent, changed since? Set them as they were. TensorFlow says: '
        f'{str(error).splitlines()[0]}') from error
  return int(path.rsplit('-', 1)[1])


def nest_to_json(nest: Nest) -> Any:
  """Returns a nest of specs as JSON values."""
  if isinstance(nest, dict):
    return {name: nest_to_json(x) for name, x in nest.items()}
  return _spec_to_json(nest)


def nest_from_json(content: dict) -> Nest:
  """Returns what `nest_to_json` was given."""
  if isinstance(content.get('shape'), list):  # An entry of that name is a dict.
    return _spec_from_json(content)
  return {name: nest_from_json(x) for name, x in content.items()}


def _spec_to_json(spec: specs.Array) -> dict:
  content = {'shape': list(spec.shape), 'dtype': np.dtype(spec.dtype).name,
             'name': spec.name}
  if isinstance(spec, specs.DiscreteArray):
    content['num_values'] = spec.num_values
    if actions.start_of(spec):
      content['start'] = actions.start_of(spec)
  elif isinstance(spec, specs.BoundedArray):
    content['minimum'] = np.asarray(spec.minimum).tolist()
    content['maximum'] = np.asarray(spec.maximum).tolist()
  return content


def _spec_from_json(content: dict) -> specs.Array:
  dtype, name = np.dtype(content['dtype']), content['name']
  if 'num_values' in content:
    if 'start' in content:
      return actions.Integers(content['num_values'], content['start'], name)
    return specs.DiscreteArray(content['num_values'], dtype, name)
  if 'minimum' in content:
    return specs.BoundedArray(content['shape'], dtype, content['minimum'],
                              content['maximum'], name)
  return specs.Array(content['shape'], dtype, name)
