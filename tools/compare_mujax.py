"""CartPole-v1 learned by this package and by mujax, side by side: JSON, a plot.

  python -m venv .venv-mujax
  .venv-mujax/bin/pip install mujax==0.1.3 "gymnasium[classic-control]"
  python tools/compare_mujax.py --mujax=.venv-mujax/bin/mujax --output=compared

mujax is Gumbel MuZero with reanalyse on JAX, for Gymnasium; it runs in its own
environment by the command of its README, and this package by
gin/experiment/online.gin. Each run has the machine to itself for the same wall
time at most, from the start of its process on, and is evaluated as it learns:
mujax by its own evaluator, an episode after the other beside the learner, this
package by ten episodes of MCTS every 250 learner steps, for which it does not
learn.
"""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from typing import Iterator, NamedTuple, Sequence

import matplotlib
import numpy as np

matplotlib.use('Agg')
from matplotlib import pyplot  # pylint: disable=wrong-import-position

# pylint: disable-next=wrong-import-position
from tf_muzero.reporting import runs as runs_lib

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_EPISODES = 10  # Of an evaluation; a mean over as many of mujax's.
_SOLVED = 475.0  # The threshold that Gymnasium names.
_LINE = re.compile(
    r'evaluator/actor_steps=(\S+),.*evaluator/episode_return=([^,\s]+)')


class Point(NamedTuple):
  """An evaluation.

  Attributes:
    seconds: since the process started.
    steps: of the environment, played until then.
    return_: mean over ten episodes.
  """
  seconds: float
  steps: int
  return_: float


def main() -> None:
  """Runs all, and prints what came of it."""
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument('--mujax', required=True, help='its command')
  parser.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2])
  parser.add_argument('--seconds', type=float, default=180.0,
                      help='of a run, at most')
  parser.add_argument('--output', required=True, help='a new directory')
  arguments = parser.parse_args()
  output, program = (
      os.path.abspath(x) for x in (arguments.output, arguments.mujax))
  os.makedirs(output)
  runs: dict[str, list[list[Point]]] = {'tf_muzero': [], 'mujax': []}
  for seed in arguments.seeds:
    directory = os.path.join(output, str(seed))
    for name, points in (
        ('tf_muzero', _run_own(directory, seed, arguments.seconds)),
        ('mujax', _run_mujax(program, directory, seed, arguments.seconds))):
      runs[name].append(list(points))
      print(json.dumps({'name': name, 'seed': seed, **_summary(
          runs[name][-1])}), flush=True)
  with open(os.path.join(output, 'points.json'), 'w', encoding='utf8') as file:
    json.dump(runs, file)
  _plot(runs, os.path.join(output, 'curves.png'))


def _run_own(directory: str, seed: int, seconds: float) -> Iterator[Point]:
  """Yields the evaluations of a run of this package."""
  run = directory + '_tf_muzero'
  command = [
      sys.executable, '-m', 'tf_muzero', 'train', run, f'--seed={seed}',
      '--gin_file=gin/experiment/online.gin', '--evaluate_every=250',
      "--gin_bindings=interaction.Interaction.task = 'gymnasium:CartPole-v1'",
      '--gin_bindings=evaluate.during_training.modes = [@modes.mcts()]']
  for after, line in _lines(command, seconds):
    if ' evaluation at step ' in line:
      played, scores = (runs_lib.read_lines(os.path.join(run, name)) for name
                        in ('interaction.jsonl', 'evaluations.jsonl'))
      yield Point(after, sum(x['length'] for x in played),
                  scores[-1]['evaluation/mcts'])


def _run_mujax(program: str, directory: str, seed: int, seconds: float
               ) -> Iterator[Point]:
  """Yields the means of each ten episodes that mujax evaluates by."""
  episodes: list[float] = []
  for after, line in _lines([
      program, '--env', 'CartPole-v1', '--num-steps', '20000', '--seed',
      str(seed), '--checkpoint-dir', directory + '_mujax', 'gmz',
      '--num-simulations', '16'], seconds):
    found = _LINE.search(line)
    if found:
      episodes.append(float(found[2]))
      if len(episodes) % _EPISODES == 0:
        yield Point(after, int(float(found[1])), float(
            np.mean(episodes[-_EPISODES:])))


def _lines(command: Sequence[str], seconds: float
           ) -> Iterator[tuple[float, str]]:
  """Yields what a command prints, and when; it is stopped after some time."""
  start = time.perf_counter()
  with subprocess.Popen(
      command, cwd=_ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
      text=True) as process:  # Universal newlines: a bar's are lines, too.
    timer = threading.Timer(
        seconds, lambda: process.send_signal(signal.SIGTERM))
    timer.start()
    for line in process.stdout or ():
      after = time.perf_counter() - start
      if after < seconds:
        yield after, line
    is_over = timer.finished.is_set()
    timer.cancel()
  if process.returncode and not is_over:
    raise RuntimeError(f'{command[0]} failed: exit code {process.returncode}.')


def _summary(points: Sequence[Point]) -> dict:
  """Returns when a run got there, and where it ended."""
  solved = [point for point in points if point.return_ >= _SOLVED]
  return {
      'solved': solved[0]._asdict() if solved else None,
      'share_solved_since': round(float(np.mean([
          x.return_ >= _SOLVED for x in points
          if x.seconds >= solved[0].seconds])), 2) if solved else None,
      'last': points[-1]._asdict() if points else None}


def _plot(runs: dict[str, list[list[Point]]], path: str) -> None:
  """Draws returns over environment steps and over wall time."""
  figure, panels = pyplot.subplots(
      1, 2, sharey=True, figsize=(9, 3.5), layout='constrained')
  for axes, field, label in zip(
      panels, ('steps', 'seconds'), ('environment steps', 'wall time, s')):
    for color, (name, seeds) in zip(('tab:blue', 'tab:orange'), runs.items()):
      for i, points in enumerate(seeds):
        axes.plot([getattr(x, field) for x in points],
                  [x.return_ for x in points], color=color, linewidth=1,
                  label=None if i else name)
    axes.set_xlabel(label)
    axes.grid(alpha=0.3)
  panels[0].set_xscale('log')
  panels[0].set_ylabel('return, mean of ten episodes')
  panels[0].legend()
  figure.savefig(path, dpi=120)
  pyplot.close(figure)


if __name__ == '__main__':
  main()
