"""Kills a training run at random moments, and looks at what it leaves.

  python tools/crash_test.py --num_kills=20 --seed=0

A tiny deterministic run of catch gets SIGKILL again and again, every fourth
time while it starts, else some time after its first step. After each: the last
checkpoint and the data's position load, no more than `checkpoint_every` learner
steps are lost, and the snapshot is a whole one. At the end the run must be, bit
for bit, one that was never killed.
"""

import argparse
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import threading
import time

import numpy as np
import tensorflow as tf

from tf_muzero import collect
from tf_muzero.envs import behaviours
from tf_muzero.reanalyse import snapshots

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_CHECKPOINT_EVERY = 20
_SETTINGS = [
    f'train.train.checkpoint_every = {_CHECKPOINT_EVERY}',
    'train.train.snapshot_every = 2', 'train.train.deterministic = True',
    'train.train.jit_compile = False']


def _arguments() -> argparse.Namespace:
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--num_kills', type=int, default=20)
  parser.add_argument('--num_steps', type=int, default=3_000,
                      help='learner steps; must outlast the kills')
  parser.add_argument('--longest', type=float, default=4.0,
                      help='seconds from then to the kill')
  parser.add_argument('--seed', type=int, default=0, help='of the moments')
  return parser.parse_args()


def _start(directory: str, dataset: str, num_steps: int) -> subprocess.Popen:
  """Returns a process that trains; the same call resumes."""
  settings = [*_SETTINGS, f'train.train.num_steps = {num_steps}',
              f'RUN_DIRECTORY = {directory!r}', f'DATASET = {dataset!r}']
  return subprocess.Popen(
      [sys.executable, '-m', 'tf_muzero.train',
       '--gin_file=gin/experiment/catch.gin',
       '--gin_file=gin/hardware/smoke.gin',
       *(f'--gin_bindings={setting}' for setting in settings)],
      cwd=_ROOT, env={**os.environ, 'PYTHONPATH': _ROOT}, text=True,
      stderr=subprocess.PIPE)


def _kill_after(process: subprocess.Popen, pattern: str, seconds: float
                ) -> bool:
  """Kills a process so long after a line of its log; False if it was done."""
  log = []
  begun = threading.Event()

  def follow():
    for line in process.stderr:
      log.append(line)
      if re.search(pattern, line):
        begun.set()
    begun.set()

  reader = threading.Thread(target=follow)
  reader.start()
  begun.wait()
  time.sleep(seconds)
  is_alive = process.poll() is None
  process.kill()
  process.wait()
  reader.join()
  if not is_alive and process.returncode:
    sys.exit('The run failed:\n' + ''.join(log))
  return is_alive


def _check(directory: str) -> tuple[int, int]:
  """Returns the last checkpoint's step and the last step that was logged."""
  checkpoints = os.path.join(directory, 'checkpoints')
  step = 0
  latest = tf.train.latest_checkpoint(checkpoints)
  if latest:
    step = int(latest.rsplit('-', 1)[1])
    for path in (latest, os.path.join(checkpoints, f'data-{step}')):
      reader = tf.train.load_checkpoint(path)
      for name, dtype in reader.get_variable_to_dtype_map().items():
        if dtype != tf.variant:  # Parts of iterators; resuming reads them.
          reader.get_tensor(name)  # Checks its sum too.
  logged = _logged_steps(directory)
  lost = (logged[-1] if logged else 0) - step
  if lost > _CHECKPOINT_EVERY:
    sys.exit(f'{lost} steps are lost, more than {_CHECKPOINT_EVERY}.')
  if tf.io.gfile.exists(os.path.join(directory, 'snapshots', 'latest')):
    snapshot_step, vector = snapshots.read(
        os.path.join(directory, 'snapshots'), tf.constant(0))
    if not np.isfinite(vector).all() or vector.shape[0] < 100:
      sys.exit(f'The snapshot of step {snapshot_step} is not a whole one.')
  return step, step + lost


def _logged_steps(directory: str) -> list[int]:
  path = os.path.join(directory, 'metrics.jsonl')
  if not os.path.exists(path):
    return []
  with open(path, encoding='utf-8') as file:
    return [int(step) for step in re.findall(r'(?m)^{"step": (\d+).*}$',
                                             file.read())]


def _compare(*directories: str) -> None:
  """Exits if two finished runs differ in anything but time."""
  readers = [tf.train.load_checkpoint(os.path.join(x, 'checkpoints'))
             for x in directories]
  for name in readers[0].get_variable_to_shape_map():
    if name.startswith(('network/', 'target/', 'optimizer/')):
      one, other = (reader.get_tensor(name) for reader in readers)
      np.testing.assert_array_equal(one, other, err_msg=name)
  metrics = []
  for x in directories:
    with open(os.path.join(x, 'metrics.jsonl'), encoding='utf-8') as file:
      metrics.append([{key: value for key, value in json.loads(line).items()
                       if not key.startswith('time/')} for line in file])
  if metrics[0] != metrics[1]:
    sys.exit('The metrics of the killed run differ from those of the whole.')


def main() -> None:
  arguments = _arguments()
  moments = random.Random(arguments.seed)
  with tempfile.TemporaryDirectory() as folder:
    dataset, killed, whole = (
        os.path.join(folder, name) for name in ('data', 'killed', 'whole'))
    collect.collect(
        task='catch', directory=dataset, num_episodes=50, seed=1,
        behaviour=behaviours.uniform(), action_repeat=1)
    for i in range(arguments.num_kills):
      seconds = moments.uniform(0.0, arguments.longest)
      process = _start(killed, dataset, arguments.num_steps)
      if not _kill_after(
          process, r'step \d+/' if i % 4 else 'results in', seconds):
        sys.exit(f'The run ended before kill {i}: give more --num_steps.')
      saved, logged = _check(killed)
      print(f'kill {i + 1}: {seconds:.2f} s after the '
            f'{"first step" if i % 4 else "start"}; steps done {logged}, saved '
            f'{saved}', flush=True)
    for directory in (killed, whole):
      _, errors = _start(
          directory, dataset, arguments.num_steps).communicate()
      if 'Traceback' in errors:
        sys.exit(errors)
    _compare(killed, whole)
  print(f'{arguments.num_kills} kills; the run equals one that was not killed.')


if __name__ == '__main__':
  main()
