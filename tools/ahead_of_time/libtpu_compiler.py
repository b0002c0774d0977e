"""Compiles HLO files for TPUs that need not be there; prints JSON lines.

  python libtpu_compiler.py FILE --chips=v4-8,v5e-8 --replicated

Runs in an environment of its own, with JAX and libtpu and without TensorFlow:
see `requirements.txt`. For each chip one line: the seconds of the compilation,
bytes of memory, FLOPs and bytes read and written, or the error.
"""

import argparse
import json
import os
import re
import time

# Else libtpu asks the metadata server of a cloud machine for each of them.
os.environ.update(
    JAX_PLATFORMS='cpu', TPU_SKIP_MDS_QUERY='1', TPU_LOG_DIR='disabled',
    TPU_ACCELERATOR_TYPE='v5litepod-4', TPU_WORKER_HOSTNAMES='localhost',
    TPU_WORKER_ID='0')

# pylint: disable=wrong-import-position, import-error, no-name-in-module
from jax.experimental import topologies
from jax._src.interpreters import mlir as jax_mlir
from jax._src.lib import _jax
from jax._src.lib import xla_client
from jax._src.lib.mlir import ir
import numpy as np

_ALL_REDUCE = 'tf_muzero_all_reduce'  # As in lowering.py.
_HOST = dict(chips_per_host_bounds=(2, 2, 1), num_slices=1)
# One host each; the two cores of a chip of v4 and v5p work as one.
_TOPOLOGIES = {
    'v4-8': dict(_HOST, topology_name='v4:2x2x1', chip_config_name='megacore'),
    'v5e-8': dict(_HOST, topology_name='v5e:2x4',
                  chips_per_host_bounds=(2, 4, 1)),
    'v5p-8': dict(_HOST, topology_name='v5:2x2x1',
                  chip_config_name='megacore'),
    'v6e-8': dict(_HOST, topology_name='v6e:2x4',
                  chips_per_host_bounds=(2, 4, 1)),
}


def compile_for(hlo: bytes, chip: str, is_replicated: bool) -> dict:
  """Returns what the TPU compiler says of a program.

  Args:
    hlo: serialised HloModuleProto.
    chip: such as `v4-8`.
    is_replicated: on all devices of the host, or on one.
  """
  devices = topologies.get_topology_desc(
      platform='tpu', **_TOPOLOGIES[chip]).devices
  if not is_replicated:
    devices = devices[:1]
  options = xla_client.CompileOptions()
  options.num_replicas = len(devices)
  options.num_partitions = 1
  options.device_assignment = xla_client.DeviceAssignment.create(
      np.array([[device.id] for device in devices], np.int32))
  with jax_mlir.make_ir_context():
    module = _module(hlo, len(devices))
    start = time.time()
    executable = devices[0].client.compile(
        module, _jax.DeviceList(tuple(devices)), options)
  memory, costs = (
      executable.get_compiled_memory_stats(), executable.cost_analysis())
  costs = costs[0] if isinstance(costs, (list, tuple)) else costs
  return {
      'seconds': time.time() - start,
      'arguments': memory.argument_size_in_bytes,
      'outputs': memory.output_size_in_bytes,
      'aliased': memory.alias_size_in_bytes,
      'temporary': memory.temp_size_in_bytes,
      'code': memory.generated_code_size_in_bytes,
      'flops': costs['flops'], 'bytes': costs['bytes accessed'],
  }


def _module(hlo: bytes, num_replicas: int):
  """Returns the StableHLO of a program of TensorFlow, made fit for PJRT."""
  module = ir.Module.parse(_jax.mlir.hlo_to_stablehlo(hlo))
  _drop_copies(module.body)
  _donate(module)
  text = str(module)
  if _ALL_REDUCE not in text:
    return module
  return ir.Module.parse(_with_all_reduces(text, num_replicas))


def _drop_copies(block) -> None:
  """Removes `mhlo.copy`, which TensorFlow puts on new values of variables."""
  for operation in list(block.operations):
    for region in operation.regions:
      for each in region.blocks:
        _drop_copies(each)
    if operation.operation.name == 'mhlo.copy':
      operation.operation.results[0].replace_all_uses_with(
          operation.operation.operands[0])
      operation.operation.erase()


def _donate(module) -> None:
  """Says of variables that their new values take their place.

  TensorFlow says so of the module, where PJRT does not look: it wants to know
  it of each argument.
  """
  name = 'mhlo.input_output_alias'
  if name not in module.operation.attributes:
    return
  entry = next(
      f.operation for f in module.body.operations
      if f.operation.name == 'func.func' and ir.StringAttr(
          f.operation.attributes['sym_name']).value == 'main')
  arguments: list[dict] = [
      {} for _ in entry.regions[0].blocks[0].arguments]
  if 'arg_attrs' in entry.attributes:
    arguments = [{x.name: x.attr for x in ir.DictAttr(each)}
                 for each in ir.ArrayAttr(entry.attributes['arg_attrs'])]
  pattern = (r'parameter_number = (\d+) : i64\}, '
             r'output_index = array<i64(?:: (\d+))?>')
  for found in re.finditer(pattern, str(module.operation.attributes[name])):
    arguments[int(found.group(1))]['tf.aliasing_output'] = ir.IntegerAttr.get(
        ir.IntegerType.get_signless(32), int(found.group(2) or 0))
  entry.attributes['arg_attrs'] = ir.ArrayAttr.get(
      [ir.DictAttr.get(each) for each in arguments])
  del module.operation.attributes[name]


def _with_all_reduces(text: str, num_replicas: int) -> str:
  """Returns the module with sums over all replicas for the calls by name."""
  group = list(range(num_replicas))

  def all_reduce(found):
    result, value, kind = found.groups()
    element = re.match(r'tensor<(?:\d+x)*([a-z0-9]+)>', kind).group(1)
    scalar = f'tensor<{element}>'
    return (
        f'{result} = "stablehlo.all_reduce"({value}) <{{replica_groups = '
        f'dense<{[group]}> : tensor<1x{num_replicas}xi64>}}> ({{\n'
        f'^bb0(%tfmz_l: {scalar}, %tfmz_r: {scalar}):\n'
        f'  %tfmz_s = stablehlo.add %tfmz_l, %tfmz_r : {scalar}\n'
        f'  stablehlo.return %tfmz_s : {scalar}\n'
        f'}}) : ({kind}) -> {kind}')

  text = re.sub(
      rf'(%[\w#]+) = stablehlo\.custom_call @{_ALL_REDUCE}\((%[\w#]+)\)'
      r'[^:\n]*(?:\{[^\n]*\})? : \((tensor<[^>]*>)\) -> tensor<[^>]*>',
      all_reduce, text)
  if f'@{_ALL_REDUCE}' in text:
    raise RuntimeError('A sum over replicas is written in an unknown way.')
  return text


def main() -> None:
  """Compiles one file for each chip."""
  parser = argparse.ArgumentParser()
  parser.add_argument('file')
  parser.add_argument('--chips', required=True)
  parser.add_argument('--replicated', action='store_true')
  arguments = parser.parse_args()
  with open(arguments.file, 'rb') as file:
    hlo = file.read()
  for chip in arguments.chips.split(','):
    try:
      result = compile_for(hlo, chip, arguments.replicated)
    except Exception as error:  # pylint: disable=broad-except
      # An error of XLA is what was to be found out.
      result = {'error': f'{type(error).__name__}: {error}'}
    print(json.dumps({'chip': chip, **result}), flush=True)


if __name__ == '__main__':
  main()
