"""Plans one state of a toy model and draws the tree.

  tf-muzero search_demo --output=tree.png
  tf-muzero search_demo --simulations=20 --min_visits=1

The toy is a corridor of nine cells. A coin worth 0.3 lies two steps to the left
of the start, one worth 1 four steps to its right; each step costs 0.02 and a
coin ends the walk. The network's prior prefers the left, and its value rises a
little to the right. With enough simulations the search goes right.
"""

import numpy as np
import tensorflow as tf

from tf_muzero import cli
from tf_muzero import rng
from tf_muzero.search import drawing
from tf_muzero.search import mcts
from tf_muzero.search import selection
from tf_muzero.types import RootOutput, StepOutput

_ACTIONS = ('left', 'stay', 'right')
_START, _COINS = 4, {2: 0.3, 8: 1.0}
_STEP_COST, _DISCOUNT, _VALUE_SLOPE = 0.02, 0.97, 0.08


def corridor() -> tuple[RootOutput, mcts.RecurrentFn]:
  """Returns the start of the toy, and its step."""
  coins = np.zeros(9, np.float32)
  coins[list(_COINS)] = list(_COINS.values())

  def view(cell):
    logits = tf.math.log(tf.constant([[0.5, 0.25, 0.25]]))
    logits = tf.tile(logits, [cell.shape[0], 1])
    return logits, _VALUE_SLOPE * tf.cast(cell, tf.float32)

  def recurrent_fn(parameters, seed, action, cell):
    del parameters, seed
    cell = tf.clip_by_value(cell + action - 1, 0, 8)
    coin = tf.gather(coins, cell)
    discount = tf.where(coin > 0, 0.0, _DISCOUNT)
    logits, value = view(cell)
    return StepOutput(coin - _STEP_COST, discount, logits, value, cell)

  start = tf.constant([_START])
  logits, value = view(start)
  return RootOutput((), logits, value, start), recurrent_fn


def plan(num_simulations: int) -> mcts.Forest:
  """Returns the tree that MuZero's search grows from the start."""
  root, recurrent_fn = corridor()
  score_fn = selection.puct(
      num_simulations=num_simulations,
      unvisited_fn=selection.unvisited_mean, bounds_fn=selection.tree_bounds,
      pb_c_init=1.25, pb_c_base=19652.0)
  return mcts.grow(
      (), root, recurrent_fn, rng.seed(0), num_simulations=num_simulations,
      prior_fn=tf.nn.softmax, score_fn=score_fn, root_score_fn=score_fn)


def search_demo(*, output: str = 'tree.png', simulations: int = 200,
                min_visits: int = 4) -> None:
  """Draws the tree, and prints a table of the root's actions.

  Args:
    output: PNG or SVG file.
    simulations: of the search, at least 1.
    min_visits: nodes with fewer visits are not drawn.
  """
  if simulations < 1:
    raise ValueError(f'simulations must be >= 1, got {simulations}.')
  records = drawing.tree_records(plan(simulations), 0)
  drawing.draw(
      records, output, min_visits=min_visits, name_fn=_ACTIONS.__getitem__,
      title=f'A corridor with two coins, {simulations} simulations')
  print(f'{"action":8}{"prior":>7}{"visits":>8}{"Q":>8}')
  for r in records:
    if r.parent == 0:
      print(f'{_ACTIONS[r.candidate]:8}{r.prior:7.2f}{r.visits:8}{r.q:8.3f}')
  print(f'The tree is in {output}.')


if __name__ == '__main__':
  cli.run(search_demo)
