"""A policy as a SavedModel that plans inside.

It loads with nothing but TensorFlow, and as a policy of TF-Agents:
`action`, `get_initial_state`, `get_train_step`, `get_metadata` are those of
its `PolicySaver`. We add `act(observation, is_first, state)`, compiled by XLA
or not, `act_plain`, which never is, and the model itself as
`initial_inference(observation, seed)` and
`recurrent_inference(embedding, action, seed)`; with a value prefix
`recurrent_inference(embedding, memory, action, seed)`.

`act` takes observations as `inputs.take` says, with the entries of an agent or
of all that its environment shows; of which dtypes, `inputs.variants` says. What
is finite gives an action in its bounds. The inputs of serving
signatures are called as `naming.signature_names` says.

What an agent does depends on the observations and on `state.seed`, [B, 2]
int32, whose first row counts for the whole batch and which moves on with every
decision. All that `get_initial_state` makes begins alike; for other random
numbers: `state = state._replace(seed=tf.tile([[7, 0]], [batch_size, 1]))`.

A policy that stacks F > 1 observations keeps them in its state. The model has
no state: `initial_inference` takes the last F observations, [B, F, ...], the
oldest first.
"""

import json
import os
from typing import Any, Optional, Union

from absl import logging
import tensorflow as tf
from tf_agents.policies import policy_saver

from tf_muzero import actions
from tf_muzero import quiet
from tf_muzero.acting import inputs
from tf_muzero.acting import run_directory
from tf_muzero.acting.policy import MuZeroPolicy, add_batch
from tf_muzero.data import observations
from tf_muzero.networks.agent import PlanningModel
from tf_muzero.types import EnvironmentSpec
from tf_muzero.types import Nest
from tf_muzero.types import RootOutput
from tf_muzero.types import StepOutput

METADATA_FILE = 'metadata.json'


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
         metadata: dict[str, Any], step: int, *,
         plain: Optional[MuZeroPolicy] = None, shown: Nest = (),
         stored: Nest = ()) -> None:
  """Writes a policy, its model and its metadata.

  Args:
    directory: must not exist.
    policy: its `act` becomes one graph for every batch size; if XLA compiles
      it, that is where it is loaded, once for each.
    model: the planning functions of the policy's parameters.
    metadata: JSON values; numbers and strings go into `get_metadata` too.
    step: learner step of the weights.
    plain: a twin of the policy that XLA does not compile; by default itself.
    shown: nest of `dm_env` specs, what the environment shows, where that is
      more than the policy sees: `act` takes that too.
    stored: nest of dtypes, what the entries are in the data; taken as well.
  """
  variables = {
      name: tf.Variable(value, trainable=False)
      for name, value in metadata.items()
      if isinstance(value, (int, float, str))}
  # It warns that a search has no `distribution`, and of the names it chose.
  with quiet.below(logging.ERROR):
    saver = policy_saver.PolicySaver(
        policy, batch_size=None, metadata=variables,
        use_nest_path_signatures=False,  # Those may be no names at all.
        train_step=tf.Variable(step, dtype=tf.int64))
    act = _act_fn(policy, shown, stored)
    saver.register_concrete_function('act', act)
    saver.register_concrete_function('act_plain', (
        _act_fn(plain, shown, stored) if plain else act))
    _add_model(saver, policy, model)
    saver.save(directory)
  write_metadata(directory, {**metadata, **_inputs(policy, stored)})


def write_metadata(directory: str, metadata: dict[str, Any]) -> None:
  """Writes what there is to know beside an exported policy."""
  with tf.io.gfile.GFile(os.path.join(directory, METADATA_FILE), 'w') as file:
    # TensorFlow wraps what a policy keeps; to JSON a wrapped dict may be none.
    file.write(json.dumps(metadata, indent=2, ensure_ascii=False,
                          default=_unwrapped) + '\n')


