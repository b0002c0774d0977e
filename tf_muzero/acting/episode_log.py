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

  def __init__(self, path: Optional[str]):
    """Creates the log; without a path it writes nothing."""
    self._path = path
    self._last = math.inf  # Round that was written last.

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
