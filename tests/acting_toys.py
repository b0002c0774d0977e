"""A tiny agent, an environment and a search, for tests of acting."""

import functools

import dm_env
from dm_env import specs
import numpy as np
import tensorflow as tf

from tf_muzero.acting import modes
from tf_muzero.acting import policy as policy_lib
from tf_muzero.acting import saved_model
from tf_muzero.networks import state
from tf_muzero.networks.agent import Agent
from tf_muzero.networks.value_transform import Support
from tf_muzero.types import EnvironmentSpec
from tf_muzero.types import SearchOutput

CONTINUOUS = EnvironmentSpec(
    {'velocity': specs.Array([2], np.float32, 'velocity'),
     'position': specs.Array([3], np.float32, 'position')},
    specs.BoundedArray([1], np.float32, -1.0, 1.0, 'action'))
DISCRETE = EnvironmentSpec(
    specs.Array([4], np.float32, 'board'), specs.DiscreteArray(3, name='move'))
METADATA = {'task': 'toy', 'action_repeat': 4, 'mode': 'mcts', 'step': 11,
            'observation': {'position': [3]}}


def make_agent(width=8):
  """Returns an agent with 4 candidates."""
  return Agent(
      functools.partial(state.StateNetwork, num_blocks=1, width=width),
      Support(-3.0, 3.0, 7), Support(-3.0, 3.0, 7), discount=0.9,
      num_candidates=4)


def make_network(agent, spec, seed=0):
  """Returns a network whose every weight is random, its heads' too."""
  network = agent.make_network(spec)
  generator = np.random.default_rng(seed)
  for variable in network.trainable_variables:
    variable.assign(generator.normal(size=variable.shape, scale=0.5))
  return network


def make_observation(spec, batch_size, seed=0):
  """Returns random observations [B, ...]."""
  generator = np.random.default_rng(seed)
  return tf.nest.map_structure(
      lambda x: tf.constant(generator.normal(size=(batch_size, *x.shape)),
                            tf.float32), spec.observation)


def search(parameters, root, recurrent_fn, seed, *, draw_fn, execution=None):
  """A search with one visit for every candidate and one more for the last."""
  del parameters, recurrent_fn, seed, draw_fn, execution
  ones = tf.ones_like(root.prior_logits, tf.int32)
  num_candidates = root.prior_logits.shape[1]
  visits = ones + tf.one_hot(num_candidates - 1, num_candidates, dtype=tf.int32)
  return SearchOutput(
      root.candidates, visits, tf.nn.softmax(root.prior_logits),
      tf.zeros_like(root.prior_logits), root.value, root.value, visits[:, 0])


def save_policy(directory, spec, agent=None, mode=modes.mcts(), **kwargs):
  """Writes a SavedModel; returns the policy and the model that are in it."""
  agent = agent or make_agent()
  network = make_network(agent, spec)
  policy = policy_lib.make_policy(
      agent, network, spec, mode=mode, search_fn=search)
  model = agent.plan_with(network, spec)
  saved_model.save(directory, policy, model, METADATA, step=11, **kwargs)
  return policy, model


def act(loaded, observation, batch_size=2, *, function='act'):
  """Returns the actions of a loaded policy that begins."""
  action, _ = getattr(loaded, function)(
      observation, tf.zeros([batch_size], tf.bool),
      loaded.get_initial_state(batch_size=batch_size))
  return action.numpy()


class Countdown(dm_env.Environment):
  """Ends after 3 + seed % 3 steps; the reward is the action's first number."""

  def __init__(self, seed, spec=CONTINUOUS):
    self._spec = spec
    self._rng = np.random.default_rng(seed)
    self._num_steps = 3 + seed % 3
    self._remaining = 0
    self.is_closed = False

  def reset(self):
    self._remaining = self._num_steps
    return dm_env.restart(self._observe())

  def step(self, action):
    if self.is_closed or not self._remaining:
      raise RuntimeError('Stepped after the end.')
    self._remaining -= 1
    reward = float(np.ravel(action)[0])
    if self._remaining:
      return dm_env.transition(reward, self._observe())
    return dm_env.truncation(reward, self._observe())

  def close(self):
    self.is_closed = True

  def observation_spec(self):
    return self._spec.observation

  def action_spec(self):
    return self._spec.action

  def _observe(self):
    return tf.nest.map_structure(
        lambda x: self._rng.normal(size=x.shape).astype(np.float32),
        self._spec.observation)
