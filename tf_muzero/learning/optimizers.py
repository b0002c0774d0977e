"""Optimisers."""

import tensorflow as tf

from tf_muzero.keras2 import keras
from tf_muzero import ranges

# Decay is on weight matrices only; these are the names that Keras gives others.
_NOT_WEIGHTS = ['bias', 'gamma', 'beta']


def adamw(num_steps: int, *, learning_rate: float, warmup_steps: int,
          weight_decay: float, gradient_clip: float
          ) -> keras.optimizers.Optimizer:
  """Returns Adam with decoupled weight decay and a cosine to zero.

  Args:
    num_steps: learner steps of the whole run; the schedule ends with them.
    learning_rate: after the warm-up.
    warmup_steps: learner steps of a linear rise from zero.
    weight_decay: per step, times the learning rate; of all variables but those
      whose names have `bias`, `gamma` or `beta`.
    gradient_clip: largest global norm of the gradient.
  """
  ranges.above(0, learning_rate=learning_rate, gradient_clip=gradient_clip)
  ranges.at_least(0, warmup_steps=warmup_steps, weight_decay=weight_decay)
  schedule = keras.optimizers.schedules.CosineDecay(
      initial_learning_rate=0.0 if warmup_steps else learning_rate,
      decay_steps=max(num_steps - warmup_steps, 1),
      warmup_target=learning_rate if warmup_steps else None,
      warmup_steps=warmup_steps)
  optimizer = keras.optimizers.AdamW(
      schedule, weight_decay=weight_decay, global_clipnorm=gradient_clip)
  optimizer.exclude_from_weight_decay(var_names=_NOT_WEIGHTS)
  return optimizer


def momentum(num_steps: int, *, learning_rate: float, warmup_steps: int,
             decay_steps: int, decay_rate: float, momentum_factor: float,
             weight_decay: float, gradient_clip: float
             ) -> keras.optimizers.Optimizer:
  """Returns stochastic gradient descent with momentum, which EfficientZero has.

  Args:
    num_steps: of the whole run; the schedule does not depend on it.
    learning_rate: after the warm-up.
    warmup_steps: learner steps of a linear rise from zero.
    decay_steps: learner steps between falls, counted from the warm-up's end.
    decay_rate: what the learning rate falls to each time, as a factor.
    momentum_factor: share of the last step that the next one keeps.
    weight_decay: per step, times the learning rate; of all variables but those
      whose names have `bias`, `gamma` or `beta`.
    gradient_clip: largest global norm of the gradient.
  """
  del num_steps
  ranges.above(0, learning_rate=learning_rate, gradient_clip=gradient_clip)
  ranges.at_least(0, warmup_steps=warmup_steps, weight_decay=weight_decay)
  ranges.at_least(1, decay_steps=decay_steps)
  ranges.within(0, 1, momentum_factor=momentum_factor, decay_rate=decay_rate)
  optimizer = keras.optimizers.SGD(
      WarmupAndFalls(learning_rate, warmup_steps, decay_steps, decay_rate),
      momentum=momentum_factor, weight_decay=weight_decay,
      global_clipnorm=gradient_clip)
  optimizer.exclude_from_weight_decay(var_names=_NOT_WEIGHTS)
  return optimizer


class WarmupAndFalls(keras.optimizers.schedules.LearningRateSchedule):
  """A learning rate that rises from zero and then falls by a factor."""

  def __init__(self, learning_rate: float, warmup_steps: int,
               decay_steps: int, decay_rate: float):
    """Creates the schedule; for the arguments see `momentum`."""
    super().__init__()
    self._settings = {
        'learning_rate': learning_rate, 'warmup_steps': warmup_steps,
        'decay_steps': decay_steps, 'decay_rate': decay_rate}

  def __call__(self, step):
    """Returns the learning rate of a learner step."""
    learning_rate, warmup_steps, decay_steps, decay_rate = (
        self._settings.values())
    step = tf.cast(step, tf.float32)
    falls = tf.floor((step - warmup_steps) / decay_steps)
    return learning_rate * tf.where(
        step < warmup_steps, step / max(warmup_steps, 1), decay_rate**falls)

  def get_config(self):
    """Returns the arguments, as Keras wants it."""
    return dict(self._settings)
