"""A Keras network as a function of explicit parameter tensors.

Why: a search inside `tf.data` must see new weights, also in other processes,
and a `tf.Variable` captured by a dataset cannot travel. So the network's graph
is traced once, its variable reads are cut out, and tensors put in their place.
"""

from typing import Callable, NamedTuple, Optional, Sequence

import tensorflow as tf

from tf_muzero.types import Nest, Parameters


class Trace(NamedTuple):
  """A function for inputs of one kind; it does not know whose it is.

  Attributes:
    in_graph_fn: (parameters, *inputs) -> nest, inside of a graph.
    eager_fn: the same, compiled once.
  """
  in_graph_fn: Callable[..., Nest]
  eager_fn: Callable[..., Nest]


# From the specs of inputs to what was traced for them.
Traces = dict[tuple, Trace]


def assign(variables: Sequence[tf.Variable], values: Parameters) -> None:
  """Gives each variable its value; both are in the same order."""
  for variable, value in zip(variables, values):
    variable.assign(value)


def functionalize(fn: Callable[..., Nest], variables: Sequence[tf.Variable],
                  traces: Optional[Traces] = None) -> Callable[..., Nest]:
  """Returns `apply(parameters, *inputs)`, which is `fn(*inputs)` with them.

  Args:
    fn: function of nests of tensors that reads no variables but `variables`.
    variables: in the order that `parameters` will have.
    traces: what was traced of `fn` before, to which this one adds.
  """
  traces = {} if traces is None else traces

  def call(parameters: Parameters, *inputs: Nest) -> Nest:
    inputs = tf.nest.map_structure(tf.convert_to_tensor, inputs)
    specs = tf.nest.map_structure(
        lambda x: tf.TensorSpec(x.shape, x.dtype), inputs)
    if specs not in traces:
      with tf.init_scope():
        traces[specs] = _trace(fn, variables, specs)
    if not tf.executing_eagerly():
      return traces[specs].in_graph_fn(parameters, *inputs)
    # Tensors, since a variable of its own would be traced anew.
    return traces[specs].eager_fn(
        tuple(tf.convert_to_tensor(x) for x in parameters), *inputs)

  return call


def check_reads(name: str, graph: tf.Graph) -> None:
  """Raises ValueError where a part of a graph reads variables by itself.

  Args:
    name: of what the graph is, for the error.
    graph: of a traced function.
  """
  for outer, inner in graph.captures:
    inside = {op.type for op in inner.consumers()} - {'ReadVariableOp'}
    if outer.dtype == tf.resource and inside:
      raise ValueError(
          f'{name} reads a variable inside of {", ".join(sorted(inside))}: '
          'tf.cond, tf.while_loop and methods that are a tf.function must be '
          'given its value, x = tf.convert_to_tensor(variable), read outside '
          'of them.')


def _trace(fn: Callable[..., Nest], variables: Sequence[tf.Variable],
           specs: Sequence[Nest]) -> Trace:
  """Returns `fn` for inputs of these specs, as a function of parameters."""

  @tf.function(autograph=False)
  def traced(*inputs):
    return fn(*inputs)

  concrete = traced.get_concrete_function(*specs)
  graph = concrete.graph
  check_reads(str(fn), graph)
  indices = {id(v.handle): i for i, v in enumerate(variables)}
  handle_names = {}
  for outer, inner in graph.captures:
    if id(outer) not in indices:
      raise ValueError(f'{fn} reads {outer}, which is not among the variables.')
    handle_names[inner.name] = indices[id(outer)]
  reads = {
      op.outputs[0].name: handle_names[op.inputs[0].name]
      for op in graph.get_operations() if op.type == 'ReadVariableOp'}
  inputs = [t.name for t in graph.inputs if t.dtype != tf.resource]
  outputs = [t.name for t in graph.outputs]
  graph_def = _without_variables(graph.as_graph_def())
  used = {name.partition(':')[0] for node in graph_def.node
          for name in node.input}
  structure = tf.nest.map_structure(lambda x: 0, concrete.structured_outputs)

  def apply(parameters, *args):
    # Identities, since tensors of an outer graph cannot be mapped to directly.
    mapping = {k: tf.identity(parameters[i]) for k, i in reads.items()}
    mapping.update((k, tf.identity(x)) for k, x in zip(
        inputs, tf.nest.flatten(args)))
    mapping = {name: x for name, x in mapping.items()
               if name.partition(':')[0] in used}
    results = tf.graph_util.import_graph_def(
        graph_def, input_map=mapping, return_elements=outputs, name='network')
    return tf.nest.pack_sequence_as(structure, results)

  return Trace(apply, tf.function(apply, autograph=False))


def _without_variables(graph_def):
  """Returns the graph without its inputs, variable reads and devices."""
  nodes = [n for n in graph_def.node
           if n.op not in ('Placeholder', 'ReadVariableOp')]
  del graph_def.node[:]
  graph_def.node.extend(nodes)
  for node in graph_def.node:
    node.device = ''
    data_inputs = [i for i in node.input if not i.startswith('^')]
    del node.input[:]
    node.input.extend(data_inputs)
  return graph_def
