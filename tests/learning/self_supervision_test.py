"""Terms that compare embeddings with what follows."""

import numpy as np
import pytest
import tensorflow as tf

from tests import loss_toys as toys
from tf_muzero.learning.terms import consistency
from tf_muzero.learning.terms import contrastive

_LAYERS = {'projector': [7, 6], 'predictor': [5, 6]}


def _unit(x):
  return x / np.linalg.norm(x, axis=-1, keepdims=True)


@pytest.mark.parametrize('kind', toys.SPECS)
@pytest.mark.parametrize('make_term', [consistency.spr, consistency.simsiam])
def test_consistency_is_the_cosine_to_what_follows(make_term, kind):
  agent, network, window = toys.make(kind)
  term = make_term(weight=2.0, **_LAYERS)
  weights = toys.make_weights(term)
  auxiliary = toys.make_auxiliary(agent, kind, network, weights)
  loss, metrics = toys.loss(
      agent, kind, network, weights, window, auxiliary=auxiliary)
  is_slow = term.name == 'spr'
  sees = auxiliary.target_network if is_slow else network
  projects = (auxiliary.target_heads if is_slow else auxiliary.heads)[term.name]
  embeddings, seen = toys.unrolled(network, agent, window)
  expected = 0.0
  for k in range(1, toys.K + 1):
    head = auxiliary.heads[term.name]
    predicted = head.predictor(head.projector(embeddings[:, k]))
    target = projects.projector(sees.represent(seen[:, k]))
    cosine = np.sum(_unit(predicted.numpy()) * _unit(target.numpy()), axis=-1)
    expected -= np.sum(window.policy_mask[:, k - 1] * cosine) / toys.K / toys.B
  np.testing.assert_allclose(
      metrics[f'loss/{term.name}'], expected, rtol=1e-4)
  without = toys.loss(agent, kind, network, toys.make_weights(), window)[0]
  assert float(loss - without) == pytest.approx(2.0 * expected, rel=1e-3)


def test_info_nce_tells_windows_apart():
  agent, network, window = toys.make(toys.VECTORS)
  weights = toys.make_weights(contrastive.info_nce(
      weight=1.0, temperature=0.1, **_LAYERS))
  auxiliary = toys.make_auxiliary(agent, toys.VECTORS, network, weights)
  head = auxiliary.heads['contrastive']
  metrics = toys.loss(
      agent, toys.VECTORS, network, weights, window, auxiliary=auxiliary)[1]
  embeddings, seen = toys.unrolled(network, agent, window)
  expected = 0.0
  for k in range(1, toys.K + 1):
    predicted = _unit(head.predict(embeddings[:, k]).numpy())
    candidates = _unit(head.projector(network.represent(seen[:, k])).numpy())
    is_real = window.policy_mask[:, k - 1].numpy()
    for b in range(toys.B):
      if is_real[b]:
        similar = np.exp(candidates @ predicted[b] / 0.1)
        expected -= np.log(similar[b] / np.sum(similar * is_real))
  np.testing.assert_allclose(
      metrics['loss/contrastive'], expected / toys.K / toys.B, rtol=1e-4)


_TERMS = [consistency.spr(weight=1.0, **_LAYERS),
          consistency.simsiam(weight=1.0, **_LAYERS),
          contrastive.info_nce(weight=1.0, temperature=1.0, **_LAYERS)]


@pytest.mark.parametrize('term', _TERMS, ids=lambda term: term.name)
def test_what_is_past_the_end_does_not_matter(term):
  agent, network, window = toys.make(toys.VECTORS)
  mask = np.ones([toys.B, toys.K + 1], np.float32)
  mask[0, 1:] = 0.0  # Its record 1 is the last one.
  window = window._replace(policy_mask=tf.constant(mask))
  weights = toys.make_weights(term)
  auxiliary = toys.make_auxiliary(agent, toys.VECTORS, network, weights)
  loss_of = lambda observation: float(toys.loss(
      agent, toys.VECTORS, network, weights, window._replace(
          observation=observation), auxiliary=auxiliary)[1][
              f'loss/{term.name}'])
  observation = 3.0 * np.random.default_rng(1).normal(
      size=window.observation.shape).astype('f')
  before = loss_of(tf.constant(observation))
  observation[0, 3:] = -9.0  # Of stacks of two, those of record 2 and on.
  assert loss_of(tf.constant(observation)) == before
  observation[0, 2] = -9.0
  assert loss_of(tf.constant(observation)) != before


@pytest.mark.parametrize('term', _TERMS, ids=lambda term: term.name)
def test_where_the_gradient_goes(term):
  agent, network, window = toys.make(toys.VECTORS)
  window = window._replace(policy_mask=tf.ones([toys.B, toys.K + 1]))
  weights = toys.make_weights(term)
  auxiliary = toys.make_auxiliary(agent, toys.VECTORS, network, weights)
  with tf.GradientTape() as tape:
    tape.watch(window.observation)
    loss = toys.loss(agent, toys.VECTORS, network, weights, window,
                 auxiliary=auxiliary)[1][f'loss/{term.name}']
  head, slow = (x[term.name] for x in (
      auxiliary.heads, auxiliary.target_heads))
  seen, learned, followers = tape.gradient(
      loss, (window.observation, head.trainable_variables,
             (slow.trainable_variables,
              auxiliary.target_network.trainable_variables)))
  assert all(np.any(x) for x in learned)
  assert followers == tf.nest.map_structure(lambda _: None, followers)
  assert np.any(seen[:, :2])
  assert np.any(seen[:, 2:]) == (term.name == 'contrastive')
