"""A warning of segments that are longer than what they are cut from."""

from absl import logging

from tf_muzero.learning import callbacks

_PATIENCE = 5  # Looks in a row: episodes get longer as play gets better.
_LEAST = 0.5


class WarnOfFewWindows(callbacks.Periodic):
  """Warns, once, if the store stays much emptier than it was asked to be.

  What is learned from is then younger and less varied than the settings say,
  and most of what is searched is padding.
  """

  def __init__(self, every: int, windows_per_segment: int):
    """Creates the callback.

    Args:
      every: learner steps.
      windows_per_segment: L.
    """
    super().__init__(every)
    self._length = windows_per_segment
    self._times = 0

  def run(self, step, logs):
    """Looks at the store."""
    if self._times == _PATIENCE:
      return  # That was told.
    share = min(self.model.store.fill_shares())
    self._times = self._times + 1 if share < _LEAST else 0
    if self._times == _PATIENCE:
      logging.warning(
          'The store holds %.0f%% of its store_windows: episodes are shorter '
          'than the %d windows of a segment, whose rest is empty and searched '
          'all the same. Set pipeline.Reanalyse.windows_per_segment to an '
          "episode's length.",
          100 * share, self._length)
