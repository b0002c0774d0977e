"""Models made of integer hashes: as arbitrary as a network, known exactly.

An embedding is one integer per state, a step hashes it with the action. Priors,
rewards and values are made of the hash's bits. All of it is integer arithmetic
that TensorFlow, XLA and NumPy do alike, so a slow plain tree can be compared
with the batched one, node by node.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tf_muzero.types import RootOutput, StepOutput

_MULTIPLIER = 0x85EBCA6B
_SCALE = 2.0**-16


class HashModel(NamedTuple):
  """How arbitrary, and what kind of model.

  Attributes:
    num_candidates: A.
    action_size: 0 for discrete actions, else n of continuous ones.
    value_scale: values and rewards lie in [-value_scale, value_scale].
    discount: of every step, unless it ends an episode.
    terminal_share: share of steps with discount zero.
    logit_scale: spread of the priors' logits.
  """
  num_candidates: int
  action_size: int = 0
  value_scale: float = 1.0
  discount: float = 0.97
  terminal_share: float = 0.0
  logit_scale: float = 2.0

  def root(self, embedding: tf.Tensor) -> RootOutput:
    """Returns the view of states given as integers [B]."""
    embedding = tf.cast(embedding, tf.uint32)
    return RootOutput(
        self.candidates(embedding), self._logits(embedding),
        self._value(embedding, 1), embedding)

  def recurrent(self, parameters, seed, action, embedding) -> StepOutput:
    """Returns one imagined step; the RecurrentFn of this model."""
    del parameters, seed
    if self.action_size:
      # An action stands for the integer it was made of.
      action = tf.cast(tf.round(action[..., 0] / _SCALE), tf.int32)
    embedding = _mix(embedding + tf.cast(action, tf.uint32) * 7919 + 1)
    terminal = _uniform(embedding, 3) < self.terminal_share
    return StepOutput(
        self._value(embedding, 2), tf.where(terminal, 0.0, self.discount),
        self._logits(embedding), self._value(embedding, 1), embedding)

  def draw(self, seed, embedding, number) -> tf.Tensor:
    """Returns the action of a candidate; the DrawFn of this model."""
    del seed
    if not self.action_size:
      return number
    return tf.gather(self.candidates(embedding), number, batch_dims=1)

  def _value(self, embedding, stream):
    return (2.0 * _uniform(embedding, stream) - 1.0) * self.value_scale

  def _logits(self, embedding):
    streams = [_uniform(embedding, 100 + a) for a in range(self.num_candidates)]
    return tf.stack(streams, axis=-1) * self.logit_scale

  def candidates(self, embedding):
    """Returns all candidates of states, [B, A, n], or `()`."""
    if not self.action_size:
      return ()
    shape = (self.num_candidates, self.action_size)
    flat = [_uniform(embedding, 1000 + i) for i in range(int(np.prod(shape)))]
    flat = tf.stack(flat, axis=-1)
    return tf.reshape(flat, tf.concat([tf.shape(flat)[:1], shape], axis=0))


def seeds(num: int, start: int = 0) -> tf.Tensor:
  """Returns [num] uint32, embeddings of unlike roots."""
  return _mix(tf.cast(tf.range(start, start + num), tf.uint32) * 977 + 12345)


def _mix(x: tf.Tensor) -> tf.Tensor:
  """Returns a scrambled uint32, by the finaliser of MurmurHash3."""
  for shift, multiplier in ((16, _MULTIPLIER), (13, 0xC2B2AE35)):
    x = tf.bitwise.bitwise_xor(
        x, tf.bitwise.right_shift(x, tf.constant(shift, tf.uint32)))
    x = x * tf.constant(multiplier, tf.uint32)
  return tf.bitwise.bitwise_xor(
      x, tf.bitwise.right_shift(x, tf.constant(16, tf.uint32)))


def _uniform(embedding: tf.Tensor, stream: int) -> tf.Tensor:
  """Returns multiples of 2^-16 in [0, 1)."""
  bits = _mix(embedding + tf.constant(stream * 2654435 + 17, tf.uint32))
  bits = tf.bitwise.right_shift(bits, tf.constant(16, tf.uint32))
  return tf.cast(tf.cast(bits, tf.int32), tf.float32) * _SCALE
