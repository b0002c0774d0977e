"""A policy as a SavedModel that plans inside.

It loads with nothing but TensorFlow, and as a policy of TF-Agents:
`action`, `get_initial_state`, `get_train_step`, `get_metadata` are those of
its `PolicySaver`. We add `act(observation, is_first, state)`, and the model
itself as `initial_inference(observation, seed)` and
`recurrent_inference(embedding, action, seed)`.
"""

import json
import os
from typing import Any, NamedTuple, Sequence

import numpy as np
import tensorflow as tf
from tf_agents.policies import policy_saver
from tf_agents.policies import py_tf_eager_policy
from tf_agents.trajectories import time_step as time_steps

from tf_muzero.acting.policy import MuZeroPolicy
from tf_muzero.acting.policy import PolicyState
from tf_muzero.data import observations
from tf_muzero.networks.agent import PlanningModel
from tf_muzero.types import Nest

METADATA_FILE = 'metadata.json'
_TOLERANCE = 1e-4  # Of actions; the same graph, optimised apart.


def is_saved_model(directory: str) -> bool:
  """Returns whether there is a SavedModel in a directory."""
  return tf.io.gfile.exists(os.path.join(directory, 'saved_model.pb'))


def read_metadata(directory: str) -> dict[str, Any]:
  """Returns what was written beside an exported policy."""
  path = os.path.join(directory, METADATA_FILE)
  if not tf.io.gfile.exists(path):
    raise ValueError(f'{directory!r} has no {METADATA_FILE}; it was not '
                     'written by `python -m tf_muzero.export`.')
  with tf.io.gfile.GFile(path) as file:
    return json.load(file)


def save(directory: str, policy: MuZeroPolicy, model: PlanningModel,
         metadata: dict[str, Any], step: int) -> None:
  """Writes a policy, its model and its metadata.

  Args:
    directory: must not exist.
    policy: not compiled by XLA, so that every batch size is one graph.
    model: the planning functions of the policy's parameters.
    metadata: JSON values; numbers and strings go into `get_metadata` too.
    step: learner step of the weights.
  """
  saver = policy_saver.PolicySaver(
      policy, batch_size=None, train_step=tf.Variable(step, dtype=tf.int64),
      metadata={
          name: tf.Variable(value, trainable=False)
          for name, value in metadata.items()
          if isinstance(value, (int, float, str))})
  observation = _batched(policy.time_step_spec.observation)
  policy.act.get_concrete_function(
      observation, tf.TensorSpec([None], tf.bool, 'is_first'),
      PolicyState(tf.TensorSpec([None, 2], tf.int32, 'seed')))
  saver.register_concrete_function('act', policy.act)
  _add_model(saver, policy, model, observation)
  saver.save(directory)
  with tf.io.gfile.GFile(os.path.join(directory, METADATA_FILE), 'w') as file:
    file.write(json.dumps(metadata, indent=2) + '\n')


def verify(directory: str, policy: MuZeroPolicy,
           batch_sizes: Sequence[int] = (1, 3)) -> None:
  """Raises RuntimeError unless the saved policy acts as the live one does.

  Args:
    directory: where `save` wrote.
    policy: what was saved.
    batch_sizes: of random observations, two decisions each.
  """
  loaded = tf.saved_model.load(directory)
  eager = py_tf_eager_policy.SavedModelPyTFEagerPolicy(
      directory, load_specs_from_pbtxt=True, batch_time_steps=False)
  for batch_size in batch_sizes:
    state = policy.get_initial_state(batch_size)
    loaded_state = loaded.get_initial_state(batch_size=batch_size)
    eager_state = eager.get_initial_state(batch_size)
    for i in range(2):
      observation = _random_observation(policy, batch_size, seed=i)
      is_first = tf.fill([batch_size], i == 0)
      action, state = policy.act(observation, is_first, state)
      loaded_action, loaded_state = loaded.act(
          observation, is_first, loaded_state)
      step = eager.action(_time_step(observation, is_first), eager_state)
      eager_state = step.state
      for name, other in (('tf.saved_model.load', loaded_action),
                          ('SavedModelPyTFEagerPolicy', step.action)):
        difference = np.max(np.abs(
            np.asarray(other, np.float64) - np.asarray(action, np.float64)))
        if not difference <= _TOLERANCE:
          raise RuntimeError(
              f'The policy that {name} loaded acts differently at batch size '
              f'{batch_size}, decision {i}: actions differ by {difference}.')


def _add_model(saver: policy_saver.PolicySaver, policy: MuZeroPolicy,
               model: PlanningModel, observation: Nest) -> None:
  """Adds the model's two functions, structured and as signatures.

  Args:
    saver: where to.
    policy: whose parameters.
    model: functions of them.
    observation: nest of specs [None, ...].
  """
  seed = tf.TensorSpec([2], tf.int32, 'seed')

  @tf.function
  def initial_inference(observation, seed):
    return _named(model.root_fn(
        policy.parameters, seed, observations.flatten(observation)))

  @tf.function(input_signature=tf.nest.flatten(observation) + [seed])
  def initial_signature(*inputs):
    return initial_inference(
        tf.nest.pack_sequence_as(observation, inputs[:-1]), inputs[-1])

  outputs = initial_inference.get_concrete_function(
      observation, seed).structured_outputs
  embedding = tf.TensorSpec(
      outputs['embedding'].shape, outputs['embedding'].dtype, 'embedding')
  action = tf.TensorSpec([None] + policy.action_spec.shape,
                         policy.action_spec.dtype, 'action')

  @tf.function(input_signature=[embedding, action, seed])
  def recurrent_inference(embedding, action, seed):
    return _named(model.recurrent_fn(
        policy.parameters, seed, action, embedding))

  recurrent_inference.get_concrete_function()
  saver.register_concrete_function('initial_inference', initial_inference)
  saver.register_concrete_function('recurrent_inference', recurrent_inference)
  saver.signatures['initial_inference'] = initial_signature
  saver.signatures['recurrent_inference'] = recurrent_inference


def _named(output: NamedTuple) -> dict[str, tf.Tensor]:
  """Returns the fields that are tensors, by name."""
  return {name: x for name, x in output._asdict().items() if tf.is_tensor(x)}


def _batched(nest: Nest) -> Nest:
  return tf.nest.map_structure(
      lambda x: tf.TensorSpec([None] + x.shape, x.dtype, x.name), nest)


def _random_observation(policy: MuZeroPolicy, batch_size: int, seed: int
                        ) -> Nest:
  generator = np.random.default_rng(seed)

  def draw(spec):
    shape = (batch_size,) + tuple(spec.shape)
    if spec.dtype.is_integer:
      return tf.constant(generator.integers(0, 256, shape), spec.dtype)
    return tf.constant(generator.normal(size=shape), spec.dtype)

  return tf.nest.map_structure(draw, policy.time_step_spec.observation)


def _time_step(observation: Nest, is_first: tf.Tensor) -> time_steps.TimeStep:
  """Returns the arrays of TF-Agents' time step, batched."""
  return time_steps.TimeStep(
      np.where(is_first, time_steps.StepType.FIRST, time_steps.StepType.MID
               ).astype(np.int32),
      np.zeros(is_first.shape, np.float32), np.ones(is_first.shape, np.float32),
      tf.nest.map_structure(lambda x: x.numpy(), observation))
