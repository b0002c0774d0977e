"""What a run directory tells about how good the run is."""

import json
import os
import re
from typing import Any, NamedTuple, Optional, Sequence

from absl import logging
import numpy as np
import tensorflow as tf

from tf_muzero.acting import run_directory
from tf_muzero.acting import starts as starts_lib
from tf_muzero.reporting import words

_CONFIG, _CURVE = 'config.gin', 'evaluations.jsonl'
_EVALUATION, _METRICS = 'evaluation.json', 'metrics.jsonl'
_PREFIX, _ERROR = 'evaluation/', '_standard_error'
_ELAPSED = 'time/elapsed_seconds'
_DATA, _BEST = 'fitted.json', 'checkpoints/best/best.json'
_EPISODES = 'evaluate.during_training.num_episodes'


class Score(NamedTuple):
  """A policy's mean return.

  Attributes:
    step: learner step of its weights.
    mean: of the returns of the episodes.
    standard_error: of that mean, over the episodes.
    num_episodes: that were played; 0 where it is not known.
  """
  step: int
  mean: float
  standard_error: float
  num_episodes: int = 0


class Data(NamedTuple):
  """Returns of the stored episodes, sums of their rewards.

  Attributes:
    mean: of the episodes.
    best: of them.
    num_episodes: that were looked at.
    is_sample: whether there are more.
  """
  mean: float
  best: float
  num_episodes: int
  is_sample: bool


class Best(NamedTuple):
  """The checkpoint that a run keeps as its best.

  Attributes:
    step: its learner step.
    metric: that it is the best by.
    value: of that metric.
  """
  step: int
  metric: str
  value: float


class Run(NamedTuple):
  """A run.

  Attributes:
    directory: of the run.
    task: the environment's id.
    action_repeat: environment steps per decision.
    settings: bindings of `config.gin`, from name to text; empty without it.
    curve: acting mode -> scores while training, by learner step.
    final: acting mode -> score of the last weights that were evaluated; empty
      where no episodes were played.
    metrics: name -> its values, [points, 2] of learner step and value.
    evaluation: what `evaluate` wrote, or empty.
    data: what it learned from, None where that is not known or cannot be
      compared with scores.
    place: of the data, empty where it is not known.
    best: the checkpoint that it keeps, None where there is none.
    starts: what `run.json` tells of each start.
  """
  directory: str
  task: str
  action_repeat: int
  settings: dict[str, str]
  curve: dict[str, list[Score]]
  final: dict[str, Score]
  metrics: dict[str, np.ndarray]
  evaluation: dict[str, Any]
  data: Optional[Data] = None
  place: str = ''
  best: Optional[Best] = None
  starts: Sequence[dict[str, Any]] = ()

  @property
  def num_steps(self) -> int:
    """The last learner step that anything was recorded of."""
    return int(max([score.step for score in self.final.values()]
                   + [x[-1][0] for x in self.metrics.values()]))

  @property
  def seconds(self) -> Optional[float]:
    """Wall time so far, None where it was not recorded."""
    elapsed = self.metrics.get(_ELAPSED)
    return None if elapsed is None else float(elapsed[-1][1])

  @property
  def steps_per_second(self) -> Optional[float]:
    """Median over the recorded lines, None where it was not recorded."""
    rates = self.metrics.get('time/steps_per_second')
    return None if rates is None else float(np.median(rates[:, 1]))

  @property
  def is_cut_off(self) -> bool:
    """Whether evaluation episodes ended before the task's own limit."""
    limits = [self.evaluation.get('max_steps')] + ([
        words.resolve(self.settings, 'evaluate.during_training.max_steps')
    ] if self.curve else [])
    return any(limit not in (None, 'None') for limit in limits)

  def seconds_at(self, steps: np.ndarray) -> np.ndarray:
    """Returns the wall time at which learner steps were done, NaN if unknown.
    """
    elapsed = self.metrics.get(_ELAPSED)
    return (np.full(len(steps), np.nan) if elapsed is None
            else np.interp(steps, *elapsed.T))

  @property
  def seed(self) -> str:
    """The seed of the training, `?` where it is not known."""
    return words.resolve(self.settings, 'train.train.seed') or '?'


