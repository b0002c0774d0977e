"""Returns made comparable over tasks, by the benchmarks' own reference scores.

Sources of `atari_scores.csv`: `dqn_zoo` is DeepMind's dqn_zoo/atari_data.py
(random and human scores of Atari-57); `atari_pb` is the Atari-PB benchmark, for
the two games that are not of Atari-57; `agarwal_2020` is the online DQN of the
DQN Replay Dataset, Agarwal et al. 2020 (arXiv 1907.04543). Sources of
`control_scores.csv`: MuZero Unplugged (arXiv 2104.06294), tables 3 and 4.
"""

import csv
import functools
from importlib import resources
from typing import NamedTuple, Optional


class Scale(NamedTuple):
  """A way to make returns comparable.

  Attributes:
    name: for tables.
    zero: return that becomes 0.
    reference: return that becomes `top`.
    top: 100 for percent.
  """
  name: str
  zero: float
  reference: float
  top: float = 100.0

  def normalised(self, score: float) -> float:
    """Returns what a return is on this scale."""
    return self.top * (score - self.zero) / (self.reference - self.zero)


class AtariScore(NamedTuple):
  """What is known of a game: raw, unclipped scores.

  Attributes:
    random: of uniformly random actions.
    human: of a professional tester, or None where there is none.
    online_dqn: of the agent whose replay is the dataset.
    split: of RL Unplugged, `tuning` or `testing`.
  """
  random: float
  human: Optional[float]
  online_dqn: float
  split: str


class ControlScore(NamedTuple):
  """Returns that MuZero Unplugged reports for a task, in [0, 1000].

  Attributes:
    cloning_final: behaviour cloning, at the end of training.
    unplugged_final: MuZero Unplugged, at the end of training.
    cloning_best: of the checkpoint with the highest mean return.
    unplugged_best: the same.
  """
  cloning_final: float
  unplugged_final: float
  cloning_best: float
  unplugged_best: float


def scales(task: str) -> tuple[Scale, ...]:
  """Returns the scales of a task, none where there is no benchmark.

  Atari: RL Unplugged's (score - random) / (online DQN - random), and the human
  normalised score. Agarwal et al. divide (score - min) by (max - min) of the
  random and the DQN's score; in all these games the DQN's is higher, and so it
  is the same.
  DM Control: the return itself, which is in [0, 1000].

  Args:
    task: the environment's id.
  """
  suite, _, name = task.partition(':')
  if suite == 'dm_control':
    return (Scale('return', 0.0, 1000.0, 1000.0),)
  if suite != 'atari':
    return ()
  game, *options = name.split('/')
  if options not in ([], ['full']):
    return ()  # Smaller frames, say: not what the references are of.
  score = atari_scores().get(game)
  if score is None:
    return ()  # Not one of the 46.
  dqn = Scale('DQN-normalised score, %', score.random, score.online_dqn)
  if score.human is None:
    return (dqn,)
  return dqn, Scale('human-normalised score, %', score.random, score.human)


@functools.lru_cache(maxsize=None)
def atari_scores() -> dict[str, AtariScore]:
  """Returns what is known of the 46 games of RL Unplugged, by name."""
  return {row['game']: AtariScore(
      float(row['random']), float(row['human']) if row['human'] else None,
      float(row['online_dqn']), row['split'])
          for row in _rows('atari_scores.csv')}


@functools.lru_cache(maxsize=None)
def control_scores() -> dict[str, ControlScore]:
  """Returns what the paper reports of RL Unplugged's nine tasks, by id."""
  return {row['task']: ControlScore(
      *(float(row[field]) for field in ControlScore._fields))
          for row in _rows('control_scores.csv')}


def _rows(name: str) -> list[dict[str, str]]:
  table = resources.files('tf_muzero.reporting').joinpath(name)
  with table.open(encoding='utf-8') as file:
    return list(csv.DictReader(file))
