"""What would run on a TPU, as far as it can be seen without one."""

import dataclasses
import functools
import json
import os
import subprocess

from dm_env import specs
import numpy as np
import pytest
import tensorflow as tf

from tests import reanalyse_toys
from tf_muzero.data import segments as segments_lib
from tf_muzero.learning import losses
from tf_muzero.learning import optimizers
from tf_muzero.learning.terms import consistency
from tf_muzero.networks import agent as agent_lib
from tf_muzero.networks import state
from tf_muzero.networks import value_prefix
from tf_muzero.networks import value_transform
from tf_muzero.reanalyse import on_device
from tf_muzero.reanalyse import store as store_lib
from tf_muzero.reanalyse import value_targets
from tf_muzero.types import EnvironmentSpec
from tools import compile_for_tpu
from tools.ahead_of_time import chips
from tools.ahead_of_time import lowering
from tools.ahead_of_time import made_up_tpu
from tools.ahead_of_time import op_table
from tools.ahead_of_time import programs

_OBSERVATION = specs.Array([5], np.float32)
_TASKS = {
    'discrete': programs.Task(EnvironmentSpec(
        _OBSERVATION, specs.DiscreteArray(4, np.int32)), 0),
    'continuous': programs.Task(EnvironmentSpec(
        _OBSERVATION, specs.BoundedArray([2], np.float32, -1.0, 1.0)), 0),
}
_COMPILER = '.venv_libtpu/bin/python'


def _settings():
  """Returns tiny settings with the paper's optimiser, in bfloat16."""
  support = value_transform.Support(-2.0, 2.0, 11)
  return {
      'agent': agent_lib.Agent(
          functools.partial(state.StateNetwork, num_blocks=1, width=8),
          support, support, 0.9, 3),
      'reanalyse': reanalyse_toys.reanalyse(
          num_simulations=4, value_target_fn=value_targets.search, td_steps=0,
          store_windows=24),
      'loss_weights': losses.LossWeights(1.0, 0.25, 1.0, 0.01, 0.0),
      'optimizer_fn': functools.partial(
          optimizers.adamw, learning_rate=1e-3, warmup_steps=2,
          weight_decay=1e-4, gradient_clip=5.0),
      'num_steps': 10, 'batch_size': 8, 'unroll_steps': 1,
      'target_period': 3, 'target_decay': 0.0, 'steps_per_execution': 2,
      'compute_dtype': 'bfloat16'}


@pytest.fixture(autouse=True)
def _restore_placement():
  placement = tf.config.get_soft_device_placement()
  yield
  tf.config.set_soft_device_placement(placement)


def _assert_fit_for_tpu(concrete):
  assert len(op_table.operations(concrete)) > 100
  assert not op_table.unsupported(concrete)
  assert not op_table.dynamic(concrete)


def _with_prefix(settings):
  """Returns settings of an agent that tells sums of rewards."""
  prefix = value_prefix.ValuePrefix(num_steps=2, num_features=3, units=4)
  return {**settings, 'agent': dataclasses.replace(
      settings['agent'], value_prefix=prefix)}


@pytest.mark.parametrize('kind, settings_fn', [
    ('continuous', _settings), ('discrete', lambda: _with_prefix(_settings()))],
                         ids=['plain', 'prefix'])
def test_the_search_lowers_for_a_tpu(kind, settings_fn):
  concrete = programs.search(
      settings_fn(), _TASKS[kind], made_up_tpu.strategy(2))
  _assert_fit_for_tpu(concrete)
  assert lowering.lower(concrete)
  assert not lowering.count_all_reduces(concrete)


def test_the_train_step_lowers_for_a_tpu_and_sums_gradients_alone():
  concrete = programs.train_step(
      _settings(), _TASKS['continuous'], made_up_tpu.strategy(2))
  assert lowering.ALL_REDUCE.encode() in lowering.lower(concrete)
  # No weights go from one replica to the others.
  names = {node.op for node in op_table.operations(concrete)}
  assert 'CrossReplicaSum' in names
  assert 'AllToAll' not in names


def test_heads_sums_dropout_and_statistics_that_follow_lower_for_a_tpu():
  settings = _with_prefix(_settings())
  settings['agent'] = dataclasses.replace(
      settings['agent'], network_fn=functools.partial(
          state.StateNetwork, num_blocks=1, width=8, observation_horizon=5))
  settings['loss_weights'] = losses.LossWeights(
      1.0, 0.25, 1.0, 0.01, 0.5, auxiliary=[consistency.simsiam(
          weight=2.0, projector=[8, 4], predictor=[3, 4])], dropout=0.1)
  concrete = programs.train_step(
      settings, _TASKS['continuous'], made_up_tpu.strategy(2))
  _assert_fit_for_tpu(concrete)
  assert lowering.lower(concrete)


def test_what_is_written_into_the_store_lowers_for_a_tpu():
  concrete = programs.write(
      _settings(), _TASKS['continuous'], made_up_tpu.strategy(2))
  assert not op_table.unsupported(concrete)
  assert not op_table.dynamic(concrete)
  assert lowering.lower(concrete)


