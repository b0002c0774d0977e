"""What a learned model says of each action, one step ahead."""

import tensorflow as tf

from tf_muzero.types import Parameters
from tf_muzero.types import RecurrentFn
from tf_muzero.types import RootOutput


def values(recurrent_fn: RecurrentFn, parameters: Parameters, seed: tf.Tensor,
           root: RootOutput) -> tf.Tensor:
  """Returns r + gamma V(s') of every candidate, [B, A].

  All of them are imagined in one call.

  Args:
    recurrent_fn: the model.
    parameters: of the network.
    seed: [2] int32.
    root: whose candidates.
  """
  batch_size = tf.shape(root.prior_logits)[0]
  num_candidates = root.prior_logits.shape[1]
  if tf.is_tensor(root.candidates):
    actions = root.candidates
  else:
    actions = tf.tile(
        tf.range(num_candidates)[tf.newaxis], [batch_size, 1])
  actions = tf.reshape(actions, [-1, *actions.shape[2:]])  # [B A, ...]
  embedding = tf.nest.map_structure(
      lambda x: _repeat(x, num_candidates), root.embedding)
  step = recurrent_fn(parameters, seed, actions, embedding)
  return tf.reshape(
      step.reward + step.discount * step.value, [-1, num_candidates])


def _repeat(x: tf.Tensor, num: int) -> tf.Tensor:
  """Returns each row `num` times, [B num, ...]."""
  x = tf.tile(x[:, tf.newaxis], [1, num] + [1] * (x.shape.rank - 1))
  return tf.reshape(x, [-1, *x.shape[2:]])
