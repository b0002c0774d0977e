"""Exports a run's policy as a SavedModel that plans inside.

  tf-muzero export runs/1
  tf-muzero export runs/1 --output=policy --overwrite

Settings come from the run's config.gin and from gin/export.gin, then from what
is given.
"""

import dataclasses
import functools
import os
import platform
from typing import Any, Callable, Mapping, Optional, Sequence, Union

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
from tf_muzero.acting import verification
from tf_muzero.networks.agent import Agent
from tf_muzero.types import Nest
from tf_muzero.types import SearchFn

_SEED = (
    'Random numbers come from state.seed, [B, 2] int32, whose first row counts '
    'for the whole batch; its rows draw different ones. It moves on with every '
    'decision: equal observations get other actions the next time. '
    'get_initial_state begins with '
    '[{seed}, 0], always; for other random numbers: '
    'state = state._replace(seed=tf.tile([[7, 0]], [batch_size, 1])).')


def export(
    directory: str, *, agent: Agent, mode: modes.Mode,
    search_fn: Optional[SearchFn] = None, output: Optional[str] = None,
    jit_compile: bool = True, seed: int = 0, overwrite: bool = False,
    checkpoint: Union[str, int] = 'last') -> str:
  """Returns the directory of the SavedModel that it wrote and checked.

  It is written beside its final place, loaded again, compared with the live
  policy, timed, and only then moved.

  Args:
    directory: of the run.
    agent: of the run.
    mode: how the exported policy acts.
    search_fn: the search, where the mode needs one and has none of its own.
    output: where to; by default `policy` in the run's directory.
    jit_compile: whether `act` and `action` of the exported policy are compiled
      by XLA where it is loaded, once for each batch size: a first call of
      seconds, then many times faster. It needs a TensorFlow with XLA for its
      device, as on CPUs and GPUs and not on the hosts of TPUs. `act_plain`,
      which runs anywhere, is there in any case.
    seed: of the exported policy's initial state.
    overwrite: whether an earlier export there is replaced.
    checkpoint: `last`, `best`, or a learner step.
  """
  directory = paths.checked(directory, 'directory')
  output = paths.checked(output or os.path.join(directory, 'policy'), 'output')
  task = run_directory.load_task(directory)
  run_directory.find_checkpoint(directory, checkpoint)
  if tf.io.gfile.exists(output):
    if not overwrite:
      raise ValueError(f'output {output!r} exists; set overwrite = True.')
    if not saved_model.is_saved_model(output):
      raise ValueError(f'output {output!r} exists and is no SavedModel.')
  devices.start_compiler()
  agent = fitting.load(directory, agent)
  network = agent.make_network(task.spec, task.num_datapoints)
  step = run_directory.restore_network(directory, network, checkpoint)
  partial = output + '.partial'
  _remove(partial)  # Of an export that was killed.
  paths.check_writable(partial, 'output')
  search_fn = mode.search(search_fn, task.spec)
  make_policy = functools.partial(
      policy_lib.make_policy, agent, network, task.spec, mode=mode,
      search_fn=search_fn, seed=seed)
  policy = make_policy(jit_compile=jit_compile)
  plain = make_policy(twin=policy) if jit_compile else None
  model = agent.plan_with(network, task.spec)
  fitted = fitting.read(directory) or {}
  metadata = {
      **_metadata(task, mode, step, fitted.get('data', {})),
      'checkpoint': str(checkpoint),
      'frame_stack': agent.frame_stack,
      'num_simulations': policy_lib.num_simulations(
          search_fn, agent, network, task.spec) if search_fn else 0,
      'settings': _settings(agent, search_fn, jit_compile),
      'seed': _SEED.format(seed=seed)}
  try:
    with paths.writing(output, 'output'):
      saved_model.save(
          partial, policy, model, metadata, step, plain=plain,
          shown=_shown_specs(task), stored=fitted.get('stored', ()))
    latency = verification.latency(
        verification.verify(partial, policy, plain or policy), policy)
    with paths.writing(output, 'output'):
      saved_model.write_metadata(partial, {
          **saved_model.read_metadata(partial), 'latency_ms': latency})
      if overwrite:
        _remove(output)
      tf.io.gfile.rename(partial, output)
  except tf.errors.OpError as error:
    if not jit_compile:
      raise
    raise ValueError(
        'The policy does not act here when XLA compiles it; set jit_compile = '
        f'False for a plain graph. TensorFlow says: {error.message}') from error
  finally:
    _remove(partial)
  logging.info('Exported step %d: %s', step, metadata)
  print(f'{output}: {task.name or "own data"}, acts by {mode.name}, '
        f'learner step {step}{run_directory.shown(checkpoint)}; '
        'loaded again, its actions are those of the run.')
  print(_describe(latency, jit_compile))
  return output


def default_files(
    arguments: Mapping[str, Any], gin_files: Sequence[str]) -> list[str]:
  """Returns the gin files that are read before those that are given."""
  if 'directory' not in arguments:
    return ['gin/export.gin']
  return cli.files_of_run(arguments['directory'], 'gin/export.gin', gin_files)


def _describe(latency: dict[str, dict[str, float]], jit_compile: bool) -> str:
  """Returns what a decision costs, in words."""
  lines = ['milliseconds per decision here, after the first call:']
  how_act = 'compiled by XLA' if jit_compile else 'plain graph'
  for name, how in (('act', how_act), ('act_plain', 'plain graph')):
    lines.append(f'  {name} ({how}): ' + ', '.join(
        f'{milliseconds:g} at batch size {size}'
        for size, milliseconds in latency[name].items()))
  return '\n'.join(lines[:2 + jit_compile])


def _metadata(task: run_directory.Task, mode: modes.Mode, step: int,
              data: dict[str, Any]) -> dict[str, Any]:
  """Returns what a user of the SavedModel has to know."""
  return {
      'task': task.name,
      'dataset': data.get('place', ''),
      'split': data.get('split', ''),
      'action_repeat': task.action_repeat,
      'mode': mode.name,
      'step': step,
      'observation': run_directory.nest_to_json(task.spec.observation),
      'action': run_directory.nest_to_json(task.spec.action),
      'tf_muzero': tf_muzero.__version__,
      'tensorflow': tf.__version__,
      'python': platform.python_version(),
  }


def _settings(agent: Agent, search_fn: Optional[SearchFn], jit_compile: bool
              ) -> dict[str, Any]:
  """Returns how it was configured, as far as functions tell."""
  return {
      'jit_compile': jit_compile,
      'made_for': 'GPU' if tf.config.list_logical_devices('GPU') else 'CPU',
      'discount': agent.discount,
      'num_candidates': agent.num_candidates,
      'value_support': dataclasses.asdict(agent.value_support),
      'reward_support': dataclasses.asdict(agent.reward_support),
      'action_values': agent.action_values,
      'network': _name(agent.network_fn),
      'search': _name(search_fn) if search_fn else '',
  }


def _name(function: Callable) -> str:
  """Returns a function's name and the settings that are bound to it."""
  settings: dict[str, Any] = {}
  while isinstance(function, functools.partial):
    settings = {**function.keywords, **settings}
    function = function.func
  bound = ', '.join(f'{name}={getattr(value, "__name__", value)}'
                    for name, value in settings.items())
  return f'{function.__module__}.{function.__qualname__}({bound})'


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
