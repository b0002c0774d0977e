"""The environments of a round: N, which are stepped together."""

from typing import Callable, Mapping, Optional, Protocol, Sequence

import dm_env

from tf_muzero import envs
from tf_muzero.envs import matching
from tf_muzero.envs import wrappers
from tf_muzero.types import EnvironmentSpec
from tf_muzero.types import Nest

EnvironmentFn = Callable[..., dm_env.Environment]


class Actors(Protocol):
  """The N environments of a round; of one round after the other."""

  def begin(self, seeds: Sequence[int]) -> list[dm_env.TimeStep]:
    """Returns the first time steps of new environments of these N seeds."""

  def step(self, actions: Mapping[int, Nest]) -> dict[int, dm_env.TimeStep]:
    """Returns the next time steps of those environments that get an action."""

  def end(self) -> None:
    """Closes the environments."""


def make_environment(
    task: str, *, seed: int, action_repeat: int, clip_rewards: bool,
    max_steps: Optional[int], spec: EnvironmentSpec) -> dm_env.Environment:
  """Returns an environment as the agent's spec says.

  Args:
    task: its id, see `envs.load`; likewise the next three.
    seed: of everything random in it.
    action_repeat: environment steps per decision.
    clip_rewards: whether rewards are clipped.
    max_steps: decisions after which an episode is cut off; None for the task's
      own limit.
    spec: what the agent sees and does; see `matching.match`.
  """
  environment = matching.match(envs.load(
      task, seed=seed, action_repeat=action_repeat, clip_rewards=clip_rewards),
                               spec)
  return (environment if max_steps is None else
          wrappers.TimeLimit(environment, max_steps))


class InProcess:
  """Environments that are stepped one after the other."""

  def __init__(self, environment_fn: EnvironmentFn):
    """Makes none yet."""
    self._environment_fn = environment_fn
    self._environments: dict[int, dm_env.Environment] = {}

  def begin(self, seeds: Sequence[int]) -> list[dm_env.TimeStep]:
    """See `Actors`."""
    return list(self.begin_some(dict(enumerate(seeds))).values())

  def begin_some(self, seeds: Mapping[int, int]
                 ) -> dict[int, dm_env.TimeStep]:
    """Returns first time steps of some of the round's environments."""
    self._environments = {
        i: self._environment_fn(seed=int(seed)) for i, seed in seeds.items()}
    return {i: x.reset() for i, x in self._environments.items()}

  def step(self, actions: Mapping[int, Nest]) -> dict[int, dm_env.TimeStep]:
    """See `Actors`."""
    return {i: self._environments[i].step(x) for i, x in actions.items()}

  def end(self) -> None:
    """See `Actors`."""
    for environment in self._environments.values():
      environment.close()
    self._environments = {}
