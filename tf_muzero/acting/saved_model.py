"""A policy as a SavedModel that plans inside.

It loads with nothing but TensorFlow, and as a policy of TF-Agents:
`action`, `get_initial_state`, `get_train_step`, `get_metadata` are those of
its `PolicySaver`. We add `act(observation, is_first, state)`, and the model
itself as `initial_inference(observation, seed)` and
`recurrent_inference(embedding, action, seed)`.

A policy that stacks F > 1 observations keeps them in its state. The model has
no state: `initial_inference` takes the last F observations, [B, F, ...], the
oldest first.
"""

import json
import os
from typing import Any, NamedTuple, Sequence

from absl import logging
import numpy as np
import tensorflow as tf
from tf_agents.policies import policy_saver
from tf_agents.policies import py_tf_eager_policy
from tf_agents.trajectories import time_step as time_steps

from tf_muzero import actions
from tf_muzero.acting import run_directory
from tf_muzero.acting.policy import MuZeroPolicy, add_batch
from tf_muzero.data import observations
from tf_muzero.envs import matching
from tf_muzero.networks.agent import PlanningModel
from tf_muzero.types import EnvironmentSpec
from tf_muzero.types import Nest
from tf_muzero.types import StepOutput

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


def spec_of(metadata: dict[str, Any]) -> EnvironmentSpec:
  """Returns what an exported policy sees and does, of its metadata."""
  return EnvironmentSpec(*(run_directory.nest_from_json(metadata[name])
                           for name in ('observation', 'action')))


def save(directory: str, policy: MuZeroPolicy, model: PlanningModel,
         metadata: dict[str, Any], step: int, shown: Nest = ()) -> None:
  """Writes a policy, its model and its metadata.

  Args:
    directory: must not exist.
    policy: its `act` becomes one graph for every batch size; if XLA compiles
      it, that is where it is loaded, once for each.
    model: the planning functions of the policy's parameters.
    metadata: JSON values; numbers and strings go into `get_metadata` too.
    step: learner step of the weights.
    shown: nest of `dm_env` specs, what the environment shows, where that is
      more than the policy sees: `act` takes that too.
  """
  variables = {
      name: tf.Variable(value, trainable=False)
      for name, value in metadata.items()
      if isinstance(value, (int, float, str))}
  verbosity = logging.get_verbosity()
  # It warns that a search has no `distribution`, and of the names it chose.
  logging.set_verbosity(logging.ERROR)
  try:
    saver = policy_saver.PolicySaver(
        policy, batch_size=None, metadata=variables,
        train_step=tf.Variable(step, dtype=tf.int64))
    saver.register_concrete_function(
        'act', _act_of_all(policy, shown) if shown else policy.act)
    _add_model(saver, policy, model)
    saver.save(directory)
  finally:
    logging.set_verbosity(verbosity)
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
  # Loads with `tf.saved_model.load`, to which it passes on `act`.
  loaded = py_tf_eager_policy.SavedModelPyTFEagerPolicy(
      directory, load_specs_from_pbtxt=True, batch_time_steps=False)
  for batch_size in batch_sizes:
    state = policy.get_initial_state(batch_size)
    act_state = action_state = loaded.get_initial_state(batch_size)
    for i in range(2):
      observation = _random_observation(policy, batch_size, seed=i)
      is_first = tf.fill([batch_size], i == 0)
      action, state = policy.any_batch_act()(observation, is_first, state)
      by_act, act_state = loaded.act(observation, is_first, act_state)
      step = loaded.action(_time_step(observation, is_first), action_state)
      action_state = step.state
      for name, other in (('act', by_act), ('action', step.action)):
        difference = np.max(np.abs(
            np.asarray(other, np.float64) - np.asarray(action, np.float64)))
        if np.isnan(difference) or difference > _TOLERANCE:
          raise RuntimeError(
              f'{name} of the loaded policy differs from the live one at batch '
              f'size {batch_size}, decision {i}, by {difference}.')


