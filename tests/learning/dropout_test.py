"""Dropout: what the heads see of embeddings, and what all others see."""

import numpy as np
import pytest
import tensorflow as tf

from tests import loss_toys as toys
from tf_muzero import cli
from tf_muzero import rng
from tf_muzero import train
from tf_muzero.keras2 import keras
from tf_muzero.learning import losses
from tf_muzero.learning.terms import term as term_lib

_SEED = (3, 4)
_KINDS = pytest.mark.parametrize('kind', [toys.VECTORS, toys.FRAMES])


def _loss(kind, seed=_SEED, compiles=False, **changes):
  """Returns the loss of windows, and what the heads and terms see of them."""
  agent, network, window = toys.make(kind)
  seen = {}

  def see(unrolled, window):
    seen['terms'] = unrolled.embedding
    return tf.zeros_like(window.policy_mask)

  weights = toys.make_weights(
      term_lib.Term('see', 1.0, see, lambda window: window.policy_mask),
      **changes)
  predict_heads, step = network.predict_heads, network.step
  network.predict_heads = lambda x: seen.update(heads=x) or predict_heads(x)
  network.step = lambda x, action: seen.setdefault('steps', []).append(
      x) or step(x, action)

  def of(seed):
    loss, metrics = toys.loss(agent, kind, network, weights, window, seed=seed)
    return loss, metrics, seen

  if compiles:
    of = tf.function(of, jit_compile=True, autograph=False)
  return of(None if seed is None else tf.constant(seed))


def test_what_is_dropped_out_is_zero_and_the_rest_makes_up_for_it():
  x = tf.random.stateless_uniform([400, 50], [1, 2], 1.0, 2.0)
  for rate in (0.1, 0.5, 0.9):
    found = losses.dropped_out(rng.seed(5), x, rate).numpy()
    is_zero = found == 0.0
    assert abs(is_zero.mean() - rate) < 0.01
    np.testing.assert_allclose(
        found[~is_zero], (x / (1.0 - rate)).numpy()[~is_zero], rtol=1e-6)
    assert np.abs(is_zero.mean(axis=0) - rate).max() < 0.1
  total = sum(losses.dropped_out(rng.seed(i), x, 0.5) for i in range(300))
  np.testing.assert_allclose(total / 300, x, atol=0.6)
  assert abs(np.mean(total / 300 - x)) < 0.01
  half = losses.dropped_out(rng.seed(5), tf.cast(x, tf.bfloat16), 0.5)
  assert half.dtype == tf.bfloat16
  np.testing.assert_array_equal(
      half == 0.0, losses.dropped_out(rng.seed(5), x, 0.5) == 0.0)


@_KINDS
def test_the_heads_alone_see_embeddings_dropped_out(kind):
  whole, plain = _loss(kind, seed=None)[1:]
  metrics, seen = _loss(kind, dropout=0.3)[1:]
  np.testing.assert_array_equal(seen['terms'], plain['terms'])
  np.testing.assert_array_equal(seen['steps'], plain['steps'])
  kept = seen['heads'].numpy() != 0.0
  assert not np.array_equal(kept, plain['heads'].numpy() != 0.0)
  np.testing.assert_allclose(
      seen['heads'], kept * plain['heads'] / 0.7, rtol=1e-6)
  for name in ('value', 'policy'):
    assert metrics[f'loss/{name}'] != whole[f'loss/{name}']
  assert metrics['loss/reward'] == whole['loss/reward']


@_KINDS
def test_seeds(kind):
  first, again, other = (
      float(_loss(kind, seed, dropout=0.5)[0]) for seed in (
          _SEED, _SEED, (3, 5)))
  assert first == again != other


@_KINDS
def test_none_is_as_it_was(kind):
  for seed in (None, _SEED):
    assert _loss(kind, seed, dropout=0.0)[0] == _loss(kind, None)[0]


@_KINDS
def test_compiled_it_is_the_same(kind):
  expected, _, seen = _loss(kind, dropout=0.4)
  found, _, compiled = _loss(kind, dropout=0.4, compiles=True)
  np.testing.assert_allclose(found, expected, rtol=1e-4)
  np.testing.assert_array_equal(
      compiled['heads'] == 0.0, seen['heads'] == 0.0)


def test_augmentation_draws_by_another_seed():
  drawn = []

  def augment(seed, frames):
    drawn.append(rng.uniform(seed, [3]).numpy())
    drawn.extend(rng.uniform(x, [3]).numpy() for x in rng.split(seed))
    return tf.cast(frames, tf.float32)

  uniform = rng.uniform
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(rng, 'uniform', lambda seed, shape: drawn.append(
        uniform(seed, [3]).numpy()) or uniform(seed, shape))
    _loss(toys.FRAMES, dropout=0.5)
    patch.setattr(rng, 'uniform', uniform)
    _loss(toys.FRAMES, dropout=0.5, augment_fn=augment)
  assert len(drawn) == 4 and len(set(map(tuple, drawn))) == 4


@pytest.mark.parametrize('rate', [1, 1.5, -0.1, float('nan')])
def test_rates_that_are_refused(rate):
  with pytest.raises(ValueError, match=r'dropout must be in \[0, 1\), got'):
    toys.make_weights(dropout=rate)


def test_a_seed_is_needed():
  with pytest.raises(ValueError, match='seed must be given where frames are '
                     'augmented or embeddings dropped out'):
    _loss(toys.VECTORS, seed=None, dropout=0.5)


def test_a_line_of_gin_turns_it_on():
  settings = cli.settings(
      train.train, ['gin/experiment/catch.gin'],
      ['losses.LossWeights.dropout = 0.1'], run_directory='x', dataset='y')
  assert settings['loss_weights'].dropout == 0.1


def test_replicas_and_steps_drop_out_differently():
  """As they have seeds of their own, see `trainer.Trainer.train_step`."""
  seeds = [rng.fold_in(rng.fold_in(rng.seed(1), step), replica)
           for step in (0, 1) for replica in (0, 1)]
  found = {tuple(losses.dropped_out(seed, tf.ones([64]), 0.5).numpy())
           for seed in seeds}
  assert len(found) == 4


def test_the_gradient_reaches_what_is_kept():
  x = keras.backend.variable(np.ones([100]))
  with tf.GradientTape() as tape:
    y = losses.dropped_out(rng.seed(2), x, 0.5)
    loss = tf.reduce_sum(y)
  np.testing.assert_array_equal(tape.gradient(loss, x), y)
