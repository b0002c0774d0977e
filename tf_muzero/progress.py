"""Progress bars."""

import sys

import tqdm


def bar(**kwargs) -> tqdm.tqdm:
  """Returns a bar that a terminal sees move, and a log file now and then.

  Args:
    **kwargs: of `tqdm.tqdm`.
  """
  return tqdm.tqdm(
      mininterval=0.1 if sys.stderr.isatty() else 10.0, **kwargs)
