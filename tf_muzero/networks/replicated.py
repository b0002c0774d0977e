"""Variables that replicas assign to, in the middle of a learner step."""

import tensorflow as tf


def aggregation() -> tf.VariableAggregation:
  """Returns what lets all replicas assign a variable, all the same value.

  Where TensorFlow wants to be told whose value counts, it is the first one's;
  on a TPU that would send the value to all replicas at every step, and a
  replica may assign its own.
  """
  is_tpu = isinstance(tf.distribute.get_strategy(), tf.distribute.TPUStrategy)
  return (tf.VariableAggregation.NONE if is_tpu
          else tf.VariableAggregation.ONLY_FIRST_REPLICA)
