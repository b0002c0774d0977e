"""Episodes of a policy, in many environments at once."""

from typing import Any, Callable, NamedTuple, Optional, Sequence

import dm_env
import numpy as np
import tensorflow as tf
import tree

from tf_muzero import rng


class Rollout(NamedTuple):
  """What happened in N episodes.

  Attributes:
    returns: [N] float64 sums of rewards, not discounted.
    lengths: [N] int64 decisions.
    seeds: [N] int64, what each episode's environment was made with.
    frames: pictures of episode 0, [H, W, 3] uint8 each, or empty; as far apart
      as each other.
  """
  returns: np.ndarray
  lengths: np.ndarray
  seeds: np.ndarray
  frames: Sequence[np.ndarray]


def run_episodes(
    policy: Any, environment_fn: Callable[[int], dm_env.Environment], *,
    num_episodes: int, num_environments: int, seed: int,
    render_fn: Optional[Callable[[dm_env.Environment], np.ndarray]] = None,
    most_frames: Optional[int] = None,
    progress_fn: Optional[Callable[[int], None]] = None) -> Rollout:
  """Returns N whole episodes.

  Environments are stepped one after the other and the policy acts for all of
  them at once. When an episode ends, the next takes its place. Each episode has
  an environment of its own, made with a seed that depends on `seed` and on its
  number alone: two policies, and any number of environments, meet the same
  starts.

  Args:
    policy: a `MuZeroPolicy`, or what was loaded from its SavedModel.
    environment_fn: makes an environment of a seed.
    num_episodes: N.
    num_environments: episodes played at once, the policy's batch.
    seed: of the environments and of the policy.
    render_fn: draws the environment, for frames of episode 0.
    most_frames: that are kept of a long episode, which may have gigabytes:
      every second one, or every fourth; None for all.
    progress_fn: called with the number of decisions made in a step.
  """
  for name, number in (('num_episodes', num_episodes),
                       ('num_environments', num_environments)):
    if number < 1:
      raise ValueError(f'{name} must be >= 1, got {number}.')
  seeds = episode_seeds(seed, num_episodes)
  batch_size = min(num_episodes, num_environments)
  slots = [_Slot(i, environment_fn(int(seeds[i]))) for i in range(batch_size)]
  next_episode = batch_size
  returns, lengths = np.zeros(num_episodes), np.zeros(num_episodes, np.int64)
  frames = _Frames(render_fn, most_frames)
  frames.add(slots[0].environment)
  state = seeded_state(policy, batch_size, seed)
  while any(slot.is_running for slot in slots):
    action, state = policy.act(
        _stack([slot.time_step.observation for slot in slots]),
        tf.constant([slot.time_step.first() for slot in slots]), state)
    action = action.numpy()
    running = [(i, slot) for i, slot in enumerate(slots) if slot.is_running]
    for i, slot in running:
      slot.step(action[i])
      returns[slot.episode] += slot.time_step.reward
      lengths[slot.episode] += 1
      if slot.episode == 0:
        frames.add(slot.environment)
      if not slot.is_running:
        slot.environment.close()
        if next_episode < num_episodes:
          slots[i] = _Slot(
              next_episode, environment_fn(int(seeds[next_episode])))
          next_episode += 1
    if progress_fn:
      progress_fn(len(running))
  return Rollout(returns, lengths, seeds, frames.kept)


def seeded_state(policy: Any, batch_size: int, seed: int) -> Any:
  """Returns a policy's initial state with random numbers of its own.

  Args:
    policy: see `run_episodes`.
    batch_size: B.
    seed: in place of the one that the policy was made with.
  """
  state = policy.get_initial_state(batch_size=tf.constant(batch_size))
  return state._replace(
      seed=tf.tile(rng.seed(seed)[tf.newaxis], [batch_size, 1]))


def episode_seeds(seed: int, num_episodes: int) -> np.ndarray:
  """Returns one seed below 2^31 for each episode, [N] int64."""
  sequences = np.random.SeedSequence(seed).spawn(num_episodes)
  return np.array(
      [s.generate_state(1)[0] >> 1 for s in sequences], np.int64)


class _Frames:
  """Pictures of an episode, as far apart as each other."""

  def __init__(
      self, render_fn: Optional[Callable[[dm_env.Environment], np.ndarray]],
      most: Optional[int]):
    self.kept: list[np.ndarray] = []
    self._render_fn = render_fn
    self._most = most
    self._num_seen, self._stride = 0, 1

  def add(self, environment: dm_env.Environment) -> None:
    """Draws the environment, if a picture is due and any is wanted."""
    if self._render_fn and self._num_seen % self._stride == 0:
      self.kept.append(self._render_fn(environment))
      if self._most and len(self.kept) > self._most:
        self.kept = self.kept[::2]
        self._stride *= 2
    self._num_seen += 1


class _Slot:
  """One of the environments that are played at once."""

  def __init__(self, episode: int, environment: dm_env.Environment):
    self.episode = episode
    self.environment = environment
    self.time_step = environment.reset()

  @property
  def is_running(self) -> bool:
    return not self.time_step.last()

  def step(self, action: np.ndarray):
    self.time_step = self.environment.step(action)


def _stack(values: Sequence[Any]) -> Any:
  """Returns one nest of tensors [B, ...] of B nests of arrays."""
  return tree.map_structure(
      lambda *leaves: tf.constant(np.stack(leaves)), *values)
