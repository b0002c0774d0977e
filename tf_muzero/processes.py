"""Processes of one's own that have to end."""

import subprocess


def wait_or_kill(process: subprocess.Popen, seconds: float) -> None:
  """Waits until a process has ended, which was told to; kills it if it is late.

  Args:
    process: it has ended afterwards.
    seconds: that it has to end by itself.
  """
  try:
    process.wait(seconds)
  except subprocess.TimeoutExpired:
    process.kill()
    process.wait()
