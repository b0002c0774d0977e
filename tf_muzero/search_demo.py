"""Plans one state of a toy model and draws the tree.

  python -m tf_muzero.search_demo --output=tree.png

The toy is a corridor of nine cells. A coin worth 0.3 lies two steps to the left
of the start, one worth 1 four steps to its right; each step costs 0.02 and a
coin ends the walk. The network's prior prefers the left, and its value rises a
little to the right. With enough simulations the search goes right.
"""

from typing import Sequence

from absl import app
from absl import flags
import numpy as np
import tensorflow as tf

from tf_muzero import rng
from tf_muzero.search import drawing
from tf_muzero.search import mcts
from tf_muzero.search import selection
from tf_muzero.types import RootOutput, StepOutput

_OUTPUT = flags.DEFINE_string(
    'output', 'tree.png', 'PNG or SVG file.',
    allow_override=True)  # `report` has one of that name.
_SIMULATIONS = flags.DEFINE_integer('simulations', 200, 'At least 1.')
_MIN_VISITS = flags.DEFINE_integer(
    'min_visits', 4, 'Nodes with fewer visits are not drawn.')
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


def main(argv: Sequence[str]) -> None:
  if len(argv) > 1:
    raise app.UsageError(f'Unknown arguments {argv[1:]}.')
  if _SIMULATIONS.value < 1:
    raise app.UsageError('--simulations must be at least 1.')
  records = drawing.tree_records(plan(_SIMULATIONS.value), 0)
  drawing.draw(
      records, _OUTPUT.value, min_visits=_MIN_VISITS.value,
      name_fn=_ACTIONS.__getitem__,
      title=f'A corridor with two coins, {_SIMULATIONS.value} simulations')
  print(f'{"action":8}{"prior":>7}{"visits":>8}{"Q":>8}')
  for r in records:
    if r.parent == 0:
      print(f'{_ACTIONS[r.candidate]:8}{r.prior:7.2f}{r.visits:8}{r.q:8.3f}')
  print(f'The tree is in {_OUTPUT.value}.')


if __name__ == '__main__':
  app.run(main)
