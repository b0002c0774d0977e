"""Pictures of search trees: visits, values, priors, depth."""

from typing import Callable, NamedTuple, Optional

import matplotlib
from matplotlib.backends import backend_agg
from matplotlib.backends import backend_svg
from matplotlib import figure as figure_lib
import numpy as np
import tensorflow as tf

from tf_muzero.search.mcts import Forest

_CANVASES = {'png': backend_agg.FigureCanvasAgg,
             'svg': backend_svg.FigureCanvasSVG}


class NodeRecord(NamedTuple):
  """One node of a tree, in Python numbers.

  Attributes:
    number: in the order that the nodes were made; 0 is the root.
    parent: number of its parent; -1 of the root.
    candidate: number of the parent's candidate that leads to it.
    depth: 0 for the root.
    visits: simulations that went through it, its own included.
    value: mean return from it.
    q: mean return of the edge that leads to it; the root's value at the root.
    prior: prior of the candidate that leads to it, in the forest's own terms: a
      probability, or its logarithm for Gumbel's search; 1 at the root.
  """
  number: int
  parent: int
  candidate: int
  depth: int
  visits: int
  value: float
  q: float
  prior: float


def tree_records(forest: Forest, index: int) -> list[NodeRecord]:
  """Returns the nodes of tree `index`, in the order that they were made."""
  tree = tf.nest.map_structure(lambda x: x.numpy(), forest.tree)
  batch, num_candidates = len(tree.q_min), tree.prior.shape[1]
  num_nodes = len(tree.edge) // batch
  rows = lambda x: x.reshape([batch, num_nodes, -1])[index]
  visits, total, prior = rows(tree.visits), rows(tree.total), rows(tree.prior)
  network_value = rows(tree.network_value)[:, 0]
  edges = rows(tree.edge)[:, 0] - index * num_nodes * num_candidates
  node_visits = 1 + visits.sum(-1)
  values = (network_value + total.sum(-1)) / node_visits
  records = [NodeRecord(0, -1, 0, 0, int(node_visits[0]), float(values[0]),
                        float(values[0]), 1.0)]
  for number in range(1, num_nodes):
    parent, candidate = divmod(int(edges[number]), num_candidates)
    q = total[parent, candidate] / visits[parent, candidate]
    records.append(NodeRecord(
        number, parent, candidate, records[parent].depth + 1,
        int(node_visits[number]), float(values[number]), float(q),
        float(prior[parent, candidate])))
  return records


def draw(records: list[NodeRecord], path: str, *, min_visits: int = 1,
         name_fn: Optional[Callable[[int], str]] = None, title: str = ''
         ) -> None:
  """Draws a tree into a PNG or SVG file.

  Circles grow with visits and are coloured by Q, lines are as wide as the
  share of the parent's visits; beside each line its candidate and prior.

  Args:
    records: see `tree_records`.
    path: ends in .png or .svg.
    min_visits: nodes with fewer visits are left out, but for the root.
    name_fn: name of a candidate by its number.
    title: above the picture.
  """
  kind = path.rpartition('.')[2].lower()
  if kind not in _CANVASES:
    raise ValueError(f'path must end in .png or .svg, got {path!r}.')
  shown = [r for r in records if r.number == 0 or r.visits >= min_visits]
  x = _columns(shown)
  width, height = max(x.values()) + 1, max(r.depth for r in shown) + 1
  figure = figure_lib.Figure(
      figsize=(min(3 + 0.62 * width, 24), min(1.8 + 1.1 * height, 18)))
  _CANVASES[kind](figure)
  axes = figure.add_subplot()
  by_number = {r.number: r for r in shown}
  qs = [r.q for r in shown]
  scale = matplotlib.colors.Normalize(min(qs), max(*qs, min(qs) + 1e-6))
  colours = matplotlib.colormaps['viridis']
  for r in shown[1:]:
    parent = by_number[r.parent]
    share = r.visits / parent.visits
    ends = ([x[r.parent], x[r.number]],
            [float(-parent.depth), float(-r.depth)])
    axes.plot(*ends, color='0.6', linewidth=0.5 + 5 * share, zorder=1)
    name = name_fn(r.candidate) if name_fn else str(r.candidate)
    middle = [0.45 * e[0] + 0.55 * e[1] for e in ends]
    axes.text(middle[0], middle[1], f'{name}\n{r.prior:.2f}', fontsize=7,
              ha='center', va='center', color='0.25', zorder=2,
              bbox={'facecolor': 'white', 'edgecolor': 'none', 'pad': 0.3})
  for r in shown:
    shade = scale(r.q)
    size = 260 + 1500 * np.sqrt(r.visits / records[0].visits)
    axes.scatter(x[r.number], -r.depth, s=size, color=colours(shade),
                 edgecolors='0.2', zorder=3)
    axes.annotate(f'{r.visits}\n{r.value:.2f}', (x[r.number], -r.depth),
                  fontsize=7, ha='center', va='center', zorder=4,
                  color='white' if shade < 0.6 else 'black')
  _finish(figure, axes, scale, colours, width, height, title)
  figure.savefig(path, dpi=130, bbox_inches='tight')


def _finish(figure, axes, scale, colours, width, height, title):
  """Sets the axes, the title and the scale of colours."""
  axes.set_xlim(-0.8, width - 0.2)
  axes.set_ylim(-height + 0.4, 0.6)
  axes.set_yticks([-d for d in range(height)],
                  [str(d) for d in range(height)])
  axes.set_ylabel('depth')
  axes.set_xticks([])
  for side in ('top', 'right', 'bottom'):
    axes.spines[side].set_visible(False)
  axes.set_title(title, fontsize=10)
  figure.colorbar(
      matplotlib.cm.ScalarMappable(scale, colours), ax=axes, shrink=0.6,
      label='Q of the edge above (circles: visits, mean value)')


def _columns(records: list[NodeRecord]) -> dict[int, float]:
  """Returns where each node goes: leaves in columns, parents above them."""
  children: dict[int, list[NodeRecord]] = {}
  for r in records[1:]:
    children.setdefault(r.parent, []).append(r)
  x: dict[int, float] = {}
  next_column = 0.0
  stack = [(records[0].number, False)]
  while stack:
    number, is_done = stack.pop()
    kids = sorted(children.get(number, []), key=lambda r: r.candidate)
    if not kids:
      x[number] = next_column
      next_column += 1.0
    elif is_done:
      x[number] = float(np.mean([x[r.number] for r in kids]))
    else:
      stack.append((number, True))
      stack.extend((r.number, False) for r in reversed(kids))
  return x
