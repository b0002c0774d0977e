"""Rounds of episodes that a search plays, N at once, and their segments."""

import collections
from typing import NamedTuple, Sequence

from dm_env import specs
import numpy as np
import tensorflow as tf
import tree

from tf_muzero import actions
from tf_muzero.acting import actors as actors_lib
from tf_muzero.acting import exploration
from tf_muzero.data import observations
from tf_muzero.data import segments as segments_lib
from tf_muzero.types import Episode
from tf_muzero.types import Improved
from tf_muzero.types import Nest
from tf_muzero.types import Segment


class Played(NamedTuple):
  """An episode and what the search said of each of its R states, NumPy."""
  episode: Episode
  improved: Improved


def play(
    actors: actors_lib.Actors, decide_fn: exploration.DecideFn,
    vector: tf.Tensor, number: int, *, action_spec: specs.Array,
    num_environments: int, num_candidates: int, temperature: float,
    root_noise_alpha: float, frame_stack: int, seed: int) -> list[Played]:
  """Returns the N episodes of a round.

  Args:
    actors: the environments, see `actor_processes.actors_of`.
    decide_fn: see `exploration.make_decide_fn`.
    vector: parameters, as `snapshots.read` returns them.
    number: of the round.
    action_spec: what the environments do.
    num_environments: N.
    num_candidates: A of the root.
    temperature: see `exploration.draw`.
    root_noise_alpha: see `exploration.root_noise`.
    frame_stack: F, observations that a decision is made of.
    seed: with `number` it determines environments and noise.
  """
  *seeds, noise_seed = np.random.SeedSequence([seed, number]).generate_state(
      num_environments + 1) >> 1
  generator = np.random.default_rng(noise_seed)
  time_steps = actors.begin(seeds)
  frames: collections.deque = collections.deque(maxlen=frame_stack)
  records: list = []
  is_running = np.full(num_environments, True)
  num_records = np.zeros(num_environments, np.int64)
  while is_running.any():
    num_records += is_running
    observation = stack([x.observation for x in time_steps])
    if not records:
      frames.extend([tf.zeros_like(observation)] * frame_stack)
    frames.append(observation)
    noise = exploration.root_noise(
        generator, num_environments, num_candidates, root_noise_alpha)
    action, improved = tf.nest.map_structure(np.array, decide_fn(
        vector, tf.stack(list(frames), axis=1), tf.constant(noise),
        tf.constant([number, len(records)], tf.int32),
        tf.constant(temperature, tf.float32)))
    reward, discount = np.zeros_like(noise[:, 0]), np.ones_like(noise[:, 0])
    is_running = np.array([not x.last() for x in time_steps])
    taken = actions.to_environment(action, action_spec)
    for i, time_step in actors.step({
        int(i): taken[i] for i in np.flatnonzero(is_running)}).items():
      time_steps[i] = time_step
      reward[i], discount[i] = time_step.reward, time_step.discount
    action[~is_running] = 0
    records.append(Played(
        Episode(observation.numpy(), action, reward, discount), improved))
  actors.end()
  stacked = tree.map_structure(lambda *x: np.stack(x, axis=1), *records)
  return [tree.map_structure(lambda x, i=i: x[i, :num_records[i]], stacked)
          for i in range(num_environments)]


def cut(played: Played, windows_per_segment: int, length: int,
        frame_stack: int, played_step: int) -> tuple[Segment, Improved]:
  """Returns the segments that start at states 0, L, 2L, ..., leading [G, S].

  Args:
    played: an episode of R records.
    windows_per_segment: L.
    length: S.
    frame_stack: F.
    played_step: of the weights that played it.
  """
  segments = segments_lib.cut(
      played.episode, windows_per_segment, length, frame_stack, played_step)
  # What is said of a state is cut as the state is, but not stacked.
  said = segments_lib.cut(
      played.episode._replace(observation=played.improved),
      windows_per_segment, length)
  return segments, said.observation


def stack(values: Sequence[Nest]) -> tf.Tensor:
  """Returns N observations as the environment gives them as model input."""
  return observations.flatten(tree.map_structure(
      lambda *x: tf.constant(np.stack(x)), *values))
