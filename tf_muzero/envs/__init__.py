"""Tasks as `dm_env.Environment`s.

In comes a task's id, `suite:name`; out comes an environment whose observations
are flat float32 vectors (or a dict of them) or one uint8 frame, and whose
actions are a scalar int32 or a float32 vector in [-1, 1].
"""

from typing import Any

import dm_env

from tf_muzero.envs import atari
from tf_muzero.envs import catch
from tf_muzero.envs import control_suite
from tf_muzero.envs import rendering
from tf_muzero.envs import wrappers
from tf_muzero.types import EnvironmentSpec

render = rendering.render

# name of a suite -> (rest of the id, seed) -> environment
_SUITES = {
    'atari': atari.load,
    'catch': catch.load,
    'dm_control': control_suite.load,
}


def load(task: str, *, seed: int, action_repeat: int = 1,
         clip_rewards: bool = False) -> dm_env.Environment:
  """Returns the environment of a task.

  Args:
    task: `catch`, `dm_control:<domain>/<task>`, or `atari:<Game>`.
    seed: of everything random in it.
    action_repeat: environment steps per action; see `wrappers.ActionRepeat`.
    clip_rewards: see `wrappers.ClippedRewards`.
  """
  suite, _, name = task.partition(':')
  if suite not in _SUITES:
    raise ValueError(
        f'task must be of the suites {", ".join(sorted(_SUITES))}, such as '
        f"'catch' or 'dm_control:cartpole/swingup'; got {task!r}.")
  environment = _SUITES[suite](name, seed)
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
  while hasattr(environment, 'environment'):
    environment = environment.environment
  return dict(getattr(environment, 'protocol', {}))
