"""A frozen network to act with, as a policy of TF-Agents.

Observations are what the environment gives. All that a policy remembers is in
its state, which it takes and returns, so the same state and observations give
the same actions.
"""

import functools
from typing import Any, Callable, NamedTuple, Optional, Sequence

from dm_env import specs
import tensorflow as tf
from tf_agents.policies import tf_policy
from tf_agents.specs import tensor_spec
from tf_agents.trajectories import policy_step
from tf_agents.trajectories import time_step as time_steps

from tf_muzero import actions
from tf_muzero import rng
from tf_muzero.acting import inputs
from tf_muzero.acting import modes as modes_lib
from tf_muzero.data import observations
from tf_muzero.networks import functional
from tf_muzero.networks.agent import Agent
from tf_muzero.networks.contract import Network
from tf_muzero.search import execution
from tf_muzero.types import EnvironmentSpec
from tf_muzero.types import Nest
from tf_muzero.types import Parameters
from tf_muzero.types import SearchFn


_ASTRAY = ('The action is not finite, but the observation is: the network has '
           'weights or gives outputs that are not')


class PolicyState(NamedTuple):
  """What a policy remembers from one decision to the next.

  Attributes:
    seed: [B, 2] int32; the first row's is the seed of the whole batch. It goes
      on over episodes, so that they differ.
    frames: [B, F - 1, ...] the observations before this one, the oldest first,
      flattened; `()` where a model input is one observation.
  """
  seed: tf.Tensor
  frames: Nest = ()


class MuZeroPolicy(tf_policy.TFPolicy):
  """Acts in raw observations of any batch size; owns its weights."""

  def __init__(self, act_fn: modes_lib.ActFn, parameters: Parameters,
               spec: EnvironmentSpec, *, frame_stack: int = 1, seed: int = 0,
               jit_compile: bool = False):
    """Initialises the policy.

    Args:
      act_fn: chooses actions for model inputs, as networks have them.
      parameters: first weights, see `assign`; variables are shared with who
        else has them, tensors are copied.
      spec: what it sees and does.
      frame_stack: F, observations of a model input.
      seed: of the initial state.
      jit_compile: whether acting is compiled by XLA, once per batch size.
    """
    observation_spec = inputs.observation_specs(spec.observation)
    one = observations.model_input(spec.observation)
    frames = tf.TensorSpec([frame_stack - 1, *one.shape], one.dtype, 'frames')
    super().__init__(
        time_steps.time_step_spec(observation_spec), _action_spec(spec.action),
        PolicyState(tf.TensorSpec([2], tf.int32, 'seed'),
                    frames if frame_stack > 1 else ()),
        # A reset would give every episode the same random numbers.
        automatic_state_reset=False, name='MuZeroPolicy')
    self._parameters = tuple(
        x if isinstance(x, tf.Variable) else tf.Variable(
            x, trainable=False, name=f'parameter_{i}')
        for i, x in enumerate(parameters))
    self._act_fn = act_fn
    self._own_action = spec.action
    self._observation_spec = observation_spec
    self._frame_stack = frame_stack
    self._seed = seed
    # Looks at what it is given, which XLA could not refuse.
    self.act = tf.function(self._act, autograph=False)
    # Compiled once for each batch size: the search that acts.
    self._decide = tf.function(
        self._decide_fn, jit_compile=jit_compile, autograph=False)
    self._any_batch_act: Optional[Callable] = None

  def assign(self, parameters: Parameters):
    """Sets the weights; nothing is traced or compiled again."""
    if len(parameters) != len(self._parameters):
      raise ValueError(
          f'parameters must be {len(self._parameters)} tensors, got '
          f'{len(parameters)}.')
    functional.assign(self._parameters, parameters)

  @property
  def parameters(self) -> Parameters:
    """The weights that the policy acts with."""
    return tuple(v.read_value() for v in self._parameters)

  @property
  def model_variables(self) -> tuple[tf.Variable, ...]:
    """The variables that hold them."""
    return self._parameters

  @property
  def own_action(self) -> specs.Array:
    """The spec of the environment's actions, which are the policy's."""
    return self._own_action

  @property
  def frame_stack(self) -> int:
    """F, the observations of a model input."""
    return self._frame_stack

  def any_batch_act(self) -> Callable:
    """Returns `act` as one graph for all batch sizes, traced once."""
    if self._any_batch_act is None:
      self._any_batch_act = self.act.get_concrete_function(
          tf.nest.map_structure(add_batch, self._observation_spec),
          tf.TensorSpec([None], tf.bool, 'is_first'),
          tf.nest.map_structure(add_batch, self.policy_state_spec))
    return self._any_batch_act

  def _act(self, observation: Nest, is_first: tf.Tensor, state: PolicyState
           ) -> tuple[tf.Tensor, PolicyState]:
    """Returns actions [B, ...] and the next state.

    The random numbers are those of `state.seed`, which moves on with every
    decision: equal observations get other actions the next time. Two states of
    one seed, as `get_initial_state` makes them, start alike.

    Args:
      observation: nest as the environment gives it, each [B, ...]; see
        `inputs.take`.
      is_first: [B] bool, true at the first decision of an episode.
      state: of the decision before.
    """
    is_first = tf.convert_to_tensor(is_first)
    state = inputs.take_state(state, is_first)
    action, state = self._decide(observations.flatten(inputs.take(
        observation, self._observation_spec, is_first)), is_first, state)
    if action.dtype.is_floating:
      action = tf.debugging.check_numerics(action, _ASTRAY)
    return action, state

  def _decide_fn(self, observation: tf.Tensor, is_first: tf.Tensor,
                 state: PolicyState) -> tuple[tf.Tensor, PolicyState]:
    """Returns actions of checked observations, flattened to [B, ...]."""
    act_seed, next_seed = rng.split(state.seed[0])
    model_input, frames = self._remember(observation, is_first, state.frames)
    action = self._act_fn(
        tuple(v.read_value() for v in self._parameters), act_seed, model_input)
    action = actions.to_environment(action, self._own_action)
    return action, PolicyState(
        _rows(next_seed, tf.shape(state.seed)[0]), frames)

  def _remember(self, observation: tf.Tensor, is_first: tf.Tensor, frames: Nest
                ) -> tuple[tf.Tensor, Nest]:
    """Returns the model input and the frames of the next state."""
    if self._frame_stack == 1:
      return observation, frames
    is_first = tf.reshape(is_first, [-1] + [1] * (frames.shape.rank - 1))
    frames = tf.where(is_first, tf.zeros([], frames.dtype), frames)
    frames = tf.concat([frames, observation[:, tf.newaxis]], axis=1)
    return (observations.stack(frames, self._frame_stack)[:, 0], frames[:, 1:])

  def _action(self, time_step, policy_state, seed=None):
    del seed  # It is in the state.
    act = self.act if time_step.discount.shape[0] else self.any_batch_act()
    action, state = act(
        time_step.observation, time_step.is_first(), policy_state)
    return policy_step.PolicyStep(action, state, ())

  def _distribution(self, time_step, policy_state):
    raise NotImplementedError('A search gives actions; use `action`.')

  def _get_initial_state(self, batch_size):
    num_rows = 1 if batch_size is None else batch_size
    state = PolicyState(
        _rows(rng.seed(self._seed), num_rows), tf.nest.map_structure(
            lambda x: tf.zeros([num_rows, *x.shape], x.dtype),
            self.policy_state_spec.frames))
    if batch_size is None:
      return tf.nest.map_structure(lambda x: x[0], state)
    return state


