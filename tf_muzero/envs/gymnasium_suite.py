"""Environments of Gymnasium: those it knows by an id, and one's own."""

import os
from typing import Any, Optional

from absl import logging
import dm_env
from dm_env import specs
import numpy as np

from tf_muzero.envs import flat
from tf_muzero.envs import mujoco_gl
from tf_muzero.types import Nest

_PICTURES = 'rgb_array'


class Gymnasium(dm_env.Environment):
  """An environment of Gymnasium as one of `dm_env`, with specs of its own.

  An end that is terminated has discount 0, one that is only truncated 1, as
  when Gymnasium's time limit cuts an episode off. The first reset is with the
  seed, the others go on from there.
  """

  def __init__(self, environment: Any, task: str, seed: int):
    """Initialises the environment.

    Args:
      environment: a `gymnasium.Env`.
      task: its id, for messages.
      seed: of the first reset.
    """
    self._environment = environment
    self._seed: Optional[int] = seed
    self._observation_spec = _spec(
        environment.observation_space, f'{task}: the observation')
    self._action_spec = _spec(
        environment.action_space, f'{task}: the action',
        ('Box', 'Discrete', 'Dict'))

  @property
  def unwrapped(self) -> Any:
    """The environment of Gymnasium, without its wrappers."""
    return self._environment.unwrapped

  @property
  def protocol(self) -> dict[str, Any]:
    """What scores depend on: the version, the id and the time limit."""
    spec = self._environment.spec
    if spec is None:
      return {'gymnasium': _import_gymnasium().__version__}
    return {'gymnasium': _import_gymnasium().__version__, 'id': spec.id,
            'max_episode_steps': spec.max_episode_steps}

  def reset(self) -> dm_env.TimeStep:
    given = self._environment.reset(seed=self._seed)
    if not isinstance(given, tuple) or len(given) != 2:
      raise ValueError(f'reset must return observation and info; got '
                       f'{_count(given)}.')
    observation, _ = given
    self._seed = None
    return dm_env.restart(observation)

  def step(self, action: Nest) -> dm_env.TimeStep:
    given = self._environment.step(action)
    if not isinstance(given, tuple) or len(given) != 5:
      raise ValueError(
          'step must return observation, reward, terminated, truncated and '
          f'info; got {_count(given)}.')
    observation, reward, terminated, truncated, _ = given
    end = (dm_env.termination if terminated else
           dm_env.truncation if truncated else dm_env.transition)
    return end(reward, observation)

  def observation_spec(self) -> Nest:
    return self._observation_spec

  def action_spec(self) -> Nest:
    return self._action_spec

  def render(self) -> np.ndarray:
    """Returns a picture, if the environment was made to draw some."""
    mode = self._environment.render_mode
    if mode != _PICTURES:
      raise ValueError(f'Its render_mode is {mode!r}; pictures need '
                       f'{_PICTURES!r}, which a function that makes it gets as '
                       'the keyword render_mode, if it takes one.')
    return self._environment.render()

  def close(self):
    self._environment.close()


def load(name: str, seed: int, is_drawn: bool) -> flat.Flat:
  """Returns the environment of an id.

  Args:
    name: such as `CartPole-v1`, or `module:EnvId` where a module registers it.
    seed: of the first reset.
    is_drawn: whether there will be pictures of it.
  """
  gymnasium, task = _import_gymnasium(), f'gymnasium:{name}'
  mujoco_gl.settle()
  try:
    environment = gymnasium.make(name)
    if is_drawn and not _is_mujoco(environment):
      modes = environment.metadata.get('render_modes', [])
      environment.close()
      if _PICTURES not in modes:
        raise ValueError(f'There are no pictures of {task}: its render modes '
                         f'are {modes}, without {_PICTURES!r}.')
      # Of pygame, which looks for a sound card and a screen and complains.
      os.environ.setdefault('SDL_AUDIODRIVER', 'dummy')
      os.environ.setdefault('SDL_VIDEODRIVER', 'dummy')
      environment = gymnasium.make(name, render_mode=_PICTURES)
  except gymnasium.error.DependencyNotInstalled as error:
    raise ImportError(f'{task} needs more than is installed: {error}'
                      ) from error
  except ModuleNotFoundError as error:
    raise ImportError(
        f'{task} needs the package {error.name!r}, which is not installed. '
        'What the environments of Gymnasium itself need comes with: '
        'pip install tf-muzero[gymnasium]') from error
  except gymnasium.error.Error as error:
    raise ValueError(f'There is no task {task!r}: {error}') from error
  return of(environment, task, seed)


def of(environment: Any, task: str, seed: int) -> flat.Flat:
  """Returns a `gymnasium.Env` as agents see it."""
  return flat.Flat(Gymnasium(environment, task, seed), task)


def _is_mujoco(environment: Any) -> bool:
  """Returns whether we draw it ourselves, see `rendering`."""
  return type(getattr(environment.unwrapped, 'model', None)
              ).__module__.startswith('mujoco')


def _spec(space: Any, what: str,
          known: tuple[str, ...] = ('Box', 'Discrete', 'Dict', 'MultiBinary',
                                    'MultiDiscrete')) -> Nest:
  """Returns the specs of a space, its numbers as the environment has them."""
  kind = type(space).__name__  # Not isinstance: it may not be installed.
  if kind not in known:
    hint = (' In a function of your own, gymnasium.wrappers.FlattenObservation '
            'makes it a Box.'
            if kind == 'Tuple' and 'MultiBinary' in known else '')
    raise ValueError(f'{what} has the space {space}, which cannot be used; '
                     f'{", ".join(known)} can.{hint}')
  if kind == 'Dict':
    return {name: _spec(part, f'{what} {name!r}', known)
            for name, part in space.spaces.items()}
  if kind == 'Box':
    return specs.BoundedArray(space.shape, space.dtype, space.low, space.high)
  if kind == 'MultiBinary':
    return specs.BoundedArray(space.shape, space.dtype, 0, 1)
  if kind == 'Discrete' and what.endswith('observation'):
    logging.log_first_n(
        logging.WARNING, '%s has the space %s: it is seen as one number. In a '
        'function of your own, gymnasium.wrappers.FlattenObservation makes it '
        '%d numbers, one of which is 1.', 1, what, space, space.n)
  sizes = space.n if kind == 'Discrete' else space.nvec
  return specs.BoundedArray(
      space.shape, space.dtype, space.start, space.start + sizes - 1)


def _count(given: Any) -> str:
  return (f'{len(given)} values' if isinstance(given, tuple)
          else type(given).__name__)


def _import_gymnasium() -> Any:
  try:
    import gymnasium  # pylint: disable=import-outside-toplevel
  except ImportError as error:
    raise ImportError('Tasks of Gymnasium need it: '
                      'pip install tf-muzero[gymnasium]') from error
  return gymnasium
