"""What some public datasets store otherwise, made what they mean.

An adapter takes the steps of an episode as they are stored (dense tensors,
leading [R], still encoded) and returns them in RLDS's alignment, where the last
record holds nothing but an observation.
"""

from typing import Any, Callable, Mapping

import tensorflow as tf

Steps = Mapping[str, Any]
Adapter = Callable[[Steps], Steps]


def as_stored(steps: Steps) -> Steps:
  """Returns the steps."""
  return steps


def realign(steps: Steps) -> Steps:
  """Returns the steps of `rlu_atari` with rewards at their own actions.

  What is stored as the reward of step t is that of step t + 1, and the last
  record is a transition too: the game is over after its action. So each
  terminal episode gains a transition, and a final record, whose observation is
  not in the data: the last frame is repeated. Nothing learns from it, since
  what follows a terminal transition is absorbing. An episode that was cut off
  has no known state after its last action; there, the last record stays the
  final one.

  Found by replaying episodes of Asterix in ale-py, frame by frame. In the
  frames it shows too: the score changes with these rewards, not with those.
  """
  is_terminal = tf.reduce_any(steps['is_terminal'][-1:])
  num_more = tf.cast(is_terminal, tf.int32)
  reward = steps['reward']
  num_records = tf.shape(reward)[0]
  last = tf.range(num_records) == num_records - 1
  more = lambda x: tf.concat([x, x[-1:][:num_more]], axis=0)
  late = lambda x: tf.concat([tf.zeros_like(x[:1]), x[:-1]], axis=0)
  adapted = {name: tf.nest.map_structure(more, value)
             for name, value in steps.items()}
  adapted['reward'] = more(late(reward))
  adapted['discount'] = more(tf.where(last & is_terminal, 0.0, 1.0))
  if 'is_first' in steps:
    adapted['is_first'] = tf.concat(
        [steps['is_first'], tf.zeros([num_more], tf.bool)], axis=0)
    adapted['is_last'] = tf.concat(
        [tf.zeros([num_more], tf.bool), steps['is_last']], axis=0)
  adapted['is_terminal'] = tf.concat(
      [tf.zeros([num_more], tf.bool), steps['is_terminal']], axis=0)
  return adapted


def drop_foreign_end(steps: Steps) -> Steps:
  """Returns the steps of a `d4rl` episode without a final state of another.

  TFDS ends an episode that was cut off with the last observation of the whole
  file, and a discount of 0. The record before is then the final one.
  """
  is_foreign = (tf.reduce_any(steps['discount'][-1:] == 0.0)
                & ~tf.reduce_any(steps['is_terminal'][-1:]))
  num_records = tf.shape(steps['discount'])[0] - tf.cast(is_foreign, tf.int32)
  adapted = {name: tf.nest.map_structure(lambda x: x[:num_records], value)
             for name, value in steps.items()}
  if 'is_last' in steps:
    at_end = tf.range(num_records) == num_records - 1
    adapted['is_last'] = adapted['is_last'] | (at_end & is_foreign)
  return adapted