def make_policy(
    agent: Agent, network: Network, spec: EnvironmentSpec, *,
    mode: modes_lib.Mode, search_fn: Optional[SearchFn] = None,
    jit_compile: bool = False, seed: int = 0,
    twin: Optional[MuZeroPolicy] = None) -> MuZeroPolicy:
  """Returns the policy that acts with a network's present weights.

  Args:
    agent: what the network's outputs mean.
    network: of this agent and spec, created outside of any strategy.
    spec: what it sees and does.
    mode: how it chooses actions.
    search_fn: the search, where the mode needs one and has none of its own.
    jit_compile: whether acting is compiled by XLA, once per batch size.
    seed: of the initial state.
    twin: whose weights it shares, if it does not copy the network's.
  """
  parameters = (twin.model_variables if twin else
                [v.read_value() for v in network.variables])
  plan_fn = functools.partial(agent.plan_with, network, spec)
  search_fn = mode.search(search_fn, spec)
  return MuZeroPolicy(
      mode.make_fn(plan_fn, search_fn and functools.partial(
          search_fn, execution=execution.by_default(jit_compile))),
      tuple(parameters), spec, frame_stack=agent.frame_stack, seed=seed,
      jit_compile=jit_compile)


def make_policies(
    agent: Agent, network: Network, spec: EnvironmentSpec, *,
    modes: Sequence[modes_lib.Mode], **settings: Any
    ) -> dict[str, MuZeroPolicy]:
  """Returns a policy for each mode, by its name; see `make_policy`."""
  return {name: make_policy(agent, network, spec, mode=mode, **settings)
          for name, mode in modes_lib.by_name(modes).items()}


def num_simulations(search_fn: SearchFn, agent: Agent, network: Network,
                    spec: EnvironmentSpec) -> int:
  """Returns the visits of a search's root: its settings are its own."""
  model = agent.plan_with(network, spec)
  parameters = tuple(v.read_value() for v in network.variables)
  one = agent.model_input(spec)

  @tf.function(autograph=False)
  def count():
    seed = rng.seed(0)
    root = model.root_fn(
        parameters, seed, tf.zeros([1, *one.shape], one.dtype))
    output = search_fn(parameters, root, model.recurrent_fn, seed,
                       draw_fn=model.draw_fn)
    return tf.reduce_sum(output.visit_counts)

  return int(count())


def add_batch(spec: tf.TensorSpec) -> tf.TensorSpec:
  """Returns the spec of a batch of any size."""
  return tf.TensorSpec([None, *spec.shape], spec.dtype, spec.name)


def _action_spec(spec: specs.Array) -> tensor_spec.BoundedTensorSpec:
  if isinstance(spec, specs.DiscreteArray):
    return tensor_spec.BoundedTensorSpec(
        (), tf.int32, int(spec.minimum), int(spec.maximum), 'action')
  return tensor_spec.BoundedTensorSpec(
      spec.shape, tf.float32, spec.minimum, spec.maximum, 'action')


def _rows(seed: tf.Tensor, batch_size: tf.Tensor) -> tf.Tensor:
  """Returns [B, 2], the seed [2] in every row."""
  return tf.tile(seed[tf.newaxis], [batch_size, 1])
