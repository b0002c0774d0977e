"""The state network, and networks as functions of parameters."""

import dataclasses
import functools
import gc
import weakref

from dm_env import specs
import numpy as np
import pytest
import tensorflow as tf

from tf_muzero import rng
from tf_muzero.networks import agent as agent_lib
from tf_muzero.networks import state
from tf_muzero.networks import value_transform
from tf_muzero.types import EnvironmentSpec

_OBSERVATION = {'position': specs.Array([3], np.float32),
                'velocity': specs.Array([2], np.float32)}
SPECS = {
    'continuous': EnvironmentSpec(
        _OBSERVATION, specs.BoundedArray([2], np.float32, -1.0, 1.0)),
    'discrete': EnvironmentSpec(
        _OBSERVATION, specs.DiscreteArray(4, np.int32)),
}


def make_agent(**kwargs) -> agent_lib.Agent:
  return agent_lib.Agent(
      functools.partial(state.StateNetwork, num_blocks=1, width=16),
      value_transform.Support(-5.0, 5.0, 21),
      value_transform.Support(-2.0, 2.0, 9),
      **{'discount': 0.9, 'num_candidates': 3, **kwargs})


def parameters_of(network, scale=0.0):
  return tuple(v.read_value() + scale for v in network.variables)


@pytest.fixture(params=sorted(SPECS), name='spec')
def _spec(request):
  return SPECS[request.param]


def _actions(spec, batch):
  if isinstance(spec.action, specs.DiscreteArray):
    return tf.range(batch) % 4
  return tf.random.stateless_uniform([batch, 2], [0, 1], -1.0, 1.0)


@pytest.mark.parametrize('compute_dtype', ['float32', 'bfloat16'])
def test_shapes_and_ranges(spec, compute_dtype):
  network = make_agent().make_network(spec, compute_dtype=compute_dtype)
  assert {v.dtype for v in network.variables} == {tf.float32}
  embedding = network.represent(tf.random.stateless_normal([7, 5], [0, 1]))
  assert embedding.shape == [7, 16]
  next_embedding, reward_logits = network.step(embedding, _actions(spec, 7))
  policy, value_logits = network.predict_heads(next_embedding)
  assert reward_logits.shape == [7, 9]
  assert value_logits.shape == [7, 21]
  assert policy.shape == [7, 4]
  assert network.decode(embedding).shape == [7, 5]
  for x in (embedding, next_embedding):
    assert x.dtype == tf.float32
    np.testing.assert_allclose(np.min(x, -1), 0.0, atol=1e-6)
    np.testing.assert_allclose(np.max(x, -1), 1.0, atol=1e-3)


@pytest.mark.parametrize('compute_dtype', ['float32', 'bfloat16'])
def test_finite_observations_give_finite_embeddings(spec, compute_dtype):
  network = make_agent().make_network(spec, compute_dtype=compute_dtype)
  network.set_observation_statistics(np.zeros([5]), np.full([5], 1e-3))
  seen = tf.constant([[3e38, -3e38, 1.0, 1e38, 0.0], [1e19] * 5, [-3e38] * 5])
  embedding = network.represent(seen)
  assert np.all((embedding >= 0.0) & (embedding <= 1.0))
  assert np.all(np.isfinite(network.normalise(seen)))


def test_weights_of_bfloat16_fit_float32_and_say_nearly_the_same(tmp_path):
  rounded, exact = (
      make_agent().make_network(SPECS['discrete'], compute_dtype=x)
      for x in ('bfloat16', 'float32'))
  path = tf.train.Checkpoint(network=rounded).write(str(tmp_path / 'x'))
  tf.train.Checkpoint(network=exact).read(path).assert_consumed()
  observation = tf.random.stateless_normal([7, 5], [0, 1])
  one, other = (x.represent(observation) for x in (exact, rounded))
  assert 1e-5 < np.abs(one - other).max() < 0.05


def test_an_unknown_precision_is_refused():
  with pytest.raises(ValueError, match="compute_dtype.*'float16'"):
    make_agent().make_network(SPECS['discrete'], compute_dtype='float16')


def test_gradients_reach_every_trainable_variable(spec):
  network = make_agent().make_network(spec)
  for variable in network.trainable_variables:  # Heads start at zero.
    variable.assign_add(0.1 * tf.random.stateless_normal(
        variable.shape, [1, 2]))
  with tf.GradientTape() as tape:
    embedding, reward = network.step(
        network.represent(tf.random.stateless_normal([7, 5], [0, 1])),
        _actions(spec, 7))
    outputs = (*network.predict_heads(embedding), reward,
               network.decode(embedding))
    loss = tf.add_n([tf.reduce_sum(x**2) for x in outputs])
  for variable, gradient in zip(
      network.trainable_variables,
      tape.gradient(loss, network.trainable_variables)):
    assert gradient is not None and np.abs(gradient).max() > 0, variable.name


