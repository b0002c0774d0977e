"""How good a policy is: statistics of its episodes."""

import math
import time
from typing import Any, Callable, NamedTuple, Optional, Sequence

import dm_env
import numpy as np

from tf_muzero import envs
from tf_muzero.acting import rollout
from tf_muzero.envs import matching
from tf_muzero.envs import wrappers
from tf_muzero.types import EnvironmentSpec


class Evaluation(NamedTuple):
  """The episodes of one policy and their statistics.

  Attributes:
    mode: how it acted.
    mean: of the returns.
    standard_error: of the mean; 0 for one episode.
    seconds: wall time, tracing and compilation included.
    rollout: the episodes.
  """
  mode: str
  mean: float
  standard_error: float
  seconds: float
  rollout: rollout.Rollout

  def to_json(self) -> dict[str, Any]:
    """Returns the JSON values of everything but pictures."""
    returns = self.rollout.returns
    return {
        'mode': self.mode,
        'mean': self.mean,
        'standard_error': self.standard_error,
        'minimum': float(returns.min()),
        'maximum': float(returns.max()),
        'returns': returns.tolist(),
        'lengths': self.rollout.lengths.tolist(),
        'seeds': self.rollout.seeds.tolist(),
        'seconds': round(self.seconds, 3),
    }


def evaluate_policy(
    policy: Any, mode: str,
    environment_fn: Callable[[int], dm_env.Environment], **settings: Any
    ) -> Evaluation:
  """Returns the evaluation of one policy.

  Args:
    policy: see `rollout.run_episodes`.
    mode: name of how it acts.
    environment_fn: see there.
    **settings: of `rollout.run_episodes`.
  """
  start = time.perf_counter()
  episodes = rollout.run_episodes(policy, environment_fn, **settings)
  returns = episodes.returns
  deviation = float(returns.std(ddof=1)) if len(returns) > 1 else 0.0
  return Evaluation(
      mode, float(returns.mean()), deviation / math.sqrt(len(returns)),
      time.perf_counter() - start, episodes)


def make_environment_fn(
    task: str, *, action_repeat: int, random_start_steps: int,
    spec: Optional[EnvironmentSpec] = None, max_steps: Optional[int] = None,
    is_drawn: bool = False) -> Callable[[int], dm_env.Environment]:
  """Returns a function that makes an environment of a seed.

  Args:
    task: id, see `envs.load`.
    action_repeat: environment steps per decision.
    random_start_steps: largest number of environment steps with random
      actions before an episode's first decision; 0 for the task's own starts.
    spec: what the agent sees and does, which the environment is matched with;
      by default all of it.
    max_steps: decisions after which an episode is cut off; None for the task's
      own limit.
    is_drawn: whether there will be pictures of it, see `envs.render`.
  """
  if not task:
    raise ValueError('The run has no environment: name one by --task, such as '
                     '--task=gymnasium:CartPole-v1.')

  def environment_fn(seed: int) -> dm_env.Environment:
    environment = envs.load(task, seed=seed, is_drawn=is_drawn)
    if spec:
      environment = matching.match(environment, spec)
    if random_start_steps:
      environment = wrappers.RandomStart(environment, random_start_steps, seed)
    environment = wrappers.ActionRepeat(environment, action_repeat)
    if max_steps:
      environment = wrappers.TimeLimit(environment, max_steps)
    return environment

  return environment_fn


def format_table(evaluations: Sequence[Evaluation]) -> str:
  """Returns the evaluations as lines of text."""
  lines = [f'{"mode":<10}{"mean":>9}{"+-":>8}{"min":>9}{"max":>9}'
           f'{"episodes":>10}{"seconds":>9}']
  for x in evaluations:
    returns = x.rollout.returns
    lines.append(
        f'{x.mode:<10}{x.mean:>9.1f}{x.standard_error:>8.1f}'
        f'{np.min(returns):>9.1f}{np.max(returns):>9.1f}{len(returns):>10}'
        f'{x.seconds:>9.1f}')
  return '\n'.join(lines)
