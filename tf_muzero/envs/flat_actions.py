"""Actions as agents choose them, and as an environment takes them."""

from typing import Callable

from dm_env import specs
import numpy as np
import tree

from tf_muzero import actions
from tf_muzero.types import Nest

_MANY_ACTIONS = 100_000  # More are bounds of a type, not of actions.


def taken(spec: Nest) -> specs.BoundedArray:
  """Returns the spec of an agent's actions in an environment.

  Args:
    spec: of the environment: of one integer, or of floats, also in dicts.
  """
  leaves = tree.flatten_with_path(spec)
  for path, leaf in leaves:
    if not isinstance(leaf, specs.Array) or any(
        isinstance(key, int) for key in path):
      raise ValueError(f'the action must be an array or dicts of arrays, got '
                       f'{spec}.')
  kinds = {np.dtype(leaf.dtype).kind for _, leaf in leaves}
  if kinds == {'f'}:
    return actions.bounded([sum(_size(leaf) for _, leaf in leaves)], *(
        np.concatenate([_bound(leaf, which).reshape(-1) for _, leaf in leaves])
        for which in ('minimum', 'maximum')))
  if len(leaves) != 1 or not kinds <= set('iub') or _size(leaves[0][1]) != 1:
    described = ', '.join(
        f'{"/".join(map(str, path))} {np.dtype(leaf.dtype).name}'
        f'{list(leaf.shape)}'.strip() for path, leaf in leaves)
    raise ValueError('the action must be one integer, or floats with finite '
                     f'bounds, got {described or "nothing"}.')
  least, most = (int(_bound(leaves[0][1], which).reshape(()))
                 for which in ('minimum', 'maximum'))
  if not 1 <= most - least + 1 <= _MANY_ACTIONS:
    raise ValueError(f'the action is an integer in [{least}, {most}]: there '
                     f'must be at least 1 and at most {_MANY_ACTIONS} of them.')
  return actions.Integers(most - least + 1, least)


def native_fn(spec: Nest) -> Callable[[np.ndarray], Nest]:
  """Returns what makes of an agent's actions those that an environment takes.

  Args:
    spec: of the environment, as `taken` was given it.
  """
  leaves = tree.flatten(spec)
  if np.dtype(leaves[0].dtype).kind != 'f':
    shape, number = leaves[0].shape, np.dtype(leaves[0].dtype).type

    def native_integer(action: np.ndarray) -> Nest:
      whole = number(int(np.reshape(action, ())))
      return tree.unflatten_as(spec, [
          np.full(shape, whole) if shape else whole])

    return native_integer
  ends = np.cumsum([_size(leaf) for leaf in leaves])
  starts = ends - [_size(leaf) for leaf in leaves]

  def native_floats(action: np.ndarray) -> Nest:
    flat = np.reshape(action, ends[-1:])
    parts = [flat[start:end].reshape(leaf.shape).astype(leaf.dtype)
             for leaf, start, end in zip(leaves, starts, ends)]
    # In float32 a bound may be beyond itself.
    return tree.unflatten_as(spec, [
        np.asarray(np.minimum(np.maximum(part, leaf.minimum), leaf.maximum),
                   leaf.dtype) for part, leaf in zip(parts, leaves)])

  return native_floats


def _size(spec: specs.Array) -> int:
  return int(np.prod(spec.shape))


def _bound(spec: specs.Array, which: str) -> np.ndarray:
  """Returns a spec's minimum or maximum in its shape, infinite if it has none.

  Of numbers without bounds, those of their type.
  """
  dtype = np.dtype(spec.dtype)
  if hasattr(spec, which):
    bound = getattr(spec, which)
  elif dtype.kind == 'f':
    bound = -np.inf if which == 'minimum' else np.inf
  elif dtype.kind == 'b':
    bound = which == 'maximum'
  else:
    bound = getattr(np.iinfo(dtype), which[:3])
  return np.broadcast_to(np.asarray(bound, np.float64 if dtype.kind == 'f'
                                    else np.int64), spec.shape)
