"""Makes the tables and plots of one or many runs: Markdown, PNG, and one page.

  tf-muzero report runs/1
  tf-muzero report runs/1 runs/2 runs/3 --output=report

Runs of the same task and method are seeds of it. `report.html` has all in one
file; `report.md` refers to the pictures beside it.
"""

import os
from typing import Optional, Sequence

from tf_muzero import cli
from tf_muzero import paths
from tf_muzero.reporting import document
from tf_muzero.reporting import groups
from tf_muzero.reporting import runs as runs_lib
from tf_muzero.reporting import sections


def report(directories: Sequence[str], output: Optional[str] = None, *,
           seed: int = 0, resample_tasks: bool = False) -> str:
  """Returns the path of the page that it wrote.

  Args:
    directories: of runs.
    output: directory of the report; one that is there is overwritten. By
      default `report`, of one run in its own directory.
    seed: of the draws of the confidence intervals.
    resample_tasks: whether confidence intervals are over tasks too, not only
      over seeds.
  """
  if not directories:
    raise ValueError('Name one or more run directories.')
  directories = [paths.checked(x, 'the run directory') for x in directories]
  absolute = [os.path.abspath(x) for x in directories]
  twice = sorted({x for x in absolute if absolute.count(x) > 1})
  if twice:
    raise ValueError(f'Run directories are named twice: {", ".join(twice)}.')
  runs = [runs_lib.load(directory) for directory in directories]
  output = paths.checked(output or os.path.join(
      directories[0] if len(directories) == 1 else '', 'report'), 'output')
  paths.check_local(output, 'output')
  paths.check_writable(output + '/', 'output')
  page = document.write(sections.report(
      groups.group(runs), output, seed=seed, resample_tasks=resample_tasks),
                        output)
  print(f'written: {page}, and report.md with its pictures beside it')
  return page


if __name__ == '__main__':
  cli.run(report, positional=('directories',))
