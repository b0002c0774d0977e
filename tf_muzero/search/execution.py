"""What a search is run by: XLA or not, on a CPU or elsewhere."""

import enum

import tensorflow as tf


class Execution(enum.Enum):
  """What the operations of a search are chosen for; the results are the same.

  Attributes:
    ANYWHERE: all trees are walked at once, by operations without side effects.
    PLAIN_GRAPH: for a `tf.function` that XLA does not compile, on a CPU: arrays
      are changed in place, see `updates`.
    XLA_CPU: for XLA on a CPU. Trees are walked one by one, since an operation
      on one tree costs nanoseconds there: no tree waits for the deepest one,
      and a tree stays in the cache while it is walked.
  """
  ANYWHERE = 'anywhere'
  PLAIN_GRAPH = 'plain_graph'
  XLA_CPU = 'xla_cpu'


def on_host(jit_compile: bool) -> Execution:
  """Returns what suits a CPU, with or without XLA."""
  return Execution.XLA_CPU if jit_compile else Execution.PLAIN_GRAPH


def by_default(jit_compile: bool) -> Execution:
  """Returns what suits where operations run by default: a GPU, or the CPU."""
  if tf.config.list_logical_devices('GPU'):
    return Execution.ANYWHERE
  return on_host(jit_compile)
