"""A slow MCTS of one tree at a time, written for reading, in float64.

It shares no code with `tf_muzero.search`; the formulas are those of the papers.
The model is called for each node, one state at a time.
"""

import functools
import math

import numpy as np
import tensorflow as tf


class Node:
  """A state in the tree, with its children by candidate."""

  def __init__(self, number, prior, value, embedding, reward=0.0,
               discount=0.0):
    self.number = number
    self.prior = prior
    self.network_value = value
    self.embedding = embedding
    self.reward = reward
    self.discount = discount
    self.children = {}
    self.returns = [value]

  @property
  def value(self):
    return sum(self.returns) / len(self.returns)

  @property
  def visits(self):
    return len(self.returns)

  def q(self, action):
    child = self.children[action]
    return child.reward + child.discount * child.value


def plan(model, embedding, *, num_simulations, unvisited='zero',
         bounds='tree', min_root_visits=0, pb_c_init=1.25, pb_c_base=19652.0,
         invalid=None, prior=None):
  """Returns the list of nodes in the order they were made, and their depths."""
  view = tf.nest.map_structure(
      lambda x: x.numpy(), model.root(embedding[None]))
  root = Node(0, _softmax(view.prior_logits[0], invalid) if prior is None
              else prior, float(view.value[0]), embedding)
  nodes, depths, seen = [root], [0], []
  for number in range(1, num_simulations + 1):
    node, path = root, [root]
    while True:
      scores = _scores(node, unvisited, bounds, seen, pb_c_init, pb_c_base)
      if node is root:
        if invalid is not None:
          scores[invalid] = -np.inf
        lacks = [a for a in range(len(scores)) if scores[a] > -np.inf
                 and _visits(node, a) < min_root_visits]
        if lacks:
          scores[[a for a in range(len(scores)) if a not in lacks]] = -np.inf
      action = int(np.argmax(scores))
      if action not in node.children:
        break
      node = node.children[action]
      path.append(node)
    leaf = _imagine(model, node, action, number)
    node.children[action] = leaf
    nodes.append(leaf)
    depths.append(len(path))
    _back_up(path, leaf, seen)
  return nodes, depths


@functools.lru_cache(maxsize=None)
def _compiled(model):
  """Returns the model's step for one state; traced once."""

  def step(number, embedding):
    return model.recurrent(
        (), None, model.draw(None, embedding, number), embedding)

  return tf.function(step, autograph=False)


def _imagine(model, node, action, number):
  step = _compiled(model)(tf.constant([action]), node.embedding[None])
  step = tf.nest.map_structure(lambda x: x.numpy(), step)
  return Node(number, _softmax(step.prior_logits[0]), float(step.value[0]),
              step.embedding[0], float(step.reward[0]),
              float(step.discount[0]))


def _back_up(path, leaf, seen):
  value, child = leaf.network_value, leaf
  for node in reversed(path):
    value = child.reward + child.discount * value
    node.returns.append(value)
    seen.append(child.reward + child.discount * child.value)
    child = node


def _visits(node, action):
  return node.children[action].visits if action in node.children else 0


def _scores(node, unvisited, bounds, seen, pb_c_init, pb_c_base):
  """Returns PUCT's scores of all candidates."""
  num = len(node.prior)
  qs = {a: node.q(a) for a in node.children}
  if bounds == 'tree':
    low, high = (min(seen), max(seen)) if seen else (0.0, 0.0)
  else:
    low = min([node.value] + list(qs.values()))
    high = max([node.value] + list(qs.values()))
  scale = lambda q: (q - low) / max(high - low, 1e-8)
  scaled = {a: scale(q) for a, q in qs.items()}
  default = {
      'zero': 0.0,
      'mean': sum(scaled.values()) / max(len(scaled), 1),
      'network': float(np.clip(scale(node.network_value), 0.0, 1.0)),
  }[unvisited]
  n = 1 + sum(_visits(node, a) for a in range(num))
  factor = math.sqrt(n) * (
      pb_c_init + math.log((n + pb_c_base + 1.0) / pb_c_base))
  return np.array([
      scaled.get(a, default) + factor * node.prior[a] / (1 + _visits(node, a))
      for a in range(num)])


def _softmax(logits, invalid=None):
  logits = np.asarray(logits, np.float64)
  if invalid is not None:
    logits = np.where(invalid, -np.inf, logits)
  probs = np.exp(logits - logits.max())
  return probs / probs.sum()
