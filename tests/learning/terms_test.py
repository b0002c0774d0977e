"""The terms of the loss: their numbers, and what is asked of them."""

from dm_env import specs
import numpy as np
import pytest
import tensorflow as tf

from tests import loss_toys as toys
from tests import own_networks
from tf_muzero.learning import augmentation
from tf_muzero.learning import losses
from tf_muzero.learning.terms import consistency
from tf_muzero.learning.terms import contrastive

_LAYERS = {'projector': [7, 6], 'predictor': [5, 6]}
# Of the loss as one function, before it had parts: weights 1, 0.25, 1, 0.01
# and 0.5 of vectors, 0 of frames.
_BEFORE = {
    toys.VECTORS: {
        'loss/policy': 1.7133846, 'loss/value': 2.7477577,
        'loss/reward': 1.1878973, 'loss/reconstruction': 1.1587133,
        'loss/total': 4.1523557,
        'target/value_clipped': 0.0, 'target/reward_clipped': 0.0,
        'gradient': 1.8543135},
    toys.FRAMES: {
        'loss/policy': 3.5991917, 'loss/value': 2.2165301,
        'loss/reward': 0.6963242, 'loss/total': 4.8298297,
        'target/value_clipped': 0.0,
        'target/reward_clipped': 0.0, 'gradient': 25.6179466}}
_SPR = consistency.spr(weight=1.0, **_LAYERS)


@pytest.mark.parametrize('kind', _BEFORE)
def test_the_parts_have_the_numbers_of_the_whole(kind):
  agent, network, window = toys.make(kind)
  weights = toys.make_weights(
      reconstruction=0.5 if kind == toys.VECTORS else 0.0)
  with tf.GradientTape() as tape:
    loss, metrics = losses.muzero_loss(  # Four of six windows: a replica.
        network, agent, agent.make_head(toys.SPECS[kind]), weights, window, 6)
  gradients = tape.gradient(loss, network.trainable_variables,
                            unconnected_gradients='zero')
  found = {name: float(x) for name, x in metrics.items() if x.shape.rank == 0}
  del found['policy/entropy']  # Which is of no term; see losses_test.
  found['gradient'] = float(tf.linalg.global_norm(gradients))
  assert found == pytest.approx(_BEFORE[kind], rel=1e-4)


def test_frames_are_reconstructed_by_a_decoder_that_the_network_makes():
  agent, network, window = toys.make(toys.FRAMES)
  weights = toys.make_weights(reconstruction=1.0)
  auxiliary = toys.make_auxiliary(agent, toys.FRAMES, network, weights)
  metrics = toys.loss(agent, toys.FRAMES, network, weights, window,
                  auxiliary=auxiliary)[1]
  expected = _reconstruction(
      auxiliary, window, *toys.unrolled(network, agent, window))
  np.testing.assert_allclose(
      metrics['loss/reconstruction'], expected, rtol=1e-4)


def _reconstruction(auxiliary, window, embeddings, frames):
  """Returns the loss; of eight by six pixels of two frames."""
  loss = 0.0
  for k in range(toys.K + 1):
    decoded = auxiliary.heads['reconstruction'](embeddings[:, k]).numpy()
    loss += np.sum(window.policy_mask[:, k] * np.sum(
        (decoded - frames[:, k] / 255.0)**2, axis=(1, 2, 3)) / (8 * 6))
  return loss / (toys.K + 1) / toys.B


def test_only_what_the_network_sees_is_augmented():
  agent, network, window = toys.make(toys.FRAMES)
  augment_fn = lambda seed, frames: 0.5 * tf.cast(frames, tf.float32)
  weights = toys.make_weights(reconstruction=1.0, augment_fn=augment_fn)
  auxiliary = toys.make_auxiliary(agent, toys.FRAMES, network, weights)
  metrics = toys.loss(agent, toys.FRAMES, network, weights, window,
                  auxiliary=auxiliary, seed=tf.constant([1, 2]))[1]
  darker = window._replace(
      observation=0.5 * tf.cast(window.observation, tf.float32))
  np.testing.assert_allclose(
      metrics['loss/value'],
      toys.loss(agent, toys.FRAMES, network, toys.make_weights(), darker)[1][
          'loss/value'], rtol=1e-5)
  # Frames as they are, are to be told of darker ones.
  expected = _reconstruction(
      auxiliary, window, toys.unrolled(network, agent, darker)[0],
      toys.unrolled(network, agent, window)[1])
  np.testing.assert_allclose(
      metrics['loss/reconstruction'], expected, rtol=1e-4)
  with pytest.raises(ValueError, match='seed must be given where frames are'):
    toys.loss(agent, toys.FRAMES, network, weights, window, auxiliary=auxiliary)


