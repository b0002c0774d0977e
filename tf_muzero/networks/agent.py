"""The choices that make an agent, and its network as planning functions."""

import dataclasses
import weakref
from typing import Callable, NamedTuple, Union

from dm_env import specs
import numpy as np
import tensorflow as tf

from tf_muzero import ranges
from tf_muzero.data import observations
from tf_muzero.networks import contract
from tf_muzero.networks import functional
from tf_muzero.networks import heads
from tf_muzero.networks.contract import Network
from tf_muzero.networks.value_transform import FittedSupport
from tf_muzero.networks.value_transform import Support
from tf_muzero.types import DrawFn
from tf_muzero.types import EnvironmentSpec
from tf_muzero.types import Parameters
from tf_muzero.types import RecurrentFn
from tf_muzero.types import RootOutput
from tf_muzero.types import StepOutput

_SOME = 1000  # Datapoints, where a network is only looked at.
# What was traced of each network that is in use, for its two functions.
_TRACES: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()


class PlanningModel(NamedTuple):
  """A network as functions of explicit parameters, as a search needs them.

  An embedding is a pair: the network's own, and the policy's parameters there,
  which `draw_fn` draws from; `()` where actions are discrete.

  Attributes:
    root_fn: (parameters, seed [2], observation [B, ...]) -> RootOutput.
    recurrent_fn: (parameters, seed [2], action, embedding) -> StepOutput.
    draw_fn: (seed [2], embedding, number [B]) -> action [B, ...].
    mode_fn: (parameters, observation) -> most probable action [B, ...].
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
  """
  network_fn: Callable[..., Network]  # See `contract.NetworkFn`.
  value_support: Union[Support, FittedSupport]
  reward_support: Union[Support, FittedSupport]
  discount: float
  num_candidates: int
  frame_stack: int = 1
  num_datapoints: int = 0

  def __post_init__(self):
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
      value, reward = self.supports
      network.start_heads(value.start_logits(), reward.start_logits())

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
    return contract.make(
        self.network_fn, self.model_input(spec), spec.action,
        self.make_head(spec),
        num_value_bins=self.value_support.num_bins,
        num_reward_bins=self.reward_support.num_bins,
        num_datapoints=self.num_datapoints or num_datapoints,
        compute_dtype=compute_dtype)

  def check_network(self, spec: EnvironmentSpec) -> None:
    """Raises ValueError where `network_fn` makes no `contract.Network`."""
    head = self.make_head(spec)
    contract.check(
        self.make_network(spec, num_datapoints=_SOME), self.model_input(spec),
        head, num_actions=head.is_discrete and head.num_candidates,
        action_size=0 if head.is_discrete else spec.action.shape[0],
        num_value_bins=self.value_support.num_bins,
        num_reward_bins=self.reward_support.num_bins)

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

    def initial(observation):
      embedding = network.represent(observation)
      return (embedding,) + network.predict_heads(embedding)

    def recurrent(embedding, action):
      embedding, reward_logits = network.step(embedding, action)
      return (embedding, reward_logits) + network.predict_heads(embedding)

    initial_traces, recurrent_traces = _traces_of(network)
    apply_initial = functional.functionalize(
        initial, network.variables, initial_traces)
    apply_recurrent = functional.functionalize(
        recurrent, network.variables, recurrent_traces)

    def root_fn(parameters, seed, observation):
      embedding, policy, value_logits = apply_initial(parameters, observation)
      return RootOutput(
          head.candidates_fn(policy, seed), head.prior_fn(policy),
          self.value_support.decode(value_logits),
          (embedding, () if head.is_discrete else policy))

    def recurrent_fn(parameters, seed, action, embedding):
      del seed  # The network's steps are deterministic.
      embedding, reward_logits, policy, value_logits = apply_recurrent(
          parameters, embedding[0], action)
      value = self.value_support.decode(value_logits)
      return StepOutput(
          self.reward_support.decode(reward_logits),
          tf.zeros_like(value) + self.discount, head.prior_fn(policy), value,
          (embedding, () if head.is_discrete else policy))

    def draw_fn(seed, embedding, number):
      return number if head.is_discrete else head.sample_fn(embedding[1], seed)

    def mode_fn(parameters, observation):
      return head.mode_fn(apply_initial(parameters, observation)[1])

    def sample_fn(parameters, seed, observation):
      return head.sample_fn(apply_initial(parameters, observation)[1], seed)

    return PlanningModel(root_fn, recurrent_fn, draw_fn, mode_fn, sample_fn)


def _traces_of(network: Network
               ) -> tuple[functional.Traces, functional.Traces]:
  """Returns the traces of a network, which all its planning models share."""
  return _TRACES.setdefault(network, ({}, {}))
