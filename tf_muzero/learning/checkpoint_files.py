"""Where the checkpoints of a run lie, and which of them a name means.

`checkpoints/` has the last ones, `checkpoints/best/` the best one so far, and
`checkpoints/set_aside/` what a run left behind that was resumed from before.
"""

import json
import os
import re
from typing import AbstractSet, NamedTuple, Optional, Union

import tensorflow as tf

from tf_muzero import whole_files

LAST, BEST = 'last', 'best'
_MARKER = 'best.json'
_COMPLETE = re.compile(r'ckpt-(\d+)\.index')  # Is written last.
_OURS = re.compile(r'(?:ckpt|data)-(\d+)[._]')


class Best(NamedTuple):
  """The best checkpoint so far.

  Attributes:
    step: learner step of the checkpoint.
    metric: name of what it is the best by.
    value: of that metric.
  """
  step: int
  metric: str
  value: float


class Found(NamedTuple):
  """A checkpoint.

  Attributes:
    path: to restore from.
    step: learner step.
  """
  path: str
  step: int


def directory_of(run_directory: str) -> str:
  """Returns the directory of a run's last checkpoints."""
  return os.path.join(run_directory, 'checkpoints')


def best_directory_of(directory: str) -> str:
  """Returns where the best one is kept, beside the last ones."""
  return os.path.join(directory, BEST)


def find(directory: str, name: Union[str, int], setting: str) -> Found:
  """Returns a checkpoint by its name; raises ValueError if it is not there.

  Args:
    directory: of the last checkpoints.
    name: `last`, `best`, or the learner step of one that is there.
    setting: what gives the name, for the error.
  """
  name, steps, best = str(name), steps_in(directory), read_best(directory)
  if name == LAST and steps:
    return _at(directory, steps[-1])
  if best and name in (BEST, str(best.step)):
    return _at(best_directory_of(directory), best.step)
  if name.isdigit() and int(name) in steps:
    return _at(directory, int(name))
  if not steps and not best:
    raise ValueError(f'{directory!r} has no checkpoint yet.')
  there = [*map(str, steps), *([LAST] if steps else []),
           *([f'{BEST} ({best.step})'] if best else [])]
  raise ValueError(
      f'{setting} must be the name of a checkpoint, got {name!r}; in '
      f'{directory!r} there are {", ".join(there)}.')


def steps_in(directory: str) -> list[int]:
  """Returns the steps of all complete checkpoints, in order."""
  if not tf.io.gfile.isdir(directory):
    return []
  matches = map(_COMPLETE.fullmatch, tf.io.gfile.listdir(directory))
  return sorted(int(match[1]) for match in matches if match)


def read_best(directory: str) -> Optional[Best]:
  """Returns the best one, None where there is none."""
  path = os.path.join(best_directory_of(directory), _MARKER)
  if not tf.io.gfile.exists(path):
    return None
  with tf.io.gfile.GFile(path) as file:
    return Best(**json.load(file))


def write_best(directory: str, best: Best) -> None:
  """Makes a checkpoint that lies there the best one; removes the others."""
  folder = best_directory_of(directory)
  whole_files.write_json(os.path.join(folder, _MARKER), best._asdict())
  remove(folder, files(folder).keys() - {best.step})


def write_state(directory: str, steps: list[int]) -> None:
  """Tells TensorFlow's own functions which checkpoints there are.

  Args:
    directory: of the checkpoints.
    steps: at least one, the last one last.
  """
  whole_files.write(os.path.join(directory, 'checkpoint'), ''.join(
      [f'model_checkpoint_path: "ckpt-{steps[-1]}"\n',
       *(f'all_model_checkpoint_paths: "ckpt-{step}"\n' for step in steps)]))


def files(directory: str) -> dict[int, list[str]]:
  """Returns names of all files by their step, of half-written ones too."""
  found: dict[int, list[str]] = {}
  for name in tf.io.gfile.listdir(directory):
    match = _OURS.match(name)
    if match:
      found.setdefault(int(match[1]), []).append(name.rstrip('/'))
  return found


def remove(directory: str, steps: AbstractSet[int]) -> None:
  """Removes all files of some steps."""
  for step, names in files(directory).items():
    for name in names if step in steps else ():
      path = os.path.join(directory, name)
      if tf.io.gfile.isdir(path):
        tf.io.gfile.rmtree(path)
      else:
        tf.io.gfile.remove(path)


def _at(directory: str, step: int) -> Found:
  return Found(os.path.join(directory, f'ckpt-{step}'), step)
