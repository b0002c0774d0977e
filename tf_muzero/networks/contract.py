"""What a network has to be, for whoever writes one of his own.

`Agent.network_fn` makes it: a `keras.Model` or another `tf.Module`, so that
checkpoints find its variables. All variables are made at once, and are float32.
What is optional is asked for by `isinstance`, as of `Decoder`.
"""

import re
from typing import Any, Protocol, Sequence, runtime_checkable

from dm_env import specs
import numpy as np
import tensorflow as tf

from tf_muzero.networks import functional
from tf_muzero.networks.heads import PolicyHead

_BATCH = 2  # Of the states that a network is tried on.
_NETWORK_FN = ('(observation, action, head, *, num_value_bins, '
               'num_reward_bins, num_datapoints, compute_dtype)')
# What Python or Keras says of arguments that do not fit.
_WRONG_CALL = re.compile(
    r'unexpected keyword argument|missing \d+ required|takes .* argument'
    r'|multiple values for|Keyword argument not understood')
_BUILD = ('all must be there when it is made. In the constructor, give each '
          'layer its shape, `layer.build([None, size])`, or call represent, '
          'step and predict_heads once, on zeros.')


class Network(Protocol):
  """A learned model: representation, dynamics and prediction.

  Shapes: B states, D... the embedding's, P parameters of the policy (see
  `PolicyHead`), Z bins of value or reward (see `Support`).
  """

  @property
  def variables(self) -> Sequence[tf.Variable]:
    """All variables, always in the same order."""

  @property
  def trainable_variables(self) -> Sequence[tf.Variable]:
    """Those that are learned."""

  def represent(self, observation: tf.Tensor) -> tf.Tensor:
    """Returns the embedding [B, D...] of model inputs [B, ...].

    Vectors are float32, frames uint8 of 0 to 255, or float32 where they are
    augmented; F of them are stacked along the last axis.
    """

  def step(self, embedding: tf.Tensor, action: tf.Tensor
           ) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the next embedding [B, D...] and the reward's logits [B, Z].

    Actions are [B] int32 from 0, or [B, n] float32 in [-1, 1].
    """

  def predict_heads(self, embedding: tf.Tensor
                    ) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the policy's parameters [B, P] and value logits [B, Z]."""


class NetworkFn(Protocol):
  """Makes a `Network`; what it has no use for it may take as **kwargs."""

  def __call__(
      self, observation: specs.Array, action: specs.Array, head: PolicyHead, *,
      num_value_bins: int, num_reward_bins: int, num_datapoints: int,
      compute_dtype: str) -> Network:
    """Returns a fresh network with all its variables.

    Args:
      observation: of one model input.
      action: of the environment; `head.is_discrete` tells which kind.
      head: the policy's; its `num_parameters` are P.
      num_value_bins: Z of the value.
      num_reward_bins: Z of the reward.
      num_datapoints: stored states, for widths that depend on them.
      compute_dtype: `float32` or `bfloat16`; outputs are float32 anyway.
    """


@runtime_checkable
class Normalizer(Protocol):
  """A network that normalises its inputs itself; optional."""

  def set_observation_statistics(self, mean: np.ndarray, std: np.ndarray
                                 ) -> None:
    """Sets what inputs are normalised by, before training: [size] each."""


@runtime_checkable
class Follower(Protocol):
  """A network whose normalisation follows what it learns from; optional.

  All replicas have to assign the same to its variables, which have the
  aggregation that `replicated.aggregation` says. The target network follows
  them.
  """

  def follow_observations(self, observation: tf.Tensor, step: tf.Tensor
                          ) -> None:
    """Sees what a learner step has learned from; called by each replica.

    Args:
      observation: model inputs [B, ...] of the replica's windows, the first of
        each.
      step: [] int64 learner steps before this one.
    """


@runtime_checkable
class Decoder(Protocol):
  """A network that tells observations; for `LossWeights.reconstruction`."""

  def normalise(self, observation: tf.Tensor) -> tf.Tensor:
    """Returns model inputs [..., size] as `decode` is to tell them."""

  def decode(self, embedding: tf.Tensor) -> tf.Tensor:
    """Returns the normalised inputs [B, size] that embeddings stand for."""


@runtime_checkable
class DecoderMaker(Protocol):
  """A network that can have a decoder where the loss wants one; optional."""

  def normalise(self, observation: tf.Tensor) -> tf.Tensor:
    """Returns model inputs [..., H, W, C] as a decoder is to tell them."""

  def make_decoder(self) -> tf.Module:
    """Returns a function of embeddings [B, D...] that gives [B, H, W, C]."""


@runtime_checkable
class Starter(Protocol):
  """A network whose heads can begin with a given value; optional."""

  def start_heads(self, value_logits: np.ndarray, reward_logits: np.ndarray
                  ) -> None:
    """Sets what the heads of a fresh network say of all states: [Z] each."""


