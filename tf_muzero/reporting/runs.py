"""What a run directory tells about how good the run is."""

import json
import os
import re
from typing import Any, NamedTuple, Optional, Sequence

from absl import logging
import numpy as np
import tensorflow as tf

from tf_muzero.acting import run_directory

_CONFIG, _CURVE = 'config.gin', 'evaluations.jsonl'
_EVALUATION, _METRICS = 'evaluation.json', 'metrics.jsonl'
_PREFIX, _ERROR = 'evaluation/', '_standard_error'


class Score(NamedTuple):
  """A policy's mean return.

  Attributes:
    step: learner step of its weights.
    mean: of the returns of the episodes.
    standard_error: of that mean, over the episodes.
  """
  step: int
  mean: float
  standard_error: float


class Run(NamedTuple):
  """A run.

  Attributes:
    directory: of the run.
    task: the environment's id.
    action_repeat: environment steps per decision.
    settings: bindings of `config.gin`, from name to text; empty without it.
    curve: acting mode -> scores while training, by learner step.
    final: acting mode -> score of the last weights that were evaluated.
    metrics: name -> its values, [points, 2] of learner step and value.
    evaluation: what `evaluate` wrote, or empty.
  """
  directory: str
  task: str
  action_repeat: int
  settings: dict[str, str]
  curve: dict[str, list[Score]]
  final: dict[str, Score]
  metrics: dict[str, np.ndarray]
  evaluation: dict[str, Any]

  @property
  def seed(self) -> str:
    """The seed of the training, `?` where it is not known."""
    return self.settings.get('train.train.seed', '?')


def load(directory: str) -> Run:
  """Returns what is in a run directory; a run that still goes on is fine.

  Of each mode, the final score is that of `python -m tf_muzero.evaluate`, if it
  was of weights as late as the last evaluation while training.
  """
  task = run_directory.load_task(directory)
  evaluations = _lines(os.path.join(directory, _CURVE))
  curve = _curve(evaluations)
  evaluation = _evaluation(os.path.join(directory, _EVALUATION), task)
  final = {mode: scores[-1] for mode, scores in curve.items()}
  for x in evaluation.get('evaluations', ()):
    score = Score(evaluation['step'], x['mean'], x['standard_error'])
    if x['mode'] not in final or final[x['mode']].step <= score.step:
      final[x['mode']] = score
    else:
      logging.warning(
          '%s: %s is of step %d, before the end of training; left out.',
          directory, _EVALUATION, score.step)
  if not final:
    raise ValueError(
        f'{directory!r} was not evaluated: it has neither {_CURVE} nor '
        f'{_EVALUATION}. Run python -m tf_muzero.evaluate {directory}, or '
        'train with train.evaluate_every.')
  return Run(
      directory, task.name, task.action_repeat,
      _settings(os.path.join(directory, _CONFIG)), curve, final,
      _metrics(_lines(os.path.join(directory, _METRICS)) + evaluations),
      evaluation)


def best(scores: Sequence[Score]) -> Optional[Score]:
  """Returns the score with the highest mean, the first of equals."""
  return max(scores, key=lambda score: score.mean) if scores else None


def _curve(lines: Sequence[dict[str, float]]) -> dict[str, list[Score]]:
  curve: dict[str, list[Score]] = {}
  for line in lines:
    for name, value in line.items():
      if name.startswith(_PREFIX) and not name.endswith(_ERROR):
        curve.setdefault(name[len(_PREFIX):], []).append(Score(
            int(line['step']), value, line.get(name + _ERROR, 0.0)))
  return curve


def _metrics(lines: Sequence[dict[str, float]]) -> dict[str, np.ndarray]:
  """Returns what is not the score of a policy."""
  points: dict[str, list[tuple[float, float]]] = {}
  for line in lines:
    for name, value in line.items():
      if name != 'step' and not name.startswith(_PREFIX):
        points.setdefault(name, []).append((line['step'], value))
  return {name: np.array(x) for name, x in points.items()}


def _lines(path: str) -> list[dict[str, Any]]:
  """Returns the lines of a JSON-lines file, but for a last one cut short."""
  found = []
  lines = _text(path).splitlines()
  for number, line in enumerate(lines, 1):
    try:
      found.append(json.loads(line))
      if 'step' not in found[-1]:
        raise ValueError("it has no 'step'")
    except (ValueError, TypeError) as error:
      if number < len(lines):
        raise ValueError(f'{path}:{number} is damaged: {error}.') from error
      logging.warning('%s: the last line is not complete; left out.', path)
      del found[number - 1:]
  return found


def _evaluation(path: str, task: run_directory.Task) -> dict[str, Any]:
  """Returns what `evaluate` wrote, empty where that is of another task."""
  text = _text(path)
  if not text:
    return {}
  try:
    content = json.loads(text)
    for x in content['evaluations']:
      _ = x['mode'], float(x['mean']), float(x['standard_error'])
    _ = int(content['step'])
  except (ValueError, KeyError, TypeError) as error:
    raise ValueError(f'{path} is damaged, remove it or evaluate again: '
                     f'{error!r}.') from error
  for name, own in (('task', task.name), ('action_repeat', task.action_repeat)):
    if content.get(name, own) != own:
      logging.warning('%s is of the %s %s, the run of %s; left out.', path,
                      name, content[name], own)
      return {}
  return content


def _settings(path: str) -> dict[str, str]:
  """Returns the bindings of a recorded configuration, a line each."""
  return dict(re.findall(r'^([\w./]+) = (.*)$', _text(path), re.M))


def _text(path: str) -> str:
  if not tf.io.gfile.exists(path):
    return ''
  with tf.io.gfile.GFile(path) as file:
    return file.read()
