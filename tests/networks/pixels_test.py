"""The pixel network: its sizes, and all that a network has to do."""

import functools

from dm_env import specs
import numpy as np
import pytest
import tensorflow as tf

from tf_muzero import rng
from tf_muzero.networks import agent as agent_lib
from tf_muzero.networks import pixels
from tf_muzero.networks import state
from tf_muzero.networks import value_transform
from tf_muzero.search import mcts
from tf_muzero.types import EnvironmentSpec

_FRAME = specs.Array([20, 18, 1], np.uint8, 'frame')
_SPECS = {
    'discrete': EnvironmentSpec(_FRAME, specs.DiscreteArray(4, np.int32)),
    'continuous': EnvironmentSpec(
        _FRAME, specs.BoundedArray([2], np.float32, -1.0, 1.0)),
}
_DOWNSAMPLING = [('convolution', 4, 1), ('convolution', 6, 0), ('pool', 6, 0)]


def _agent(**kwargs):
  return agent_lib.Agent(
      functools.partial(pixels.PixelNetwork, **{
          'planes': 8, 'num_blocks': 1, 'head_planes': 3,
          'downsampling': _DOWNSAMPLING, **kwargs}),
      value_transform.Support(-5.0, 5.0, 21),
      value_transform.Support(-2.0, 2.0, 9), 0.9, 3, frame_stack=2)


def _network(spec, scale=0.1, compute_dtype='float32'):
  """Returns a network whose heads are not zero."""
  network = _agent().make_network(spec, compute_dtype=compute_dtype)
  generator = np.random.default_rng(0)
  for variable in network.trainable_variables:
    variable.assign_add(scale * generator.normal(size=variable.shape))
  return network


def _frames(batch_size):
  return tf.constant(np.random.default_rng(1).integers(
      0, 256, [batch_size, 20, 18, 2]).astype(np.uint8))


def _actions(spec, batch_size):
  if isinstance(spec.action, specs.DiscreteArray):
    return tf.range(batch_size) % 4
  return tf.random.stateless_uniform([batch_size, 2], [0, 1], -1.0, 1.0)


@pytest.fixture(params=sorted(_SPECS), name='spec')
def _spec(request):
  return _SPECS[request.param]


@pytest.mark.parametrize('kind, compute_dtype', [
    ('discrete', 'float32'), ('continuous', 'float32'),
    ('discrete', 'bfloat16')])
def test_shapes_and_ranges(kind, compute_dtype):
  spec = _SPECS[kind]
  network = _network(spec, compute_dtype=compute_dtype)
  assert {v.dtype for v in network.variables} == {tf.float32}
  embedding = network.represent(_frames(5))
  following, reward_logits = network.step(embedding, _actions(spec, 5))
  policy, value_logits = network.predict_heads(following)
  shapes = [(5, 3, 3, 8), (5, 3, 3, 8), (5, 9), (5, 4), (5, 21)]
  for x, shape in zip(
      (embedding, following, reward_logits, policy, value_logits), shapes):
    assert x.shape == shape and x.dtype == tf.float32
  for x in (embedding, following):
    np.testing.assert_allclose(np.min(x, (1, 2, 3)), 0.0, atol=1e-6)
    np.testing.assert_allclose(np.max(x, (1, 2, 3)), 1.0, atol=1e-3)


def test_the_papers_downsampling():
  downsampling = [('convolution', 2, 2), ('convolution', 4, 3), ('pool', 4, 3),
                  ('pool', 4, 0)]
  spec = EnvironmentSpec(
      specs.Array([84, 84, 1], np.uint8), specs.DiscreteArray(3))
  network = _agent(
      planes=4, num_blocks=2, downsampling=downsampling).make_network(spec)
  embedding = network.represent(tf.zeros([1, 84, 84, 2], tf.uint8))
  assert embedding.shape == [1, 6, 6, 4]
  # Blocks have two convolutions each; there is one more at each end.
  kernels = [v for v in network.variables if 'conv' in v.name
             and 'kernel' in v.name and v.shape[0] == 3]
  assert len(kernels) == (2 + 2 * (8 + 2) + 1) + (1 + 2 * 2 + 1)


@pytest.mark.parametrize('compute_dtype', ['float32', 'bfloat16'])
@pytest.mark.parametrize('shape', [(20, 18), (21, 17)])
def test_a_decoder_mirrors_the_representation(shape, compute_dtype):
  spec = EnvironmentSpec(
      specs.Array([*shape, 1], np.uint8), specs.DiscreteArray(3))
  network = _agent().make_network(spec, compute_dtype=compute_dtype)
  num_variables = len(network.variables)
  decoder = network.make_decoder()
  frames = tf.zeros([5, *shape, 2], tf.uint8)
  with tf.GradientTape() as tape:
    decoded = decoder(network.represent(frames))
    loss = tf.reduce_sum(decoded**2)
  assert decoded.shape == frames.shape and decoded.dtype == tf.float32
  assert len(network.variables) == num_variables  # It is not of the network.
  assert {v.dtype for v in decoder.variables} == {tf.float32}
  variables = decoder.trainable_variables
  for variable, gradient in zip(variables, tape.gradient(loss, variables)):
    assert gradient is not None, variable.name
  # Three doublings for three halvings, and convolutions of two blocks beside
  # one at each end.
  kernels = [v.shape for v in variables if 'kernel' in v.name]
  assert [x[0] for x in kernels].count(4) == 3
  assert [x[0] for x in kernels].count(3) == 2 * 2 + 2


