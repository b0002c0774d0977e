"""What replicas share in the middle of a learner step: sums, and variables."""

from typing import Any

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


def all_reduce(reduce_op: tf.distribute.ReduceOp, tensors: Any) -> Any:
  """Returns the sum or mean over all replicas, for each of them.

  One replica alone has it already. TensorFlow would keep its graph for good:
  it registers the gradient of each reduction, which nobody asks for here.
  """
  replica = tf.distribute.get_replica_context()
  if replica.num_replicas_in_sync == 1:
    return tensors
  return replica.all_reduce(reduce_op, tensors)