def make(network_fn: NetworkFn, *args: Any, **kwargs: Any) -> Network:
  """Returns what it makes; ValueError where it takes other arguments.

  Args:
    network_fn: see `NetworkFn`.
    *args: for it.
    **kwargs: for it.
  """
  try:
    return network_fn(*args, **kwargs)
  except TypeError as error:
    if not _WRONG_CALL.search(str(error)):
      raise
    raise ValueError(
        f'network_fn is to be called with {_NETWORK_FN}; what it has no use '
        'for, it may take as **kwargs, and what else it needs is to be bound. '
        f'Python says: {error}.') from error


def add_part(network: Any, name: str, part: tf.Module) -> None:
  """Makes a module an attribute of a network, whose variables it adds.

  Raises ValueError where the network does not list them.
  """
  setattr(network, name, part)
  listed = {id(v) for v in network.variables}
  if not all(id(v) in listed for v in part.variables):
    raise ValueError(
        f'{type(network).__name__}.variables must have those of the modules '
        f'that are its attributes, as of every tf.Module: {name} is added.')


def num_parameters(network: Network) -> int:
  """Returns how many numbers a network's variables have."""
  return sum(v.shape.num_elements() for v in network.variables)


def check(network: Network, observation: specs.Array, head: PolicyHead, *,
          num_actions: int, action_size: int, num_value_bins: int,
          num_reward_bins: int) -> None:
  """Raises ValueError where a network is not what a `Network` has to be.

  It is traced and not run.

  Args:
    network: to be looked at.
    observation: of one model input.
    head: the policy's.
    num_actions: of discrete actions, else 0.
    action_size: n of continuous actions, else 0.
    num_value_bins: Z of the value.
    num_reward_bins: Z of the reward.
  """
  name = type(network).__name__
  try:
    missing = [x for x in ('variables', 'trainable_variables', 'represent',
                           'step', 'predict_heads') if not hasattr(network, x)]
  except ValueError as error:  # Keras says so of a model that is not built.
    raise ValueError(f'{name} has no variables yet: {_BUILD}') from error
  if missing:
    raise ValueError(
        f'{name} has no {", ".join(missing)}; see networks.contract.Network.')
  if not isinstance(network, tf.Module):
    raise ValueError(f'{name} must be a keras.Model of Keras 2, as '
                     'tf_muzero.keras2 has it, or a tf.Module, or '
                     'checkpoints would not find its variables.')
  before = [(v.name, v.dtype) for v in network.variables]
  wrong = [name for name, dtype in before if dtype != tf.float32]
  if wrong:
    raise ValueError(f'{name} must have float32 variables; {", ".join(wrong)} '
                     'are not.')
  action = (tf.TensorSpec([_BATCH], tf.int32) if num_actions else
            tf.TensorSpec([_BATCH, action_size], tf.float32))

  def look(observation_, action_):
    embedding = _one(f'{name}.represent', network.represent(observation_))
    shape = [_BATCH, *embedding.shape[1:]]
    _expect(f'{name}.represent', 'an embedding', embedding, shape)
    for what in ('represent', 'step'):  # Also of an imagined state.
      policy, value = _pair(
          f'{name}.predict_heads', network.predict_heads(embedding))
      _expect(f'{name}.predict_heads', "the policy's parameters", policy,
              [_BATCH, head.num_parameters])
      _expect(f'{name}.predict_heads', 'value logits', value,
              [_BATCH, num_value_bins])
      if what == 'step':
        return
      embedding, reward = _pair(
          f'{name}.step', network.step(embedding, action_))
      _expect(f'{name}.step', 'an embedding as represent returned', embedding,
              shape)
      _expect(f'{name}.step', 'reward logits', reward,
              [_BATCH, num_reward_bins])

  traced = tf.function(look, autograph=False).get_concrete_function(
      tf.TensorSpec([_BATCH, *observation.shape], observation.dtype), action)
  functional.check_reads(name, traced.graph)
  if len(network.variables) != len(before):
    raise ValueError(
        f'{name} made variables when it was called first, {len(before)} before '
        f'and {len(network.variables)} after: {_BUILD}')


def _one(where: str, x: Any) -> tf.Tensor:
  if not tf.is_tensor(x):
    raise ValueError(f'{where} must return one tensor, got {type(x).__name__}.')
  return x


def _pair(where: str, x: Any) -> tuple[tf.Tensor, tf.Tensor]:
  if not isinstance(x, tuple) or len(x) != 2:
    raise ValueError(f'{where} must return a tuple of two tensors, got {x}.')
  return _one(where, x[0]), _one(where, x[1])


def _expect(where: str, what: str, x: tf.Tensor, shape: Sequence[int]) -> None:
  _one(where, x)
  if x.dtype != tf.float32 or not x.shape.is_compatible_with(shape):
    raise ValueError(f'{where} must return {what}, float32 {list(shape)} for '
                     f'{_BATCH} states; got {x.dtype.name} {x.shape}.')