def test_the_whole_execution_traces_under_a_tpu_strategy():
  settings, task = _settings(), _TASKS['continuous']
  strategy = made_up_tpu.strategy(2)
  with strategy.scope():
    trainer = programs.make_trainer(settings, task)
  trainer.store, _ = programs.make_store(settings, task, strategy)
  with strategy.scope():
    trainer.make_train_function()
  _assert_fit_for_tpu(trainer.execute.get_concrete_function(
      iter(tf.data.Dataset.range(1))))


def test_searches_on_the_device_trace_between_train_steps():
  settings, task = _settings(), _TASKS['continuous']
  strategy = made_up_tpu.strategy(2)
  with strategy.scope():
    trainer = programs.make_trainer(settings, task)
  agent, reanalyse = settings['agent'], dataclasses.replace(
      settings['reanalyse'], value_target_fn=value_targets.td_search,
      td_steps=2, shorten_every=5)
  unroll_steps = settings['unroll_steps']
  spec = tf.nest.map_structure(
      lambda x: tf.TensorSpec([1, *x.shape], x.dtype),
      segments_lib.segment_spec(
          task.spec, reanalyse.segment_length(unroll_steps)))
  segments = tf.data.Dataset.from_tensors(tf.nest.map_structure(
      lambda x: tf.zeros([2, *x.shape[1:]], x.dtype), spec)).repeat()
  search_fn = on_device.make_search_fn(
      strategy, reanalyse, agent, task.spec,
      agent.make_network(task.spec, compute_dtype=settings['compute_dtype']),
      lambda: (trainer.network.variables, trainer.optimizer.iterations),
      num_segments=1, unroll_steps=unroll_steps, seed=0)
  trainer.store = store_lib.Store([store_lib.Source(
      strategy.experimental_distribute_dataset(
          segments,
          tf.distribute.InputOptions(experimental_fetch_to_device=False)),
      spec, settings['batch_size'], 24, 1, search_fn)], reanalyse.cutting(
          agent, unroll_steps, False), seed=0, strategy=strategy)
  with strategy.scope():
    trainer.make_train_function()
  _assert_fit_for_tpu(trainer.execute.get_concrete_function(
      iter(tf.data.Dataset.range(1))))


def test_what_a_tpu_cannot_do_is_found():
  strategy = made_up_tpu.strategy(2)

  def problems(step):
    @tf.function
    def run():
      return strategy.run(step)
    return op_table.unsupported(run.get_concrete_function())

  def multiply():
    return tf.linalg.matmul(tf.ones([2, 3]), tf.ones([3, 2]))

  def draw():
    return tf.random.stateless_gamma([2], [1, 2], alpha=0.3)

  def draw_often():
    return tf.while_loop(
        lambda i, _: i < 3, lambda i, x: (i + 1, x + draw()),
        (0, tf.zeros([2])))[1]

  def call_python():
    return tf.py_function(lambda: 1.0, [], tf.float32)

  def compute_complex():
    return tf.cast(tf.ones([2]), tf.complex128)

  assert not problems(multiply)
  assert problems(draw) == problems(draw_often) == [
      'StatelessRandomGammaV3 has no TPU kernel']
  assert 'has no TPU kernel' in problems(call_python)[0]
  assert 'DstT=complex128' in problems(compute_complex)[0]


def test_what_is_in_a_loop_counts_as_often():
  result = {'flops': 5e9, 'bytes': 2e9}
  before = {'flops': 3e9, 'bytes': 1e9}
  work = chips.work(result, before, 50)
  assert work == (3e9 + 50 * 2e9, 1e9 + 50 * 1e9)
  chip = chips.CHIPS['v5e-8']
  assert chips.seconds(*work, chip) == 51e9 / chip.bandwidth
  assert chips.seconds(197e12, 1.0, chip) == 1.0


def test_the_table_tells_what_compiles_and_what_does_not():
  row = {'name': 'Atari', 'program': 'search', 'chip': 'v5e-8', 'size': 592,
         'replicas': 1, 'unsupported': []}
  numbers = {'seconds': 12.0, 'arguments': 1e9, 'outputs': 2e9,
             'aliased': 5e8, 'temporary': 1e9, 'code': 0.0, 'work': (197e12, 1)}
  text = compile_for_tpu.table([
      {**row, **numbers}, {**row, 'error': 'exceeds available HBM'}])
  good, bad = text.splitlines()[2:]
  assert '592 states | 12 s | 3.50 of 16 | 197 | 1e-09 | 1e+03 | none' in good
  assert 'no: exceeds available HBM' in bad
  assert good.count('|') == bad.count('|') == text.splitlines()[0].count('|')


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists(_COMPILER), reason='needs libtpu')
def test_libtpu_compiles_the_train_step(tmp_path):
  concrete = programs.train_step(
      _settings(), _TASKS['continuous'], made_up_tpu.strategy(8))
  path = tmp_path / 'program.hlo'
  path.write_bytes(lowering.lower(concrete))
  output = subprocess.run(
      [_COMPILER, 'tools/ahead_of_time/libtpu_compiler.py', str(path),
       '--chips=v5e-8', '--replicated'], check=True, stdout=subprocess.PIPE)
  result = json.loads(output.stdout)
  assert result['flops'] > 0 and result['aliased'] > 0
