"""Fresh segments: episodes played and searched with the newest weights.

Episodes are played in rounds, N at once, one compiled search for each decision
of all of them, as stored data is reanalysed. A round depends on its number, the
seed and the weights alone: so a run can be resumed without saving environments.
"""

import dataclasses
import functools
from typing import Callable, NamedTuple, Optional, Sequence

import numpy as np
import tensorflow as tf
import tree

from tf_muzero import envs
from tf_muzero import ranges
from tf_muzero.acting import actor_processes
from tf_muzero.acting import actors as actors_lib
from tf_muzero.acting import exploration
from tf_muzero.acting import numpy_functions
from tf_muzero.acting import replay
from tf_muzero.acting import rounds
from tf_muzero.acting import schedules
from tf_muzero.acting.schedules import Schedule
from tf_muzero.data import observations
from tf_muzero.data import segments as segments_lib
from tf_muzero.networks.agent import Agent
from tf_muzero.networks.agent import PlanningModel
from tf_muzero.reanalyse import pipeline
from tf_muzero.reanalyse import snapshots
from tf_muzero.types import EnvironmentSpec
from tf_muzero.types import Episode
from tf_muzero.types import Improved
from tf_muzero.types import Searched
from tf_muzero.types import Segment

# (number of a round, learner step of the weights, its episodes) -> None
Listener = Callable[[int, int, Sequence[Episode]], None]


@dataclasses.dataclass(frozen=True)
class Interaction:
  """How fresh episodes are played and used.

  Attributes:
    task: the environment's id, see `envs.load`; '' for that of the dataset.
    action_repeat: environment steps per decision; 0 for those of the dataset.
    num_environments: N episodes of a round, played at once. Where their lengths
      differ, a round lasts as long as the longest.
    temperature: T, a number or a function of the learner step such as
      `schedules.linear`. Actions are drawn from the search's policy to the
      power of 1/T; 0 takes the best one.
    root_noise_fraction: share of Dirichlet noise in the root's prior; 0.25 in
      MuZero. Sampled candidates explore by themselves and need none.
    root_noise_alpha: concentration of the noise.
    sample_reuse: windows that are trained on for each one that was played.
    store_windows: fresh windows that are held and drawn from, on each host;
      learning starts when they are there.
    clip_rewards: whether rewards are clipped to [-1, 1], as in `rlu_atari`.
    max_steps: decisions after which an episode is cut off; None for the task's
      own limit, which is 27,000 in games of Atari.
    keep_episodes: how many played episodes, the newest, are kept as a dataset
      in the run's directory, where a resumed run finds what it is to learn
      from again; 0 for none, which `sources` refuse.
    sources: where stored states come from; None for the dataset alone.
    num_processes: processes that step the environments, at the same time, for
      slow ones; 0 for this one, which steps one after the other. They see no
      GPU.
  """
  task: str
  action_repeat: int
  num_environments: int
  temperature: Schedule
  root_noise_fraction: float
  root_noise_alpha: float
  sample_reuse: int
  store_windows: int
  clip_rewards: bool = False
  max_steps: Optional[int] = None
  keep_episodes: int = 1000
  sources: Optional[replay.Sources] = None
  num_processes: int = 0

  def __post_init__(self):
    for name in ('num_environments', 'sample_reuse', 'store_windows'):
      if getattr(self, name) < 1:
        raise ValueError(f'{name} must be >= 1, got {getattr(self, name)}.')
    ranges.at_least(0, action_repeat=self.action_repeat,
                    keep_episodes=self.keep_episodes,
                    temperature=schedules.at(self.temperature, 0))
    ranges.within(0, self.num_environments, num_processes=self.num_processes)
    if self.sources:
      ranges.at_least(1, keep_episodes=self.keep_episodes)
    if not 0.0 <= self.root_noise_fraction <= 1.0:
      raise ValueError('root_noise_fraction must be in [0, 1], got '
                       f'{self.root_noise_fraction}.')
    if self.root_noise_alpha <= 0.0:
      raise ValueError(
          f'root_noise_alpha must be > 0, got {self.root_noise_alpha}.')


class Source(NamedTuple):
  """What training asks of a dataset, where there is none.

  Attributes:
    spec: what an agent in the environment sees and does.
    task: the environment's id.
    action_repeat: environment steps per decision.
    num_episodes: stored ones, none.
    num_steps: of stored episodes, none.
  """
  spec: EnvironmentSpec
  task: str
  action_repeat: int
  num_episodes: int = 0
  num_steps: int = 0


def open_task(interaction: Interaction) -> Source:
  """Returns the environment as the only source of windows."""
  environment = envs.load(
      interaction.task, seed=0, action_repeat=interaction.action_repeat)
  source = Source(
      envs.spec(environment), interaction.task, interaction.action_repeat)
  environment.close()
  return source


