"""Plots what more candidates and more simulations buy, on a task known exactly.

  python tools/plot_search_improvement.py --output=docs/search_improvement.png

One decision: the action is a point in [-1, 1]^2, and pays 1 minus its distance
to a goal. The prior is a wide Gaussian and the network's values are zero, so
all that is known comes from the search. Shown is what the most visited
candidate pays (of equals the one with the highest Q), as a mean over 512 goals
with its standard error. As in our recipes, every candidate is visited once
before any is visited again. More candidates put one closer to the goal, if the
simulations are enough to try them.
"""

import functools

from absl import app
from absl import flags
import matplotlib
from matplotlib import pyplot
import numpy as np
import tensorflow as tf

from tf_muzero import rng
from tf_muzero.acting import modes
from tf_muzero.search import mcts
from tf_muzero.search import selection
from tf_muzero.types import RootOutput, StepOutput

_OUTPUT = flags.DEFINE_string('output', 'search_improvement.png', 'PNG file.')
_SEED = flags.DEFINE_integer('seed', 0, 'Of goals and candidates.')
_GOALS = 512
_CANDIDATES = (1, 2, 4, 8, 16, 32, 64)
_SIMULATIONS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


def _draw(seed, embedding, number):
  """Returns actions of the prior, [B, 2]."""
  del number
  return tf.tanh(rng.normal(seed, tf.shape(embedding[0])))


@functools.lru_cache(maxsize=None)
def _reward(num_candidates, num_simulations):
  """Returns mean and standard error of what the chosen candidates pay."""
  logits, zeros = tf.zeros([_GOALS, num_candidates]), tf.zeros([_GOALS])

  def pay(action, goal):
    return 1.0 - tf.norm(action - goal, axis=-1)

  def recurrent_fn(parameters, seed, action, embedding):
    del parameters, seed
    goal, is_over = embedding
    return StepOutput(tf.where(is_over, 0.0, pay(action, goal)), zeros, logits,
                      zeros, (goal, tf.ones_like(is_over)))

  @tf.function(jit_compile=True, autograph=False)
  def run():
    seeds = rng.split(rng.seed(_SEED.value), 3)
    goal = 2.0 * rng.uniform(seeds[0], [_GOALS, 2]) - 1.0
    candidates = tf.tanh(rng.normal(seeds[1], [_GOALS, num_candidates, 2]))
    root = RootOutput(candidates, logits, zeros,
                      (goal, tf.zeros([_GOALS], tf.bool)))
    output = mcts.search(
        (), root, recurrent_fn, seeds[2], num_simulations=num_simulations,
        draw_fn=_draw, unvisited_fn=selection.unvisited_mean,
        min_root_visits=1)
    return pay(tf.gather(
        candidates, modes.most_visited(output), batch_dims=1), goal)

  rewards = run().numpy()
  return rewards.mean(), rewards.std() / np.sqrt(_GOALS)


def _plot(axes, sizes, settings, label):
  """Draws a line with its error over `sizes`, at (K, simulations) each."""
  mean, error = np.array([_reward(*setting) for setting in settings]).T
  axes.errorbar(sizes, mean, yerr=error, marker='o', markersize=4, capsize=2,
                label=label)


def main(argv):
  if len(argv) > 1:
    raise app.UsageError(f'Unknown arguments {argv[1:]}.')
  matplotlib.use('Agg')
  figure, (left, right) = pyplot.subplots(
      1, 2, figsize=(9, 3.6), sharey=True, constrained_layout=True)
  for n in (8, 50, 256):
    _plot(left, _CANDIDATES, [(k, n) for k in _CANDIDATES], f'{n} simulations')
  for k in (4, 20, 64):
    _plot(right, _SIMULATIONS, [(k, n) for n in _SIMULATIONS],
          f'{k} candidates')
  left.set_xlabel('candidates K')
  left.set_ylabel('reward of the chosen action')
  right.set_xlabel('simulations')
  for axes, sizes in ((left, _CANDIDATES), (right, _SIMULATIONS)):
    axes.set_xscale('log', base=2)
    axes.set_xticks(sizes, [str(n) for n in sizes])
    axes.grid(alpha=0.3)
    axes.legend(loc='upper left')
  figure.savefig(_OUTPUT.value, dpi=110)
  print(f'The plot is in {_OUTPUT.value}.')


if __name__ == '__main__':
  app.run(main)
