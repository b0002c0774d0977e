"""What each term of the loss, and the value prefix, cost a learner step.

CPU seconds, variables, and memory of a window:

  python tools/benchmark_terms.py --frames

CPU seconds are those of the process, over all threads, so that they tell the
same on a busy machine.
"""

import functools
import time

from absl import app
from absl import flags
from dm_env import specs
import numpy as np
import tensorflow as tf

from tf_muzero import train
from tf_muzero.keras2 import keras
from tf_muzero.learning import augmentation
from tf_muzero.learning import losses
from tf_muzero.learning.terms import consistency
from tf_muzero.learning.terms import contrastive
from tf_muzero.networks import agent as agent_lib
from tf_muzero.networks import pixels
from tf_muzero.networks import state
from tf_muzero.networks import value_prefix
from tf_muzero.networks.value_transform import Support
from tf_muzero.types import EnvironmentSpec
from tf_muzero.types import Window

_FRAMES = flags.DEFINE_boolean(
    'frames', False, 'Four frames of 42 x 42 instead of vectors of 17.')
_BATCH = flags.DEFINE_integer('batch', 128, 'Windows per learner step.')
_STEPS = flags.DEFINE_integer('steps', 5, 'Learner steps that are timed.')

_UNROLL_STEPS, _ACTIONS = 5, 6
_SMALL = {'projector': [256, 128], 'predictor': [128]}
# Units of the LSTM's features, and of the LSTM.
_PREFIXES = {'value prefix': 64, 'value prefix of the paper': 512}
# Name -> reconstruction's weight, further terms, whether frames are augmented.
_VARIANTS = {
    'none': (0.0, (), False),
    'augmentation': (0.0, (), True),
    'reconstruction': (1.0, (), False),
    'spr': (0.0, (consistency.spr(weight=2.0, **_SMALL),), True),
    'simsiam': (0.0, (consistency.simsiam(
        weight=2.0, projector=[256, 256, 128], predictor=[64, 128]),), True),
    'simsiam of the paper': (0.0, (consistency.simsiam(
        weight=2.0, projector=[1024] * 3, predictor=[512, 1024]),), True),
    'contrastive': (0.0, (contrastive.info_nce(
        weight=1.0, temperature=0.1, **_SMALL),), True),
    **{name: (0.0, (), False) for name in _PREFIXES}}


class _Source:
  """What is seen and done."""

  def __init__(self):
    shape, dtype = ([42, 42, 1], np.uint8) if _FRAMES.value else (
        [17], np.float32)
    self.spec = EnvironmentSpec(
        specs.Array(shape, dtype), specs.DiscreteArray(_ACTIONS))
    self.num_steps = 1000


def _make_trainer(source, reconstruction, terms, is_augmented, prefix):
  network_fn = functools.partial(
      pixels.PixelNetwork, planes=16, num_blocks=1, head_planes=8,
      downsampling=[('convolution', 16, 0), ('convolution', 16, 0),
                    ('pool', 16, 0)]) if _FRAMES.value else functools.partial(
                        state.StateNetwork, num_blocks=1, width=64)
  support = Support(-2.0, 2.0, 41)
  trainer = train.make_trainer(
      source, agent_lib.Agent(
          network_fn, support, support, 0.99, 1, 4 if _FRAMES.value else 1,
          value_prefix=prefix),
      losses.LossWeights(
          1.0, 0.25, 1.0, 5e-3, reconstruction, terms,
          augmentation.shift_and_intensity(max_shift=4, intensity=0.05)
          if is_augmented else None),
      _BATCH.value, 'float32', target_period=1, target_decay=0.99,
      jit_compile=False)
  trainer.compile(keras.optimizers.Adam(1e-4))
  return trainer


def _window(source, keeps_observations):
  """Returns a batch whose numbers do not matter."""
  generator = np.random.default_rng(0)
  uniform = lambda *shape: tf.constant(
      generator.uniform(size=(_BATCH.value, *shape)), tf.float32)
  num_states = _UNROLL_STEPS + 1
  num_frames = (4 if _FRAMES.value else 1) + (
      _UNROLL_STEPS if keeps_observations else 0)
  spec = source.spec.observation
  fields = {
      'observation': tf.cast(
          255 * uniform(num_frames, *spec.shape), spec.dtype),
      'action': tf.cast(_ACTIONS * uniform(num_states), tf.int32),
      'reward': uniform(_UNROLL_STEPS),
      'candidates': tf.cast(
          _ACTIONS * uniform(num_states, _ACTIONS), tf.int32),
      'weights': uniform(num_states, _ACTIONS), 'value': uniform(num_states),
      'policy_mask': tf.ones([_BATCH.value, num_states]),
      'value_mask': tf.ones([_BATCH.value, num_states]),
      'reward_mask': tf.ones([_BATCH.value, _UNROLL_STEPS]),
      'snapshot_step': tf.zeros([_BATCH.value], tf.int64),
      'importance': tf.ones([_BATCH.value]), 'diagnostics': {}}
  return Window(**{name: fields[name] for name in Window._fields})


def main(_):
  """Prints a line for each variant."""
  source = _Source()
  for name, (reconstruction, terms, is_augmented) in _VARIANTS.items():
    keeps = bool(reconstruction or terms)
    units = _PREFIXES.get(name)
    prefix = units and value_prefix.ValuePrefix(
        num_steps=5, num_features=units, units=units)
    trainer = _make_trainer(
        source, reconstruction, terms, is_augmented, prefix)
    window = _window(source, keeps)
    step = tf.function(trainer.train_step, autograph=False)
    step(window)
    seconds = []
    for _ in range(_STEPS.value):
      begun = time.process_time()
      step(window)
      seconds.append(time.process_time() - begun)
    size = sum(x.nbytes for x in map(np.asarray, tf.nest.flatten(window)))
    print(f'{name:26} {1e3 * min(seconds):8.1f} ms of CPU, '
          f'{sum(v.shape.num_elements() for v in trainer.learned):9,} numbers '
          f'learned, {size / _BATCH.value / 1024:6.1f} kB per window')


if __name__ == '__main__':
  app.run(main)
