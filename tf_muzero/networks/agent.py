"""The choices that make an agent, and its network as planning functions."""

import dataclasses
import weakref
from typing import Any, Callable, NamedTuple, Optional, Union

from dm_env import specs
import numpy as np
import tensorflow as tf

from tf_muzero import ranges
from tf_muzero.data import observations
from tf_muzero.networks import contract
from tf_muzero.networks import functional
from tf_muzero.networks import heads
from tf_muzero.networks import value_prefix as value_prefix_lib
from tf_muzero.networks.contract import Network
from tf_muzero.networks.value_transform import FittedSupport
from tf_muzero.networks.value_transform import Support
from tf_muzero.types import DrawFn
from tf_muzero.types import EnvironmentSpec
from tf_muzero.types import Nest
from tf_muzero.types import Parameters
from tf_muzero.types import RecurrentFn
from tf_muzero.types import RootOutput
from tf_muzero.types import StepOutput

_SOME = 1000  # Datapoints, where a network is only looked at.
# What was traced of each network that is in use, for its two functions.
_TRACES: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()


class PlanningModel(NamedTuple):
  """A network as functions of explicit parameters, as a search needs them.

  An embedding has three parts: the network's own; the policy's parameters
  there, which `draw_fn` draws from, `()` where actions are discrete; and the
  memory of a value prefix, `()` where rewards are told one by one.

  Attributes:
    root_fn: (parameters, seed [2], observation [B, ...]) -> RootOutput.
    recurrent_fn: (parameters, seed [2], action, embedding) -> StepOutput.
    draw_fn: (seed [2], embedding, number [B]) -> action [B, ...].
    mode_fn: (parameters, observation) -> action [B, ...] of the head's
      `mode_fn`.
    sample_fn: (parameters, seed [2], observation) -> sampled action [B, ...].
  """
  root_fn: Callable[[Parameters, tf.Tensor, tf.Tensor], RootOutput]
  recurrent_fn: RecurrentFn
  draw_fn: DrawFn
  mode_fn: Callable[[Parameters, tf.Tensor], tf.Tensor]
  sample_fn: Callable[[Parameters, tf.Tensor, tf.Tensor], tf.Tensor]


class Fitted(NamedTuple):
  """What of an agent was fitted to data.

  Attributes:
    value_support: bins of the value.
    reward_support: bins of the reward.
    num_datapoints: stored states, for networks that are as wide as these are
      many.
  """
  value_support: Support
  reward_support: Support
  num_datapoints: int


