"""Evaluates a run directory or a SavedModel in its environment.

  tf-muzero evaluate runs/1
  tf-muzero evaluate runs/1/policy --num_episodes=100 --video=episode.gif

Settings come from the run's config.gin and from gin/evaluate.gin, then from
what is given. Writes evaluation.json and prints a table.
"""

import functools
import os
from typing import Any, Callable, Mapping, Optional, Sequence, Union

from absl import logging
import dm_env
import tensorflow as tf

from tf_muzero import cli
from tf_muzero import devices
from tf_muzero import envs
from tf_muzero import paths
from tf_muzero import progress
from tf_muzero import ranges
from tf_muzero import whole_files
from tf_muzero.acting import evaluation
from tf_muzero.acting import fitting
from tf_muzero.acting import modes as modes_lib
from tf_muzero.acting import policy as policy_lib
from tf_muzero.acting import rehearsal
from tf_muzero.acting import run_directory
from tf_muzero.acting import saved_model
from tf_muzero.acting import video as video_lib
from tf_muzero.acting.sources import Source
from tf_muzero.learning import best
from tf_muzero.learning import tensorboard
from tf_muzero.networks.agent import Agent
from tf_muzero.types import EnvironmentSpec
from tf_muzero.types import Parameters
from tf_muzero.types import SearchFn

# (parameters, poll_fn) -> flat metrics, and films. It may call `poll_fn()` now
# and then, which raises if training was told to stop.
MeasureFn = Callable[[Parameters, Callable[[], None]],
                     dict[str, Union[float, tensorboard.Film]]]
# (agent, source) -> what will measure the weights of the training; raises
# ValueError where that could not be done. It is called before the training and
# outside of its strategy: all networks are made here, since a variable that is
# made in a callback of Keras would be one of all replicas and all processes.
EvaluateFn = Callable[[Agent, Source], MeasureFn]


def evaluate(
    directory: str, *, num_episodes: int, num_environments: int, seed: int,
    random_start_steps: int, agent_fn: Optional[Callable[[], Agent]] = None,
    modes: Sequence[modes_lib.Mode] = (), search_fn: Optional[SearchFn] = None,
    jit_compile: bool = True, task: Optional[str] = None,
    max_steps: Optional[int] = None,
    checkpoint: Union[str, int] = 'last', output: Optional[str] = None,
    video: Optional[str] = None, frames_per_second: int = 25) -> dict[str, Any]:
  """Returns what is also written as JSON, and prints a table.

  Args:
    directory: of a run, or a SavedModel of `tf-muzero export`.
    num_episodes: episodes of each mode.
    num_environments: episodes played at once.
    seed: of the environments and of the policy.
    random_start_steps: environment steps with random actions before an
      episode, at most; 0 for the task's own starts.
    agent_fn: makes the run's agent; a SavedModel needs none.
    modes: how to act with a run's network; a SavedModel has its own mode.
    search_fn: of the modes that need one and have none.
    jit_compile: whether a run's policy is compiled by XLA.
    task: environment id, by default what the agent was trained for.
    max_steps: decisions after which an episode is cut off, for a quick look;
      None for the task's own limit.
    checkpoint: of a run: `last`, `best`, or a learner step.
    output: JSON file; by default `evaluation.json` in `directory`.
    video: GIF or MP4 file of the first episode of the last mode.
    frames_per_second: of the video.
  """
  _check_numbers(num_episodes, num_environments, seed, random_start_steps,
                 max_steps)
  ranges.at_least(1, frames_per_second=frames_per_second)
  directory = paths.checked(directory, 'directory')
  output = paths.checked(
      output or os.path.join(directory, 'evaluation.json'), 'output')
  if video:
    video_lib.check_path(video)
    video = paths.checked(video, 'video')
  devices.start_compiler()
  if saved_model.is_saved_model(directory):
    if checkpoint != 'last':
      raise ValueError('A SavedModel has weights of its own: no checkpoint.')
    source, spec, policies = _saved_model(directory)
  else:
    source, spec, policies = _run(
        directory, agent_fn, modes, search_fn, jit_compile, checkpoint)
  paths.check_writable(output, 'output')
  if video:
    paths.check_writable(video, 'video')
  task = task or source['task']
  environment_fn = evaluation.make_environment_fn(
      task, action_repeat=source['action_repeat'],
      random_start_steps=random_start_steps, spec=spec, max_steps=max_steps,
      is_drawn=bool(video))
  environment = environment_fn(seed)
  protocol = envs.protocol(environment)
  if video:  # Tells before work starts if there are no pictures.
    environment.reset()
    envs.render(environment)
  environment.close()
  evaluations = []
  for mode, policy in policies.items():
    is_filmed = video and mode == list(policies)[-1]
    with progress.bar(desc=mode, unit=' decisions', leave=False) as bar:
      evaluations.append(evaluation.evaluate_policy(
          policy, mode, environment_fn, num_episodes=num_episodes,
          num_environments=num_environments, seed=seed,
          render_fn=envs.render if is_filmed else None,
          progress_fn=bar.update))
  result = {
      **source, 'directory': directory, 'task': task,
      'random_start_steps': random_start_steps, 'num_episodes': num_episodes,
      'num_environments': num_environments, 'seed': seed,
      'max_steps': max_steps, 'protocol': protocol,
      'evaluations': [x.to_json() for x in evaluations]}
  print(f'{task}, learner step {source["step"]}'
        f'{run_directory.shown(source["checkpoint"])}, action repeat '
        f'{source["action_repeat"]}, random start {random_start_steps} steps')
  print(evaluation.format_table(evaluations))
  with paths.writing(output, 'output'):
    whole_files.write_json(output, result)
  if video:
    with paths.writing(video, 'video'):
      video_lib.write(
          video, evaluations[-1].rollout.frames, frames_per_second)
  print(f'written: {output}' + (f', {video}' if video else ''))
  return result


