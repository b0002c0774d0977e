"""How rows of an array are changed: by a new array, or in place.

TensorFlow's scatters copy the whole array on a CPU where XLA does not compile
them. There a search takes operations that change their input, and has to see to
it that nobody else reads that input later: all of that is here.
"""

import tensorflow as tf

from tf_muzero.search.execution import Execution
from tf_muzero.types import Nest


class Copies:
  """Changes that leave what they are given as it was. XLA makes no copies."""

  def own(self, nest: Nest) -> Nest:
    """Returns arrays that `put` and `add` may use up."""
    return nest

  def put(self, x: tf.Tensor, indices: tf.Tensor, values: tf.Tensor
          ) -> tf.Tensor:
    """Returns `x` with rows `values` at distinct `indices` [G]; uses `x` up."""
    return tf.tensor_scatter_nd_update(x, indices[:, tf.newaxis], values)

  def add(self, x: tf.Tensor, indices: tf.Tensor, values: tf.Tensor
          ) -> tf.Tensor:
    """Returns `x` with `values` added at distinct `indices`; uses `x` up."""
    return tf.tensor_scatter_nd_add(x, indices[:, tf.newaxis], values)

  def after(self, read: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """Returns `x`, once `read` is known: what that was read from is free."""
    del read
    return x


class InPlace(Copies):
  """Changes of the array itself, which nobody else may hold."""

  def own(self, nest: Nest) -> Nest:
    return tf.nest.map_structure(lambda x: tf.raw_ops.DeepCopy(x=x), nest)

  def put(self, x: tf.Tensor, indices: tf.Tensor, values: tf.Tensor
          ) -> tf.Tensor:
    return tf.raw_ops.InplaceUpdate(x=x, i=indices, v=values)

  def add(self, x: tf.Tensor, indices: tf.Tensor, values: tf.Tensor
          ) -> tf.Tensor:
    return tf.raw_ops.InplaceAdd(x=x, i=indices, v=values)

  def after(self, read: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    with tf.control_dependencies([read]):
      return tf.identity(x)


def of(execution: Execution) -> Copies:
  """Returns what suits; XLA has no operations that work in place."""
  return InPlace() if execution is Execution.PLAIN_GRAPH else Copies()
