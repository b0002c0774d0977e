"""What libraries tell while they do as they were told."""

import contextlib
import logging as standard_logging
from typing import Iterator

from absl import logging


@contextlib.contextmanager
def below(verbosity: int) -> Iterator[None]:
  """Drops absl's messages of less weight, until it ends.

  `logging.set_verbosity` alone cannot be undone: a level that nobody ever set
  is not among those it takes.

  Args:
    verbosity: such as `logging.WARNING`, the least that is shown.
  """
  loggers = logging.get_absl_logger(), standard_logging.getLogger()
  levels, before = [x.level for x in loggers], logging.get_verbosity()
  # Not the levels themselves: TensorFlow sets and resets the verbosity.
  logging.set_verbosity(verbosity)
  try:
    yield
  finally:
    logging.set_verbosity(before)
    for logger, level in zip(loggers, levels):
      logger.setLevel(level)
