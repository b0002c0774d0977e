"""From nothing to a policy that planned its way past its own dataset.

Run by tools/quickstart.sh. Collects cartpole swing-up episodes in MuJoCo, looks
at them, learns from them offline by MuZero Unplugged and by behaviour cloning,
evaluates, exports, and ends with a table, a learning curve and a video. Each
step is a command of the package; it is printed and can be run by hand.
"""

import argparse
import json
import os
import shlex
import subprocess
import sys
import time
from typing import Any, NamedTuple, Sequence

import matplotlib
import numpy as np

matplotlib.use('Agg')
from matplotlib import pyplot  # pylint: disable=wrong-import-position

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_EXPERIMENTS = {  # Action repeat -> MuZero Unplugged, behaviour cloning.
    4: ('cartpole_swingup', 'cartpole_swingup_cloning'),
    1: ('cartpole_swingup_every_step', 'cartpole_swingup_every_step_cloning'),
}
_RANDOM_STEPS = 50  # Environment steps before an episode, at most.
_NAMES = {'policy': "policy's mode", 'sample': 'policy, sampled',
          'value': 'value of one imagined step', 'mcts': 'MCTS'}


class Step(NamedTuple):
  """A command that was run, and its wall time in seconds."""
  name: str
  seconds: float


def main() -> None:
  """Runs all steps and prints the table."""
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument('--directory', default='runs/quickstart',
                      help='where everything is written')
  parser.add_argument('--seed', type=int, default=0,
                      help='of the data and of the training')
  parser.add_argument('--action_repeat', type=int, default=4,
                      choices=sorted(_EXPERIMENTS),
                      help='environment steps per decision')
  parser.add_argument('--smoke', action='store_true',
                      help='tiny sizes: only to see that it runs')
  arguments = parser.parse_args()
  directory = os.path.abspath(arguments.directory)
  os.makedirs(directory, exist_ok=True)
  check_arguments(directory, arguments)
  steps = _run_all(directory, arguments)
  report = make_report(directory, arguments.seed, arguments.action_repeat,
                       steps)
  with open(os.path.join(directory, 'report.md'), 'w', encoding='utf8') as file:
    file.write(report)
  plot_learning(directory)
  print('\n' + report)
  print(f'Look at {directory}: report.md, learning_curve.png, episode.gif, and '
        'the SavedModel in policy/.')


def check_arguments(directory: str, arguments: argparse.Namespace) -> None:
  """Writes the arguments down; exits if what is there is of others."""
  settings = {name: value for name, value in vars(arguments).items()
              if name != 'directory'}
  path = os.path.join(directory, 'arguments.json')
  if not os.path.exists(path):
    with open(path, 'w', encoding='utf8') as file:
      json.dump(settings, file)
  there = _read_json(path)
  if there != settings:
    sys.exit(f'What is in {directory} was made with {there}, not with '
             f'{settings}. Give another --directory, or remove it.')


def _run_all(directory: str, arguments: argparse.Namespace) -> list[Step]:
  """Runs the commands; one whose result is there is not run again."""
  inside = lambda *names: os.path.join(directory, *names)
  smoke = ['gin/hardware/smoke.gin'] if arguments.smoke else []
  muzero, cloning = _EXPERIMENTS[arguments.action_repeat]
  steps = []

  def run(name: str, *command: str, files: Sequence[str] = ()):
    command = (*command, *(f'--gin_file={x}' for x in files))
    print(f'\n== {name}\ntf-muzero {shlex.join(command)}', flush=True)
    start = time.perf_counter()
    if subprocess.run([sys.executable, '-m', 'tf_muzero', *command],
                      cwd=_ROOT, check=False).returncode:
      sys.exit(f'{name} failed; what went wrong is said above. The same '
               'command goes on from here.')
    steps.append(Step(name, time.perf_counter() - start))

  if not os.path.exists(inside('dataset')):
    run('collect', 'collect', inside('dataset'),
        f'--num_episodes={4 if smoke else 60}', f'--seed={arguments.seed}',
        f'--action_repeat={arguments.action_repeat}', files=['gin/collect.gin'])
  run('inspect', 'inspect', inside('dataset'))
  for name, experiment in (('muzero', muzero), ('cloning', cloning)):
    run(f'train {name}', 'train', inside(name), inside('dataset'),
        f'--seed={arguments.seed}',
        files=[f'gin/experiment/{experiment}.gin', *smoke])
  for name, modes in (('muzero', '[@modes.policy(), @modes.sample(), '
                       '@modes.value(), @modes.mcts()]'),
                      ('cloning', '[@modes.policy(), @modes.sample()]')):
    run(f'evaluate {name}', 'evaluate', inside(name),
        f'--random_start_steps={_RANDOM_STEPS}',
        f'--gin_bindings=evaluate.evaluate.modes = {modes}')
  run('export', 'export', inside('muzero'), f'--output={inside("policy")}',
      '--overwrite')
  run('film', 'evaluate', inside('policy'), '--num_episodes=1',
      f'--video={inside("episode.gif")}')
  return steps


