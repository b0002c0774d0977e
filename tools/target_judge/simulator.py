"""States of fresh episodes, and what the simulator makes of actions there."""

import copy
from typing import Any, Callable, NamedTuple, Sequence

import dm_env
import numpy as np
import tensorflow as tf
import tree

from tf_muzero import actions as actions_lib
from tf_muzero import rng as rng_lib
from tf_muzero.data import observations
from tf_muzero.envs import wrappers
from tf_muzero.types import EnvironmentSpec

# [N, ...] model inputs -> [N] values
ValueFn = Callable[[tf.Tensor], tf.Tensor]


class States(NamedTuple):
  """N states that a policy came by.

  Attributes:
    model_input: [N, ...] what the network sees.
    frames: [N, F, ...] the observations that it is a stack of.
    action: [N, ...] what the policy did, as networks have actions.
    returns: [N] float64 discounted return from there on; where an episode is
      cut off, with the network's value of where it was.
    environments: of each state a copy, ready to be stepped.
  """
  model_input: np.ndarray
  frames: np.ndarray
  action: np.ndarray
  returns: np.ndarray
  environments: Sequence[dm_env.Environment]


def visit(environment_fn: Callable[[int], dm_env.Environment],
          act_fn: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
          value_fn: ValueFn, spec: EnvironmentSpec, *, discount: float,
          frame_stack: int, num_states: int, num_episodes: int, share: float,
          seed: int) -> States:
  """Returns states drawn from whole episodes, each decision alike.

  Args:
    environment_fn: makes an environment of a seed.
    act_fn: (seed [2], model input [1, ...]) -> the policy's action [1, ...].
    value_fn: of the network.
    spec: what the agent sees and does.
    discount: per decision.
    frame_stack: F.
    num_states: N, at most.
    num_episodes: to draw from.
    share: of the decisions, that states are drawn from; each is a copy of the
      environment.
    seed: of environments, policy and draws.
  """
  generator = np.random.default_rng(seed)
  found = []
  for episode in range(num_episodes):
    found += _episode(
        environment_fn(rng_lib.derive(seed, episode)), act_fn, value_fn, spec,
        discount, frame_stack, generator, share)
  if not found:
    raise ValueError(f'No decision of {num_episodes} episodes was drawn: raise '
                     f'share, which is {share}.')
  chosen = generator.permutation(len(found))[:num_states]
  before, action, returns, environments = zip(*[found[i] for i in chosen])
  frames = np.stack(before)
  return States(_stacked(frames), frames, np.stack(action), np.array(returns),
                environments)


def _episode(
    environment: dm_env.Environment, act_fn: Callable, value_fn: ValueFn,
    spec: EnvironmentSpec, discount: float, frame_stack: int,
    generator: np.random.Generator, share: float) -> list[tuple]:
  """Returns some of an episode's states: (frames, action, return, copy)."""
  time_step = environment.reset()
  first = _observed(time_step, spec)
  frames = np.concatenate(
      [np.zeros([frame_stack - 1, *first.shape], first.dtype), first[None]])
  kept: dict[int, tuple] = {}
  rewards: list[float] = []
  seed = rng_lib.seed(int(generator.integers(1 << 31)))
  while not time_step.last():
    is_kept = generator.random() < share
    before = copy.deepcopy(environment) if is_kept else None
    action = act_fn(rng_lib.fold_in(seed, len(rewards)),
                    _stacked(frames[None])).numpy()[0]
    if is_kept:
      kept[len(rewards)] = frames, action, before
    time_step = environment.step(
        actions_lib.to_environment(action, spec.action))
    rewards.append(float(time_step.reward))
    frames = np.concatenate([frames[1:], _observed(time_step, spec)[None]])
  total = float(time_step.discount) * float(value_fn(_stacked(frames[None]))[0])
  returns = []
  for reward in reversed(rewards):
    total = reward + discount * total
    returns.append(total)
  returns.reverse()
  return [(frames, action, returns[t], before)
          for t, (frames, action, before) in kept.items()]


def judge(states: States, candidates: np.ndarray, value_fn: ValueFn,
          spec: EnvironmentSpec, discount: float) -> np.ndarray:
  """Returns r + gamma V(s') by the simulator's own next state, [N, A].

  Args:
    states: N of them.
    candidates: [N, A, ...] actions, as networks have them.
    value_fn: of the network.
    spec: what the agent sees and does.
    discount: per decision.
  """
  rewards: list[float] = []
  discounts: list[float] = []
  frames = []
  for environment, before, row in zip(
      states.environments, states.frames, candidates):
    for time_step in _branches(environment, actions_lib.to_environment(
        row, spec.action)):
      rewards.append(time_step.reward)
      discounts.append(time_step.discount)
      frames.append(np.concatenate(
          [before[1:], _observed(time_step, spec)[None]]))
  values = value_fn(_stacked(np.stack(frames))).numpy()
  q_values = np.array(rewards, float) + discount * np.array(
      discounts, float) * values
  return q_values.reshape(candidates.shape[:2])


def _branches(environment: dm_env.Environment, actions: np.ndarray
              ) -> list[dm_env.TimeStep]:
  """Returns what each action leads to; the environment stays as it is."""
  branch, time_steps = copy.deepcopy(environment), []
  inner = wrappers.innermost(environment)
  state = inner.physics.get_state() if hasattr(inner, 'physics') else None
  for action in actions:
    time_steps.append(branch.step(action))
    if state is None or time_steps[-1].last():
      branch = copy.deepcopy(environment)
    else:  # Many times faster than a copy of the model.
      back = wrappers.innermost(branch)
      with back.physics.reset_context():
        back.physics.set_state(state)
      # Or candidates near the time limit would be cut off by those before them.
      # pylint: disable-next=protected-access
      back._step_count = inner._step_count
  return time_steps


def _observed(time_step: dm_env.TimeStep, spec: EnvironmentSpec) -> np.ndarray:
  """Returns what a network sees of an observation."""
  return observations.flatten(tree.map_structure(
      lambda x, of: tf.constant(np.asarray(x, of.dtype)),
      time_step.observation, spec.observation)).numpy()


def _stacked(frames: Any) -> np.ndarray:
  """Returns model inputs [N, ...] of frames [N, F, ...]."""
  frames = tf.convert_to_tensor(frames)
  return observations.stack(frames, frames.shape[1])[:, 0].numpy()
