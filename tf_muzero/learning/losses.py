"""The MuZero loss over a batch of windows."""

import dataclasses

import tensorflow as tf

from tf_muzero import ranges
from tf_muzero.data import observations
from tf_muzero.networks import contract
from tf_muzero.networks.agent import Agent
from tf_muzero.networks.heads import PolicyHead
from tf_muzero.types import Window


@dataclasses.dataclass(frozen=True)
class LossWeights:
  """What each term of the loss counts.

  Attributes:
    policy: cross-entropy to the search's policy; 1 in the paper.
    value: cross-entropy to the value target; 0.25 in the paper.
    reward: cross-entropy to the reward; 1 in the paper.
    entropy: bonus for the policy's entropy.
    reconstruction: squared error of the normalised observation, decoded from
      each embedding (Anand et al. 2021); 0 in the paper. The network must have
      a decoder.
  """
  policy: float
  value: float
  reward: float
  entropy: float
  reconstruction: float

  def __post_init__(self):
    ranges.at_least(0, **dataclasses.asdict(self))


def check_network(network: contract.Network, weights: LossWeights) -> None:
  """Raises ValueError where a term needs what the network has not."""
  if weights.reconstruction and not isinstance(network, contract.Decoder):
    raise ValueError('reconstruction must be 0 for a network without a decoder '
                     '(`decode` and `normalise`), such as '
                     f'{type(network).__name__}; got {weights.reconstruction}.')


def scale_gradient(x: tf.Tensor, factor: float) -> tf.Tensor:
  """Returns `x`, whose gradient is multiplied by `factor`."""
  return factor * x + (1.0 - factor) * tf.stop_gradient(x)


def muzero_loss(network: contract.Network, agent: Agent, head: PolicyHead,
                weights: LossWeights, window: Window, global_batch_size: int
                ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
  """Returns this replica's share of the loss, and of its named terms.

    sum_k policy CE + sum_k value CE + sum_{k>=1} reward CE

  averaged over the windows; summed over replicas it is the mean over the
  global batch. Each head's loss at the K unrolled steps counts 1/K, and "the
  gradient at the start of the dynamics function is scaled by 1/2" (MuZero,
  appendix G).

  Args:
    network: such as `state.StateNetwork`.
    agent: what its outputs mean.
    head: the policy's.
    weights: of the terms.
    window: B windows of T = K + 1 states.
    global_batch_size: windows over all replicas.

  Returns:
    The loss, and its terms by the names in `metrics`. Those that are called
    `distribution/` have a number of each window, or of each component of its
    action, at the first state.
  """
  check_network(network, weights)
  unroll_steps = window.action.shape[1]
  observation = observations.stack(window.observation, agent.frame_stack)
  embedding = network.represent(observation[:, 0])
  embeddings, reward_logits = [embedding], []
  for k in range(unroll_steps):
    embedding, logits = network.step(
        scale_gradient(embedding, 0.5), window.action[:, k])
    embeddings.append(embedding)
    reward_logits.append(logits)
  # Time first: all steps go through the heads at once.
  embeddings = tf.concat(embeddings, axis=0)
  policy, value_logits = network.predict_heads(embeddings)

  step_scale = tf.constant([1.0] + [1.0 / max(unroll_steps, 1)] * unroll_steps)
  def mean(loss, mask, scale):  # loss [T * B], mask [B, T]
    loss = tf.reshape(loss, [scale.shape[0], -1]) * tf.transpose(mask)
    return tf.reduce_sum(loss * scale[:, tf.newaxis]) / global_batch_size

  candidate_log_probs = head.log_prob_fn(policy, _time_first(window.candidates))
  value_probs = agent.value_support.encode(_time_first(window.value))
  terms = {
      'policy': mean(
          -tf.reduce_sum(
              _time_first(window.weights) * candidate_log_probs, axis=-1),
          window.policy_mask, step_scale),
      'value': mean(
          tf.nn.softmax_cross_entropy_with_logits(value_probs, value_logits),
          window.value_mask, step_scale),
  }
  entropy = mean(head.entropy_fn(policy), window.policy_mask, step_scale)
  loss = (weights.policy * terms['policy'] + weights.value * terms['value']
          - weights.entropy * entropy)
  if unroll_steps:
    reward_probs = agent.reward_support.encode(_time_first(window.reward))
    terms['reward'] = mean(
        tf.nn.softmax_cross_entropy_with_logits(
            reward_probs, tf.concat(reward_logits, axis=0)),
        window.reward_mask, step_scale[1:])
    loss += weights.reward * terms['reward']
  if weights.reconstruction and isinstance(network, contract.Decoder):
    error = network.decode(embeddings) - network.normalise(
        _time_first(observation))
    terms['reconstruction'] = mean(
        tf.reduce_sum(error**2, axis=-1), window.policy_mask,
        tf.fill([unroll_steps + 1], 1.0 / (unroll_steps + 1)))
    loss += weights.reconstruction * terms['reconstruction']
  metrics = {f'loss/{name}': term for name, term in terms.items()}
  metrics['loss/total'] = loss
  metrics.update(_clipped(agent, window, global_batch_size))
  metrics['policy/entropy'] = entropy / tf.reduce_sum(step_scale)
  metrics.update(_samples(head, policy[:tf.shape(observation)[0]]))
  return loss, metrics


def _clipped(agent: Agent, window: Window, global_batch_size: int
             ) -> dict[str, tf.Tensor]:
  """Returns this replica's part of the shares of targets that are clipped."""
  share = tf.cast(tf.shape(window.value)[0], tf.float32) / global_batch_size
  metrics = {'target/value_clipped': share * _share_of(
      agent.value_support.clips(window.value), window.value_mask)}
  if window.action.shape[1]:
    metrics['target/reward_clipped'] = share * _share_of(
        agent.reward_support.clips(window.reward), window.reward_mask)
  return metrics


def _share_of(is_so: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
  """Returns the share of those under the mask, [B, T] each."""
  return tf.reduce_sum(tf.cast(is_so, tf.float32) * mask) / tf.maximum(
      tf.reduce_sum(mask), 1.0)


def _samples(head: PolicyHead, policy: tf.Tensor) -> dict[str, tf.Tensor]:
  """Returns what histograms are made of, of policies [B, P]."""
  if head.scale_fn:
    return {'distribution/policy_sigma': head.scale_fn(policy)}
  return {'distribution/policy_entropy': head.entropy_fn(policy)}


def _time_first(x: tf.Tensor) -> tf.Tensor:
  """Returns [B, T, ...] as [T * B, ...]."""
  x = tf.transpose(x, [1, 0, *range(2, x.shape.rank)])
  return tf.reshape(x, [-1, *x.shape[2:]])
