"""From a function traced under a TPUStrategy to one replica's HLO.

On a TPU, TensorFlow cuts the replicated operations out of the graph and
compiles them. Here the same operations become a function of their own, which
TensorFlow's CPU wheel lowers through tf2xla. Two things differ: sums over
replicas have no kernel there and are left as a call that the TPU compiler step
replaces, and a few operations (random bits) have kernels of their own on a TPU.
"""

import collections

import tensorflow as tf

ALL_REDUCE = 'tf_muzero_all_reduce'
_DROPPED = {'TPUReplicateMetadata', 'TPUCompilationResult'}
_REPLICATED = {'TPUReplicatedInput', 'TPUReplicatedOutput'}
_OWN_ATTRIBUTES = ('_xla_inferred_shapes', '_class', '_output_shapes')


def lower(concrete: tf.types.experimental.ConcreteFunction) -> bytes:
  """Returns the program of replica 0 as a serialised HloModuleProto.

  Args:
    concrete: calls `strategy.run` once, outside of any loop.
  """
  graph = concrete.graph
  nodes = graph.as_graph_def(add_shapes=True)
  replica = _replica_graph(nodes)
  used = {_name(source) for node in replica.node for source in node.input}
  captured = {inner.name: outer for outer, inner in graph.captures
              if inner.op.name in used}
  inputs = [x for x in graph.inputs if x.op.name in used
            and x.name not in captured]
  resolve = _resolver(nodes)
  outputs = [resolve(x.name) for x in graph.outputs]

  @tf.function(jit_compile=True, autograph=False)
  def program(*arguments):
    present = tf.compat.v1.get_default_graph()
    mapping = {x.name: y for x, y in zip(inputs, arguments)}
    mapping.update((name, present.capture(outer))
                   for name, outer in captured.items())
    return tf.graph_util.import_graph_def(
        replica, input_map=mapping, return_elements=outputs, name='')

  specs = [tf.TensorSpec(x.shape, x.dtype) for x in inputs]
  return program.experimental_get_compiler_ir(*specs)(stage='hlo_serialized')


def count_all_reduces(concrete: tf.types.experimental.ConcreteFunction) -> int:
  """Returns the number of sums over replicas."""
  return collections.Counter(
      node.op for node in concrete.graph.as_graph_def().node
  )['CrossReplicaSum']


def _replica_graph(nodes):
  """Returns what replica 0 does, of a graph of all replicas."""
  resolve = _resolver(nodes)
  gone = {node.name for node in nodes.node
          if node.op in _DROPPED | _REPLICATED | {'Placeholder'}}
  inputs = {node.name for node in nodes.node if node.op == 'Placeholder'}
  replica = type(nodes)()
  replica.versions.CopyFrom(nodes.versions)
  replica.library.CopyFrom(nodes.library)
  for node in nodes.node:
    if node.name in gone:
      continue
    new = replica.node.add()
    new.CopyFrom(node)
    new.device = ''
    del new.input[:]
    for source in map(resolve, node.input):
      is_control = source.startswith('^')
      if _name(source) not in gone or (
          _name(source) in inputs and not is_control):
        new.input.append(source)
    if node.op == 'CrossReplicaSum':
      _call_instead(new, node.attr['_output_shapes'].list.shape[0])
    for key in [key for key in new.attr
                if key.startswith('_tpu') or key in _OWN_ATTRIBUTES]:
      del new.attr[key]
  return replica


def _resolver(nodes):
  """Returns a function from the name of an input to that for replica 0."""
  first = {node.name: node.input[0] for node in nodes.node
           if node.op in _REPLICATED}

  def resolve(source: str) -> str:
    is_control = source.startswith('^')
    while _name(source) in first:
      source = first[_name(source)]
    return f'^{_name(source)}' if is_control else source

  return resolve


def _call_instead(node, shape) -> None:
  """Makes a sum over replicas a call by name, whose groups do not matter."""
  dtype = node.attr['T'].type
  values = [source for source in node.input if not source.startswith('^')][:1]
  controls = [source for source in node.input if source.startswith('^')]
  node.op = 'XlaCustomCallV2'
  del node.input[:]
  node.input.extend(values + controls)
  for key in list(node.attr):
    del node.attr[key]
  node.attr['call_target_name'].s = ALL_REDUCE.encode()
  node.attr['backend_config'].s = b''
  node.attr['has_side_effect'].b = False
  node.attr['operand_dtypes'].list.type.append(dtype)
  node.attr['result_dtypes'].list.type.append(dtype)
  node.attr['result_shapes'].list.shape.add().CopyFrom(shape)


def _name(source: str) -> str:
  return source.lstrip('^').split(':')[0]
