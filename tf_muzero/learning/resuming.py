"""Resuming from another checkpoint than the last one.

What is newer is set aside, in `checkpoints/set_aside/`, and never lost; but
episodes that were played stay in `played/` until others take their places. The
same command, given again, does not go back once more: it resumes what went on.
"""

import json
import os
from typing import Any, Mapping, Optional, Union

from absl import logging
import tensorflow as tf

from tf_muzero import devices
from tf_muzero import whole_files
from tf_muzero.learning import checkpoint_files
from tf_muzero.learning import checkpoints

_RECORD = 'resumed_from.json'
_SET_ASIDE = 'set_aside'
# Each process that plays has an interaction file of its own.
_LINES = ('metrics.jsonl', 'evaluations.jsonl', 'interaction*.jsonl',
          'service.jsonl')


def name_now(directory: str, resume_from: Union[str, int]) -> str:
  """Returns the name of what to resume from: the last one, if that was done.

  Args:
    directory: of the checkpoints.
    resume_from: what was asked for.
  """
  return (str(resume_from) if _resumed_at(directory, resume_from) is None
          else checkpoint_files.LAST)


def _resumed_at(directory: str, resume_from: Union[str, int]
                ) -> Optional[int]:
  """Returns the step that was gone back to before, None if it was not."""
  path = os.path.join(directory, _RECORD)
  if str(resume_from) == checkpoint_files.LAST or not tf.io.gfile.exists(path):
    return None
  with tf.io.gfile.GFile(path) as file:
    done = json.load(file)
  return done['step'] if done['resume_from'] == str(resume_from) else None


def has_all_steps(run_directory: str, num_steps: int,
                  resume_from: Union[str, int] = checkpoint_files.LAST) -> bool:
  """Returns whether a run has nothing left to learn."""
  directory = checkpoint_files.directory_of(run_directory)
  name = name_now(directory, resume_from)
  if name == checkpoint_files.LAST and not checkpoint_files.steps_in(directory):
    return False
  return checkpoint_files.find(
      directory, name, 'resume_from').step >= num_steps


def begin(run_directory: str, resume_from: Union[str, int],
          strategy: tf.distribute.Strategy, *, is_chief: bool,
          has_position: bool, settings: Mapping[str, Any]
          ) -> checkpoints.Start:
  """Returns where a run starts, what is newer being set aside.

  Args:
    run_directory: of the run.
    resume_from: see `checkpoint_files.find`.
    strategy: that trains.
    is_chief: whether this process writes the run's files.
    has_position: see `checkpoints.find`.
    settings: likewise.
  """
  directory = checkpoint_files.directory_of(run_directory)
  done = _resumed_at(directory, resume_from)
  if done is not None:
    logging.warning(
        'This run was resumed from %r before, at step %d, and goes on from its '
        'last checkpoint. Remove %s to go back once more.', str(resume_from),
        done, os.path.join(directory, _RECORD))
  start = checkpoints.find(
      directory, has_position, name_now(directory, resume_from), settings)
  devices.any_worker(strategy, False)  # All have seen it as it was.
  if is_chief:
    _set_aside(run_directory, start, resume_from)
  devices.any_worker(strategy, False)
  return start


def _set_aside(run_directory: str, start: checkpoints.Start,
               resume_from: Union[str, int]) -> None:
  """Makes the checkpoint that a run starts from the last one."""
  directory = checkpoint_files.directory_of(run_directory)
  record = os.path.join(directory, _RECORD)
  if str(resume_from) == checkpoint_files.LAST:
    if tf.io.gfile.exists(record):
      tf.io.gfile.remove(record)
    return
  if name_now(directory, resume_from) == checkpoint_files.LAST:
    return
  # First of all it is the last one of those that stay.
  _copy(os.path.dirname(start.checkpoint), directory, start.step)
  newer = {step for step in checkpoint_files.files(directory)
           if step > start.step}
  best = checkpoint_files.read_best(directory)
  target = _free(os.path.join(directory, _SET_ASIDE), start.step)
  if newer or best and best.step > start.step:
    tf.io.gfile.makedirs(target)
    for pattern in _LINES:
      for path in tf.io.gfile.glob(os.path.join(run_directory, pattern)):
        tf.io.gfile.copy(path, os.path.join(target, os.path.basename(path)))
    if best and best.step > start.step:
      tf.io.gfile.rename(checkpoint_files.best_directory_of(directory),
                         checkpoint_files.best_directory_of(target))
    for step in sorted(newer):
      _copy(directory, target, step)
    checkpoint_files.remove(directory, newer)
    logging.warning(
        'What is newer than step %d is set aside in %s: the checkpoints %s and '
        'the lines of metrics.', start.step, target, sorted(newer) + (
            ['best'] if best and best.step > start.step else []))
  checkpoint_files.write_state(
      directory, checkpoint_files.steps_in(directory))
  whole_files.write_json(
      record, {'resume_from': str(resume_from), 'step': start.step})


def _copy(source: str, target: str, step: int) -> None:
  """Copies all files of a step; the one that makes it complete comes last."""
  if source == target:
    return
  names = checkpoint_files.files(source).get(step, [])
  for name in sorted(names, key=lambda name: name == f'ckpt-{step}.index'):
    if not tf.io.gfile.isdir(os.path.join(source, name)):
      tf.io.gfile.copy(os.path.join(source, name), os.path.join(target, name),
                       overwrite=True)


def _free(directory: str, step: int) -> str:
  """Returns a directory that is not there yet."""
  number, path = 1, os.path.join(directory, f'after-{step}')
  while tf.io.gfile.exists(path):
    number += 1
    path = os.path.join(directory, f'after-{step}-{number}')
  return path