def test_observations_are_normalised_by_the_given_statistics():
  network = make_agent().make_network(SPECS['discrete'])
  network.set_observation_statistics(np.arange(5.0), np.full(5, 2.0))
  np.testing.assert_allclose(
      network.normalise(tf.constant([[2.0, 1.0, 2.0, 3.0, 0.0]])),
      [[1.0, 0.0, 0.0, 0.0, -2.0]])


def test_statistics_follow_the_observations():
  network = state.StateNetwork(
      specs.Array([4], np.float32), specs.DiscreteArray(4, np.int32),
      make_agent().make_head(SPECS['discrete']), num_value_bins=3,
      num_reward_bins=3, num_blocks=1, width=8, observation_horizon=4)
  generator = np.random.default_rng(0)
  batches = [
      np.float32([5.0, -20.0, 7.0, 1e5]) + np.float32([0.1, 30.0, 0.0, 2.0]) *
      generator.normal(size=[8, 4]).astype(np.float32) for _ in range(4)]

  def statistics():
    low, high = network.normalise(
        tf.constant([[0.0] * 4, [1e4] * 4])).numpy()
    return -low / (high - low) * 1e4, 1e4 / (high - low)

  for step, batch in enumerate(batches):  # Until the horizon: of all so far.
    network.follow_observations(tf.constant(batch), tf.constant(step, tf.int64))
    seen = np.concatenate(batches[:step + 1])
    mean, deviation = statistics()
    np.testing.assert_allclose(mean, seen.mean(0), rtol=1e-3)
    # An input that never changed is left as it was.
    np.testing.assert_allclose(
        deviation, seen.std(0) + [0.0, 0.0, 1.0, 0.0], rtol=1e-2)
  for step in range(4, 100):  # From then on the older ones are forgotten.
    network.follow_observations(
        tf.constant([[1.0, 2.0, 3.0, 1e5], [3.0, 2.0, 1.0, 1e5 + 2.0]]),
        tf.constant(step, tf.int64))
  mean, deviation = statistics()
  np.testing.assert_allclose(mean, [2.0, 2.0, 2.0, 1e5 + 1.0], rtol=1e-3)
  np.testing.assert_allclose(deviation[[0, 2, 3]], 1.0, rtol=1e-2)
  assert deviation[1] < 0.02  # It was 30.


def test_checkpoint_round_trip(tmp_path, spec):
  saved, restored = (make_agent().make_network(spec) for _ in range(2))
  path = tf.train.Checkpoint(network=saved).write(str(tmp_path / 'x'))
  tf.train.Checkpoint(network=restored).read(path).assert_consumed()
  for x, y in zip(saved.variables, restored.variables):
    np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize('jit_compile', [False, True])
def test_planning_model_agrees_with_the_keras_network(spec, jit_compile):
  agent = make_agent()
  graph_of, network = (agent.make_network(spec) for _ in range(2))
  for variable in network.trainable_variables:
    variable.assign_add(0.1 * tf.random.stateless_normal(
        variable.shape, [3, 4]))
  model = agent.plan_with(graph_of, spec)
  observation = tf.random.stateless_normal([6, 5], [0, 1])
  action = _actions(spec, 6)

  @tf.function(autograph=False, jit_compile=jit_compile)
  def plan(parameters):
    root = model.root_fn(parameters, rng.seed(1), observation)
    step = model.recurrent_fn(parameters, rng.seed(2), action, root.embedding)
    return root, step

  root, step = plan(parameters_of(network))
  embedding = network.represent(observation)
  np.testing.assert_allclose(root.embedding[0], embedding, atol=1e-5)
  np.testing.assert_allclose(
      root.value, agent.value_support.decode(
          network.predict_heads(embedding)[1]), rtol=1e-4, atol=1e-4)
  embedding, reward_logits = network.step(embedding, action)
  np.testing.assert_allclose(step.embedding[0], embedding, atol=1e-5)
  np.testing.assert_allclose(
      step.reward, agent.reward_support.decode(reward_logits),
      rtol=1e-4, atol=1e-4)
  np.testing.assert_allclose(step.discount, np.full(6, 0.9), rtol=1e-6)
  # Other weights, same trace: the parameters are data.
  other = plan(parameters_of(network, 0.3))[0].embedding[0]
  assert np.abs(other - root.embedding[0]).max() > 1e-3


