"""Environments that a user's own function makes."""

import functools
import importlib
import importlib.machinery
import importlib.util
import inspect
import os
import sys
import types
from typing import Any, Callable

from absl import logging
import dm_env

from tf_muzero.envs import flat
from tf_muzero.envs import foreign
from tf_muzero.envs import gymnasium_suite
from tf_muzero.envs import mujoco_gl

# What a task may be, in words.
_KNOWN = (
    "'catch', 'deep_sea:<N>', 'dm_control:<domain>/<task>', 'atari:<Game>', "
    "'gymnasium:<EnvId>', or 'module:function' or 'path/to/file.py:function' "
    'of your own code, which returns a dm_env.Environment or a gymnasium.Env')


def load(task: str, seed: int, is_drawn: bool) -> flat.Flat:
  """Returns the environment that a function makes.

  The function may take the keyword `seed`, and, for pictures of an environment
  of Gymnasium, the keyword `render_mode`.

  Args:
    task: `module:function`, or `path/to/file.py:function`; the working
      directory is looked into too.
    seed: of everything random in it.
    is_drawn: whether there will be pictures of it.
  """
  mujoco_gl.settle()
  function = _find(task)
  keywords: dict[str, Any] = {}
  takes_seed = _takes(function, 'seed')
  if takes_seed:
    keywords['seed'] = seed
  # Who passes any keyword on takes this one; Gymnasium's take no seed so.
  if is_drawn and _takes(function, 'render_mode', passed_on=True):
    keywords['render_mode'] = 'rgb_array'
  with foreign.told(lambda: task):
    environment = function(**keywords)
  gymnasium = sys.modules.get('gymnasium')
  if gymnasium and isinstance(environment, gymnasium.Env):
    return gymnasium_suite.of(environment, task, seed)
  if not isinstance(environment, dm_env.Environment):
    kind = type(environment)
    raise ValueError(
        f'{task} must return a dm_env.Environment or a gymnasium.Env, got '
        f'{kind.__module__}.{kind.__qualname__}.')
  if not takes_seed:
    _warn_of_no_seed(task)
  return flat.Flat(environment, task)


def _find(task: str) -> Callable[..., Any]:
  """Returns the function of an id."""
  place, _, name = task.rpartition(':')
  if place.endswith('.py') and name:
    module = _import_file(os.path.abspath(os.path.expanduser(place)), task)
  elif all(part.isidentifier() for part in [*place.split('.'), name]):
    module = _import_module(place, task)
  else:
    raise ValueError(f'task must be {_KNOWN}; got {task!r}.')
  function = getattr(module, name, None)
  if not callable(function):
    raise ValueError(f'There is no function {name!r} in {place}, which the '
                     f'task {task!r} names.')
  return function


def _import_module(name: str, task: str) -> types.ModuleType:
  if not {'', os.getcwd()} & set(sys.path):  # As with `python -m`.
    sys.path.insert(0, os.getcwd())
  with foreign.told(lambda: f'{task}: its module'):
    try:
      return importlib.import_module(name)
    except ModuleNotFoundError as error:
      # One that the user's module imports is another matter.
      if error.name is None or not f'{name}.'.startswith(f'{error.name}.'):
        raise
      missing = error
  raise ValueError(
      f'task must be {_KNOWN}; got {task!r}, but there is no module '
      f'{missing.name!r}. Modules of {os.getcwd()} are found too.'
  ) from missing


@functools.lru_cache(maxsize=None)
def _import_file(path: str, task: str) -> types.ModuleType:
  """Returns a file as a module; it may import what lies beside it."""
  if not os.path.exists(path):
    raise ValueError(f'There is no file {path!r}, which the task {task!r} '
                     'names. Paths are relative to the working directory.')
  name = f'task_{os.path.basename(path)[:-len(".py")]}'
  loader = importlib.machinery.SourceFileLoader(name, path)
  spec = importlib.util.spec_from_loader(name, loader)
  module = importlib.util.module_from_spec(spec)  # type: ignore[arg-type]
  if os.path.dirname(path) not in sys.path:
    sys.path.append(os.path.dirname(path))
  sys.modules[name] = module  # Dataclasses look for it there.
  with foreign.told(lambda: f'{task}: its file'):
    loader.exec_module(module)
  return module


def _takes(function: Callable[..., Any], keyword: str,
           passed_on: bool = False) -> bool:
  parameters = inspect.signature(function).parameters.values()
  return any(passed_on and x.kind is x.VAR_KEYWORD or (
      x.name == keyword and x.kind is not x.POSITIONAL_ONLY)
             for x in parameters)


@functools.lru_cache(maxsize=None)
def _warn_of_no_seed(task: str) -> None:
  logging.warning('%s takes no keyword seed: if anything is random in its '
                  'environment, episodes differ from run to run.', task)
