"""A policy from a SavedModel, as a behaviour."""

from typing import Any

from absl import logging
import dm_env
from dm_env import specs
import numpy as np
import tensorflow as tf
import tree

from tf_muzero.envs import matching
from tf_muzero.envs.behaviours import ActFn
from tf_muzero.envs.behaviours import Behaviour
from tf_muzero.envs.behaviours import Setting

_TOLERANCE = 1e-5  # Of the bounds, as a share of their range.


def saved(directory: str) -> Behaviour:
  """Returns the behaviour of a policy that TF-Agents' PolicySaver wrote.

  Such as `python -m tf_muzero.export` writes. For a noise level, put it into
  `behaviours.noisy`. Nothing but TensorFlow is needed to load it.

  Args:
    directory: of the SavedModel.
  """
  if not tf.saved_model.contains_saved_model(directory):
    raise ValueError(f'There is no SavedModel in {directory!r}.')
  policy = tf.saved_model.load(directory)
  for name in ('action', 'get_initial_state'):
    if not hasattr(policy, name):
      raise ValueError(f'The SavedModel in {directory!r} is not a policy of '
                       f'TF-Agents: it has no function {name!r}.')
  time_step_spec = _time_step_spec(policy.action)

  def start(setting: Setting, rng: np.random.Generator) -> ActFn:
    state = policy.get_initial_state(batch_size=tf.constant(1))
    if hasattr(state, 'seed'):  # Ours start all alike otherwise.
      state = state._replace(seed=tf.constant(
          rng.integers(2**31, size=[1, 2]), state.seed.dtype))

    def act(time_step: dm_env.TimeStep) -> np.ndarray:
      nonlocal state
      action, state, _ = policy.action(
          type(time_step_spec)(**_batch_of_one(time_step._replace(
              observation=matching.select(
                  time_step.observation, time_step_spec.observation)))), state)
      return _in_bounds(action.numpy()[0], setting.spec.action)
    return act
  return Behaviour(f'saved({directory!r})', start)


def _time_step_spec(action_fn: Any) -> Any:
  """Returns the nest of specs of the time step that a policy takes."""
  function = action_fn.concrete_functions[0]
  return function.structured_input_signature[0][0]


def _batch_of_one(time_step: dm_env.TimeStep) -> dict[str, Any]:
  """Returns the fields of a time step of TF-Agents, each [1, ...]."""
  return {
      'step_type': tf.constant([int(time_step.step_type)]),
      'reward': tf.constant([time_step.reward or 0.0], tf.float32),
      'discount': tf.constant(
          [1.0 if time_step.first() else time_step.discount], tf.float32),
      'observation': tree.map_structure(
          lambda x: tf.constant(x[np.newaxis]), time_step.observation),
  }


def _in_bounds(action: np.ndarray, spec: specs.BoundedArray) -> np.ndarray:
  if action.shape != spec.shape:
    raise ValueError(f'The saved policy acts with shape {action.shape}, the '
                     f'task needs {spec.shape}.')
  if isinstance(spec, specs.DiscreteArray):
    return action.astype(spec.dtype)
  clipped = np.clip(action, spec.minimum, spec.maximum).astype(spec.dtype)
  if np.any(np.abs(clipped - action) > _TOLERANCE * (
      spec.maximum - spec.minimum)):
    logging.log_first_n(
        logging.WARNING, 'The saved policy acts with %s, out of the bounds %s '
        'to %s of the task: such actions are clipped.', 1, action, spec.minimum,
        spec.maximum)
  return clipped
