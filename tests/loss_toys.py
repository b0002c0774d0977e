"""Windows, networks and heads of fixed numbers, to take losses of."""

import functools

from dm_env import specs
import numpy as np
import tensorflow as tf

from tf_muzero.learning import losses
from tf_muzero.learning.terms import term as term_lib
from tf_muzero.networks import agent as agent_lib
from tf_muzero.networks import pixels
from tf_muzero.networks import state
from tf_muzero.networks import value_transform
from tf_muzero.types import EnvironmentSpec
from tf_muzero.types import Window

B, K, A = 4, 3, 5
VECTORS, FRAMES = 'vectors', 'frames'
SPECS = {
    VECTORS: EnvironmentSpec(
        specs.Array([2], np.float32), specs.DiscreteArray(A, np.int32)),
    FRAMES: EnvironmentSpec(
        specs.Array([8, 6, 1], np.uint8),
        specs.BoundedArray([2], np.float32, -1.0, 1.0))}
NETWORKS = {
    VECTORS: functools.partial(state.StateNetwork, num_blocks=1, width=8),
    FRAMES: functools.partial(
        pixels.PixelNetwork, planes=4, num_blocks=1, head_planes=2,
        downsampling=[('convolution', 4, 0), ('pool', 4, 0)])}


def make_weights(*auxiliary, reconstruction=0.0, **kwargs):
  """Returns weights of all terms, and further ones."""
  return losses.LossWeights(
      1.0, 0.25, 1.0, 0.01, reconstruction, auxiliary, **kwargs)


def make_agent(kind):
  """Returns what tiny networks mean."""
  return agent_lib.Agent(
      NETWORKS[kind], value_transform.Support(-5.0, 5.0, 21),
      value_transform.Support(-2.0, 2.0, 9), 0.9, A, frame_stack=2)


def make(kind):
  """Returns the agent, a network and windows, all of fixed numbers."""
  generator = np.random.default_rng(7)
  uniform = lambda *shape: generator.uniform(size=shape).astype('f')
  mask = lambda *shape: (generator.uniform(size=shape) < 0.7).astype('f')
  weights = uniform(B, K + 1, A)
  if kind == VECTORS:
    observation = uniform(B, K + 2, 2)
    action = generator.integers(A, size=[B, K]).astype('i')
    candidates = np.broadcast_to(np.arange(A, dtype='i'), [B, K + 1, A])
  else:
    observation = generator.integers(256, size=[B, K + 2, 8, 6, 1])
    observation = observation.astype(np.uint8)
    action = 2 * uniform(B, K, 2) - 1
    candidates = 2 * uniform(B, K + 1, A, 2) - 1
  action = np.concatenate([action, action[:, :1]], axis=1)
  window = Window(
      observation=observation, action=action, reward=uniform(B, K),
      candidates=candidates, weights=weights / weights.sum(-1, keepdims=True),
      value=3 * uniform(B, K + 1), policy_mask=mask(B, K + 1),
      value_mask=mask(B, K + 1), reward_mask=mask(B, K),
      snapshot_step=np.zeros([B], np.int64),
      importance=np.ones([B], np.float32), diagnostics={})
  agent = make_agent(kind)
  return agent, filled(agent.make_network(SPECS[kind]), generator), (
      tf.nest.map_structure(tf.convert_to_tensor, window))


def filled(module, generator):
  """Returns a module with random numbers for what it learns."""
  for variable in module.trainable_variables:
    variable.assign(0.3 * generator.normal(size=variable.shape))
  return module


def loss(agent, kind, network, weights, window, **kwargs):
  """Returns the loss of all of a batch, and its metrics."""
  return losses.muzero_loss(
      network, agent, agent.make_head(SPECS[kind]), weights, window, B,
      **kwargs)


def make_auxiliary(agent, kind, network, weights):
  """Returns heads, and slow copies, of unlike numbers."""
  generator = np.random.default_rng(8)
  make_heads = lambda: {
      name: filled(head, generator) for name, head in losses.make_heads(
          network, weights, agent.model_input(SPECS[kind])).items()}
  return term_lib.Auxiliary(
      filled(agent.make_network(SPECS[kind]), generator), make_heads(),
      make_heads())


def unrolled(network, agent, window):
  """Returns embeddings [B, T, D...], and model inputs [B, T, ...]; NumPy."""
  frames = window.observation.numpy()
  seen = np.concatenate([frames[:, :-1], frames[:, 1:]], axis=-1)
  embeddings = [network.represent(seen[:, 0])]
  for k in range(K):
    embeddings.append(network.step(embeddings[-1], window.action[:, k])[0])
  assert agent.frame_stack == 2
  return np.stack(embeddings, axis=1), seen