def make_report(directory: str, seed: int, action_repeat: int,
                steps: Sequence[Step]) -> str:
  """Returns the table of returns and of wall times, in Markdown."""
  data = _dataset_returns(directory)
  rows = [('dataset, mean', f'{data.mean():.0f}', f'{_error(data):.0f}'),
          ('dataset, best episode', f'{data.max():.0f}', '')]
  for name, title in (('cloning', 'behaviour cloning'),
                      ('muzero', 'MuZero Unplugged')):
    for result in _read_json(directory, name, 'evaluation.json')['evaluations']:
      rows.append((f'{title}, {_NAMES[result["mode"]]}',
                   f'{result["mean"]:.0f}', f'{result["standard_error"]:.0f}'))
  last = _read_lines(directory, 'muzero', 'evaluations.jsonl')[-3:]
  if last:
    means = [line['evaluation/mcts'] for line in last]
    at = ', '.join(str(line['step']) for line in last)
    rows.append((f'MuZero Unplugged, MCTS, worst of the steps {at}',
                 f'{min(means):.0f}', ''))
  metrics = _read_lines(directory, 'muzero', 'metrics.jsonl')
  mean = lambda key: np.mean([  # The first line may be too early for a speed.
      line[f'time/{key}'] for line in metrics if f'time/{key}' in line])
  return '\n'.join([
      f'# cartpole swing-up, offline, action repeat {action_repeat}, seed '
      f'{seed}', '',
      f'{len(data)} episodes of data. Returns of 10 episodes with varied '
      'starts.', '',
      '| who acts | mean return | standard error |', '|---|---|---|',
      *(f'| {" | ".join(row)} |' for row in rows), '',
      f'Training: {mean("steps_per_second"):.0f} steps/s, '
      f'{mean("windows_per_second"):.0f} windows/s, '
      f'{mean("searches_per_second"):.0f} searches/s; the trainer waited for '
      f'data {100 * mean("waited_share"):.0f}% of the time.', '',
      '| step | seconds |', '|---|---|',
      *(f'| {step.name} | {step.seconds:.0f} |' for step in steps),
      f'| all | {sum(step.seconds for step in steps):.0f} |', ''])


def plot_learning(directory: str) -> None:
  """Draws returns over learner steps into learning_curve.png."""
  data = _dataset_returns(directory)
  lines = _read_lines(directory, 'muzero', 'evaluations.jsonl')
  cloning = _read_json(directory, 'cloning', 'evaluation.json')['evaluations']
  figure, axes = pyplot.subplots(figsize=(7, 4.2), layout='constrained')
  steps = [line['step'] for line in lines]
  for mode, style in (('mcts', '-o'), ('policy', '--s'), ('sample', ':^')):
    key = f'evaluation/{mode}'
    axes.errorbar(
        steps, [line[key] for line in lines],
        [line[f'{key}_standard_error'] for line in lines], fmt=style,
        markersize=4, capsize=2, label=f'MuZero Unplugged, {_NAMES[mode]}')
  axes.axhline(data.mean(), color='k', linestyle='-', label='dataset, mean')
  axes.axhline(data.max(), color='k', linestyle=':', label='dataset, best')
  sampled = next(x for x in cloning if x['mode'] == 'sample')
  axes.axhline(sampled['mean'], color='tab:red', linestyle='-.',
               label='behaviour cloning, sampled')
  axes.set(xlabel='learner step', ylabel='mean return of 10 episodes',
           title='cartpole swing-up, learned offline', ylim=(0, None))
  axes.legend(fontsize='small', loc='lower right')
  figure.savefig(os.path.join(directory, 'learning_curve.png'), dpi=150)


def _dataset_returns(directory: str) -> np.ndarray:
  from tf_muzero.data import episodes  # pylint: disable=import-outside-toplevel
  dataset = episodes.open_dataset(os.path.join(directory, 'dataset'))
  return np.array([episode.reward.sum()
                   for episode in episodes.load_episodes(dataset)])


def _error(returns: np.ndarray) -> float:
  return returns.std(ddof=1) / np.sqrt(len(returns))


def _read_json(*names: str) -> Any:
  with open(os.path.join(*names), encoding='utf8') as file:
    return json.load(file)


def _read_lines(*names: str) -> list[dict[str, Any]]:
  path = os.path.join(*names)
  if not os.path.exists(path):
    return []
  with open(path, encoding='utf8') as file:
    return [json.loads(line) for line in file]


if __name__ == '__main__':
  main()
