"""What a policy takes: observations as environments and datasets give them.

An entry may come in its own shape, of which the agent sees a vector, and as any
real numbers, of which float32 has the nearest. Shapes that do not fit, batches
of unlike sizes and numbers that are not finite are refused, here and in what is
exported.
"""

import itertools
from typing import Optional, Sequence

import tensorflow as tf

from tf_muzero.acting import naming
from tf_muzero.envs import matching
from tf_muzero.types import Nest

_EMPTY = 'The batch is empty: is_first has no rows.'
_STATE = ('The state must have one row for each of is_first: begin with '
          'get_initial_state(batch_size), go on with what act returns.')
# With so many entries each may be float32 or float64 whatever the others are.
_MOST_MIXED = 3
# All entries may be of one of these too.
_OTHERS = (tf.float16, tf.int32, tf.int64, tf.uint8, tf.bool)


def observation_specs(observation: Nest) -> Nest:
  """Returns the nest of `tf.TensorSpec` of one observation, without batch.

  Args:
    observation: nest of `dm_env.specs.Array`.
  """
  return tf.nest.map_structure(
      lambda x, name: tf.TensorSpec(x.shape, x.dtype, name),
      observation, naming.signature_names(observation))


def take(observation: Nest, known: Nest, is_first: tf.Tensor) -> Nest:
  """Returns observations as the agent knows them, [B, ...] each.

  Raises ValueError where a known shape or type does not fit; where that turns
  out later, and for numbers that are not finite, `InvalidArgumentError`.

  Args:
    observation: [B, ...] each; vectors in any shape, frames [B, H, W, C].
      Entries that the agent does not know are dropped.
    known: nest of `tf.TensorSpec`, without batch.
    is_first: [B], which has the right batch size.
  """
  return tf.nest.pack_sequence_as(known, [
      _take_entry(tf.convert_to_tensor(x), spec, path, is_first)
      for x, spec, path in zip(
          _entries(matching.select(observation, known), known),
          tf.nest.flatten(known), naming.paths(known))])


def take_state(state: Nest, is_first: tf.Tensor) -> Nest:
  """Returns a state; refuses one of another batch size, and an empty batch.

  Args:
    state: nest of [B, ...].
    is_first: [B] bool.
  """
  if is_first.shape[0] == 0:
    raise ValueError(_EMPTY)
  return tf.nest.map_structure(lambda x: _take_rows(x, is_first), state)


def variants(known: Nest, stored: Nest = ()) -> list[Nest]:
  """Returns the nests of specs that an exported policy is traced for.

  Shapes are left open, since `take` looks at them.

  Args:
    known: nest of `tf.TensorSpec`, without batch: what the agent sees, or that
      and what else is shown beside it.
    stored: nest of numpy's dtypes, what the entries are in the data, or `()`.
  """
  entries = tf.nest.flatten(known)
  is_number = [spec.dtype.is_floating for spec in entries]
  floats = (tf.float32, tf.float64)
  if sum(is_number) <= _MOST_MIXED:
    chosen = list(itertools.product(floats, repeat=sum(is_number)))
  else:
    chosen = [(dtype,) * sum(is_number) for dtype in floats]
  if any(is_number):
    chosen += [(dtype,) * sum(is_number) for dtype in _OTHERS]
  dtypes: list[tuple] = []
  for numbers in chosen:
    left = iter(numbers)
    dtypes.append(tuple(next(left) if is_float else spec.dtype
                        for spec, is_float in zip(entries, is_number)))
  native = tuple(tf.as_dtype(x) for x in tf.nest.flatten(stored))
  if len(native) == len(entries) and native not in dtypes:
    dtypes.append(native)
  return [tf.nest.pack_sequence_as(known, [
      tf.TensorSpec(None, dtype, spec.name)
      for dtype, spec in zip(row, entries)]) for row in dtypes]


def describe(known: Nest) -> Nest:
  """Returns what `take` takes for each entry, in words.

  Args:
    known: nest of `tf.TensorSpec`, without batch.
  """
  return tf.nest.map_structure(lambda spec: _expected(spec, 'B'), known)


def _entries(observation: Nest, known: Nest) -> list:
  """Returns the entries as `tf.nest` would, but lists are entries too."""
  if not isinstance(known, dict):
    return [observation]
  return [x for name in sorted(known)
          for x in _entries(observation[name], known[name])]


