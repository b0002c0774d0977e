"""Which operations have no TPU kernel for their types.

The table, `tpu_ops.json`, has the operations that XLA's TPU back-end of
TensorFlow 2.16.1 (package tensorflow-tpu) registers, with the types that each
allows; those of TensorFlow 2.15.1's CPU back-end are a part of them.
"""

import functools
import json
import pathlib
from typing import Iterator

import tensorflow as tf

_TABLE = pathlib.Path(__file__).with_name('tpu_ops.json')
# What the compilation itself takes apart.
_STRUCTURE = {
    'Placeholder', 'NoOp', 'Const', 'TPUReplicatedInput',
    'TPUReplicatedOutput', 'TPUReplicateMetadata', 'TPUCompilationResult',
    'PartitionedCall', 'StatefulPartitionedCall', 'If', 'StatelessIf', 'While',
    'StatelessWhile', 'Case', 'StatelessCase'}
_FUNCTIONS = ('f', 'body', 'cond', 'then_branch', 'else_branch')
_REPLICATED = '_tpu_replicate'
_OUTSIDE = '_xla_outside_compilation'


def unsupported(concrete: tf.types.experimental.ConcreteFunction
                ) -> list[str]:
  """Returns what in the bodies of `strategy.run` a TPU cannot do, sorted.

  Operations that are moved to the host count too: each of them costs a
  transfer at every step.

  Args:
    concrete: traced under a TPUStrategy.
  """
  return sorted({problem for _, problem in _nodes(concrete) if problem})


def operations(concrete: tf.types.experimental.ConcreteFunction) -> list:
  """Returns the nodes in the bodies of `strategy.run`, functions included."""
  return [node for node, _ in _nodes(concrete)]


def dynamic(concrete: tf.types.experimental.ConcreteFunction) -> list[str]:
  """Returns the names of those whose shapes are not known beforehand."""
  return [
      node.name for node, _ in _nodes(concrete)
      if any(shape.unknown_rank or any(dim.size < 0 for dim in shape.dim)
             for shape in node.attr['_output_shapes'].list.shape
             if '_output_shapes' in node.attr)]


@functools.lru_cache(maxsize=1)
def _nodes(concrete) -> tuple:
  return tuple(_walk(concrete))


def _walk(concrete) -> Iterator[tuple]:
  """Yields every node that is for the TPU, with what is wrong with it."""
  graph = concrete.graph.as_graph_def(add_shapes=True)
  functions = {f.signature.name: f.node_def for f in graph.library.function}
  todo = [(node, False) for node in graph.node]
  seen = set()
  while todo:
    node, is_inside = todo.pop()
    is_inside = is_inside or _REPLICATED in node.attr
    if is_inside:
      yield node, _problem(node)
    for name in _called(node):
      if (name, is_inside) not in seen:
        seen.add((name, is_inside))
        todo += [(each, is_inside) for each in functions.get(name, ())]


def _called(node) -> list[str]:
  names = [node.attr[key].func.name for key in _FUNCTIONS if key in node.attr]
  if 'branches' in node.attr:
    names += [each.name for each in node.attr['branches'].list.func]
  return names


def _problem(node) -> str:
  if _OUTSIDE in node.attr:
    return f'{node.op} runs on the host'
  if node.op in _STRUCTURE:
    return ''
  if node.op not in _table():
    return f'{node.op} has no TPU kernel'
  wrong = []
  for allowed in _table()[node.op]:
    wrong = [
        f'{key}={_dtype(node, key)}' for key, dtypes in allowed.items()
        if key in node.attr and node.attr[key].WhichOneof('value') == 'type'
        and _dtype(node, key) not in dtypes]
    if not wrong:
      return ''
  return f'{node.op} has no TPU kernel for {", ".join(wrong)}'


def _dtype(node, key: str) -> str:
  return tf.dtypes.as_dtype(node.attr[key].type).name


@functools.lru_cache(maxsize=1)
def _table() -> dict[str, list[dict[str, list[str]]]]:
  content = json.loads(_TABLE.read_text(encoding='utf-8'))
  return {op: [{key: dtypes.split() for key, dtypes in each.items()}
               for each in kernels]
          for op, kernels in content['operations'].items()}