def test_planning_model_works_for_any_batch_size_in_one_trace():
  agent, spec = make_agent(), SPECS['continuous']
  network = agent.make_network(spec)
  model = agent.plan_with(network, spec)
  plan = tf.function(
      lambda x: model.root_fn(parameters_of(network), rng.seed(1), x),
      input_signature=[tf.TensorSpec([None, 5])], autograph=False)
  assert [plan(tf.zeros([n, 5])).candidates.shape for n in (1, 4)] == [
      [1, 3, 2], [4, 3, 2]]
  assert plan.experimental_get_tracing_count() == 1


def test_nothing_is_traced_again_in_eager_mode(spec, monkeypatch):
  traced = []
  imported = tf.graph_util.import_graph_def
  monkeypatch.setattr(
      tf.graph_util, 'import_graph_def', lambda *args, **kwargs: (
          traced.append(args), imported(*args, **kwargs))[1])
  agent = make_agent()
  network = agent.make_network(spec)
  for i in range(3):
    model = agent.plan_with(network, spec, max_scale=0.1 * i + 0.1)
    # Variables and tensors of them are the same to it.
    parameters = network.variables if i else parameters_of(network)
    root = model.root_fn(parameters, rng.seed(i), tf.zeros([6, 5]))
    model.recurrent_fn(
        parameters, rng.seed(i), _actions(spec, 6), root.embedding)
    assert len(traced) == 2  # One for each function.
  model.root_fn(parameters, rng.seed(0), tf.zeros([7, 5]))
  assert len(traced) == 3


def test_a_network_that_was_planned_with_can_be_freed(spec):
  agent = make_agent()
  network = agent.make_network(spec)
  model = agent.plan_with(network, spec)
  model.root_fn(parameters_of(network), rng.seed(0), tf.zeros([6, 5]))
  is_alive = weakref.ref(network)
  del network
  gc.collect()
  assert is_alive()  # It is in use.
  del model
  gc.collect()
  assert not is_alive()


def test_width_rule_of_the_paper():
  assert state.datapoints_width(40_000, 10) == 63
  assert state.datapoints_width(3_000_000, 10) == 548
  with pytest.raises(ValueError, match='width'):
    state.datapoints_width(0, 10)


@pytest.mark.parametrize('wrong', [
    {'discount': 1.1}, {'discount': -0.1}, {'num_candidates': 0}])
def test_bad_agent_is_refused(wrong):
  with pytest.raises(ValueError, match=next(iter(wrong))):
    make_agent(**wrong)


@pytest.mark.parametrize('num_datapoints, width', [
    (1, 16), (400, 20), (4_000_000, 32)])
def test_width_within_limits(num_datapoints, width):
  agent = dataclasses.replace(
      make_agent(), network_fn=functools.partial(
          state.StateNetwork, num_blocks=1, minimum_width=16,
          maximum_width=32))
  network = agent.make_network(SPECS['discrete'], num_datapoints)
  assert network.represent(tf.zeros([1, 5])).shape == [1, width]


@pytest.mark.parametrize('wrong', [
    {'num_blocks': -1}, {'width': 0}, {'num_blocks': 0, 'width': None},
    {'minimum_width': 0}, {'minimum_width': 9, 'maximum_width': 8,
                           'width': None}])
def test_sizes_that_no_network_has(wrong):
  agent = dataclasses.replace(
      make_agent(), network_fn=functools.partial(
          state.StateNetwork, **{'num_blocks': 1, 'width': 8, **wrong}))
  with pytest.raises(ValueError, match=' must be >= '):
    agent.make_network(SPECS['discrete'], 100)


def test_fresh_heads_say_what_the_supports_start_with(spec):
  agent = dataclasses.replace(
      make_agent(),
      value_support=value_transform.Support(-5.0, 5.0, 21, start=-7.0),
      reward_support=value_transform.Support(-2.0, 2.0, 9, start=0.5))
  network = agent.make_network(spec)
  agent.start_heads(network)
  embedding, reward = network.step(
      network.represent(tf.random.stateless_normal([4, 5], [0, 1])),
      _actions(spec, 4))
  np.testing.assert_allclose(
      agent.reward_support.decode(reward), np.full(4, 0.5), rtol=1e-3)
  np.testing.assert_allclose(agent.value_support.decode(
      network.predict_heads(embedding)[1]), np.full(4, -7.0), rtol=1e-3)
