"""How well a checkpoint can be chosen without playing: rules against returns.

  python -m tools.judge_checkpoints runs/1 runs/2 --by=evaluation/mcts

Of runs that were evaluated by play and by stored episodes at the same steps
(gin/fitted_value.gin). Prints a line for each rule, means over the runs with
their standard errors:

- rank correlation (Spearman) of what the rule goes by with the true return,
  over a run's evaluations; 1 orders them rightly.
- regret: what the best checkpoint's return is higher than that of the one that
  the rule takes.

`the last` and `at random` go by nothing. Play is noisy itself: the best of
several evaluations is partly so by chance, and regret is never quite 0.
"""

from typing import Any, Mapping, NamedTuple, Sequence

from absl import app
from absl import flags
import numpy as np
from scipy import stats

from tf_muzero.learning import best
from tf_muzero.reporting import runs as runs_lib

_BY = flags.DEFINE_string(
    'by', 'evaluation/mcts', 'Metric of the evaluations that is the true one.')
_SPREAD = '_spread'  # Of the data: nothing to choose by.


class Judged(NamedTuple):
  """What a rule is worth in a run.

  Attributes:
    correlation: rank correlation with the true return; NaN where the rule goes
      by nothing, or by what is always the same.
    regret: in units of return.
    step: that it takes; the mean of all, at random.
  """
  correlation: float
  regret: float
  step: float


def judge(lines: Sequence[Mapping[str, Any]], by: str) -> dict[str, Judged]:
  """Returns what each rule is worth in a run.

  Args:
    lines: of its `evaluations.jsonl`; those that lack a metric are left out.
    by: the metric that is the true return.
  """
  lines = [line for line in lines if by in line]
  names = sorted(set.intersection(*(set(line) for line in lines))) if (
      lines) else []
  names = [name for name in names if name.startswith('validation/')
           and not name.endswith(_SPREAD)]
  if len(lines) < 3 or not names:
    raise ValueError(f'There have to be three evaluations or more with {by} '
                     f'and with validation metrics, and there are {len(lines)} '
                     f'and {names}: train with gin/fitted_value.gin.')
  true = np.array([line[by] for line in lines])
  steps = np.array([line['step'] for line in lines], float)
  found = {}
  for name in names:
    sign = 1.0 if best.is_better(name, 1.0, 0.0) else -1.0
    said = sign * np.array([line[name] for line in lines])
    is_constant = (said == said[0]).all() or (true == true[0]).all()
    taken = int(np.argmax(said))
    found[name] = Judged(
        np.nan if is_constant else float(stats.spearmanr(said, true)[0]),
        float(true.max() - true[taken]), steps[taken])
  found['the last'] = Judged(np.nan, float(true.max() - true[-1]), steps[-1])
  found['at random'] = Judged(
      np.nan, float(true.max() - true.mean()), float(steps.mean()))
  return found


def format_table(runs: Sequence[Mapping[str, Judged]]) -> str:
  """Returns the rules that all runs have, the least regret first."""
  names = set.intersection(*(set(run) for run in runs))
  means = {name: np.mean([run[name].regret for run in runs]) for name in names}
  width = max(map(len, names))
  rows = [f'{"":{width}}  {"rank correlation":>17}  {"regret":>17}']
  for name in sorted(names, key=lambda name: (means[name], name)):
    correlations, regrets = (
        [getattr(run[name], key) for run in runs]
        for key in ('correlation', 'regret'))
    rows.append(f'{name:{width}}  {_mean(correlations, 2):>17}  '
                f'{_mean(regrets, 3):>17}'.rstrip())
  return '\n'.join(rows)


def _mean(values: Sequence[float], digits: int) -> str:
  """Returns mean and standard error of those that are known."""
  known = [x for x in values if np.isfinite(x)]
  if not known:
    return ''
  mean = f'{np.mean(known):.{digits}g}'
  if len(known) == 1:
    return mean
  return f'{mean} +- {np.std(known, ddof=1) / len(known)**0.5:.1g}'


def main(argv: Sequence[str]) -> None:
  """Judges all rules by all runs."""
  if not argv[1:]:
    raise app.UsageError('Name the run directories.')
  print(format_table([
      judge(runs_lib.read_lines(f'{directory}/evaluations.jsonl'), _BY.value)
      for directory in argv[1:]]))


if __name__ == '__main__':
  app.run(main)
