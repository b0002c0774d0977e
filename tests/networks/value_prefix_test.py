"""Rewards told by their sum, against NumPy."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tests import loss_toys
from tests import own_networks
from tests.networks import agent_test
from tf_muzero import rng
from tf_muzero.data import observations
from tf_muzero.networks import value_prefix
from tf_muzero.networks import value_transform
from tf_muzero.search import mcts
from tf_muzero.search import selection

_SPEC = agent_test.SPECS['discrete']
_STEPS, _UNITS = 2, 4
_PREFIX = value_prefix.ValuePrefix(
    num_steps=_STEPS, num_features=5, units=_UNITS)


@pytest.fixture(scope='module', name='model')
def _model():
  """Returns an agent and a network of random weights, its head included."""
  agent = agent_test.make_agent(value_prefix=_PREFIX)
  network = agent.make_network(_SPEC)
  random = np.random.default_rng(0)
  for variable in network.variables:
    if 'observation' not in variable.name:
      variable.assign(random.normal(
          1.0 if 'gamma' in variable.name else 0.0, 0.5, variable.shape))
  return agent, network


def _sigmoid(x):
  return 1.0 / (1.0 + np.exp(-x))


class _Slow:
  """The head of a network in NumPy, one state at a time."""

  def __init__(self, agent, network):
    self.kernel, self.recurrent, self.bias, self.matrix, self.start = (
        v.numpy() for v in network.value_prefix.variables)
    self.support = agent.reward_support

  def sums(self, features):
    """Returns what is told of each step [N, F] of a path from a root."""
    told = []
    for number, x in enumerate(features):
      if number % _STEPS == 0:
        h, c = np.zeros([2, _UNITS])
      gates = x @ self.kernel + h @ self.recurrent + self.bias
      i, f, new, o = gates.reshape([4, _UNITS])
      c = _sigmoid(f) * c + _sigmoid(i) * np.tanh(new)
      h = _sigmoid(o) * np.tanh(c)
      logits = h @ self.matrix + self.start
      told.append(float(self.support.decode(
          tf.constant(logits[np.newaxis], tf.float32))[0]))
    return np.array(told)

  def rewards(self, features):
    """Returns the reward of each step of a path from a root."""
    told = self.sums(features)
    before = np.concatenate([[0.0], told[:-1]])
    before[::_STEPS] = 0.0
    return told - before


def test_sums_by_hand():
  reward = tf.constant([[1.0, 2.0, 4.0, 8.0, 16.0]])
  settings = value_prefix.ValuePrefix(num_steps=2, num_features=1, units=1)
  np.testing.assert_array_equal(
      settings.sums(reward), [[1.0, 3.0, 4.0, 12.0, 16.0]])
  settings = value_prefix.ValuePrefix(num_steps=9, num_features=1, units=1)
  np.testing.assert_array_equal(
      settings.sums(reward), [[1.0, 3.0, 7.0, 15.0, 31.0]])
  assert settings.sums(reward[:, :0]).shape == [1, 0]


@pytest.mark.parametrize('jit', [False, True])
def test_each_node_of_a_tree_has_the_difference_of_two_sums(model, jit):
  agent, network = model
  planning = agent.plan_with(network, _SPEC)
  parameters = agent_test.parameters_of(network)
  observation = tf.random.stateless_normal([2, 5], [0, 1])
  score_fn = selection.puct(
      num_simulations=40, unvisited_fn=selection.unvisited_network,
      bounds_fn=selection.sibling_bounds, pb_c_init=0.2, pb_c_base=19652.0)

  @tf.function(jit_compile=jit, autograph=False)
  def grow(observation):
    return mcts.grow(
        parameters, planning.root_fn(parameters, rng.seed(1), observation),
        planning.recurrent_fn, rng.seed(2), num_simulations=40,
        prior_fn=tf.nn.softmax, score_fn=score_fn, root_score_fn=score_fn,
        draw_fn=planning.draw_fn)

  forest, slow = grow(observation), _Slow(agent, network)
  for b in range(2):
    child = forest.tree.child.numpy().reshape([2, 41, -1])[b]
    reward = forest.tree.reward.numpy().reshape([2, 41])[b]
    root = network.represent(observation[b:b + 1])
    paths, depths = [(0, root, [])], []
    while paths:  # From the root on, with the network's own functions.
      node, embedding, features = paths.pop()
      if features:
        assert reward[node] == pytest.approx(
            slow.rewards(features)[-1], abs=1e-4)
        depths.append(len(features))
      for action, kid in enumerate(child[node]):
        if kid >= 0:
          after, told = network.step(embedding, tf.constant([action]))
          paths.append((kid % 41, after, [*features, told[0].numpy()]))
    assert len(depths) == 40 and max(depths) > 2 * _STEPS, max(depths)
  assert np.ptp(forest.tree.reward) > 0.1


def test_steps_along_a_path(model):
  agent, network = model
  random = np.random.default_rng(1)
  embedding = network.represent(random.normal(size=[3, 5]).astype('f'))
  actions = random.integers(4, size=[3, 5])
  features, told, memory = [], [], agent.no_memory(network, 3)
  for k in range(5):
    features.append(network.step(embedding, tf.constant(actions[:, k]))[1])
    embedding, logits, reward, memory = agent.step(
        network, embedding, tf.constant(actions[:, k]), memory)
    told.append((agent.reward_support.decode(logits), reward))
  for b in range(3):
    path = [x[b].numpy() for x in features]
    slow = _Slow(agent, network)
    np.testing.assert_allclose(
        [x[0][b] for x in told], slow.sums(path), atol=1e-4)
    np.testing.assert_allclose(
        [x[1][b] for x in told], slow.rewards(path), atol=1e-4)


@pytest.mark.parametrize('kind', [loss_toys.VECTORS, loss_toys.FRAMES])
def test_the_loss_is_of_sums(kind):
  _, _, window = loss_toys.make(kind)
  agent = dataclasses.replace(
      loss_toys.make_agent(kind), value_prefix=_PREFIX,
      reward_support=value_transform.Support(-1.0, 0.4, 9))
  network = agent.make_network(loss_toys.SPECS[kind])
  network.value_prefix.start(np.arange(9.0))
  _, metrics = loss_toys.loss(
      agent, kind, network, loss_toys.make_weights(), window)
  embedding = network.represent(observations.stack(window.observation, 2)[:, 0])
  memory, total = agent.no_memory(network, loss_toys.B), 0.0
  reward = np.array(window.reward)
  sums = np.stack(
      [reward[:, 0], reward[:, 0] + reward[:, 1], reward[:, 2]], axis=1)
  for k in range(loss_toys.K):
    embedding, logits, _, memory = agent.step(
        network, embedding, window.action[:, k], memory)
    probability = agent.reward_support.encode(tf.constant(sums[:, k]))
    loss = -np.sum(probability * tf.nn.log_softmax(logits), axis=-1)
    total += np.sum(loss * window.reward_mask[:, k] * window.importance)
  assert float(metrics['loss/reward']) == pytest.approx(
      total / loss_toys.K / loss_toys.B, rel=1e-4)
  is_beyond = np.array(agent.reward_support.clips(tf.constant(sums)))
  assert is_beyond.any() and float(
      metrics['target/reward_clipped']) == pytest.approx(
          np.sum(is_beyond * window.reward_mask) / np.sum(window.reward_mask))


def test_a_fresh_head_says_what_it_is_to_start_with():
  agent = agent_test.make_agent(value_prefix=_PREFIX)
  agent = dataclasses.replace(agent, reward_support=dataclasses.replace(
      agent.reward_support, start=0.7))
  network = agent.make_network(_SPEC)
  agent.start_heads(network)
  planning = agent.plan_with(network, _SPEC)
  parameters = agent_test.parameters_of(network)
  root = planning.root_fn(parameters, rng.seed(0), tf.ones([2, 5]))
  step = planning.recurrent_fn(
      parameters, rng.seed(0), tf.constant([0, 1]), root.embedding)
  np.testing.assert_allclose(step.reward, 0.7, atol=1e-3)


def test_networks_of_ones_own_have_it_too():
  agent = dataclasses.replace(
      agent_test.make_agent(value_prefix=_PREFIX),
      network_fn=own_networks.Linear)
  network = agent.make_network(_SPEC)
  agent.check_network(_SPEC)
  assert len(network.variables) == 5 + 5

  class Hiding(own_networks.Linear):

    @property
    def variables(self):
      return (self.inputs, self.dynamics, self.reward, self.policy, self.value)

  with pytest.raises(ValueError, match='Hiding.variables must have those'):
    dataclasses.replace(agent, network_fn=Hiding).make_network(_SPEC)


def test_agents_of_one_network_do_not_share_what_differs(model):
  agent, network = model
  other = dataclasses.replace(
      agent, reward_support=value_transform.Support(0.0, 5.0, 9))
  parameters = agent_test.parameters_of(network)
  rewards = []
  for each in (agent, other, agent):
    planning = each.plan_with(network, _SPEC)
    root = planning.root_fn(parameters, rng.seed(0), tf.ones([2, 5]))
    rewards.append(planning.recurrent_fn(
        parameters, rng.seed(0), tf.constant([0, 1]), root.embedding).reward)
  np.testing.assert_array_equal(rewards[0], rewards[2])
  assert np.all(np.abs(rewards[0] - rewards[1]) > 1e-3)


def test_sums_that_are_not_learned_are_told(caplog):
  _PREFIX.compare(_STEPS)
  assert not caplog.messages
  _PREFIX.compare(_STEPS - 1)
  assert 'longer sums are not learned' in caplog.text


def test_wrong_settings_are_errors():
  with pytest.raises(ValueError, match='num_steps'):
    value_prefix.ValuePrefix(num_steps=0, num_features=1, units=1)