def default_files(
    arguments: Mapping[str, Any], gin_files: Sequence[str]) -> list[str]:
  """Returns the gin files that are read before those that are given."""
  directory = os.path.expanduser(arguments.get('directory') or '')
  if not directory or saved_model.is_saved_model(directory):
    return ['gin/evaluate.gin']  # A SavedModel brings all else.
  return cli.files_of_run(directory, 'gin/evaluate.gin', gin_files)


def _check_numbers(num_episodes: int, num_environments: int, seed: int,
                   random_start_steps: int, max_steps: Optional[int]) -> None:
  """Raises ValueError for numbers that nothing can be played with."""
  ranges.at_least(1, num_episodes=num_episodes,
                  num_environments=num_environments)
  ranges.at_least(0, seed=seed, random_start_steps=random_start_steps)
  if max_steps is not None:
    ranges.at_least(1, max_steps=max_steps)


def _saved_model(
    directory: str) -> tuple[dict[str, Any], EnvironmentSpec, dict[str, Any]]:
  """Returns what a SavedModel is about, its spec, and itself by its mode."""
  metadata = saved_model.read_metadata(directory)
  logging.info('A SavedModel: it acts by its own mode, %s.', metadata['mode'])
  return ({'checkpoint': metadata.get('checkpoint', 'last'),
           **{name: metadata[name] for name in (
               'task', 'action_repeat', 'step', 'num_simulations')}},
          saved_model.spec_of(metadata),
          {metadata['mode']: tf.saved_model.load(directory)})


def _run(directory: str, agent_fn: Optional[Callable[[], Agent]],
         modes: Sequence[modes_lib.Mode], search_fn: Optional[SearchFn],
         jit_compile: bool, checkpoint: Union[str, int]
         ) -> tuple[dict[str, Any], EnvironmentSpec, dict[str, Any]]:
  """Returns what a run is about, its spec, and its policies by mode."""
  if agent_fn is None or not modes:
    raise ValueError('agent_fn and modes must be given for a run directory, '
                     f'got agent_fn={agent_fn} and modes={modes}.')
  task = run_directory.load_task(directory)
  agent = fitting.load(directory, agent_fn())
  network = agent.make_network(task.spec, task.num_datapoints)
  step = run_directory.restore_network(directory, network, checkpoint)
  policies = policy_lib.make_policies(
      agent, network, task.spec, modes=modes, search_fn=search_fn,
      jit_compile=jit_compile)
  searches = modes_lib.searches(modes, search_fn, task.spec)
  return ({'task': task.name, 'action_repeat': task.action_repeat,
           'step': step, 'checkpoint': str(checkpoint),
           'num_simulations': max([0, *(policy_lib.num_simulations(
               x, agent, network, task.spec) for x in searches)])},
          task.spec, policies)