def test_without_unrolled_steps_nothing_is_compared():
  agent, network, window = toys.make(toys.VECTORS)
  window = window._replace(
      **{name: getattr(window, name)[:, :0] for name in (
          'action', 'reward', 'reward_mask')},
      **{name: getattr(window, name)[:, :1] for name in (
          'candidates', 'weights', 'value', 'policy_mask', 'value_mask')})
  metrics = toys.loss(
      agent, toys.VECTORS, network, toys.make_weights(_SPR), window)[1]
  assert {x for x in metrics if x.startswith('loss/')} == {
      'loss/policy', 'loss/value', 'loss/total'}


def test_windows_count_as_much_as_their_importance():
  agent, network, window = toys.make(toys.VECTORS)
  importance = np.array([0.5, 0.0, 1.0, 0.25], np.float32)
  weights = toys.make_weights(_SPR, reconstruction=1.0)
  auxiliary = toys.make_auxiliary(agent, toys.VECTORS, network, weights)
  loss_of = lambda x: toys.loss(
      agent, toys.VECTORS, network, weights, window._replace(
          importance=tf.constant(x, tf.float32)), auxiliary=auxiliary)[0]
  one_by_one = [float(loss_of(row)) for row in np.eye(toys.B)]
  np.testing.assert_allclose(
      loss_of(importance), np.dot(importance, one_by_one), rtol=1e-5)


def test_what_needs_the_observations_of_all_states():
  assert not toys.make_weights().needs_observations
  assert toys.make_weights(reconstruction=0.1).needs_observations
  assert all(toys.make_weights(term).needs_observations for term in (
      _SPR, consistency.simsiam(weight=1.0, **_LAYERS),
      contrastive.info_nce(weight=1.0, temperature=1.0, **_LAYERS)))


@pytest.mark.parametrize('make_fn, message', [
    (lambda: toys.make_weights(_SPR, _SPR), "2 terms that are called 'spr'"),
    (lambda: toys.make_weights(_SPR._replace(name='value')),
     "2 terms that are called 'value'"),
    (lambda: consistency.spr(weight=1.0, projector=[8, 4], predictor=[5]),
     r'as many units; got \[8, 4\] and \[5\]'),
    (lambda: consistency.simsiam(weight=-1.0, **_LAYERS),
     'weight must be >= 0'),
    (lambda: contrastive.info_nce(weight=1.0, temperature=0.0, **_LAYERS),
     'temperature must be > 0'),
    (lambda: augmentation.shift_and_intensity(max_shift=-1, intensity=0.0),
     'max_shift must be >= 0'),
])
def test_what_cannot_be(make_fn, message):
  with pytest.raises(ValueError, match=message):
    make_fn()


def test_a_head_that_is_not_made_and_one_that_cannot_be():
  agent, network, window = toys.make(toys.FRAMES)
  weights = toys.make_weights(reconstruction=1.0)
  with pytest.raises(ValueError, match="The term 'reconstruction' has something"
                     ' of its own to learn: make it with losses.make_heads'):
    toys.loss(agent, toys.FRAMES, network, weights, window)
  linear = own_networks.Linear(
      specs.Array([2], np.float32), toys.SPECS[toys.VECTORS].action,
      agent.make_head(toys.SPECS[toys.VECTORS]),
      num_value_bins=3, num_reward_bins=3)
  with pytest.raises(ValueError, match='reconstruction must be 0 .* Linear'):
    losses.make_heads(linear, weights, specs.Array([2], np.float32))
