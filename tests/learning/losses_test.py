"""The loss: against a slow NumPy version, and its gradient scalings."""

import functools

from dm_env import specs
import numpy as np
import pytest
import tensorflow as tf

from tf_muzero.keras2 import keras
from tf_muzero.learning import losses
from tf_muzero.networks import agent as agent_lib
from tf_muzero.networks import state
from tf_muzero.networks import value_transform
from tf_muzero.types import EnvironmentSpec
from tf_muzero.types import Window

_B, _K, _A = 5, 3, 4
_SPEC = EnvironmentSpec(specs.Array([2], np.float32),
                        specs.DiscreteArray(_A, np.int32))
_WEIGHTS = losses.LossWeights(1.0, 0.25, 1.0, 0.01, 0.5)


def _agent():
  return agent_lib.Agent(
      functools.partial(state.StateNetwork, num_blocks=1, width=8),
      value_transform.Support(-5.0, 5.0, 21),
      value_transform.Support(-2.0, 2.0, 9), 0.9, 3)


def _window(unroll_steps=_K, seed=0):
  generator = np.random.default_rng(seed)
  num_states = unroll_steps + 1
  uniform = lambda *shape: generator.uniform(size=shape).astype(np.float32)
  weights = uniform(_B, num_states, _A)
  mask = lambda *shape: (generator.uniform(size=shape) < 0.7).astype('f')
  return Window(
      observation=uniform(_B, num_states, 2),
      action=generator.integers(_A, size=[_B, num_states]).astype('i'),
      reward=uniform(_B, unroll_steps),
      candidates=np.broadcast_to(
          np.arange(_A, dtype=np.int32), [_B, num_states, _A]),
      weights=weights / weights.sum(-1, keepdims=True),
      value=3 * uniform(_B, num_states),
      policy_mask=mask(_B, num_states), value_mask=mask(_B, num_states),
      reward_mask=mask(_B, unroll_steps),
      snapshot_step=np.zeros([_B], np.int64),
      importance=np.ones([_B], np.float32), diagnostics={})


def _network():
  network = _agent().make_network(_SPEC)
  for variable in network.trainable_variables:  # Heads start at zero.
    variable.assign_add(0.2 * tf.random.stateless_normal(
        variable.shape, [1, 2]))
  return network


def _loss(network, window, weights=_WEIGHTS):
  agent = _agent()
  return losses.muzero_loss(
      network, agent, agent.make_head(_SPEC), weights,
      tf.nest.map_structure(tf.convert_to_tensor, window), _B)


def _log_softmax(x):
  x = np.asarray(x, np.float64)
  return x - np.log(np.exp(x).sum(-1, keepdims=True))


def test_loss_agrees_with_a_loop_over_windows_and_steps():
  network, window, agent = _network(), _window(), _agent()
  loss, metrics = _loss(network, window)
  expected = dict.fromkeys(
      ('policy', 'value', 'reward', 'reconstruction', 'entropy'), 0.0)
  entropies = []
  for i in range(_B):
    embedding = network.represent(window.observation[i:i + 1, 0])
    for k in range(_K + 1):
      scale = 1.0 if k == 0 else 1.0 / _K
      policy, value_logits = network.predict_heads(embedding)
      log_policy = _log_softmax(policy)[0]
      policy_mask = window.policy_mask[i, k]
      expected['policy'] -= scale * policy_mask * np.dot(
          window.weights[i, k], log_policy)
      entropy = -np.dot(np.exp(log_policy), log_policy)
      expected['entropy'] += scale * policy_mask * entropy
      entropies += [entropy] if policy_mask else []
      expected['value'] -= scale * window.value_mask[i, k] * np.dot(
          agent.value_support.encode(window.value[i, k]),
          _log_softmax(value_logits)[0])
      error = network.decode(embedding) - window.observation[i, k]
      expected['reconstruction'] += policy_mask / (_K + 1) * np.sum(
          np.square(error))
      if k < _K:
        embedding, reward_logits = network.step(
            embedding, window.action[i:i + 1, k])
        expected['reward'] -= window.reward_mask[i, k] / _K * np.dot(
            agent.reward_support.encode(window.reward[i, k]),
            _log_softmax(reward_logits)[0])
  expected = {name: x / _B for name, x in expected.items()}
  for name in ('policy', 'value', 'reward', 'reconstruction'):
    np.testing.assert_allclose(
        metrics[f'loss/{name}'], expected[name], rtol=1e-4)
  np.testing.assert_allclose(
      metrics['policy/entropy'], np.mean(entropies), rtol=1e-4)
  np.testing.assert_allclose(
      loss, expected['policy'] + 0.25 * expected['value'] + expected['reward']
      - 0.01 * expected['entropy'] + 0.5 * expected['reconstruction'],
      rtol=1e-4)


