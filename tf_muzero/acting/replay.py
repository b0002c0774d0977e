"""What was played, stored: the most recent steps and the best episodes.

Two of the sources of stored states that MuZero Unplugged reanalyses (sections 3
and 4): recent ones make online learning data-efficient, and the episodes with
the highest returns keep a rare success in sight. The third is a dataset, such
as demonstrations.
"""

import dataclasses
import functools
import math
from typing import NamedTuple, Optional, Sequence

from absl import logging
import numpy as np
import tensorflow as tf
import tree

from tf_muzero import ranges
from tf_muzero.acting import numpy_functions
from tf_muzero.acting import schedules
from tf_muzero.acting.schedules import Schedule
from tf_muzero.acting.shared_replay import SharedReplay
from tf_muzero.acting.shared_replay import Stored
from tf_muzero.data import segments as segments_lib
from tf_muzero.data.growing import Played
from tf_muzero.types import EnvironmentSpec
from tf_muzero.types import Episode
from tf_muzero.types import Segment

_LOG_EVERY = 30.0  # Seconds.


@dataclasses.dataclass(frozen=True)
class Sources:
  """Where stored states come from: shares in proportion to these weights.

  Attributes:
    dataset: weight of the dataset that training is given.
    recent: weight of the most recent steps that were played.
    best: weight of the episodes with the highest returns.
    recent_steps: how many steps count as recent.
    best_steps: how many steps the best episodes have in all.
  """
  dataset: Schedule
  recent: Schedule
  best: Schedule
  recent_steps: int
  best_steps: int

  def __post_init__(self):
    ranges.at_least(
        1, recent_steps=self.recent_steps, best_steps=self.best_steps)
    self.at(0)

  @property
  def has_dataset(self) -> bool:
    """Whether there has to be a dataset."""
    return callable(self.dataset) or self.dataset > 0.0

  def at(self, step: int) -> np.ndarray:
    """Returns the shares of dataset, recent and best, [3].

    Args:
      step: of the learner.
    """
    weights = {name: schedules.at(getattr(self, name), step)
               for name in ('dataset', 'recent', 'best')}
    ranges.at_least(0, **weights)
    total = sum(weights.values())
    if not total:
      raise ValueError('One of the weights of dataset, recent and best must be '
                       f'> 0, and all are 0 at learner step {step}.')
    return np.array(list(weights.values())) / total


class _Entry(NamedTuple):
  """An episode.

  Attributes:
    number: of the episode, its own.
    round: that it was played in.
    return_: sum of its rewards.
    steps: transitions.
    segments: leading [number of segments]; NumPy.
  """
  number: int
  round: int
  return_: float
  steps: int
  segments: Segment


class _Held(NamedTuple):
  """Episodes, the most wanted first.

  Attributes:
    entries: of each.
    ends: [number of episodes] segments up to each one's end.
  """
  entries: Sequence[_Entry] = ()
  ends: np.ndarray = np.array([], np.int64)


