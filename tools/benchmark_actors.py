"""Times rounds of a slow environment in one process and in several; JSON lines.

  python tools/benchmark_actors.py --sleep=0.01

Catch, each of whose steps sleeps; 16 environments, as gin/interaction.gin has
them, and decisions that cost nothing, so that the rest is what the processes
cost. The first round, in which they start, is not counted. A sleep of 0 shows
what a step through a pipe costs. A sleep needs no core, so that the machine's
cores do not limit it; what computes is limited by them.
"""

import argparse
import functools
import json
import os
import statistics
import time

import tensorflow as tf

from tf_muzero import envs
from tf_muzero.acting import actor_processes
from tf_muzero.acting import actors as actors_lib
from tf_muzero.acting import rounds
from tf_muzero.envs import catch
from tf_muzero.types import Improved

_VARIABLE = 'BENCHMARK_ACTORS_SLEEP'


class _Slow(catch.Catch):
  """Catch that sleeps."""

  def step(self, action):
    time.sleep(float(os.environ[_VARIABLE]))
    return super().step(action)


def slow(seed: int) -> _Slow:
  """Returns the environment, also to processes that know the file alone."""
  return _Slow(seed)


def _decide(vector, observation, noise, numbers, temperature):
  """Decides at no cost; see `exploration.DecideFn`."""
  del vector, noise, numbers, temperature
  nothing = tf.zeros([observation.shape[0]])
  action = tf.ones([observation.shape[0]], tf.int32)
  return action, Improved(
      action[:, tf.newaxis], nothing[:, tf.newaxis], nothing, nothing, {})


def _measure(sleep: float, num_processes: int, num_environments: int,
             num_rounds: int) -> dict[str, float]:
  """Returns environment steps a second, the median over rounds."""
  os.environ[_VARIABLE] = str(sleep)
  task = f'{os.path.abspath(__file__)}:slow'
  spec = envs.spec(envs.load(task, seed=0))
  make = functools.partial(
      actors_lib.make_environment, task, action_repeat=1, clip_rewards=False,
      max_steps=None, spec=spec)
  rates = []
  with actor_processes.scope():
    actors = actor_processes.actors_of(make, num_processes)
    for number in range(num_rounds + 1):
      start = time.monotonic()
      played = rounds.play(
          actors, _decide, tf.zeros([]), number, action_spec=spec.action,
          num_environments=num_environments, num_candidates=1,
          temperature=1.0, root_noise_alpha=0.5, frame_stack=1, seed=0)
      steps = sum(len(x.episode.reward) - 1 for x in played)
      rates.append(steps / (time.monotonic() - start))
  return {'sleep': sleep, 'processes': num_processes,
          'steps_per_second': round(statistics.median(rates[1:]), 1),
          'lowest': round(min(rates[1:]), 1),
          'highest': round(max(rates[1:]), 1)}


def main() -> None:
  """Prints a line for each sleep and number of processes."""
  parser = argparse.ArgumentParser()
  parser.add_argument('--sleep', type=float, nargs='+', default=[0.0, 0.01])
  parser.add_argument('--processes', type=int, nargs='+',
                      default=[0, 1, 2, 4, 8, 16])
  parser.add_argument('--environments', type=int, default=16)
  parser.add_argument('--rounds', type=int, default=5)
  options = parser.parse_args()
  for sleep in options.sleep:
    for num_processes in options.processes:
      print(json.dumps(_measure(
          sleep, num_processes, options.environments, options.rounds)),
            flush=True)


if __name__ == '__main__':
  main()