def _take_rows(x: tf.Tensor, is_first: tf.Tensor) -> tf.Tensor:
  """Returns a part of a state, [B, ...]."""
  if None not in (x.shape[0], is_first.shape[0]):
    if x.shape[0] == is_first.shape[0]:
      return x
    raise ValueError(
        f'{_STATE} Got {x.shape[0]} rows for {is_first.shape[0]}.')
  with tf.control_dependencies([
      tf.debugging.Assert(tf.size(is_first) > 0, [_EMPTY]),
      tf.debugging.Assert(tf.equal(tf.shape(x)[0], tf.size(is_first)), [
          f'{_STATE} Rows of the state and of is_first:', tf.shape(x)[0],
          tf.size(is_first)])]):
    return _hide_shape(x, [None, *x.shape[1:]])


def _hide_shape(x: tf.Tensor, shape: Optional[Sequence[Optional[int]]]
                ) -> tf.Tensor:
  """Returns `x`, of which TensorFlow knows no more than this shape.

  Where a graph is called with a shape that is refused when it runs, TensorFlow
  would find out before and tell less.
  """
  return tf.raw_ops.PlaceholderWithDefault(
      input=x, shape=tf.TensorShape(shape))


def _take_entry(x: tf.Tensor, spec: tf.TensorSpec, path: str,
                is_first: tf.Tensor) -> tf.Tensor:
  """Returns one entry, [B, ...] and of the dtype that is known."""
  batch_size = is_first.shape[0]
  rows = 'B' if batch_size is None else str(batch_size)
  subject = 'The observation' + (
      f"'s entry {path}" if path != naming.SINGLE else '')
  problem = (f'{subject} must be {_expected(spec, rows)}, where is_first has '
             f'{rows} rows;')
  may_be = (x.dtype == spec.dtype if spec.dtype.is_integer else
            x.dtype.is_floating or x.dtype.is_integer or x.dtype.is_bool)
  if not may_be or not _may_fit(x.shape, spec, batch_size):
    raise ValueError(f'{problem} got {x.dtype.name} {x.shape}.')
  if batch_size is None or not x.shape.is_fully_defined():
    with tf.control_dependencies([tf.debugging.Assert(
        _fits(x, spec, tf.size(is_first)),
        [f'{problem} got the shape', tf.shape(x)])]):
      x = _hide_shape(x, None)
  if x.dtype.is_floating:
    x = tf.debugging.check_numerics(x, f'{subject} must be finite')
    if x.dtype.max > spec.dtype.max:
      x = tf.clip_by_value(x, spec.dtype.min, spec.dtype.max)  # Stays finite.
  return tf.ensure_shape(
      tf.reshape(tf.cast(x, spec.dtype), [-1, *spec.shape]),
      [batch_size, *spec.shape])


def _may_fit(shape: tf.TensorShape, spec: tf.TensorSpec,
             batch_size: Optional[int]) -> bool:
  """Returns whether an entry of a shape that may be unknown can be right."""
  if shape.rank is None:
    return True
  if not shape.rank or None not in (shape[0], batch_size) and (
      shape[0] != batch_size):
    return False
  if spec.dtype.is_integer:
    return any(shape[1:].is_compatible_with(x) for x in _frames(spec))
  size = shape[1:].num_elements()
  return size is None or size == spec.shape.num_elements()


def _fits(x: tf.Tensor, spec: tf.TensorSpec, batch_size: tf.Tensor
          ) -> tf.Tensor:
  """Returns whether it is right, a scalar, as `_may_fit` does."""
  shape = tf.shape(x)
  fits = (tf.reduce_all(tf.equal(shape[:1], batch_size))
          & tf.equal(tf.size(x), batch_size * spec.shape.num_elements()))
  if not spec.dtype.is_integer:
    return fits
  frame = tf.concat([shape[1:], [1] * spec.shape.rank], 0)[:spec.shape.rank]
  return fits & tf.reduce_all(tf.equal(frame, spec.shape.as_list()))


def _frames(spec: tf.TensorSpec) -> list[tf.TensorShape]:
  """Returns the shapes that a frame may have: with one plane, [H, W] too."""
  return [spec.shape, *([spec.shape[:-1]] if spec.shape[-1] == 1 else [])]


def _expected(spec: tf.TensorSpec, rows: str) -> str:
  if spec.dtype.is_integer:
    return f'{spec.dtype.name} ' + ' or '.join(
        f'[{", ".join(map(str, [rows, *shape]))}]' for shape in _frames(spec))
  size = spec.shape.num_elements()
  return f'numbers [{rows}, {size}]{f" or [{rows}]" if size == 1 else ""}'
