"""Searched segments as rows of variables, on each replica."""

from typing import Any, Sequence

import tensorflow as tf

from tf_muzero.reanalyse import windows as windows_lib
from tf_muzero.types import Window


class _Field:
  """A field of all states that are held, one row each.

  Rows of scalars are numbers, all others are flat: a TPU would pad frames.
  """

  def __init__(self, num_rows: int, spec: tf.TensorSpec):
    """Creates the variable on each replica; `spec` is of a state."""
    self._shape = spec.shape
    size = [spec.shape.num_elements()] if spec.shape.rank else []
    self.variable = tf.Variable(
        tf.zeros([num_rows, *size], spec.dtype), trainable=False,
        synchronization=tf.VariableSynchronization.ON_READ,
        aggregation=tf.VariableAggregation.NONE)

  def gather(self, indices: tf.Tensor) -> tf.Tensor:
    """Returns rows, leading the shape of the indices."""
    rows = tf.raw_ops.ResourceGather(
        resource=self.variable.handle, indices=indices,
        dtype=self.variable.dtype)
    return tf.reshape(rows, [*indices.shape, *self._shape])

  def write(self, indices: tf.Tensor, values: tf.Tensor) -> None:
    """Writes rows, whose values lead [...] as the indices do."""
    # Variables of one replica have no `scatter_update`.
    tf.raw_ops.ResourceScatterUpdate(
        resource=self.variable.handle, indices=tf.reshape(indices, [-1]),
        updates=tf.reshape(values, [-1, *self.variable.shape[1:]]))


class Rows:
  """So many segments of S states; frames once for each state.

  Attributes:
    num_slots: segments that each replica holds.
    length: S.
  """

  def __init__(self, strategy: tf.distribute.Strategy, whole: Window,
               num_slots: int):
    """Creates empty rows; call outside of the strategy's scope.

    Args:
      strategy: that trains.
      whole: spec of what `windows.whole` returns.
      num_slots: segments that each replica holds.
    """
    self.num_slots = num_slots
    self.length = whole.value.shape[1]
    self._strategy = strategy
    self._frame_stack = whole.observation.shape[1] - self.length + 1
    with strategy.scope():
      self._fields = tf.nest.map_structure(
          lambda x: _Field(num_slots * x.shape[1],
                           tf.TensorSpec(x.shape[2:], x.dtype)), whole)

  def write(self, slots: tf.Tensor, whole: Window) -> None:
    """Writes segments, in a replica.

    Args:
      slots: [G] their numbers.
      whole: what `windows.whole` returns, leading [G].
    """
    for field, x in zip(*map(tf.nest.flatten, (self._fields, whole))):
      length = x.shape[1]
      field.write(slots[:, tf.newaxis] * length + tf.range(length), x)

  def weights(self) -> tf.Tensor:
    """Returns what `importance` was written as, [segments, S], in a replica."""
    return tf.reshape(self._fields.importance.variable.read_value(),
                      [self.num_slots, self.length])

  def cut(self, slots: tf.Tensor, start: tf.Tensor, **settings: Any) -> Window:
    """Returns windows, in a replica.

    Args:
      slots: [B] numbers of their segments.
      start: [B] states that they start at.
      **settings: `unroll_steps` and `keep_observations`.
    """
    return windows_lib.cut(
        self._fields, slots, start, length=self.length,
        frame_stack=self._frame_stack, gather_fn=_Field.gather, **settings)

  def variables(self) -> Sequence[Sequence[tf.Variable]]:
    """Returns the variables of each field, one for each replica of the host."""
    return [list(self._strategy.experimental_local_results(field.variable))
            for field in tf.nest.flatten(self._fields)]
