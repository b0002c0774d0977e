"""The arithmetic of tools/plan.py."""

import functools

from dm_env import specs
import numpy as np
import pytest
import tensorflow as tf

from tests import reanalyse_toys
from tf_muzero.keras2 import keras
from tf_muzero.networks import agent as agent_lib
from tf_muzero.networks import state
from tf_muzero.networks import value_transform
from tf_muzero.types import EnvironmentSpec
from tools import operations
from tools import plan
from tools import run_flags

_WIDTH, _BINS = 8, 11


def _run():
  support = value_transform.Support(-2.0, 2.0, _BINS)
  agent = agent_lib.Agent(
      functools.partial(state.StateNetwork, num_blocks=1, width=_WIDTH),
      support, support, 0.9, 2)
  reanalyse = reanalyse_toys.reanalyse(num_simulations=50)
  settings = {'agent': agent, 'reanalyse': reanalyse, 'batch_size': 36,
              'unroll_steps': 2, 'num_steps': 10}
  return plan.make_run(settings, 4, EnvironmentSpec(
      specs.Array([2], np.float32), specs.DiscreteArray(2, np.int32)), 0)


def test_operations_are_two_for_each_multiplication():
  layers = keras.Sequential([
      keras.layers.Conv2D(5, 3, 2, 'same', input_shape=[8, 8, 3]),
      keras.layers.Flatten(), keras.layers.Dense(7)])
  assert operations.count_flops(layers, tf.TensorSpec([1, 8, 8, 3])) == (
      2 * 4 * 4 * 5 * (3 * 3 * 3) + 2 * (4 * 4 * 5) * 7)


def test_a_run_is_counted_by_hand():
  run = _run()
  # Each trunk: a layer in, a block of two; then the heads.
  prediction = 3 * _WIDTH**2 + _WIDTH * (2 + _BINS)
  dynamics = (_WIDTH + 2) * _WIDTH + 2 * _WIDTH**2 + _WIDTH * (_WIDTH + _BINS)
  representation = 2 * _WIDTH + 2 * _WIDTH**2 + _WIDTH**2
  assert run.initial == 2 * (representation + prediction)
  assert run.recurrent == 2 * (dynamics + prediction + _BINS)  # Its mean.
  # 13 states for 9 windows, each used once.
  assert run.searches == pytest.approx(36 * 13 / 9)
  assert run.search_flops == run.initial + 4 * run.recurrent
  assert run.step_flops == 3 * 36 * (run.initial + 2 * run.recurrent)


def test_passes_need_the_number_of_transitions():
  settings = {'num_steps': '3 passes', 'batch_size': 36,
              'reanalyse_fraction': 1.0}
  assert run_flags.num_steps(settings, 120) == 10
  assert run_flags.num_steps(settings, 0) is None
  plan._print_run(_run()._replace(num_steps=None))  # pylint: disable=protected-access
  plan._print_plan(  # pylint: disable=protected-access
      'v4-8', _run()._replace(num_steps=None), plan.Rates())


def test_large_networks_are_for_the_device():
  machine = plan.Machine(chips=4, teraflops=100.0, cores=10)
  run = _run()
  rates = plan.Rates()
  equal = plan.crossing(run, machine, rates)
  for scale, faster in ((0.5, 'on_host'), (2.0, 'on_device')):
    scale *= equal / run.recurrent
    found = plan.plan(run._replace(
        initial=scale * run.initial, recurrent=scale * run.recurrent),
                      machine, rates)
    assert found[faster] == min(found['on_host'], found['on_device'])
