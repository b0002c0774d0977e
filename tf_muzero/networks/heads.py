"""Policy heads: what the numbers of a network's policy output mean."""

from typing import Callable, NamedTuple, Optional

from dm_env import specs
import numpy as np
import tensorflow as tf

from tf_muzero import rng
from tf_muzero.types import Nest

# Stored actions lie on the bounds; atanh needs them inside.
_LARGEST_ACTION = 0.999


class PolicyHead(NamedTuple):
  """The functions of one family of policies.

  Attributes:
    num_parameters: P, outputs that the network makes for the policy.
    is_discrete: whether candidate a is action a.
    candidates_fn: (policy_parameters [B, P], seed [2]) -> candidates
      [B, A, ...], or `()` for all discrete actions.
    prior_fn: policy_parameters [B, P] -> logits [B, A] of the prior that a
      search has over them.
    log_prob_fn: (policy_parameters [..., P], actions [..., A, ...]) ->
      log-probability (or density) [..., A].
    sample_fn: (policy_parameters [B, P], seed [2]) -> action [B, ...].
    mode_fn: policy_parameters [B, P] -> most probable action [B, ...]; of
      continuous ones the median of each component, since a squashed Gaussian
      may be densest at the bounds.
    entropy_fn: policy_parameters [..., P] -> entropy [...].
    num_candidates: A.
    scale_fn: policy_parameters [..., P] -> standard deviation [..., n] of each
      component before the tanh; continuous only.
  """
  num_parameters: int
  is_discrete: bool
  candidates_fn: Callable[[tf.Tensor, tf.Tensor], Nest]
  prior_fn: Callable[[tf.Tensor], tf.Tensor]
  log_prob_fn: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
  sample_fn: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
  mode_fn: Callable[[tf.Tensor], tf.Tensor]
  entropy_fn: Callable[[tf.Tensor], tf.Tensor]
  num_candidates: int
  scale_fn: Optional[Callable[[tf.Tensor], tf.Tensor]] = None


def make_head(action_spec: specs.Array, *, num_candidates: int,
              max_scale: float = np.inf) -> PolicyHead:
  """Returns the head for an action spec.

  Args:
    action_spec: `DiscreteArray`, or `BoundedArray`; the head's own actions are
      as networks have them, see `actions`.
    num_candidates: K actions that a search draws at a node; continuous only.
    max_scale: largest scale of the Gaussian that actions are drawn from.
  """
  if isinstance(action_spec, specs.DiscreteArray):
    return categorical(action_spec.num_values)
  return squashed_gaussian(
      action_spec.shape[0], num_candidates=num_candidates, max_scale=max_scale)


def categorical(num_actions: int) -> PolicyHead:
  """Returns the softmax policy over `num_actions` discrete actions."""

  def log_prob(logits, actions):
    return tf.gather(tf.nn.log_softmax(logits), actions,
                     batch_dims=actions.shape.rank - 1)

  def sample(logits, seed):
    return _argmax(logits + rng.gumbel(seed, tf.shape(logits)))

  def entropy(logits):
    log_probs = tf.nn.log_softmax(logits)
    return -tf.reduce_sum(tf.exp(log_probs) * log_probs, axis=-1)

  return PolicyHead(
      num_parameters=num_actions, is_discrete=True,
      candidates_fn=lambda logits, seed: (), prior_fn=lambda logits: logits,
      log_prob_fn=log_prob, sample_fn=sample, mode_fn=_argmax,
      entropy_fn=entropy, num_candidates=num_actions)


def squashed_gaussian(
    num_dimensions: int, *, num_candidates: int, max_scale: float = np.inf,
    log_scale_range: tuple[float, float] = (-3.0, 1.0)) -> PolicyHead:
  """Returns tanh of a diagonal Gaussian, actions in (-1, 1).

  A search draws its candidates from the policy itself, so the sample-based
  prior (beta_hat / beta) pi of Sampled MuZero (Hubert et al. 2021, section 3)
  is uniform over them.

  Args:
    num_dimensions: n of the action.
    num_candidates: K candidates of a node.
    max_scale: the scale is capped at this where actions are drawn; the paper
      evaluates with 0.05.
    log_scale_range: the log-scale is clipped to this range.
  """

  def split(policy_parameters):
    mean, log_scale = tf.split(policy_parameters, 2, axis=-1)
    return mean, tf.clip_by_value(log_scale, *log_scale_range)

  def squash(policy_parameters, noise):
    mean, log_scale = split(policy_parameters)
    return tf.tanh(mean + tf.minimum(tf.exp(log_scale), max_scale) * noise)

  def sample(policy_parameters, seed):
    # Of rank two: XLA on a CPU is slow at drawing [B, 1, n].
    batch = tf.shape(policy_parameters)[0]
    return squash(policy_parameters, rng.normal(seed, [batch, num_dimensions]))

  def candidates(policy_parameters, seed):
    batch = tf.shape(policy_parameters)[0]
    noise = rng.normal(seed, [batch, num_candidates, num_dimensions])
    return squash(policy_parameters[:, tf.newaxis], tf.ensure_shape(
        noise, [policy_parameters.shape[0], num_candidates, num_dimensions]))

  def log_prob(policy_parameters, actions):
    mean, log_scale = split(policy_parameters[..., tf.newaxis, :])
    actions = tf.clip_by_value(actions, -_LARGEST_ACTION, _LARGEST_ACTION)
    z = (tf.atanh(actions) - mean) * tf.exp(-log_scale)
    log_density = -0.5 * (z**2 + np.log(2.0 * np.pi)) - log_scale
    return tf.reduce_sum(log_density - tf.math.log1p(-actions**2), axis=-1)

  def entropy(policy_parameters):
    # Of the Gaussian before the tanh: the squashed one has no closed form.
    _, log_scale = split(policy_parameters)
    return tf.reduce_sum(
        log_scale + 0.5 * (1.0 + np.log(2.0 * np.pi)), axis=-1)

  return PolicyHead(
      num_parameters=2 * num_dimensions, is_discrete=False,
      candidates_fn=candidates,
      prior_fn=lambda parameters: tf.tile(
          tf.zeros_like(parameters[:, :1]), [1, num_candidates]),
      log_prob_fn=log_prob,
      sample_fn=sample,
      mode_fn=lambda parameters: tf.tanh(split(parameters)[0]),
      entropy_fn=entropy, num_candidates=num_candidates,
      scale_fn=lambda parameters: tf.exp(split(parameters)[1]))


def _argmax(logits: tf.Tensor) -> tf.Tensor:
  return tf.argmax(logits, axis=-1, output_type=tf.int32)
