"""Tests of what an exported policy takes, and refuses."""

import functools

import acting_toys
from dm_env import specs
import numpy as np
import pytest
import tensorflow as tf

from tf_muzero.acting import modes
from tf_muzero.types import EnvironmentSpec

pytestmark = pytest.mark.usefixtures('quick_graphs')

_NATIVE = EnvironmentSpec(
    {'pose': specs.Array([4], np.float32), 'height': specs.Array(
        [1], np.float32), 'mode': specs.Array([1], np.float32)},
    acting_toys.DISCRETE.action)


@pytest.fixture(scope='module', name='native')
def _native(tmp_path_factory):
  """Returns a policy of data that has other shapes and types than it sees."""
  directory = str(tmp_path_factory.mktemp('native') / 'policy')
  shown = {**_NATIVE.observation, 'camera': specs.Array([2], np.float32)}
  stored = {'pose': np.float64, 'height': np.float32, 'mode': np.int64}
  acting_toys.save_policy(directory, _NATIVE, mode=modes.policy(), shown=shown,
                          stored=stored)
  return tf.saved_model.load(directory)


@pytest.mark.parametrize('kind', [
    'tensors', 'float64', 'scalars', 'shapes', 'stored', 'mixed', 'lists',
    'whole lists', 'float16', 'int32', 'int64', 'uint8', 'more',
    'more float64'])
def test_act_takes_what_environments_give(native, kind):
  generator = np.random.default_rng(0)
  plain = {'pose': generator.normal(size=[2, 4]).astype(np.float32),
           'height': np.array([[0.5], [1.5]], np.float32),
           'mode': np.array([[1], [2]], np.float32)}
  if kind in ('whole lists', 'float16', 'int32', 'int64', 'uint8'):
    plain = {name: np.floor(np.abs(4 * x)) for name, x in plain.items()}
  camera = np.zeros([2, 2], np.float32)
  doubles = {name: x.astype(np.float64) for name, x in plain.items()}
  given = {
      'tensors': tf.nest.map_structure(tf.constant, plain),
      'float64': doubles,
      'scalars': {**plain, 'height': plain['height'][:, 0],
                  'mode': plain['mode'][:, 0]},
      'shapes': {**doubles, 'pose': doubles['pose'].reshape([2, 2, 2])},
      'stored': {'pose': doubles['pose'], 'height': plain['height'][:, 0],
                 'mode': np.int64([1, 2])},
      'mixed': {**plain, 'mode': doubles['mode']},
      'lists': {name: x.tolist() for name, x in plain.items()},
      'more': {**plain, 'camera': camera},
      'more float64': {**doubles, 'camera': camera.astype(np.float64)},
      'whole lists': {
          name: x.astype(int).tolist() for name, x in plain.items()},
  }.get(kind) or {name: x.astype(kind) for name, x in plain.items()}
  for name in ('act', 'act_plain'):
    np.testing.assert_array_equal(
        acting_toys.act(native, given, function=name),
        acting_toys.act(native, plain))


@pytest.mark.parametrize('value', [1e19, 1e38, -3e38, 1e300])
def test_whatever_is_finite_gives_an_action(native, value):
  dtype = np.float32 if abs(value) < 1e39 else np.float64
  entry = lambda size: np.full([2, size], value, dtype)
  one = np.array([[1], [0]], dtype)
  for name in ('act', 'act_plain'):
    action = acting_toys.act(
        native, {'pose': entry(4), 'height': one, 'mode': entry(1)},
        function=name)
    assert np.all((action >= 0) & (action < 3))


def test_act_refuses_what_makes_no_sense(native):
  good = {'pose': np.zeros([2, 4]), 'height': np.zeros(2), 'mode': np.zeros(2)}
  refused = functools.partial(
      pytest.raises, (ValueError, tf.errors.InvalidArgumentError))
  with refused(match='entry pose must be finite'):
    acting_toys.act(native, {**good, 'pose': np.full([2, 4], np.nan)})
  with refused(match=r'entry pose must be numbers \[B, 4\]'):
    acting_toys.act(native, {**good, 'pose': np.zeros([2, 3])})
  with refused(match='batch is empty'):
    acting_toys.act(
        native, {name: x[:0] for name, x in good.items()}, batch_size=0)
  with refused(match='one row for each'):
    native.act(good, tf.zeros([2], tf.bool),
               native.get_initial_state(batch_size=3))
  with refused(match="TensorSpec.*name='pose'"):  # It lists what it takes.
    acting_toys.act(native, {**good, 'pose': np.zeros([2, 4], np.int8)})