def _act_of_all(policy: MuZeroPolicy, shown: Nest) -> Any:
  """Returns `act`, traced for what it sees and for what it may be shown."""
  known = policy.time_step_spec.observation
  any_batch_act = policy.any_batch_act()

  @tf.function
  def act(observation, is_first, state):
    return any_batch_act(matching.select(observation, known), is_first, state)

  for observation in (known, shown):
    act.get_concrete_function(
        tf.nest.map_structure(add_batch, observation),
        tf.TensorSpec([None], tf.bool, 'is_first'),
        tf.nest.map_structure(add_batch, policy.policy_state_spec))
  return act


def _add_model(saver: policy_saver.PolicySaver, policy: MuZeroPolicy,
               model: PlanningModel) -> None:
  """Adds the model's two functions, structured and as signatures.

  Args:
    saver: where to.
    policy: whose parameters.
    model: functions of them.
  """
  num_frames = policy.frame_stack
  observation = tf.nest.map_structure(
      lambda x: _add_frames(add_batch(x), num_frames),
      policy.time_step_spec.observation)
  seed = tf.TensorSpec([2], tf.int32, 'seed')

  @tf.function
  def initial_inference(observation, seed):
    model_input = observations.flatten(observation)
    if num_frames > 1:
      model_input = observations.stack(model_input, num_frames)[:, 0]
    root = model.root_fn(policy.parameters, seed, model_input)
    outputs = _named(root._replace(embedding=root.embedding[0]))
    if 'candidates' in outputs:
      outputs['candidates'] = actions.to_environment(
          outputs['candidates'], policy.own_action)
    return outputs

  @tf.function(input_signature=tf.nest.flatten(observation) + [seed])
  def initial_signature(*inputs):
    return initial_inference(
        tf.nest.pack_sequence_as(observation, inputs[:-1]), inputs[-1])

  outputs = initial_inference.get_concrete_function(
      observation, seed).structured_outputs
  embedding = tf.TensorSpec(
      outputs['embedding'].shape, outputs['embedding'].dtype, 'embedding')
  action = add_batch(policy.action_spec)

  @tf.function(input_signature=[embedding, action, seed])
  def recurrent_inference(embedding, action, seed):
    step = model.recurrent_fn(
        policy.parameters, seed, actions.to_network(action, policy.own_action),
        (embedding, ()))
    outputs = _named(step._replace(embedding=step.embedding[0]))
    if not policy.action_spec.dtype.is_integer:
      outputs['candidates'] = actions.to_environment(
          _draw_all(model, step, seed), policy.own_action)
    return outputs

  recurrent_inference.get_concrete_function()
  saver.register_concrete_function('initial_inference', initial_inference)
  saver.register_concrete_function('recurrent_inference', recurrent_inference)
  saver.signatures['initial_inference'] = initial_signature
  saver.signatures['recurrent_inference'] = recurrent_inference


def _add_frames(spec: tf.TensorSpec, num_frames: int) -> tf.TensorSpec:
  """Returns the spec [B, F, ...] of one of [B, ...], or itself for F = 1."""
  if num_frames == 1:
    return spec
  return tf.TensorSpec(
      [spec.shape[0], num_frames, *spec.shape[1:]], spec.dtype, spec.name)


def _draw_all(model: PlanningModel, step: StepOutput, seed: tf.Tensor
              ) -> tf.Tensor:
  """Returns the candidates after a step, [B, A, ...]."""
  batch, num_candidates = tf.unstack(tf.shape(step.prior_logits))
  actions = model.draw_fn(
      seed, tf.nest.map_structure(
          lambda x: tf.repeat(x, num_candidates, axis=0), step.embedding),
      tf.tile(tf.range(num_candidates), [batch]))
  return tf.reshape(
      actions, [-1, step.prior_logits.shape[1], *actions.shape[1:]])


def _named(output: NamedTuple) -> dict[str, tf.Tensor]:
  """Returns the fields that are tensors, by name."""
  return {name: x for name, x in output._asdict().items() if tf.is_tensor(x)}


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
