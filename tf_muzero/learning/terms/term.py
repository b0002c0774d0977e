"""What a term of the loss is, and what it is a function of."""

import types
from typing import Any, Callable, Mapping, NamedTuple, Optional, Sequence

from dm_env import specs
import tensorflow as tf

from tf_muzero.networks.agent import Agent
from tf_muzero.networks.contract import Network
from tf_muzero.networks.heads import PolicyHead
from tf_muzero.types import Window


class Auxiliary(NamedTuple):
  """What the loss has beside the network that learns.

  Attributes:
    target_network: its slow copy, which has no gradient.
    heads: of the terms that have one, by the term's name; they learn.
    target_heads: their slow copies.
  """
  target_network: Optional[Network] = None
  heads: Mapping[str, tf.Module] = types.MappingProxyType({})
  target_heads: Mapping[str, tf.Module] = types.MappingProxyType({})

  def head(self, name: str, is_slow: bool = False) -> Any:
    """Returns the head of a term, or its slow copy."""
    heads = self.target_heads if is_slow else self.heads
    if name not in heads:
      raise ValueError(
          f'The term {name!r} has something of its own to learn: make it with '
          'losses.make_heads, and give it to the loss as `auxiliary`.')
    return heads[name]


class Unrolled(NamedTuple):
  """A network, unrolled along B windows of T = K + 1 states.

  Attributes:
    network: that learns, for what else a term asks of it.
    agent: what its outputs mean.
    head: the policy's.
    auxiliary: what the loss has beside it.
    observation: [B, T, ...] model inputs, or [B, 1, ...] where no term needs
      those after the first.
    seen: the same as the network sees them: augmented, or not.
    embedding: [B, T, D...] of the first state, and of those unrolled from it.
    policy: [B, T, P] the policy's parameters, of embeddings of which the loss
      may have dropped out elements.
    value_logits: [B, T, Z], likewise.
    reward_logits: [B, K, Z] of the agent's `reward_targets`; `()` for K = 0.
  """
  network: Network
  agent: Agent
  head: PolicyHead
  auxiliary: Auxiliary
  observation: tf.Tensor
  seen: tf.Tensor
  embedding: tf.Tensor
  policy: tf.Tensor
  value_logits: tf.Tensor
  reward_logits: tf.Tensor


def first_and_mean(unroll_steps: int) -> list[float]:
  """Returns 1 for the first state and 1/K for the K unrolled ones."""
  return [1.0] + [1.0 / max(unroll_steps, 1)] * unroll_steps


def mean_of_all(unroll_steps: int) -> list[float]:
  """Returns 1/T for each of T = K + 1 states."""
  return [1.0 / (unroll_steps + 1)] * (unroll_steps + 1)


class Term(NamedTuple):
  """A term of the loss: a weighted sum over the steps, mean over the windows.

  Attributes:
    name: unlike those of other terms; the metric is `loss/NAME`.
    weight: what it counts.
    loss_fn: (Unrolled, Window) -> [B, N], the loss of each window at its last N
      states; N is T, or K for what only unrolled states have.
    mask_fn: Window -> [B, N], 0 where there is nothing to learn.
    scale_fn: K -> T numbers, what each state counts.
    is_of_steps: whether N is K; with K = 0 there is no such term.
    needs_observations: whether windows must hold the observations of all T
      states, which costs memory.
    head_fn: (network, spec of a model input) -> what the term has of its own to
      learn, or None where this network needs none. ValueError where the term
      cannot be had of this network.
  """
  name: str
  weight: float
  loss_fn: Callable[[Unrolled, Window], tf.Tensor]
  mask_fn: Callable[[Window], tf.Tensor]
  scale_fn: Callable[[int], Sequence[float]] = first_and_mean
  is_of_steps: bool = False
  needs_observations: bool = False
  head_fn: Optional[Callable[[Network, specs.Array], Optional[tf.Module]]] = (
      None)

  def mean(self, unrolled: Unrolled, window: Window, global_batch_size: int
           ) -> tf.Tensor:
    """Returns this replica's share of the mean over the global batch.

    Each window counts as much as its importance.
    """
    loss, mask = self.loss_fn(unrolled, window), self.mask_fn(window)
    # pylint: disable-next=too-many-function-args  # It is no method.
    scale = tf.constant(self.scale_fn(window.reward.shape[1]))
    of_windows = tf.reduce_sum(loss * mask * scale[-loss.shape[1]:], axis=1)
    return tf.reduce_sum(of_windows * window.importance) / global_batch_size


def at_each(fn: Callable[..., tf.Tensor], *inputs: tf.Tensor) -> tf.Tensor:
  """Returns what a function of states says of the states of windows.

  Args:
    fn: ([N, ...], ...) -> [N, ...].
    *inputs: [B, T, ...] each.

  Returns:
    [B, T, ...].
  """
  out = fn(*(tf.reshape(x, [-1, *x.shape[2:]]) for x in inputs))
  return tf.reshape(out, [-1, inputs[0].shape[1], *out.shape[1:]])


def is_real_step(window: Window) -> tf.Tensor:
  """Returns [B, K] float32, 1 where an unrolled state is of the episode.

  Step k leads to a record of the episode where record k - 1 has an action.
  """
  return window.policy_mask[:, :-1]
