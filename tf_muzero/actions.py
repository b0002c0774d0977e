"""Actions: as environments take them, and as networks see them.

Environments, datasets and policies have actions in the environment's own range.
Networks, searches and windows have vectors in [-1, 1] and numbers from 0. Only
the functions here go from one to the other: where data is read, where fresh
episodes are played, and where a policy acts.
"""

from typing import Any, Sequence, Union

from dm_env import specs
import numpy as np
import tensorflow as tf

Array = Union[np.ndarray, tf.Tensor]


class Integers(specs.DiscreteArray):
  """Integers from `start` on; from 0 it is a `DiscreteArray` as any other."""

  def __init__(self, num_values: int, start: int = 0, name: str = 'action'):
    """Initialises the spec: `num_values` integers, the first one `start`."""
    super().__init__(num_values, np.int32, name)
    self._start = start

  @property
  def start(self) -> int:
    """The lowest action."""
    return self._start

  @property
  def minimum(self) -> np.ndarray:
    return super().minimum + self._start

  @property
  def maximum(self) -> np.ndarray:
    return super().maximum + self._start

  def generate_value(self) -> np.ndarray:
    return np.asarray(self._start, self.dtype)

  def validate(self, value: Any) -> np.ndarray:
    value = np.asarray(value)
    super().validate((value - self._start).astype(value.dtype))
    return value

  def __reduce__(self):
    return Integers, (self.num_values, self._start, self.name)


def bounded(shape: Sequence[int], minimum: Any, maximum: Any,
            name: str = 'action') -> specs.BoundedArray:
  """Returns the spec of a vector; raises ValueError if it is not bounded.

  Args:
    shape: [n].
    minimum: scalar or [n].
    maximum: scalar or [n].
    name: of the spec.
  """
  low, high = (np.broadcast_to(np.asarray(x, np.float32), shape)
               for x in (minimum, maximum))
  with np.errstate(all='ignore'):
    has_range = np.isfinite(high - low) & (low < high)  # As float32.
  for i, (least, most) in enumerate(zip(low, high)):
    if not has_range[i]:
      raise ValueError(
          f'Actions must have finite bounds, the lower one below the upper '
          f'one; component {i} has [{least}, {most}].')
  return specs.BoundedArray(shape, np.float32, low, high, name)


def start_of(spec: specs.DiscreteArray) -> int:
  """Returns the lowest of discrete actions."""
  return getattr(spec, 'start', 0)


def to_network(action: Array, spec: specs.Array) -> Array:
  """Returns actions as networks have them: in [-1, 1], or counted from 0.

  Args:
    action: [..., n] or [...] as the environment has it, NumPy or a tensor.
    spec: of the environment's actions.
  """
  if isinstance(spec, specs.DiscreteArray):
    return action - start_of(spec) if start_of(spec) else action
  if _is_unit(spec):
    return action
  return (action - spec.minimum) * _scale(spec) - 1.0


def to_environment(action: Array, spec: specs.Array) -> Array:
  """Returns what `to_network` was given, but for rounding; never out of bounds.

  Args:
    action: as networks have it, NumPy or a tensor.
    spec: of the environment's actions.
  """
  if isinstance(spec, specs.DiscreteArray):
    return action + start_of(spec) if start_of(spec) else action
  if _is_unit(spec):
    return action
  action = (action + 1.0) / _scale(spec) + spec.minimum
  clip = tf.clip_by_value if tf.is_tensor(action) else np.clip
  return clip(action, spec.minimum, spec.maximum)


def _is_unit(spec: specs.BoundedArray) -> bool:
  return bool(np.all(spec.minimum == -1.0) and np.all(spec.maximum == 1.0))


def _scale(spec: specs.BoundedArray) -> np.ndarray:
  return np.float32(2.0) / (spec.maximum - spec.minimum)
