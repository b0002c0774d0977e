"""The MuZero loss over a batch of windows: a list of terms."""

import collections
import dataclasses
from typing import Optional, Sequence

from dm_env import specs
import tensorflow as tf

from tf_muzero import ranges
from tf_muzero import rng
from tf_muzero.data import observations
from tf_muzero.learning import augmentation
from tf_muzero.learning.terms import action_value
from tf_muzero.learning.terms import policy as policy_terms
from tf_muzero.learning.terms import reconstruction as reconstruction_terms
from tf_muzero.learning.terms import term as term_lib
from tf_muzero.learning.terms import value as value_terms
from tf_muzero.networks import contract
from tf_muzero.networks.agent import Agent
from tf_muzero.networks.heads import PolicyHead
from tf_muzero.types import Window

_PAPERS = ('policy', 'value', 'reward', 'entropy', 'reconstruction')
# Folded into the seed of what is dropped out; augmentation has the seed itself.
_DROPOUT = 7919


@dataclasses.dataclass(frozen=True)
class LossWeights:
  """What the loss is made of: what each term counts, and further terms.

  Attributes:
    policy: cross-entropy to the search's policy; 1 in the paper.
    value: cross-entropy to the value target; 0.25 in the paper.
    reward: cross-entropy to the reward; 1 in the paper.
    entropy: bonus for the policy's entropy.
    reconstruction: squared error of the observation, decoded from each
      embedding (Anand et al. 2021); 0 in the paper. The network must have a
      decoder, or make one.
    auxiliary: further terms, such as `consistency.simsiam`.
    augment_fn: of the frames that the network sees while it learns, see
      `augmentation`; None for none, and never of vectors.
    dropout: share of the elements of each embedding, vectors and frames alike,
      that are zero where the heads of policy and value see it, in [0, 1); the
      others are divided by 1 - dropout. The loss alone has it: no search,
      target, evaluation or export. The dynamics and all other terms see whole
      embeddings, as a search does; dropped out, their noise would add up over
      the unrolled steps.
  """
  policy: float
  value: float
  reward: float
  entropy: float
  reconstruction: float
  auxiliary: Sequence[term_lib.Term] = ()
  augment_fn: Optional[augmentation.AugmentFn] = None
  dropout: float = 0.0

  def __post_init__(self):
    ranges.at_least(0, **{name: getattr(self, name) for name in _PAPERS})
    ranges.from_to(0, 1, dropout=self.dropout)
    names = collections.Counter([*_PAPERS, *(x.name for x in self.auxiliary)])
    for name, count in names.items():
      if count > 1:
        raise ValueError(f'The loss has {count} terms that are called {name!r};'
                         ' auxiliary terms must have names of their own.')

  @property
  def terms(self) -> tuple[term_lib.Term, ...]:
    """All terms; what is 0 and costs something is left out."""
    optional = (
        reconstruction_terms.reconstruction(weight=self.reconstruction),
        *self.auxiliary)
    return (
        policy_terms.improved_policy(weight=self.policy),
        policy_terms.entropy(weight=self.entropy),
        value_terms.value(weight=self.value),
        value_terms.reward(weight=self.reward),
        *(each for each in optional if each.weight))

  @property
  def needs_observations(self) -> bool:
    """Whether windows must hold the observations of all their states."""
    return any(each.needs_observations for each in self.terms)


def check_action_values(agent: Agent, weights: LossWeights, unroll_steps: int
                        ) -> None:
  """Raises ValueError where action values would not be learned as such."""
  is_learned = action_value.NAME in {each.name for each in weights.terms}
  if agent.action_values != is_learned or is_learned and unroll_steps:
    raise ValueError(
        'agent.Agent.action_values, a term action_value.action_value in '
        'losses.LossWeights.auxiliary and train.train.unroll_steps = 0 go '
        'together, as in gin/algorithm/action_values.gin; got '
        f'{agent.action_values}, {"one" if is_learned else "none"} and '
        f'{unroll_steps}.')


def make_heads(network: contract.Network, weights: LossWeights,
               model_input: specs.Array) -> dict[str, tf.Module]:
  """Returns what terms have of their own to learn, by their names.

  Args:
    network: that learns; ValueError where a term cannot be had of it.
    weights: of the terms.
    model_input: what the network sees.
  """
  heads = {each.name: each.head_fn(network, model_input)
           for each in weights.terms if each.head_fn}
  return {name: head for name, head in heads.items() if head is not None}


def scale_gradient(x: tf.Tensor, factor: float) -> tf.Tensor:
  """Returns `x`, whose gradient is multiplied by `factor`."""
  return factor * x + (1.0 - factor) * tf.stop_gradient(x)