@dataclasses.dataclass(frozen=True)
class Agent:
  """What a network is and what its outputs mean.

  Attributes:
    network_fn: makes the network, such as `state.StateNetwork`, or one of
      your own.
    value_support: bins of the value, given or to be fitted to the data.
    reward_support: bins of the reward, likewise.
    discount: factor per decision, in [0, 1].
    num_candidates: K actions that a search draws at a node; continuous only.
    frame_stack: F consecutive observations that make one model input; zeros
      stand for those before an episode.
    num_datapoints: what `make_network` is to take for it, for good; 0 for what
      it is given.
    value_prefix: how sums of rewards are told, of which `reward_support` has
      the bins then; None to tell each reward.
    action_values: whether `step` tells the action's value, and leads nowhere,
      for its reward: K = 0 of MuZero Unplugged, table 2; see `action_value`.
  """
  network_fn: Callable[..., Network]  # See `contract.NetworkFn`.
  value_support: Union[Support, FittedSupport]
  reward_support: Union[Support, FittedSupport]
  discount: float
  num_candidates: int
  frame_stack: int = 1
  num_datapoints: int = 0
  value_prefix: Optional[value_prefix_lib.ValuePrefix] = None
  action_values: bool = False

  def __post_init__(self):
    if self.value_prefix and self.action_values:
      raise ValueError('value_prefix is of rewards; action_values has none.')
    ranges.within(0.0, 1.0, discount=self.discount)
    ranges.at_least(1, num_candidates=self.num_candidates,
                    frame_stack=self.frame_stack)
    ranges.at_least(0, num_datapoints=self.num_datapoints)

  @property
  def is_fitted(self) -> bool:
    """Whether both supports have their limits."""
    return not any(isinstance(x, FittedSupport) for x in (
        self.value_support, self.reward_support))

  @property
  def supports(self) -> tuple[Support, Support]:
    """Of value and reward; RuntimeError where they have no limits yet."""
    value, reward = self.value_support, self.reward_support
    if isinstance(value, FittedSupport) or isinstance(reward, FittedSupport):
      raise RuntimeError('A FittedSupport has no limits before it is fitted to '
                         'data: see Agent.fitted.')
    return value, reward

  def fitted(self, fitted: Fitted) -> 'Agent':
    """Returns the agent with what was fitted to data; what was given stays."""
    choose = lambda given, found: (
        found if isinstance(given, FittedSupport) else given)
    return dataclasses.replace(
        self, value_support=choose(self.value_support, fitted.value_support),
        reward_support=choose(self.reward_support, fitted.reward_support),
        num_datapoints=fitted.num_datapoints)

  @property
  def has_start(self) -> bool:
    """Whether the supports say what a fresh network is to say."""
    return any(support.start is not None for support in self.supports)

  def start_heads(self, network: Network) -> None:
    """Makes a fresh network say what the supports have it start with."""
    if self.has_start and isinstance(network, contract.Starter):
      value, reward = (support.start_logits() for support in self.supports)
      reward = value if self.action_values else reward
      if self.value_prefix:
        _head_of(network).start(reward)
        reward = np.zeros([self.value_prefix.num_features], np.float32)
      network.start_heads(value, reward)

  def make_head(self, spec: EnvironmentSpec, max_scale: float = np.inf
                ) -> heads.PolicyHead:
    """Returns the policy's head; see `heads.make_head`."""
    return heads.make_head(
        spec.action, num_candidates=self.num_candidates, max_scale=max_scale)

  def model_input(self, spec: EnvironmentSpec) -> specs.Array:
    """Returns the spec of what the network sees: F observations, stacked."""
    return observations.model_input(spec.observation, self.frame_stack)

  def make_network(self, spec: EnvironmentSpec, num_datapoints: int = 0,
                   compute_dtype: str = 'float32') -> Network:
    """Returns a fresh network with all its variables.

    Args:
      spec: what it sees and does.
      num_datapoints: stored states, for networks that are as wide as these
        are many.
      compute_dtype: `float32`, or `bfloat16` where the hardware is made for
        it; the weights fit either.
    """
    network = contract.make(
        self.network_fn, self.model_input(spec), spec.action,
        self.make_head(spec),
        num_value_bins=self.value_support.num_bins,
        num_reward_bins=self._num_reward_outputs,
        num_datapoints=self.num_datapoints or num_datapoints,
        compute_dtype=compute_dtype)
    if self.value_prefix:
      contract.add_part(network, 'value_prefix', value_prefix_lib.Head(
          self.value_prefix, self.reward_support.num_bins))
    return network

  @property
  def _num_reward_outputs(self) -> int:
    """How many numbers the network itself says of a reward."""
    return (self.value_prefix.num_features if self.value_prefix
            else self._told_support.num_bins)

  @property
  def _told_support(self) -> Union[Support, FittedSupport]:
    """The bins of what is told of a step."""
    return self.value_support if self.action_values else self.reward_support

  def no_memory(self, network: Network, batch_size: Any) -> Nest:
    """Returns what a search, or an unroll, begins with: [B, M] or `()`."""
    return _head_of(network).no_memory(batch_size) if self.value_prefix else ()

  def step(self, network: Network, embedding: tf.Tensor, action: tf.Tensor,
           memory: Nest) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, Nest]:
    """Returns what an imagined step leads to.

    Args:
      network: of this agent.
      embedding: [B, D...].
      action: [B, ...].
      memory: that belongs to the embedding.

    Returns:
      The next embedding [B, D...], the logits [B, Z] of the reward or of the
      sum of rewards, the reward [B] that they stand for, and the next memory.
      Of `action_values` the same embedding, and the value for the reward.
    """
    following, told = network.step(embedding, action)
    if not self.value_prefix:
      return (embedding if self.action_values else following, told,
              self._told_support.decode(told), ())
    head = _head_of(network)
    memory = head.remembered(memory)
    logits, state = head.tell(told, memory)
    total, before = self.reward_support.decode(logits), memory[:, -2]
    return following, logits, total - before, tf.concat(
        [*state, total[:, tf.newaxis], memory[:, -1:] + 1.0], axis=-1)

  def reward_targets(self, reward: tf.Tensor) -> tf.Tensor:
    """Returns what is told at the K steps [B, K] of an unroll: see `step`."""
    return self.value_prefix.sums(reward) if self.value_prefix else reward

  def check_network(self, spec: EnvironmentSpec) -> None:
    """Raises ValueError where `network_fn` makes no `contract.Network`."""
    head = self.make_head(spec)
    contract.check(
        self.make_network(spec, num_datapoints=_SOME), self.model_input(spec),
        head, num_actions=head.is_discrete and head.num_candidates,
        action_size=0 if head.is_discrete else spec.action.shape[0],
        num_value_bins=self.value_support.num_bins,
        num_reward_bins=self._num_reward_outputs)

  def _traces_of(self, network: Network
                 ) -> tuple[functional.Traces, functional.Traces]:
    """Returns traces, shared by the planning models that they are right for."""
    return _TRACES.setdefault(network, {}).setdefault(
        (self._told_support, self.value_prefix, self.action_values), ({}, {}))

  def plan_with(self, network: Network, spec: EnvironmentSpec,
                max_scale: float = np.inf) -> PlanningModel:
    """Returns the network as functions of parameters.

    Args:
      network: of this agent and spec, created outside of any strategy. Its
        own weights do not matter: only its graph is used.
      spec: what it sees and does.
      max_scale: see `heads.squashed_gaussian`.
    """
    head = self.make_head(spec, max_scale)
    discount = 0.0 if self.action_values else self.discount

    def initial(observation):
      embedding = network.represent(observation)
      return (embedding,) + network.predict_heads(embedding)

    def recurrent(embedding, action, memory):
      embedding, _, reward, memory = self.step(
          network, embedding, action, memory)
      return (embedding, reward, memory) + network.predict_heads(embedding)

    initial_traces, recurrent_traces = self._traces_of(network)
    apply_initial = functional.functionalize(
        initial, network.variables, initial_traces)
    apply_recurrent = functional.functionalize(
        recurrent, network.variables, recurrent_traces)

    def root_fn(parameters, seed, observation):
      embedding, policy, value_logits = apply_initial(parameters, observation)
      return RootOutput(
          head.candidates_fn(policy, seed), head.prior_fn(policy),
          self.value_support.decode(value_logits),
          (embedding, () if head.is_discrete else policy,
           self.no_memory(network, tf.shape(value_logits)[0])))

    def recurrent_fn(parameters, seed, action, embedding):
      del seed  # The network's steps are deterministic.
      embedding, _, memory = embedding
      embedding, reward, memory, policy, value_logits = apply_recurrent(
          parameters, embedding, action, memory)
      value = self.value_support.decode(value_logits)
      return StepOutput(
          reward, tf.zeros_like(value) + discount, head.prior_fn(policy),
          value, (embedding, () if head.is_discrete else policy, memory))

    def draw_fn(seed, embedding, number):
      return number if head.is_discrete else head.sample_fn(embedding[1], seed)

    def mode_fn(parameters, observation):
      return head.mode_fn(apply_initial(parameters, observation)[1])

    def sample_fn(parameters, seed, observation):
      return head.sample_fn(apply_initial(parameters, observation)[1], seed)

    return PlanningModel(root_fn, recurrent_fn, draw_fn, mode_fn, sample_fn)


def _head_of(network: Any) -> value_prefix_lib.Head:
  """Returns what tells the sums of a network's rewards."""
  return network.value_prefix
