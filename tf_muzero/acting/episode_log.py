"""A line for each episode that was played: the file `interaction.jsonl`."""

import json
import math
from typing import Optional, Sequence

from absl import logging
import numpy as np
import tensorflow as tf

from tf_muzero import json_lines
from tf_muzero.types import Episode


class EpisodeLog:
  """Appends episodes to a JSON-lines file.

  A line has `round`, `step` (learner step of the weights that played),
  `return` (sum of rewards) and `length` (decisions).
  """

  def __init__(self, path: Optional[str], lost_at: int = 0):
    """Creates the log.

    Args:
      path: of the file; without one nothing is written.
      lost_at: learner step at which the run resumes without the number of its
        rounds, 0 otherwise. What later weights played is forgotten.
    """
    self._path = path
    self._last = math.inf  # Round that was written last.
    self.first_round = 0  # Number to begin with, unless it is restored.
    if path is not None and lost_at:
      kept = json_lines.drop_from(path, 'step', lost_at + 1)
      self.first_round = 1 + max((x['round'] for x in kept), default=-1)

  def write(self, number: int, step: int, episodes: Sequence[Episode]) -> None:
    """Appends the episodes of a round.

    Rounds that a resumed run plays again are forgotten.

    Args:
      number: of the round.
      step: learner step of the weights.
      episodes: numpy arrays.
    """
    returns = [float(np.sum(x.reward, dtype=np.float64)) for x in episodes]
    logging.info('round %d: mean return %.2f of %d episodes by the weights of '
                 'step %d', number, np.mean(returns), len(returns), step)
    if self._path is None:
      return
    if number <= self._last:
      json_lines.drop_from(self._path, 'round', number)
    self._last = number
    with tf.io.gfile.GFile(self._path, 'a') as file:
      for episode, return_ in zip(episodes, returns):
        file.write(json.dumps({
            'round': number, 'step': step, 'return': return_,
            'length': len(episode.reward) - 1}) + '\n')
