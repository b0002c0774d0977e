"""Optimisers."""


from tf_muzero.keras2 import keras
from tf_muzero import ranges

_NOT_WEIGHTS = ['bias', 'gamma', 'beta']  # Decay is on weight matrices only.


def adamw(num_steps: int, *, learning_rate: float, warmup_steps: int,
          weight_decay: float, gradient_clip: float
          ) -> keras.optimizers.Optimizer:
  """Returns Adam with decoupled weight decay and a cosine to zero.

  Args:
    num_steps: learner steps of the whole run; the schedule ends with them.
    learning_rate: after the warm-up.
    warmup_steps: learner steps of a linear rise from zero.
    weight_decay: per step, times the learning rate; weight matrices only.
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
