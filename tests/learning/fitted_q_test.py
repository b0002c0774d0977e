"""Fitted Q evaluation, where the values of policies are known."""

import functools
import types

from dm_env import specs
import numpy as np
import pytest
import tensorflow as tf

from tf_muzero import rng
from tf_muzero.learning import fitted_q
from tf_muzero.networks import agent as agent_lib
from tf_muzero.networks import pixels
from tf_muzero.networks import value_transform
from tf_muzero.types import EnvironmentSpec
from tf_muzero.types import Episode

_DISCOUNT = 0.8
_SUPPORT = value_transform.Support(-2.0, 3.0, 41)


class _Network:
  """Sees two states as they are; its policy is given."""

  def __init__(self, actions):
    self._actions = actions

  def represent(self, observation):
    return observation

  def predict_heads(self, embedding):
    policy = tf.one_hot(tf.gather(
        self._actions, tf.argmax(embedding, axis=-1)), 2)
    return policy, tf.zeros([len(embedding), 41])


_AGENT = types.SimpleNamespace(
    frame_stack=1, discount=_DISCOUNT, value_support=_SUPPORT)


def _episodes(discount_at_end, num=60, length=20):
  """Returns random behaviour: action a leads to state a.

  Leaving state 0 costs 0.2, leaving state 1 pays 1, and staying pays nothing.
  """
  generator = np.random.default_rng(0)
  episodes = []
  for _ in range(num):
    action = generator.integers(2, size=length + 1).astype(np.int32)
    state = np.concatenate([generator.integers(2, size=1), action[:-1]])
    reward = np.where(state == action, 0.0, np.where(state, 1.0, -0.2))
    discount = np.ones([length + 1], np.float32)
    discount[-2] = discount_at_end
    episodes.append(Episode(np.eye(2, dtype=np.float32)[state], action,
                            reward.astype(np.float32), discount))
  return episodes


def _fit(actions, episodes, num_steps=1500):
  """Returns Q of the policy that takes these actions: [state, action]."""
  records = fitted_q.see(
      _Network(actions), _AGENT, specs.DiscreteArray(2), episodes)
  q = fitted_q.FittedQ(_SUPPORT, 2, 2, seed=3)
  q.fit(records, tf.constant(num_steps), tf.constant(64), rng.seed(1))
  states, taken = np.eye(2, dtype=np.float32), np.eye(2, dtype=np.float32)
  return np.array([[float(q(states[i:i + 1], taken[j:j + 1])[0])
                    for j in range(2)] for i in range(2)])


def _values(actions):
  """Returns Q of a policy, by its own equations."""
  rewards = np.array([[0.0, -0.2], [1.0, 0.0]])
  following = np.array([[a == b for b in range(2)] for a in actions], float)
  reward = rewards[[0, 1], actions]
  value = np.linalg.solve(np.eye(2) - _DISCOUNT * following, reward)
  return rewards + _DISCOUNT * value[np.newaxis]


@pytest.mark.parametrize('actions', [[1, 0], [0, 0], [0, 1]])
def test_it_is_the_value_of_the_policy_and_not_of_the_behaviour(actions):
  found = _fit(actions, _episodes(1.0))
  np.testing.assert_allclose(found, _values(actions), atol=0.1)


def test_nothing_follows_a_terminal_end():
  # All episodes have one step, and end with it.
  found = _fit([1, 0], _episodes(0.0, num=200, length=1), 600)
  np.testing.assert_allclose(found, [[0.0, -0.2], [1.0, 0.0]], atol=0.05)


def test_what_was_fitted_can_be_forgotten():
  q = fitted_q.FittedQ(_SUPPORT, 2, 2, seed=3)
  ask = lambda: q(tf.constant([[1.0, 0.0]]), tf.constant([[0.0, 1.0]])).numpy()
  before = ask()
  records = fitted_q.see(_Network([1, 0]), _AGENT, specs.DiscreteArray(2),
                         _episodes(1.0, num=2))
  q.fit(records, tf.constant(20), tf.constant(64), rng.seed(1))
  assert ask() != before
  q.reset()
  assert ask() == before


def test_records_as_a_network_sees_them():
  episodes = _episodes(0.0, num=3, length=2)
  records = fitted_q.see(
      _Network([1, 0]), _AGENT, specs.DiscreteArray(2), episodes)
  observation = np.concatenate([x.observation for x in episodes])
  np.testing.assert_array_equal(records.embedding, observation)
  np.testing.assert_array_equal(records.chosen, observation[:, ::-1])
  np.testing.assert_array_equal(
      np.argmax(records.action, axis=1),
      np.concatenate([x.action for x in episodes]))
  np.testing.assert_allclose(records.factor, [0.8, 0.0, 0.8] * 3)
  assert records.starts.numpy().tolist() == [0, 1, 3, 4, 6, 7]
  assert records.first.numpy().tolist() == [0, 3, 6]


def test_many_records_are_seen_in_parts(monkeypatch):
  episodes = _episodes(1.0, num=5, length=6)
  seen = []
  network = types.SimpleNamespace(
      represent=lambda x: seen.append(len(x)) or x,
      predict_heads=lambda x: (x[:, -2:], tf.zeros([len(x), 41])))
  agent = types.SimpleNamespace(**{**vars(_AGENT), 'frame_stack': 2})
  see = lambda: fitted_q.see(network, agent, specs.DiscreteArray(2), episodes)
  together = see()
  monkeypatch.setattr(fitted_q, '_AT_ONCE', 4)
  tf.nest.map_structure(np.testing.assert_array_equal, see(), together)
  assert seen == [35, *[4, 3] * 5]
  # Zeros stand for what is before an episode.
  assert (together.embedding.numpy()[::7, :2] == 0.0).all()


def test_frames_are_seen_by_their_embeddings():
  spec = EnvironmentSpec(
      specs.Array([8, 8, 1], np.uint8), specs.DiscreteArray(2, np.int32))
  agent = agent_lib.Agent(
      functools.partial(
          pixels.PixelNetwork, num_blocks=1, planes=8, head_planes=4,
          downsampling=[('convolution', 8, 0), ('pool', 8, 0)]),
      _SUPPORT, _SUPPORT, _DISCOUNT, 2, frame_stack=2)
  frames = np.random.default_rng(0).integers(
      256, size=[5, 8, 8, 1]).astype(np.uint8)
  episode = Episode(frames, np.int32([0, 1, 1, 0, 0]), np.zeros([5], 'f'),
                    np.ones([5], 'f'))
  network = agent.make_network(spec)
  records = fitted_q.see(network, agent, spec.action, [episode])
  embedding = network.represent(np.concatenate(
      [np.concatenate([np.zeros_like(frames[:1]), frames[:-1]]), frames], -1))
  np.testing.assert_allclose(
      records.embedding, np.reshape(embedding, [5, -1]), atol=1e-5)
  assert records.chosen.shape == [5, 2]
