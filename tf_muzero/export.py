"""Exports a run's policy as a SavedModel that plans inside.

  tf-muzero export runs/1
  tf-muzero export runs/1 --output=policy --overwrite

Settings come from the run's config.gin and from gin/export.gin, then from what
is given.
"""

import os
from typing import Any, Mapping, Optional, Sequence, Union

from absl import logging
import tensorflow as tf

import tf_muzero
from tf_muzero import cli
from tf_muzero import devices
from tf_muzero import envs
from tf_muzero import paths
from tf_muzero.acting import fitting
from tf_muzero.acting import modes
from tf_muzero.acting import policy as policy_lib
from tf_muzero.acting import run_directory
from tf_muzero.acting import saved_model
from tf_muzero.networks.agent import Agent
from tf_muzero.types import Nest
from tf_muzero.types import SearchFn


def export(
    directory: str, *, agent: Agent, mode: modes.Mode,
    search_fn: Optional[SearchFn] = None, output: Optional[str] = None,
    jit_compile: bool = False, seed: int = 0, overwrite: bool = False,
    checkpoint: Union[str, int] = 'last') -> str:
  """Returns the directory of the SavedModel that it wrote and checked.

  It is written beside its final place, loaded again, compared with the live
  policy, and only then moved.

  Args:
    directory: of the run.
    agent: of the run.
    mode: how the exported policy acts.
    search_fn: the search, where the mode needs one.
    output: where to; by default `policy` in the run's directory.
    jit_compile: whether the exported policy is compiled by XLA where it is
      loaded, once for each batch size: a first call of seconds, then faster. It
      needs a TensorFlow with XLA for its device; without it, it runs anywhere.
    seed: of the exported policy's initial state.
    overwrite: whether an earlier export there is replaced.
    checkpoint: `last`, `best`, or a learner step.
  """
  directory = paths.checked(directory, 'directory')
  output = paths.checked(output or os.path.join(directory, 'policy'), 'output')
  if tf.io.gfile.exists(output):
    if not overwrite:
      raise ValueError(f'output {output!r} exists; set overwrite = True.')
    if not saved_model.is_saved_model(output):
      raise ValueError(f'output {output!r} exists and is no SavedModel.')
  devices.start_compiler()
  task = run_directory.load_task(directory)
  agent = fitting.load(directory, agent)
  network = agent.make_network(task.spec, task.num_datapoints)
  step = run_directory.restore_network(directory, network, checkpoint)
  paths.check_writable(output + '.partial', 'output')
  policy = policy_lib.make_policy(
      agent, network, task.spec, mode=mode, search_fn=search_fn,
      jit_compile=jit_compile, seed=seed)
  model = agent.plan_with(network, task.spec)
  metadata = {
      **_metadata(task, mode, step), 'checkpoint': str(checkpoint),
      'frame_stack': agent.frame_stack,
      'num_simulations': policy_lib.num_simulations(
          search_fn, agent, network, task.spec)
      if search_fn and mode.needs_search else 0}
  partial = output + '.partial'
  _remove(partial)
  try:
    saved_model.save(
        partial, policy, model, metadata, step, _shown_specs(task))
    saved_model.verify(partial, policy)
    with paths.writing(output, 'output'):
      if overwrite:
        _remove(output)
      tf.io.gfile.rename(partial, output)
  finally:
    _remove(partial)
  logging.info('Exported step %d: %s', step, metadata)
  print(f'{output}: {task.name}, acts by {mode.name}, learner step {step}'
        f'{run_directory.shown(checkpoint)}; '
        'loaded again, its actions are those of the run.')
  return output


def default_files(
    arguments: Mapping[str, Any], gin_files: Sequence[str]) -> list[str]:
  """Returns the gin files that are read before those that are given."""
  if 'directory' not in arguments:
    return ['gin/export.gin']
  return cli.files_of_run(arguments['directory'], 'gin/export.gin', gin_files)


def _metadata(task: run_directory.Task, mode: modes.Mode, step: int
              ) -> dict[str, Any]:
  """Returns what a user of the SavedModel has to know."""
  return {
      'task': task.name,
      'action_repeat': task.action_repeat,
      'mode': mode.name,
      'step': step,
      'observation': run_directory.nest_to_json(task.spec.observation),
      'action': run_directory.nest_to_json(task.spec.action),
      'tf_muzero': tf_muzero.__version__,
      'tensorflow': tf.__version__,
  }


def _shown_specs(task: run_directory.Task) -> Nest:
  """Returns the specs of what the environment shows, `()` for what is seen."""
  if not isinstance(task.spec.observation, dict):
    return ()
  try:
    environment = envs.load(task.name, seed=0)
  # What a user's own function raises is anything.
  except Exception as error:  # pylint: disable=broad-exception-caught
    logging.warning('The policy will take the entries that it was trained with '
                    'and no others: there is no environment. %s', error)
    return ()
  shown = environment.observation_spec()
  environment.close()
  return shown if shown.keys() > task.spec.observation.keys() else ()


def _remove(directory: str) -> None:
  if tf.io.gfile.exists(directory):
    tf.io.gfile.rmtree(directory)


if __name__ == '__main__':
  cli.run(export, positional=('directory',), default_files_fn=default_files)