def test_scale_gradient_keeps_the_value_and_scales_the_gradient():
  x = tf.constant([3.0, -2.0])
  with tf.GradientTape() as tape:
    tape.watch(x)
    y = tf.reduce_sum(losses.scale_gradient(x, 0.25) ** 2)
  np.testing.assert_allclose(y, 13.0)
  np.testing.assert_allclose(tape.gradient(y, x), [1.5, -1.0])


class _Chain(keras.Model):
  """A model whose loss gradients are known: embedding' = embedding."""

  def __init__(self):
    super().__init__()
    self.w = tf.Variable(1.0)

  def represent(self, observation):
    return self.w * tf.ones_like(observation[:, :1])

  def step(self, embedding, action):
    return embedding, tf.zeros([action.shape[0], 9])

  def predict_heads(self, embedding):
    return tf.zeros([embedding.shape[0], _A]), embedding * tf.range(
        21, dtype=tf.float32)


def test_heads_count_one_over_k_and_the_dynamics_gradient_is_halved():
  """The value gradient of step k reaches the root times 1/K * (1/2)^k."""
  network = _Chain()
  weights = losses.LossWeights(0.0, 1.0, 0.0, 0.0, 0.0)

  def gradient(at):
    mask = np.zeros([_B, _K + 1], np.float32)
    mask[:, at] = 1.0
    window = _window()._replace(
        value_mask=mask, value=np.ones([_B, _K + 1], np.float32))
    with tf.GradientTape() as tape:
      loss, _ = _loss(network, window, weights)
    return float(tape.gradient(loss, network.w))

  root = gradient(0)
  assert root != 0.0
  for k in range(1, _K + 1):
    np.testing.assert_allclose(
        gradient(k) / root, 1.0 / _K * 0.5**k, rtol=1e-5)


@pytest.mark.parametrize('unroll_steps', [0, 1, 5])
def test_unroll_lengths(unroll_steps):
  loss, metrics = _loss(_network(), _window(unroll_steps))
  assert np.isfinite(loss)
  assert ('loss/reward' in metrics) == (unroll_steps > 0)


def test_masked_targets_do_not_matter():
  network, window = _network(), _window()
  changed = window._replace(
      value=np.where(window.value_mask, window.value, 99.0),
      reward=np.where(window.reward_mask, window.reward, -99.0),
      weights=np.where(window.policy_mask[..., np.newaxis], window.weights, 9.0)
      .astype('f'))
  np.testing.assert_allclose(
      _loss(network, window)[0], _loss(network, changed)[0], rtol=1e-6)


def test_negative_weight_is_refused():
  with pytest.raises(ValueError, match='value must be >= 0'):
    losses.LossWeights(1.0, -0.25, 1.0, 0.0, 0.0)


def test_the_share_of_clipped_targets():
  # The value's support holds -34 to 34, the reward's about -8 to 8.
  value = np.zeros([_B, _K + 1], np.float32)
  reward = np.zeros([_B, _K], np.float32)
  value[0, 0], value[1, 1], value[2, 2] = 40.0, -40.0, 30.0
  reward[0, 0], reward[4, 0] = 9.0, 9.0
  window = _window()._replace(
      value=value, reward=reward, value_mask=np.ones_like(value),
      reward_mask=np.ones_like(reward))
  window.value_mask[1, 1] = window.reward_mask[4, 0] = 0.0
  metrics = _loss(_network(), window)[1]
  assert float(metrics['target/value_clipped']) == pytest.approx(1 / 19)
  assert float(metrics['target/reward_clipped']) == pytest.approx(1 / 14)
