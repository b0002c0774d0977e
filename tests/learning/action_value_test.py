"""Values of actions in place of a model: its term, its planning, its checks."""

import dataclasses
import functools

import numpy as np
import pytest
import tensorflow as tf

from tests import loss_toys
from tf_muzero import rng
from tf_muzero.acting import modes
from tf_muzero.learning import losses
from tf_muzero.learning.terms import action_value
from tf_muzero.search import mcts
from tf_muzero.search import one_step

_KINDS = sorted(loss_toys.NETWORKS)
_TERM = action_value.action_value(weight=0.5)


def _make(kind):
  """Returns an agent without a model, its network, and windows of K = 0."""
  agent, _, window = loss_toys.make(kind)
  agent = dataclasses.replace(agent, action_values=True)
  network = loss_toys.filled(
      agent.make_network(loss_toys.SPECS[kind]), np.random.default_rng(3))
  window = window._replace(
      observation=window.observation[:, :2], reward=window.reward[:, :0],
      reward_mask=window.reward_mask[:, :0], **{
          name: getattr(window, name)[:, :1] for name in (
              'action', 'candidates', 'weights', 'value', 'policy_mask',
              'value_mask')})
  return agent, network, window


def _q_values(agent, network, embedding, action):
  """Returns the value of an action [B] as the bins say, by NumPy."""
  logits = network.step(embedding, action)[1].numpy()
  share = np.exp(logits - logits.max(-1, keepdims=True))
  support = agent.value_support
  assert logits.shape[-1] == support.num_bins
  return support.decode(tf.constant(logits)).numpy(), np.log(
      share / share.sum(-1, keepdims=True))


@pytest.mark.parametrize('kind', _KINDS)
def test_the_term_is_the_cross_entropy_of_the_stored_action(kind):
  agent, network, window = _make(kind)
  _, metrics = loss_toys.loss(
      agent, kind, network, loss_toys.make_weights(_TERM), window)
  frames = window.observation.numpy()
  embedding = network.represent(
      np.concatenate([frames[:, 0], frames[:, 1]], axis=-1))
  _, log_probs = _q_values(agent, network, embedding, window.action[:, 0])
  target = agent.value_support.encode(window.value[:, 0]).numpy()
  expected = -(target * log_probs).sum(-1) * window.policy_mask[:, 0].numpy()
  np.testing.assert_allclose(
      metrics['loss/action_value'], expected.mean(), rtol=1e-5)
  assert 'loss/reward' not in metrics


def _plan(kind):
  agent, network, window = _make(kind)
  model = agent.plan_with(network, loss_toys.SPECS[kind])
  frames = window.observation
  seen = tf.concat([frames[:, 0], frames[:, 1]], axis=-1)
  root = model.root_fn(network.variables, rng.seed(1), seen)
  return agent, network, model, seen, root


@pytest.mark.parametrize('kind', _KINDS)
def test_one_step_tells_the_values_of_actions(kind):
  agent, network, model, _, root = _plan(kind)
  values = one_step.values(
      model.recurrent_fn, network.variables, rng.seed(2), root)
  embedding = root.embedding[0]
  for number in range(values.shape[1]):
    action = (root.candidates[:, number] if tf.is_tensor(root.candidates)
              else tf.fill([len(embedding)], number))
    np.testing.assert_allclose(
        values[:, number], _q_values(agent, network, embedding, action)[0],
        rtol=1e-4, atol=1e-5)


def test_a_search_says_the_same_of_actions_however_deep_it_is():
  kind = loss_toys.VECTORS
  _, network, model, _, root = _plan(kind)
  output = mcts.search(
      network.variables, root, model.recurrent_fn, rng.seed(3),
      num_simulations=40, min_root_visits=1)
  assert tf.reduce_max(output.depth) > 1
  np.testing.assert_allclose(
      output.q_values, one_step.values(
          model.recurrent_fn, network.variables, rng.seed(2), root),
      rtol=1e-4, atol=1e-5)


def test_acting_by_value_takes_the_best_action():
  kind = loss_toys.VECTORS
  agent, network, model, seen, root = _plan(kind)
  act = modes.value().make_fn(
      functools.partial(agent.plan_with, network, loss_toys.SPECS[kind]), None)
  values = one_step.values(
      model.recurrent_fn, network.variables, rng.seed(2), root)
  np.testing.assert_array_equal(
      act(network.variables, rng.seed(4), seen), np.argmax(values, axis=-1))


@pytest.mark.parametrize('has, terms, unroll_steps', [
    (True, [], 0), (False, [_TERM], 0), (True, [_TERM], 1)])
def test_what_does_not_go_together_is_refused(has, terms, unroll_steps):
  agent = dataclasses.replace(
      loss_toys.make_agent(loss_toys.VECTORS), action_values=has)
  weights = loss_toys.make_weights(*terms)
  with pytest.raises(ValueError, match='action_values.gin; got'):
    losses.check_action_values(agent, weights, unroll_steps)


@pytest.mark.parametrize('has, terms, unroll_steps', [
    (True, [_TERM], 0), (False, [], 0), (False, [], 5)])
def test_what_goes_together_is_taken(has, terms, unroll_steps):
  agent = dataclasses.replace(
      loss_toys.make_agent(loss_toys.VECTORS), action_values=has)
  losses.check_action_values(
      agent, loss_toys.make_weights(*terms), unroll_steps)
