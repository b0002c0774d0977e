"""Makes the tables and plots of one or many runs: Markdown, PNG, and one page.

  python -m tf_muzero.report RUN... --output report

Runs of the same task and method are seeds of it. `report.html` has all in one
file; `report.md` refers to the pictures beside it.
"""

import os
import sys
from typing import Sequence

from absl import app
from absl import flags

from tf_muzero.reporting import document
from tf_muzero.reporting import runs as runs_lib
from tf_muzero.reporting import sections

_OUTPUT = flags.DEFINE_string('output', 'report', 'Directory of the report.')
_SEED = flags.DEFINE_integer(
    'seed', 0, 'Of the draws of the confidence intervals.')
_RESAMPLE_TASKS = flags.DEFINE_bool(
    'resample_tasks', False, 'Whether confidence intervals are over tasks too, '
    'not only over seeds.')


def report(directories: Sequence[str], output: str, *, seed: int = 0,
           resample_tasks: bool = False) -> str:
  """Returns the path of the page that it wrote.

  Args:
    directories: of runs.
    output: directory of the report; one that is there is overwritten.
    seed: of the confidence intervals.
    resample_tasks: see `aggregates.interval`.
  """
  if not directories:
    raise ValueError('Name one or more run directories.')
  paths = [os.path.abspath(x) for x in directories]
  twice = sorted({x for x in paths if paths.count(x) > 1})
  if twice:
    raise ValueError(f'Run directories are named twice: {", ".join(twice)}.')
  runs = [runs_lib.load(directory) for directory in directories]
  os.makedirs(output, exist_ok=True)
  blocks = sections.report(
      runs, output, seed=seed, resample_tasks=resample_tasks)
  page = os.path.join(output, 'report.html')
  for path, text in ((os.path.join(output, 'report.md'),
                      document.to_markdown(blocks)),
                     (page, document.to_html(blocks, output))):
    with open(path, 'w', encoding='utf8') as file:
      file.write(text)
  return page


def main(argv: Sequence[str]) -> None:
  try:
    page = report(argv[1:], _OUTPUT.value, seed=_SEED.value,
                  resample_tasks=_RESAMPLE_TASKS.value)
  except (ValueError, OSError) as error:
    if os.environ.get('TF_MUZERO_DEBUG'):
      raise
    sys.exit(f'Error: {error}')
  print(f'written: {page}, and report.md with its pictures beside it')


if __name__ == '__main__':
  app.run(main)
