"""What libraries tell while they do as they were told."""

import contextlib
from typing import Iterator

from absl import logging
from absl.logging import converter


@contextlib.contextmanager
def below(verbosity: int) -> Iterator[None]:
  """Drops absl's messages of less weight, until it ends.

  `logging.set_verbosity` cannot be undone: a level that nobody ever set is
  not among those it takes.

  Args:
    verbosity: such as `logging.WARNING`, the least that is shown.
  """
  logger = logging.get_absl_logger()
  before = logger.level
  logger.setLevel(converter.absl_to_standard(verbosity))
  try:
    yield
  finally:
    logger.setLevel(before)
