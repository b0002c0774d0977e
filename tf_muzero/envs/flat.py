"""Any environment of `dm_env`, seen and acted in as agents see and act.

What an environment gives is checked too: what is not finite, or not as its own
specs say, is told with its step, before it is learned from.
"""

from typing import Any, Mapping, Sequence

from absl import logging
import dm_env
from dm_env import specs
import numpy as np
import tree

from tf_muzero import actions
from tf_muzero.envs import wrappers
from tf_muzero.types import Nest

_CHANNELS = (1, 3, 4)  # Of pictures.
_MANY_ACTIONS = 100_000  # More are bounds of a type, not of actions.
_LONG_EPISODE = 100_000  # Steps after which that it goes on is told.


class Flat(wrappers.Wrapper):
  """An environment of flat vectors or one frame, and of one kind of action.

  Each entry of an observation is a float32 vector, whatever its shape and type
  of number, in nested dicts as the environment has them; but uint8 of the shape
  [H, W, C] or [H, W] is a frame [H, W, C]. Actions are a float32 vector, of
  all of the environment's floats in sorted order of their names and within
  their own bounds, or one int32. The environment gets them as it asks for them.
  Rewards and discounts are Python floats.
  """

  def __init__(self, environment: dm_env.Environment, task: str):
    """Initialises the environment.

    Args:
      environment: to show flat; raises ValueError where that cannot be.
      task: its id, for messages.
    """
    super().__init__(environment)
    self._task = task
    try:
      self._observation_spec = seen(environment.observation_spec())
      self._own_actions = environment.action_spec()
      self._action_spec = taken(self._own_actions)
    except ValueError as error:
      raise ValueError(f'{task}: {error}') from error
    self._num_episodes, self._num_steps = 0, 0
    self._is_over = True

  def reset(self) -> dm_env.TimeStep:
    self._num_episodes += 1
    self._num_steps, self._is_over = 0, False
    return dm_env.restart(self._see(super().reset()))

  def step(self, action: np.ndarray) -> dm_env.TimeStep:
    if self._is_over:
      return self.reset()
    time_step = super().step(native(action, self._own_actions))
    self._num_steps += 1
    self._is_over = time_step.last()
    if time_step.first():
      raise ValueError(f'{self._where()} is the first of an episode, though '
                       'the one before it did not end.')
    if self._num_steps == _LONG_EPISODE:
      logging.warning(
          '%s has had %d steps in an episode, which goes on; max_steps would '
          'cut it off.', self._task, self._num_steps)
    return dm_env.TimeStep(
        time_step.step_type, self._number('reward', time_step.reward),
        self._number('discount', time_step.discount), self._see(time_step))

  def observation_spec(self) -> Nest:
    return self._observation_spec

  def action_spec(self) -> specs.BoundedArray:
    return self._action_spec

  def reward_spec(self) -> specs.Array:
    return specs.Array((), np.float64, 'reward')

  def discount_spec(self) -> specs.BoundedArray:
    return specs.BoundedArray((), np.float64, 0.0, 1.0, 'discount')

  def _where(self) -> str:
    return (f'{self._task}: step {self._num_steps} of episode '
            f'{self._num_episodes}')

  def _number(self, name: str, value: Any) -> float:
    """Returns a reward or a discount, if it is one."""
    if np.size(value) != 1 or value is None or not np.isfinite(value).all():
      raise ValueError(f'{self._where()} has the {name} {value}, which must be '
                       'one finite number.')
    number = float(np.reshape(value, ()))
    if name == 'discount' and not 0.0 <= number <= 1.0:
      raise ValueError(
          f'{self._where()} has the discount {value}, which must be in [0, 1].')
    return number

  def _see(self, time_step: dm_env.TimeStep) -> Nest:
    try:
      return see(time_step.observation, self._observation_spec)
    except ValueError as error:
      raise ValueError(f'{self._where()}: {error}') from error


