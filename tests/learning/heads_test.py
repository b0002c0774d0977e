"""Training with terms that have something of their own to learn."""

import functools

from dm_env import specs
import numpy as np
import pytest
import tensorflow as tf

from tests import trainer_toys as toys
from tf_muzero import train
from tf_muzero.keras2 import keras
from tf_muzero.learning import augmentation
from tf_muzero.learning import checkpoints
from tf_muzero.learning import losses
from tf_muzero.learning.terms import consistency
from tf_muzero.learning.terms import contrastive
from tf_muzero.networks import agent as agent_lib
from tf_muzero.networks import pixels
from tf_muzero.networks import state
from tf_muzero.networks import value_transform
from tf_muzero.types import EnvironmentSpec

pytestmark = pytest.mark.usefixtures('quick_graphs')

_ACTION = specs.BoundedArray([1], np.float32, -1.0, 1.0)
_SUPPORT = value_transform.Support(-5.0, 5.0, 11)
_LAYERS = {'projector': [4, 6], 'predictor': [3, 6]}
_TERMS = [
    consistency.spr(weight=1.0, **_LAYERS),
    consistency.simsiam(weight=2.0, **_LAYERS),
    contrastive.info_nce(weight=1.0, temperature=0.1, **_LAYERS)]
_NETWORKS = {
    'vectors': (specs.Array([2], np.float32), functools.partial(
        state.StateNetwork, num_blocks=1, width=8)),
    'frames': (specs.Array([8, 6, 1], np.uint8), functools.partial(
        pixels.PixelNetwork, planes=2, num_blocks=0, head_planes=1,
        downsampling=[('convolution', 2, 0)]))}


def _make_trainer(kind, terms, jit_compile=False):
  class Source:
    spec = EnvironmentSpec(_NETWORKS[kind][0], _ACTION)
    num_steps = 100

  tf.keras.utils.set_random_seed(1)
  trainer = train.make_trainer(
      Source, agent_lib.Agent(_NETWORKS[kind][1], _SUPPORT, _SUPPORT, 0.9, 3),
      losses.LossWeights(
          1.0, 0.25, 1.0, 0.0, 0.5, terms,
          augmentation.shift_and_intensity(max_shift=1, intensity=0.05)),
      toys.BATCH_SIZE, 'float32', target_period=1, target_decay=0.5,
      jit_compile=jit_compile, seed=4)
  trainer.compile(keras.optimizers.SGD(0.1), steps_per_execution=1)
  return trainer


def _windows(kind):
  generator = np.random.default_rng(3)
  shape = [16, toys.UNROLL_STEPS + 1, *_NETWORKS[kind][0].shape]
  observation = (generator.normal(size=shape).astype('f') if kind == 'vectors'
                 else generator.integers(256, size=shape).astype(np.uint8))
  return toys.make_windows(16, observation=observation)


def _vector(heads):
  return np.concatenate([
      np.ravel(x) for name in sorted(heads)
      for x in heads[name].trainable_variables])


def test_heads_learn_and_their_slow_copies_follow(caplog):
  with caplog.at_level('INFO', logger='absl'):
    trainer = _make_trainer('vectors', _TERMS, jit_compile=True)
  assert caplog.text.count('augment_fn is for frames: vectors are learned') == 1
  assert sorted(trainer.heads) == ['contrastive', 'simsiam', 'spr']
  start = _vector(trainer.heads)
  np.testing.assert_array_equal(_vector(trainer.target_heads), start)
  network = toys.weights(trainer.network)
  history = toys.fit(trainer, _windows('vectors'), 1)
  one = _vector(trainer.heads)
  assert np.mean(one != start) > 0.8  # Some units are off.
  np.testing.assert_allclose(
      _vector(trainer.target_heads), 0.5 * (start + one), atol=1e-6)
  np.testing.assert_allclose(
      toys.weights(trainer.target_network),
      0.5 * (network + toys.weights(trainer.network)), atol=1e-6)
  assert np.isfinite(history['loss/reconstruction'])
  later = toys.fit(trainer, _windows('vectors'), 20)
  for name in ('spr', 'simsiam', 'contrastive'):
    assert later[f'loss/{name}'][0] < history[f'loss/{name}'][0]


def test_a_run_goes_on_with_the_heads_that_it_had(tmp_path):
  one, other = (_make_trainer('frames', _TERMS[:1]) for _ in range(2))
  assert sorted(one.heads) == ['reconstruction', 'spr']
  toys.fit(one, _windows('frames'), 1)
  checkpoint = checkpoints.restore(one, checkpoints.Start('', 0, ''))
  assert int(checkpoint.save_counter) == 0  # Part of it from now on.
  path = checkpoint.write(str(tmp_path / 'ckpt-1'))
  checkpoints.restore(other, checkpoints.Start(path, 1, ''))
  for trainer in (one, other):  # What is drawn depends on the step.
    toys.fit(trainer, _windows('frames'), 1)
  for name in ('heads', 'target_heads'):
    np.testing.assert_array_equal(
        _vector(getattr(one, name)), _vector(getattr(other, name)))
  np.testing.assert_array_equal(
      toys.weights(one.network), toys.weights(other.network))
