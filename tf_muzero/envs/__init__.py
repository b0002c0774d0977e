"""Tasks as `dm_env.Environment`s.

In comes a task's id, such as `suite:name` or `module:function` of a user's own
code; out comes an environment whose observations are flat float32 vectors (or
dicts of them) or one uint8 frame, and whose actions are a scalar int32 or a
float32 vector, both in the environment's own range.
"""

from typing import Any, Callable

import dm_env

from tf_muzero import rng
from tf_muzero.envs import atari
from tf_muzero.envs import catch
from tf_muzero.envs import control_suite
from tf_muzero.envs import deep_sea
from tf_muzero.envs import gymnasium_suite
from tf_muzero.envs import own
from tf_muzero.envs import rendering
from tf_muzero.envs import wrappers
from tf_muzero.types import EnvironmentSpec

render = rendering.render

_STREAM = 1  # Of a seed; what plays has others.

# name of a suite -> (rest of the id, seed) -> environment
_SUITES: dict[str, Callable[[str, int], dm_env.Environment]] = {
    'atari': atari.load,
    'catch': catch.load,
    'deep_sea': deep_sea.load,
    'dm_control': control_suite.load,
}


def load(task: str, *, seed: int, action_repeat: int = 1,
         clip_rewards: bool = False, is_drawn: bool = False
         ) -> dm_env.Environment:
  """Returns the environment of a task.

  Args:
    task: `catch`, `catch:<rows>x<columns>`, `deep_sea:<N>`,
      `dm_control:<domain>/<task>`, `atari:<Game>`, `gymnasium:<EnvId>`, or
      `module:function` or `path/to/file.py:function`, which returns a
      `dm_env.Environment` or a `gymnasium.Env`; see `own`.
    seed: of everything random in it.
    action_repeat: environment steps per action; see `wrappers.ActionRepeat`.
    clip_rewards: see `wrappers.ClippedRewards`.
    is_drawn: whether there will be pictures of it, see `render`: environments
      of Gymnasium must know beforehand.
  """
  suite, _, name = task.partition(':')
  # Whoever plays draws from the seed itself, by the generator that these have:
  # with one seed an environment's noise would be the actions.
  own_seed = rng.derive(seed, _STREAM)
  if suite in _SUITES:
    environment = _SUITES[suite](name, seed)
  elif suite == 'gymnasium':
    environment = gymnasium_suite.load(name, own_seed, is_drawn)
  else:
    environment = own.load(task, own_seed, is_drawn)
  if action_repeat != 1:
    environment = wrappers.ActionRepeat(environment, action_repeat)
  return wrappers.ClippedRewards(environment) if clip_rewards else environment


def spec(environment: dm_env.Environment) -> EnvironmentSpec:
  """Returns what an agent in the environment sees and does."""
  return EnvironmentSpec(
      environment.observation_spec(), environment.action_spec())


def protocol(environment: dm_env.Environment) -> dict[str, Any]:
  """Returns what scores in the environment depend on, such as sticky actions.

  Args:
    environment: what `load` returned, also within wrappers.
  """
  inner = wrappers.innermost(environment)
  is_ours = isinstance(inner, (atari.Atari, gymnasium_suite.Gymnasium))
  return dict(inner.protocol) if is_ours else {}