class Replay:
  """Episodes that were played, and segments that are drawn from them."""

  def __init__(self, sources: Sources, *, stride: int, length: int,
               frame_stack: int, spec: EnvironmentSpec, seed: int,
               shared_directory: str = '', keep_episodes: float = math.inf):
    """Creates an empty one.

    Args:
      sources: shares and sizes.
      stride: L, see `segments.cut`.
      length: S.
      frame_stack: F.
      spec: what an agent in the environment sees and does.
      seed: of what is drawn.
      shared_directory: where other processes, which search, draw from it; ''
        for none.
      keep_episodes: how many of the newest a resumed run finds again.
    """
    self._sources = sources
    self._cut_fn = functools.partial(
        segments_lib.cut, stride=stride, length=length, frame_stack=frame_stack)
    self._specs = segments_lib.segment_spec(spec, length, frame_stack)
    self._seed = seed
    self._shared = SharedReplay(
        shared_directory, self._specs, seed) if shared_directory else None
    self._num_added = 0
    self._step = 0  # Learner step of the newest round.
    self._keep_episodes = keep_episodes
    # Replaced as a whole: another thread draws from it meanwhile.
    self._held = {'recent': _Held(), 'best': _Held()}

  def add(self, number: int, step: int, episodes: Sequence[Episode]) -> None:
    """Adds a round, in place of what is held of an earlier one of this number.

    A resumed run plays again what came after its checkpoint.

    Args:
      number: of the round.
      step: learner step of the weights that played.
      episodes: NumPy.
    """
    self._add(step, [Played(number, step, episode) for episode in episodes])

  def _add(self, step: int, played: Sequence[Played]) -> None:
    self._step = step
    entries = [_Entry(
        self._num_added + i, each.round,
        float(np.sum(each.episode.reward, dtype=np.float64)),
        len(each.episode.reward) - 1,
        tree.map_structure(np.asarray, self._cut_fn(
            each.episode, played_step=each.learner_step)))
               for i, each in enumerate(played)]
    self._num_added += len(entries)
    rounds = {entry.round for entry in entries}
    recent, best = ([*entries[::-1], *(
        entry for entry in self._held[name].entries
        if entry.round not in rounds)] for name in ('recent', 'best'))
    # Of equal returns the newest is the better one: sorting is stable.
    best.sort(key=lambda entry: -entry.return_)
    self._held = {'recent': _first(recent, self._sources.recent_steps),
                  'best': _first(best, self._sources.best_steps)}
    self._warn_of_loss()
    self._publish()
    logging.log_every_n_seconds(
        logging.INFO, 'stored: the %d most recent steps, mean return %.4g; the '
        '%d best, %.4g', _LOG_EVERY, *(
            fn(self._held[name].entries) for name in ('recent', 'best')
            for fn in (_steps, _mean_return)))

  def _warn_of_loss(self) -> None:
    """Tells once that a resumed run would not have all that is held."""
    oldest = min(entry.number for held in self._held.values()
                 for entry in held.entries)
    if self._num_added - oldest > self._keep_episodes:
      logging.warning(
          'Of the last %d episodes some are learned from, and the newest %d '
          'are kept in the run: resumed, it would go on without the others. '
          'Set interaction.Interaction.keep_episodes to more.',
          self._num_added - oldest, self._keep_episodes)
      self._keep_episodes = math.inf

  def restore(self, step: int, played: Sequence[Played]) -> None:
    """Takes what an earlier start of the run left.

    Args:
      step: of the learner.
      played: the oldest first.
    """
    self._step = step
    if played:
      self._add(step, played)
    else:
      self._publish()

  def draw(self, name: str, number: np.ndarray) -> list[np.ndarray]:
    """Returns the flat arrays of one segment; all are equally probable.

    Args:
      name: 'recent' or 'best'.
      number: of what is drawn; with the seed it determines it.
    """
    entries, ends = self._held[name]
    if not entries:
      raise ValueError('Nothing was played yet, and is to be learned from.')
    generator = np.random.default_rng(
        [self._seed, name == 'best', int(number)])
    index = int(generator.integers(ends[-1]))
    which = int(np.searchsorted(ends, index, side='right'))
    within = index - (ends[which - 1] if which else 0)
    return [x[within] for x in tree.flatten(entries[which].segments)]

  def segments(self, dataset: Optional[tf.data.Dataset]) -> tf.data.Dataset:
    """Returns endless segments of all sources.

    Something has to be played before the first one is asked for.

    Args:
      dataset: segments of the dataset; None for none.
    """
    if self._shared:
      return self._shared.segments(dataset)
    drawn = [tf.data.Dataset.counter().map(functools.partial(
        numpy_functions.call, functools.partial(self.draw, name), self._specs))
             for name in ('recent', 'best')]
    first = 1 if dataset is None else 0
    shares = tf.data.Dataset.counter().map(functools.partial(
        numpy_functions.call,
        lambda _: [self._sources.at(self._step)[first:]],
        tf.TensorSpec([3 - first], tf.float64)))
    return tf.data.Dataset.sample_from_datasets(
        [*([] if dataset is None else [dataset]), *drawn],
        weights=shares, seed=self._seed)

  def _publish(self) -> None:
    """Tells other processes what is kept, and how probable it is."""
    if not self._shared or not self._held['recent'].entries:
      return
    found: dict[int, Stored] = {}
    shares = self._sources.at(self._step)[1:]
    for name, share in zip(('recent', 'best'), shares):
      entries, ends = self._held[name]
      for entry in entries:
        part = share * len(entry.segments.reward) / ends[-1]
        before = found[entry.number].weight if entry.number in found else 0.0
        found[entry.number] = Stored(entry.segments, before + part)
    self._shared.publish(found)


def _first(entries: Sequence[_Entry], num_steps: int) -> _Held:
  """Returns as many as have so many steps in all, at least one."""
  totals = np.cumsum([entry.steps for entry in entries])
  number = int(np.searchsorted(totals, num_steps, side='right'))
  entries = entries[:max(number, 1)]
  return _Held(entries, np.cumsum(
      [len(entry.segments.reward) for entry in entries]))


def _steps(entries: Sequence[_Entry]) -> int:
  return sum(entry.steps for entry in entries)


def _mean_return(entries: Sequence[_Entry]) -> float:
  return float(np.mean([entry.return_ for entry in entries]))
