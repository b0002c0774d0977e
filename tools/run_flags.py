"""Flags of tools that look at a run without its data: what it would be."""

from typing import Any, Mapping, Optional

from absl import app
from absl import flags
from dm_env import specs
import gin
import numpy as np

from tf_muzero import cli
from tf_muzero import train
from tf_muzero.acting import passes
from tf_muzero.types import EnvironmentSpec

_OBSERVATION = flags.DEFINE_string(
    'observation', '', 'Length of a vector, or HxWxC of a frame: 84x84x1.')
_NUM_ACTIONS = flags.DEFINE_integer(
    'num_actions', 0, 'Discrete actions.')
_ACTION_SIZE = flags.DEFINE_integer(
    'action_size', 0, 'Length of a continuous action.')
_NUM_DATAPOINTS = flags.DEFINE_integer(
    'num_datapoints', 0, "Stored states, for the paper's rule of the width and "
    'for passes.')

cli.define_gin_flags(flags.FLAGS)


def settings() -> Mapping[str, Any]:
  """Returns the arguments that gin's flags give `train.train`, by name."""
  return cli.settings(train.train, flags.FLAGS.gin_file, [
      'RUN_DIRECTORY = "unused"', 'DATASET = "unused"',
      *flags.FLAGS.gin_bindings])


def num_simulations(search_fn) -> int:
  """Returns the simulations of a search, which gin has bound to it."""
  return gin.get_bindings(search_fn)['num_simulations']


def environment_spec() -> EnvironmentSpec:
  """Returns what the agent sees and does."""
  if not _OBSERVATION.value:
    raise app.UsageError('Give --observation.')
  shape = [int(size) for size in _OBSERVATION.value.split('x')]
  if bool(_NUM_ACTIONS.value) == bool(_ACTION_SIZE.value):
    raise app.UsageError('Give one of --num_actions and --action_size.')
  observation = specs.Array(
      shape, np.float32 if len(shape) == 1 else np.uint8)
  action = specs.BoundedArray(
      [_ACTION_SIZE.value], np.float32, -1.0, 1.0
  ) if _ACTION_SIZE.value else specs.DiscreteArray(_NUM_ACTIONS.value)
  return EnvironmentSpec(observation, action)


def num_datapoints() -> int:
  """Returns the number of stored states, 0 where it does not matter."""
  return _NUM_DATAPOINTS.value


def num_steps(given: Mapping[str, Any], transitions: int) -> Optional[int]:
  """Returns the learner steps, None for passes over an unknown number.

  Args:
    given: arguments of `train.train` by name.
    transitions: that are stored, 0 where it is not known.
  """
  if not isinstance(given['num_steps'], str):
    return given['num_steps']
  passes.parse(given['num_steps'])
  return passes.steps(
      given['num_steps'], transitions, given['reanalyse_fraction'],
      given['batch_size']) if transitions else None