def test_gradients_reach_every_variable(spec):
  network = _network(spec)
  with tf.GradientTape() as tape:
    embedding, reward = network.step(
        network.represent(_frames(5)), _actions(spec, 5))
    loss = tf.add_n([tf.reduce_sum(x**2) for x in (
        *network.predict_heads(embedding), reward)])
  for variable, gradient in zip(
      network.trainable_variables,
      tape.gradient(loss, network.trainable_variables)):
    assert gradient is not None and np.abs(gradient).max() > 0, variable.name


def test_actions_make_a_difference(spec):
  network = _network(spec)
  embedding = network.represent(_frames(1))
  following = [network.step(embedding, _actions(spec, 4)[i:i + 1])[0]
               for i in range(2)]
  assert np.abs(following[0] - following[1]).max() > 1e-3


def test_checkpoint_round_trip(tmp_path):
  spec = _SPECS['discrete']
  saved, restored = (_agent().make_network(spec) for _ in range(2))
  path = tf.train.Checkpoint(network=saved).write(str(tmp_path / 'x'))
  tf.train.Checkpoint(network=restored).read(path).assert_consumed()
  for x, y in zip(saved.variables, restored.variables):
    np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize('compute_dtype, jit_compile', [
    ('float32', False), ('float32', True), ('bfloat16', True)])
def test_a_search_with_explicit_parameters(compute_dtype, jit_compile):
  spec = _SPECS['discrete']
  agent = _agent()
  network = _network(spec, compute_dtype=compute_dtype)
  model = agent.plan_with(
      agent.make_network(spec, compute_dtype=compute_dtype), spec)

  @tf.function(jit_compile=jit_compile, autograph=False)
  def plan(parameters, frames):
    root = model.root_fn(parameters, rng.seed(1), frames)
    return root, mcts.search(
        parameters, root, model.recurrent_fn, rng.seed(2), num_simulations=6)

  root, output = plan([v.read_value() for v in network.variables], _frames(3))
  tolerance = 1e-4 if compute_dtype == 'float32' else 0.05
  embedding = network.represent(_frames(3))
  np.testing.assert_allclose(root.embedding[0], embedding, atol=tolerance)
  assert root.embedding[0].dtype == tf.float32
  np.testing.assert_array_equal(
      np.sum(output.visit_counts, axis=1), [6, 6, 6])


def test_bfloat16_is_nearly_float32():
  spec = _SPECS['discrete']
  exact, rounded = (_network(spec, compute_dtype=x)
                    for x in ('float32', 'bfloat16'))
  for variable, value in zip(rounded.variables, exact.variables):
    variable.assign(value)
  one, other = (x.represent(_frames(5)) for x in (exact, rounded))
  assert 1e-5 < np.abs(one - other).max() < 0.1
  one, other = (x.predict_heads(one)[1] for x in (exact, rounded))
  np.testing.assert_allclose(one, other, atol=0.1 * np.abs(one).max())


def test_normalisation_is_over_a_sample():
  layer = pixels.PlaneNormalization()
  x = np.random.default_rng(0).normal(3.0, 2.0, [4, 5, 6, 3]).astype('f')
  normal = layer(x).numpy()
  np.testing.assert_allclose(normal.mean((1, 2, 3)), 0.0, atol=1e-5)
  np.testing.assert_allclose(normal.std((1, 2, 3)), 1.0, rtol=1e-4)
  np.testing.assert_allclose(layer(x[:2]), normal[:2], atol=1e-5)
  layer.gamma.assign([2.0, 1.0, 1.0])
  layer.beta.assign([0.0, 0.0, 5.0])
  np.testing.assert_allclose(
      layer(x), normal * [2.0, 1.0, 1.0] + [0.0, 0.0, 5.0], atol=1e-5)


def test_gains_are_not_rounded():
  layer = pixels.PlaneNormalization(dtype='mixed_bfloat16')
  x = tf.random.stateless_normal([2, 3, 3, 1], [1, 2])
  layer(x)
  layer.gamma.assign([0.0])
  layer.beta.assign([1.001])
  # In float32 inside; what comes out is rounded.
  assert layer.beta + 0.0 == np.float32(1.001)
  assert layer(x).dtype == tf.bfloat16


def test_what_it_is_not_for():
  vectors = EnvironmentSpec(
      specs.Array([5], np.float32), specs.DiscreteArray(3))
  with pytest.raises(ValueError, match=r'PixelNetwork sees frames.*\(10,\)'):
    _agent().make_network(vectors)
  with pytest.raises(ValueError, match="'pool', got 'max'"):
    _agent(downsampling=[('max', 4, 1)]).make_network(_SPECS['discrete'])
  agent = agent_lib.Agent(
      functools.partial(state.StateNetwork, num_blocks=1, width=8),
      value_transform.Support(-5.0, 5.0, 21),
      value_transform.Support(-2.0, 2.0, 9), 0.9, 3)
  with pytest.raises(ValueError, match='StateNetwork sees vectors'):
    agent.make_network(_SPECS['discrete'])
