"""Warnings of searches that teach little, from what they tell of themselves."""

from absl import logging

from tf_muzero.learning import callbacks

_PATIENCE = 5  # Looks in a row: the first searches are of untrained networks.
_LARGEST_SHARE = 0.5
_LARGEST_DEPTH = 2.0  # In unrolls.


class WarnOfCollapse(callbacks.Periodic):
  """Warns, once for each sign, if it stays.

  Stored actions that take most of the search's policy are cloned, not improved
  on; and a tree that is much deeper than the unroll rests on steps that the
  model never learned.
  """

  def __init__(self, every: int, unroll_steps: int):
    """Creates the callback.

    Args:
      every: learner steps.
      unroll_steps: K.
    """
    super().__init__(every)
    deepest = _LARGEST_DEPTH * unroll_steps or float('inf')
    self._limits = {
        'search/injected_share': (_LARGEST_SHARE, (
            'the search puts most of its policy on the stored action, and what '
            'is learned comes near to cloning. A visit for each candidate '
            '(mcts.search.min_root_visits = 1), unvisited candidates valued as '
            'the others (mcts.search.unvisited_fn = @selection.unvisited_mean) '
            'or a smaller improvement.search_improvement.injected_prior help.'
        )),
        'search/depth': (deepest, (
            f'the search looks further ahead than the {unroll_steps} unrolled '
            'steps that the model is trained on (train.train.unroll_steps). '
            'More candidates that are visited, or fewer simulations, make '
            'trees less deep.')),
    }
    self._times = dict.fromkeys(self._limits, 0)

  def run(self, step, logs):
    """Looks at the metrics of the last execution."""
    for name, (limit, words) in self._limits.items():
      value = float(logs.get(name, 0.0))
      if self._times[name] >= _PATIENCE:
        continue  # That was told.
      self._times[name] = self._times[name] + 1 if value > limit else 0
      if self._times[name] == _PATIENCE:
        logging.warning('%s is %.2f at learner step %d, above %g: %s',
                        name, value, step, limit, words)
