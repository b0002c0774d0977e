"""What libraries tell while they do as they were told."""

import contextlib
from importlib import abc
from importlib import util
import logging as standard_logging
import os
import sys
import tempfile
from typing import Any, Iterator

from absl import logging

# What TensorFlow 2.21 says of itself before it reads TF_CPP_MIN_LOG_LEVEL.
_IMPORT_SAYS = ('before absl::InitializeLog()', 'oneDNN custom operations',
                'Could not find cuda drivers')


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


@contextlib.contextmanager
def native(*texts: str) -> Iterator[None]:
  """Drops lines of native code that have one of some texts, until it ends.

  What else is written past `sys.stderr` meanwhile is passed on at the end, and
  lost where native code ends the process.
  Nothing is dropped where TF_CPP_MIN_LOG_LEVEL is not what `tf_muzero` makes
  it: whoever set it wants to see more.
  """
  kept = None
  if os.environ.get('TF_CPP_MIN_LOG_LEVEL') == '3' and sys.stderr:
    with contextlib.suppress(OSError):  # Nowhere to keep it.
      kept = tempfile.TemporaryFile()  # pylint: disable=consider-using-with
  if kept is None:
    yield
    return
  sys.stderr.flush()
  with kept:
    stream = os.dup(2)
    os.dup2(kept.fileno(), 2)
    try:
      yield
    finally:
      sys.stderr.flush()
      os.dup2(stream, 2)
      os.close(stream)
      kept.seek(0)
      for line in kept:
        if not any(text.encode() in line for text in texts):
          os.write(2, line)


class TensorFlowFinder(abc.MetaPathFinder):
  """Finds TensorFlow, once, so that its import is quiet."""

  def find_spec(self, fullname: str, path: Any, target: Any = None) -> Any:
    """Returns the module's spec, or None for another one."""
    del path, target
    if fullname != 'tensorflow':
      return None
    sys.meta_path.remove(self)
    spec = util.find_spec(fullname)
    if spec and spec.loader:
      load = spec.loader.exec_module

      def load_quietly(module):
        with native(*_IMPORT_SAYS):
          load(module)

      spec.loader.exec_module = load_quietly  # type: ignore[method-assign]
    return spec