def muzero_loss(
    network: contract.Network, agent: Agent, head: PolicyHead,
    weights: LossWeights, window: Window, global_batch_size: int, *,
    auxiliary: term_lib.Auxiliary = term_lib.Auxiliary(),
    seed: Optional[tf.Tensor] = None
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
  """Returns this replica's share of the loss, and of its named terms.

    sum_k policy CE + sum_k value CE + sum_{k>=1} reward CE + ...

  averaged over the windows; summed over replicas it is the mean over the
  global batch. Each head's loss at the K unrolled steps counts 1/K.

  Args:
    network: such as `state.StateNetwork`.
    agent: what its outputs mean.
    head: the policy's.
    weights: of the terms.
    window: B windows of T = K + 1 states.
    global_batch_size: windows over all replicas.
    auxiliary: what terms have beside the network, see `make_heads`.
    seed: [2] int32, of what is random; needed where frames are augmented or
      embeddings dropped out.

  Returns:
    The loss, and its terms by the names in `metrics`. Those that are called
    `distribution/` have a number of each window, or of each component of its
    action, at the first state.
  """
  unroll_steps = window.reward.shape[1]
  unrolled = _unroll(network, agent, head, weights, window, auxiliary, seed)
  loss, metrics = tf.zeros([]), {}
  for term in weights.terms:
    if unroll_steps or not term.is_of_steps:
      mean = term.mean(unrolled, window, global_batch_size)
      metrics[f'loss/{term.name}'] = mean
      loss += term.weight * mean
  metrics['loss/total'] = loss
  metrics.update(_clipped(agent, window, global_batch_size))
  # A metric of the policy rather than of what is minimised.
  del metrics['loss/entropy']
  metrics['policy/entropy'] = _share_of_all(
      window, global_batch_size) * _mean_under(
          head.entropy_fn(unrolled.policy), window.policy_mask)
  metrics.update(_samples(head, unrolled.policy[:, 0]))
  return loss, metrics


def _unroll(network: contract.Network, agent: Agent, head: PolicyHead,
            weights: LossWeights, window: Window,
            auxiliary: term_lib.Auxiliary, seed: Optional[tf.Tensor]
            ) -> term_lib.Unrolled:
  """Returns the network unrolled along the windows' actions.

  "The gradient at the start of the dynamics function is scaled by 1/2" (MuZero,
  appendix G).
  """
  if seed is None and (weights.augment_fn or weights.dropout):
    raise ValueError('seed must be given where frames are augmented or '
                     'embeddings dropped out.')
  observation = seen = observations.stack(window.observation, agent.frame_stack)
  if weights.augment_fn:
    seen = augmentation.of_windows(weights.augment_fn, seed, observation)
  embedding = network.represent(seen[:, 0])
  embeddings, reward_logits = [embedding], []
  memory = agent.no_memory(network, tf.shape(embedding)[0])
  for k in range(window.reward.shape[1]):
    embedding, logits, _, memory = agent.step(
        network, scale_gradient(embedding, 0.5), window.action[:, k], memory)
    embeddings.append(embedding)
    reward_logits.append(logits)
  # All states go through the heads at once.
  embedding = tf.stack(embeddings, axis=1)
  head_input = tf.reshape(embedding, [-1, *embedding.shape[2:]])
  if weights.dropout:
    head_input = dropped_out(
        rng.fold_in(seed, _DROPOUT), head_input, weights.dropout)
  policy, value_logits = network.predict_heads(head_input)
  of_windows = lambda x: tf.reshape(x, [-1, len(embeddings), x.shape[-1]])
  return term_lib.Unrolled(
      network, agent, head, auxiliary, observation, seen, embedding,
      of_windows(policy), of_windows(value_logits),
      tf.stack(reward_logits, axis=1) if reward_logits else ())


def dropped_out(seed: tf.Tensor, x: tf.Tensor, rate: float) -> tf.Tensor:
  """Returns `x` with some elements zero, and the same mean (dropout).

  Not `stateless_dropout`, which draws other numbers where XLA compiles it.

  Args:
    seed: [2] int32.
    x: of any shape and floating type.
    rate: share of the elements that are zero, in [0, 1); the others are
      multiplied by 1 / (1 - rate).
  """
  is_kept = rng.uniform(seed, tf.shape(x)) >= rate
  return tf.where(is_kept, x / (1.0 - rate), tf.zeros_like(x))


def _clipped(agent: Agent, window: Window, global_batch_size: int
             ) -> dict[str, tf.Tensor]:
  """Returns this replica's part of the shares of targets that are clipped."""
  share = _share_of_all(window, global_batch_size)
  metrics = {'target/value_clipped': share * _mean_under(
      agent.value_support.clips(window.value), window.value_mask)}
  if window.reward.shape[1]:
    metrics['target/reward_clipped'] = share * _mean_under(
        agent.reward_support.clips(agent.reward_targets(window.reward)),
        window.reward_mask)
  return metrics


def _share_of_all(window: Window, global_batch_size: int) -> tf.Tensor:
  """Returns this replica's share of the windows."""
  return tf.cast(tf.shape(window.value)[0], tf.float32) / global_batch_size


def _mean_under(x: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
  """Returns the mean of those under the mask, [B, T] each."""
  return tf.reduce_sum(tf.cast(x, tf.float32) * mask) / tf.maximum(
      tf.reduce_sum(mask), 1.0)


def _samples(head: PolicyHead, policy: tf.Tensor) -> dict[str, tf.Tensor]:
  """Returns what histograms are made of, of policies [B, P]."""
  if head.scale_fn:
    return {'distribution/policy_sigma': head.scale_fn(policy)}
  return {'distribution/policy_entropy': head.entropy_fn(policy)}