def load(directory: str) -> Run:
  """Returns what is in a run directory; a run that still goes on is fine.

  Of each mode, the final score is that of `python -m tf_muzero.evaluate`, if it
  was of weights as late as the last evaluation while training.
  """
  task = run_directory.load_task(directory)
  path = lambda name: os.path.join(directory, name)
  settings = settings_of(_text(path(_CONFIG)))
  evaluations = read_lines(path(_CURVE))
  num_episodes = words.resolve(settings, _EPISODES) or ''
  curve = _curve(
      evaluations, int(num_episodes) if num_episodes.isdecimal() else 0)
  evaluation = _evaluation(path(_EVALUATION), task)
  final = {mode: scores[-1] for mode, scores in curve.items()}
  if evaluation and any(
      evaluation['step'] < score.step for score in final.values()):
    logging.warning(
        '%s: %s is of step %d, before the end of training; left out.',
        directory, _EVALUATION, evaluation['step'])
  else:
    final.update({x['mode']: Score(
        evaluation['step'], x['mean'], x['standard_error'],
        len(x.get('returns', ())) or evaluation.get('num_episodes', 0))
                  for x in evaluation.get('evaluations', ())})
  metrics = _metrics(read_lines(path(_METRICS)) + evaluations)
  if not final and not metrics:
    raise ValueError(
        f'{directory!r} has nothing to report: neither {_METRICS}, {_CURVE} '
        f'nor {_EVALUATION}. Train on, or run tf-muzero evaluate {directory}.')
  data, place = _data(path(_DATA), task)
  return Run(
      directory, task.name, task.action_repeat, settings, curve, final, metrics,
      evaluation, data, place or _dataset(settings), _best(path(_BEST)),
      starts_lib.load(directory))


def best(scores: Sequence[Score]) -> Optional[Score]:
  """Returns the score with the highest mean, the first of equals."""
  return max(scores, key=lambda score: score.mean) if scores else None


def _data(path: str, task: run_directory.Task
          ) -> tuple[Optional[Data], str]:
  """Returns the returns and the place of what a run learned from."""
  try:
    content = json.loads(_text(path) or '{}')
    survey, data = content.get('survey') or {}, content.get('data') or {}
    place = str(data.get('place', ''))
    # Rewards of stored games are clipped, scores are not.
    if not survey or task.name.startswith('atari:'):
      return None, place
    return Data(float(survey['mean_return']), float(survey['best_return']),
                int(survey['num_episodes']), bool(survey['is_sample'])), place
  except (ValueError, KeyError, TypeError, AttributeError) as error:
    raise ValueError(f'{path} is damaged: {error!r}.') from error


def _dataset(settings: dict[str, str]) -> str:
  return words.value_of(words.resolve(settings, 'train.train.dataset')
                        or settings.get('DATASET', ''))


def _best(path: str) -> Optional[Best]:
  text = _text(path)
  if not text:
    return None
  try:
    content = json.loads(text)
    return Best(int(content['step']), str(content['metric']),
                float(content['value']))
  except (ValueError, KeyError, TypeError) as error:
    raise ValueError(f'{path} is damaged: {error!r}.') from error


def _curve(lines: Sequence[dict[str, float]], num_episodes: int
           ) -> dict[str, list[Score]]:
  curve: dict[str, list[Score]] = {}
  for line in lines:
    for name, value in line.items():
      if name.startswith(_PREFIX) and not name.endswith(_ERROR):
        curve.setdefault(name[len(_PREFIX):], []).append(Score(
            int(line['step']), value, line.get(name + _ERROR, 0.0),
            num_episodes))
  return curve


def _metrics(lines: Sequence[dict[str, float]]) -> dict[str, np.ndarray]:
  """Returns what is not the score of a policy."""
  points: dict[str, list[tuple[float, float]]] = {}
  for line in lines:
    for name, value in line.items():
      if name != 'step' and not name.startswith(_PREFIX):
        points.setdefault(name, []).append((line['step'], value))
  return {name: np.array(x) for name, x in points.items()}


def read_lines(path: str) -> list[dict[str, Any]]:
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
    # Data that names no environment may be played by `evaluate --task`.
    if task.name and content.get(name, own) != own:
      logging.warning('%s is of the %s %s, the run of %s; left out.', path,
                      name, content[name], own)
      return {}
  return content


def settings_of(text: str) -> dict[str, str]:
  """Returns the bindings of a recorded configuration, a line each."""
  return dict(re.findall(r'^([\w./]+) = (.*)$', text, re.M))


def _text(path: str) -> str:
  if not tf.io.gfile.exists(path):
    return ''
  with tf.io.gfile.GFile(path) as file:
    return file.read()