def during_training(
    *, modes: Sequence[modes_lib.Mode], search_fn: Optional[SearchFn],
    num_episodes: int, num_environments: int, seed: int,
    random_start_steps: int, jit_compile: bool = True,
    max_steps: Optional[int] = None, film: bool = False) -> EvaluateFn:
  """Returns what evaluates the weights of a running training.

  Policies are made once and get new weights at each evaluation: nothing is
  compiled again. The metrics are `evaluation/<mode>` and
  `evaluation/<mode>_standard_error`; a film is `film/<mode>`. There are none
  where the data names no environment.

  Args:
    modes: how to act.
    search_fn: the search of the modes that need one.
    num_episodes: for each mode.
    num_environments: episodes played at once.
    seed: of the environments and of the policies; the same at every call.
    random_start_steps: see `evaluate`.
    jit_compile: whether acting is compiled by XLA.
    max_steps: see `evaluate`.
    film: whether TensorBoard shows the first episode of the last mode, where
      the environment can be drawn.
  """
  ranges.some(modes=modes)
  _check_numbers(num_episodes, num_environments, seed, random_start_steps,
                 max_steps)

  def evaluate_fn(agent: Agent, source: Source) -> MeasureFn:
    for search in modes_lib.searches(modes, search_fn, source.spec):
      rehearsal.search(search, agent.num_candidates)
    if not source.task:
      logging.warning('The data names no environment: nothing is played to '
                      'evaluate what is learned.')
      return best.NOTHING
    make_fn = functools.partial(
        evaluation.make_environment_fn, source.task,
        action_repeat=source.action_repeat,
        random_start_steps=random_start_steps, spec=source.spec,
        max_steps=max_steps)
    environment_fn, drawn_fn = make_fn(), make_fn(is_drawn=True)
    try:
      environment_fn(seed).close()
    except ValueError as error:
      raise ValueError(
          f'What was learned from could not be evaluated: {error} Set '
          'train.train.evaluate_every to 0 to train without.') from error
    filmed = modes[-1].name if film and _can_draw(drawn_fn) else ''
    network = agent.make_network(source.spec, source.num_steps)
    policies = policy_lib.make_policies(
        agent, network, source.spec, modes=modes, search_fn=search_fn,
        jit_compile=jit_compile)

    def measure(parameters, poll_fn):
      metrics = {}
      for name, policy in policies.items():
        policy.assign(parameters)
        result = evaluation.evaluate_policy(
            policy, name, drawn_fn if name == filmed else environment_fn,
            num_episodes=num_episodes, num_environments=num_environments,
            seed=seed, render_fn=envs.render if name == filmed else None,
            most_frames=video_lib.MOST_FRAMES, progress_fn=lambda _: poll_fn())
        if name == filmed:
          metrics[f'film/{name}'] = tensorboard.Film(
              *video_lib.film(result.rollout.frames))
        metrics[f'evaluation/{name}'] = result.mean
        metrics[f'evaluation/{name}_standard_error'] = result.standard_error
      return metrics

    return best.Measure(measure, tuple(f'evaluation/{x}' for x in policies))

  return evaluate_fn


def _can_draw(environment_fn: Callable[[int], dm_env.Environment]) -> bool:
  """Returns whether there are pictures of an environment; warns if not."""
  try:
    environment = environment_fn(0)
    environment.reset()
    envs.render(environment)
    environment.close()
    return True
  except (ValueError, RuntimeError, ImportError) as error:
    logging.warning('There will be no films of evaluations: %s', error)
    return False


def together(*, evaluate_fns: Sequence[EvaluateFn]) -> EvaluateFn:
  """Returns what gives the metrics of several, one after the other."""

  def evaluate_fn(agent: Agent, source: Source) -> MeasureFn:
    measure_fns = [fn(agent, source) for fn in evaluate_fns]

    def measure(parameters, poll_fn):
      metrics = {}
      for measure_fn in measure_fns:
        metrics.update(measure_fn(parameters, poll_fn))
      return metrics

    return best.Measure(measure, best.names_of(measure_fns))

  return evaluate_fn


if __name__ == '__main__':
  cli.run(evaluate, positional=('directory',), default_files_fn=default_files)
