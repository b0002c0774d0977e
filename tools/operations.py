"""Floating-point operations of a network, counted in its graph."""

import math
from typing import Callable

import tensorflow as tf


def count_flops(fn: Callable, *inputs: tf.TensorSpec) -> float:
  """Returns the operations in the products and convolutions of a function."""
  flops = 0.0
  graph = tf.function(fn, autograph=False).get_concrete_function(*inputs).graph
  for op in graph.get_operations():
    if op.type not in ('MatMul', 'BatchMatMulV2', 'Conv2D'):
      continue
    weights = op.inputs[1].shape.as_list()
    if op.type == 'Conv2D':  # [h, w, in, out]
      depth = math.prod(weights[:3])
    else:
      name = 'transpose_b' if op.type == 'MatMul' else 'adj_y'
      depth = weights[-1 if op.get_attr(name) else -2]
    flops += 2.0 * depth * op.outputs[0].shape.num_elements()
  return flops
