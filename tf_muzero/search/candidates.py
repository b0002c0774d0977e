"""What is done to candidates, before a search and in it."""

import tensorflow as tf

from tf_muzero.types import RootOutput

_TINY = 1e-30  # Keeps the logarithm of a probability finite.


def inject(root: RootOutput, action: tf.Tensor, prior_mass: float
           ) -> RootOutput:
  """Returns the root with candidate 0 replaced by a given action.

  MuZero Unplugged, section 4.2: without the stored action among the candidates
  a search of stored continuous states has nothing to improve on the data with.

  Args:
    root: with candidates.
    action: [B, ...] the stored action.
    prior_mass: prior of that candidate; the others share the rest in the
      proportions that they had. With one candidate it has all of it.
  """
  if isinstance(root.candidates, tuple):
    raise ValueError(
        'inject needs candidates; with discrete actions all are there already.')
  if not 0.0 < prior_mass < 1.0:
    raise ValueError(f'prior_mass must be in (0, 1), got {prior_mass}.')
  action = tf.cast(action, root.candidates.dtype)[:, tf.newaxis]
  others = tf.nn.log_softmax(tf.cast(root.prior_logits, tf.float32)[:, 1:])
  injected = tf.zeros_like(root.prior_logits[:, :1], tf.float32)
  return root._replace(
      candidates=tf.concat([action, root.candidates[:, 1:]], axis=1),
      prior_logits=tf.concat(
          [injected + tf.math.log(prior_mass),
           others + tf.math.log(1.0 - prior_mass)], axis=1))


def add_root_noise(root: RootOutput, noise: tf.Tensor, fraction: float
                   ) -> RootOutput:
  """Returns the root with `(1 - fraction) prior + fraction noise` as prior.

  The noise is an input, since the Gamma numbers of a Dirichlet distribution
  cannot be drawn under XLA.

  Args:
    root: any root.
    noise: [B, A] probabilities, such as of a Dirichlet distribution.
    fraction: share of the noise in [0, 1].
  """
  if not 0.0 <= fraction <= 1.0:
    raise ValueError(f'fraction must be in [0, 1], got {fraction}.')
  prior = tf.nn.softmax(tf.cast(root.prior_logits, tf.float32))
  noisy = (1.0 - fraction) * prior + fraction * noise
  return root._replace(prior_logits=tf.math.log(tf.maximum(noisy, _TINY)))

def where(condition: tf.Tensor, x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
  """Returns rows of `x` where `condition` [B] is true, else of `y`."""
  return tf.where(
      tf.reshape(condition, [-1] + [1] * (x.shape.rank - 1)), x, y)