def seen(spec: Nest, path: str = '') -> Nest:
  """Returns the spec of what an agent sees of an environment's observations.

  Args:
    spec: of the environment: an array's, or dicts of them.
    path: of the entry within the observation.
  """
  if isinstance(spec, Mapping):
    if not spec:
      raise ValueError(f'{_named(path)} has no entries.')
    return {name: seen(entry, f'{path}/{name}' if path else str(name))
            for name, entry in spec.items()}
  if not isinstance(spec, specs.Array):
    raise ValueError('the observation must be an array or dicts of arrays; '
                     f'{_named(path)} is a {type(spec).__name__}.')
  shape, dtype = tuple(spec.shape), np.dtype(spec.dtype)
  said = f'{_named(path)} is {dtype.name}{list(shape)}'
  if dtype.kind not in 'fiub':
    raise ValueError(f'{said}, which is no array of numbers.')
  if 0 in shape:
    raise ValueError(f'{said}, which has no elements: leave it out.')
  name = path.rpartition('/')[2] or spec.name or 'observation'
  if dtype == np.uint8 and len(shape) in (2, 3):
    if len(shape) == 3 and shape[0] in _CHANNELS and shape[2] not in _CHANNELS:
      raise ValueError(f'{said}, which looks like a picture with its channels '
                       'first; give it as [H, W, C].')
    return specs.BoundedArray((*shape, 1)[:3], np.uint8, 0, 255, name)
  if len(shape) == 3 and (shape[0] in _CHANNELS or shape[2] in _CHANNELS):
    logging.log_first_n(
        logging.WARNING, '%s: it is seen as a vector of %d numbers. If it is a '
        'picture, give it as uint8 [H, W, C].', 1, said, np.prod(shape))
  return specs.Array([int(np.prod(shape))], np.float32, name)


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


def see(observation: Nest, spec: Nest, path: str = '') -> Nest:
  """Returns copies of an observation's entries as `seen` says they are.

  Raises ValueError where they are not as it says, or not finite.

  Args:
    observation: as the environment gives it.
    spec: what `seen` returned.
    path: of the entry within the observation.
  """
  if isinstance(spec, dict):
    if not isinstance(observation, Mapping) or (
        observation.keys() != spec.keys()):
      got = (sorted(observation) if isinstance(observation, Mapping)
             else type(observation).__name__)
      raise ValueError(f'{_named(path)} must have the entries {sorted(spec)} '
                       f'of its spec, got {got}.')
    return {name: see(observation[name], entry,
                      f'{path}/{name}' if path else str(name))
            for name, entry in spec.items()}
  given = np.asarray(observation)
  if given.size != np.prod(spec.shape) or (
      spec.dtype == np.uint8 != given.dtype):
    raise ValueError(
        f'{_named(path)} must have {np.prod(spec.shape)} elements'
        f'{" of uint8" * (spec.dtype == np.uint8)}, as its spec says; got '
        f'{given.dtype}{list(given.shape)}.')
  copied = np.array(given, spec.dtype).reshape(spec.shape)
  if spec.dtype != np.uint8 and not np.isfinite(copied).all():
    i = int(np.argmin(np.isfinite(copied)))
    raise ValueError(
        f'{_named(path)} is not finite: element {i} is {copied[i]}.')
  return copied


def native(action: np.ndarray, spec: Nest) -> Nest:
  """Returns an agent's action as an environment takes it.

  Args:
    action: as `taken` says.
    spec: of the environment.
  """
  leaves = tree.flatten(spec)
  if np.dtype(leaves[0].dtype).kind != 'f':
    whole = np.dtype(leaves[0].dtype).type(int(np.reshape(action, ())))
    return tree.unflatten_as(spec, [
        np.full(leaves[0].shape, whole) if leaves[0].shape else whole])
  ends = np.cumsum([_size(leaf) for leaf in leaves])
  parts: Sequence[np.ndarray] = np.split(
      np.reshape(action, ends[-1:]), ends[:-1])
  # In float32 a bound may be beyond itself.
  return tree.unflatten_as(spec, [
      np.asarray(np.clip(part.reshape(leaf.shape).astype(leaf.dtype),
                         leaf.minimum, leaf.maximum), leaf.dtype)
      for part, leaf in zip(parts, leaves)])


def _named(path: str) -> str:
  return f'observation {path!r}' if path else 'the observation'


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
