"""Writes what rliable says of random scores, to compare ours with.

  pip install rliable  # In an environment of its own.
  python tools/make_rliable_golden.py tests/reporting/rliable.json
"""

import json
import sys

import numpy as np
from rliable import library  # pylint: disable=import-error
from rliable import metrics  # pylint: disable=import-error

_NUM_SAMPLES = 20_000


def main(path: str) -> None:
  """Writes scores [runs, tasks], aggregates and their intervals."""
  np.random.seed(0)  # rliable draws from this generator only.
  scores = np.round(np.random.gamma(2.0, 50.0, [5, 9]), 1)
  names = {'median': metrics.aggregate_median, 'mean': metrics.aggregate_mean,
           'interquartile mean': metrics.aggregate_iqm}
  content = {'scores': scores.tolist()}
  for key, task_bootstrap in (('runs', False), ('runs and tasks', True)):
    values, intervals = library.get_interval_estimates(
        {'x': scores}, lambda x: np.array([fn(x) for fn in names.values()]),
        reps=_NUM_SAMPLES, task_bootstrap=task_bootstrap)
    content[key] = {
        name: [float(value), float(low), float(high)] for name, value, low, high
        in zip(names, values['x'], *intervals['x'])}
  with open(path, 'w', encoding='utf8') as file:
    file.write(json.dumps(content, indent=1) + '\n')


if __name__ == '__main__':
  main(*sys.argv[1:])