def fresh_segments(
    interaction: Interaction, reanalyse: pipeline.Reanalyse, agent: Agent,
    planning_model: PlanningModel, spec: EnvironmentSpec,
    snapshot_directory: str, parameter_shapes: Sequence[tf.TensorShape], *,
    unroll_steps: int, num_segments: int, seed: int, deterministic: bool,
    first_round: int = 0, listeners: Sequence[Listener] = ()
    ) -> tf.data.Dataset:
  """Returns endless batches of `Searched` segments of played episodes.

  They look like those of `pipeline.searched_segments`. Their `injected_share`
  is the share of the action that was played.

  Args:
    interaction: how.
    reanalyse: search and improvement, as for stored data.
    agent: the network and what it means.
    planning_model: the agent's.
    spec: what the agent sees and does; the environment is matched with it.
    snapshot_directory: where the trainer publishes its parameters.
    parameter_shapes: of a snapshot.
    unroll_steps: K.
    num_segments: of a batch.
    seed: of environments, noise and searches.
    deterministic: plays when segments are asked for, not a round ahead.
    first_round: number to begin with.
    listeners: are told of each round before it is learned from.
  """
  environment_fn = _environment_fn(interaction, spec)
  environment_fn(seed=0).close()  # Tells before work starts if it differs.
  decide_fn = exploration.make_decide_fn(
      reanalyse, planning_model, spec, parameter_shapes,
      root_noise_fraction=interaction.root_noise_fraction, seed=seed)
  actors = actor_processes.actors_of(environment_fn, interaction.num_processes)
  num_candidates = agent.make_head(spec).num_candidates
  length = reanalyse.segment_length(unroll_steps)

  def segments_of(number: np.ndarray) -> Sequence[np.ndarray]:
    step, vector = snapshots.read(snapshot_directory, tf.constant(0))
    played = rounds.play(
        actors, decide_fn, vector, int(number), action_spec=spec.action,
        num_environments=interaction.num_environments,
        num_candidates=num_candidates,
        temperature=schedules.at(interaction.temperature, int(step)),
        root_noise_alpha=interaction.root_noise_alpha,
        frame_stack=agent.frame_stack, seed=seed)
    for tell in listeners:
      tell(int(number), int(step), [x.episode for x in played])
    segments = tree.map_structure(lambda *x: np.concatenate(x), *[
        rounds.cut(x, reanalyse.windows_per_segment, length, agent.frame_stack,
                   int(step))
        for x in played])
    return [np.full(len(segments[0].reward), step, np.int64),
            *tf.nest.flatten(segments)]

  # Not `from_generator`, whose position cannot be saved in a checkpoint.
  specs = (tf.TensorSpec([None], tf.int64), *_segment_specs(
      decide_fn, spec, parameter_shapes, interaction.num_environments,
      num_candidates, length, agent.frame_stack))
  dataset = tf.data.Dataset.counter(first_round).map(
      functools.partial(numpy_functions.call, segments_of, specs))
  if not deterministic:
    dataset = dataset.prefetch(1)
  return dataset.unbatch().map(
      lambda step, segment, improved: Searched(segment, improved, step, {})
      ).batch(num_segments, drop_remainder=True)


def _environment_fn(interaction: Interaction, spec: EnvironmentSpec
                    ) -> actors_lib.EnvironmentFn:
  """Returns what makes the task's environment of a seed, as the spec says."""
  return functools.partial(
      actors_lib.make_environment, interaction.task,
      action_repeat=interaction.action_repeat,
      clip_rewards=interaction.clip_rewards, max_steps=interaction.max_steps,
      spec=spec)


def _segment_specs(
    decide_fn: exploration.DecideFn, spec: EnvironmentSpec,
    parameter_shapes: Sequence[tf.TensorShape], num_environments: int,
    num_candidates: int, length: int, frame_stack: int
    ) -> tuple[Segment, Improved]:
  """Returns the specs of what `rounds.cut` gives."""
  one = observations.model_input(spec.observation)
  _, improved = decide_fn.get_concrete_function(  # type: ignore[attr-defined]
      tf.TensorSpec([sum(x.num_elements() for x in parameter_shapes)]),
      tf.TensorSpec([num_environments, frame_stack, *one.shape], one.dtype),
      tf.TensorSpec([num_environments, num_candidates]),
      tf.TensorSpec([2], tf.int32), tf.TensorSpec([])).structured_outputs
  return tf.nest.map_structure(
      lambda x: tf.TensorSpec([None, *x.shape], x.dtype),
      segments_lib.segment_spec(spec, length, frame_stack)
  ), tf.nest.map_structure(
      lambda x: tf.TensorSpec([None, length, *x.shape[1:]], x.dtype), improved)