def _act_fn(policy: MuZeroPolicy, shown: Nest, stored: Nest) -> Any:
  """Returns `act`, traced for all that it takes; the policy, once for all."""
  act = tf.function(policy.act.python_function, autograph=False)
  observations_ = inputs.variants(policy.time_step_spec.observation, stored)
  if shown:
    observations_ += inputs.variants(inputs.observation_specs(shown))
  for observation in observations_:
    act.get_concrete_function(
        observation, tf.TensorSpec([None], tf.bool, 'is_first'),
        tf.nest.map_structure(add_batch, policy.policy_state_spec))
  return act


def _inputs(policy: MuZeroPolicy, stored: Nest) -> dict[str, Any]:
  """Returns what the policy takes and what it is called, for the metadata."""
  known = policy.time_step_spec.observation
  return {
      'act_takes': inputs.describe(known),
      'act_dtypes': [tf.nest.map_structure(lambda x: x.dtype.name, variant)
                     for variant in inputs.variants(known, stored)],
      'signature_names': tf.nest.map_structure(lambda x: x.name, known),
  }


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

  @tf.function(autograph=False)
  def initial_inference(observation, seed):
    model_input = observations.flatten(observation)
    if num_frames > 1:
      model_input = observations.stack(model_input, num_frames)[:, 0]
    root = model.root_fn(policy.parameters, seed, model_input)
    outputs = _named(root)
    if 'candidates' in outputs:
      outputs['candidates'] = actions.to_environment(
          outputs['candidates'], policy.own_action)
    return outputs

  @tf.function(
      input_signature=tf.nest.flatten(observation) + [seed], autograph=False)
  def initial_signature(*flat):
    return initial_inference(
        tf.nest.pack_sequence_as(observation, flat[:-1]), flat[-1])

  outputs = initial_inference.get_concrete_function(
      observation, seed).structured_outputs
  state = [tf.TensorSpec(outputs[name].shape, outputs[name].dtype, name)
           for name in ('embedding', 'memory') if name in outputs]
  action = add_batch(policy.action_spec)

  def recurrent(embedding, memory, action, seed):
    step = model.recurrent_fn(
        policy.parameters, seed, actions.to_network(action, policy.own_action),
        (embedding, (), memory))
    outputs = _named(step)
    if not policy.action_spec.dtype.is_integer:
      outputs['candidates'] = actions.to_environment(
          _draw_all(model, step, seed), policy.own_action)
    return outputs

  def without_memory(embedding, action, seed):
    return recurrent(embedding, (), action, seed)

  # The names of the arguments are what callers see.
  recurrent_inference = tf.function(
      recurrent if 'memory' in outputs else without_memory,
      input_signature=[*state, action, seed], autograph=False)
  recurrent_inference.get_concrete_function()
  saver.register_concrete_function('initial_inference', initial_inference)
  saver.register_concrete_function('recurrent_inference', recurrent_inference)
  saver.signatures['initial_inference'] = initial_signature
  saver.signatures['recurrent_inference'] = recurrent_inference


def _unwrapped(wrapped: Any) -> Any:
  """Returns the dict or the sequence that TensorFlow has wrapped."""
  for kind in (dict, tuple, list):
    if isinstance(wrapped, kind):
      return kind(wrapped)
  raise TypeError(f'{type(wrapped).__name__} has no form in JSON: {wrapped}')


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
  drawn = model.draw_fn(
      seed, tf.nest.map_structure(
          lambda x: tf.repeat(x, num_candidates, axis=0), step.embedding),
      tf.tile(tf.range(num_candidates), [batch]))
  return tf.reshape(drawn, [-1, step.prior_logits.shape[1], *drawn.shape[1:]])


def _named(output: Union[RootOutput, StepOutput]) -> dict[str, tf.Tensor]:
  """Returns the fields that are tensors, by name."""
  embedding, _, memory = output.embedding
  fields = {**output._asdict(), 'embedding': embedding, 'memory': memory}
  return {name: x for name, x in fields.items() if tf.is_tensor(x)}
