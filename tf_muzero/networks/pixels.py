"""The network for frames: pre-activation residual convolutions."""

import functools
from typing import Sequence

from dm_env import specs
import numpy as np
import tensorflow as tf

from tf_muzero.keras2 import keras
from tf_muzero import ranges
from tf_muzero.networks import extrema
from tf_muzero.networks import heads
from tf_muzero.networks import precision

_EPSILON = 1e-5
_POOL = 'pool'
_CONVOLUTION = 'convolution'


class PixelNetwork(keras.Model):
  """Representation, dynamics and prediction for stacks of frames.

  Residual blocks are of version 2, with layer normalisation (MuZero Unplugged,
  section 4.2: ResNet-v2 with LayerNorm, 10 blocks of 2 layers, 256 planes). The
  representation first halves the resolution a few times (MuZero, appendix F).
  Actions are planes beside those of the embedding, and embeddings are scaled
  to [0, 1] per sample (appendix G). Prediction is its two heads.

  # Differs from the paper: an observation is the frames alone, without the
  # actions between them, and has 84 x 84 pixels and not 96 x 96: its sizes are
  # 84, 42, 21, 11, 6 and not 96, 48, 24, 12, 6.
  """

  def __init__(
      self, observation: specs.Array, action: specs.Array,
      head: heads.PolicyHead, *, num_value_bins: int, num_reward_bins: int,
      planes: int, num_blocks: int, head_planes: int,
      downsampling: Sequence[tuple[str, int, int]],
      compute_dtype: str = 'float32', num_datapoints: int = 0):
    """Creates the network and all its variables.

    Args:
      observation: the model's input, [H, W, C] of 0 to 255.
      action: what it does.
      head: the policy's head.
      num_value_bins: Z of the value.
      num_reward_bins: Z of the reward.
      planes: C of the embedding.
      num_blocks: residual blocks of representation and of dynamics.
      head_planes: planes that a head has before its linear layer.
      downsampling: what the representation begins with, each of it halves
        height and width: (`convolution` or `pool`, planes of a convolution,
        residual blocks that follow).
      compute_dtype: `float32`, or `bfloat16` for all but variables,
        normalisation, embeddings and outputs.
      num_datapoints: not used.
    """
    super().__init__()
    del num_datapoints
    if len(observation.shape) != 3:
      raise ValueError('PixelNetwork sees frames [H, W, C], got observations '
                       f'of shape {observation.shape}.')
    ranges.at_least(1, planes=planes, head_planes=head_planes)
    ranges.at_least(0, num_blocks=num_blocks)
    for _, num_planes, num_following in downsampling:
      ranges.at_least(1, planes_of_downsampling=num_planes)
      ranges.at_least(0, blocks_of_downsampling=num_following)
    self._num_actions = (
        action.num_values if isinstance(action, specs.DiscreteArray) else 0)
    layers = _Layers(precision.policy(compute_dtype), head_planes)
    self._representation = _representation(
        layers, observation.shape, downsampling, num_blocks, planes)
    height, width, _ = self._representation.output_shape[1:]
    self._embedding_shape = (height, width, planes)
    action_planes = self._num_actions or action.shape[0]
    self._dynamics = _dynamics(
        layers, (height, width, planes + action_planes), num_blocks, planes,
        num_reward_bins)
    self._prediction = _prediction(
        layers, self._embedding_shape, head.num_parameters, num_value_bins)
    self._decoder_fn = functools.partial(
        _decoder, layers, self._embedding_shape, downsampling, num_blocks,
        observation.shape)
    self.built = True

  def start_heads(self, value_logits: np.ndarray, reward_logits: np.ndarray):
    """Sets what the heads say before they have learned anything: [Z] each."""
    self._prediction.get_layer('value').bias.assign(value_logits)
    self._dynamics.get_layer('reward').bias.assign(reward_logits)

  def represent(self, observation: tf.Tensor) -> tf.Tensor:
    """Returns the embedding [B, h, w, D] of frames [B, H, W, C]."""
    return extrema.to_unit_range(
        self._representation(self.normalise(observation)))

  def normalise(self, observation: tf.Tensor) -> tf.Tensor:
    """Returns frames [..., H, W, C] of 0 to 255 as those of 0 to 1."""
    return tf.cast(observation, tf.float32) / 255.0

  def make_decoder(self) -> keras.Model:
    """Returns what tells frames [B, H, W, C] of embeddings [B, h, w, D].

    It mirrors the representation: as many residual blocks, at the same sizes.
    """
    return self._decoder_fn()

  def step(self, embedding: tf.Tensor, action: tf.Tensor
           ) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the next embedding [B, h, w, D] and reward logits [B, Z]."""
    if self._num_actions:
      action = tf.one_hot(action, self._num_actions)
    planes = action[:, tf.newaxis, tf.newaxis] * tf.ones(
        [*self._embedding_shape[:2], 1])
    out = self._dynamics(tf.concat([_centre(embedding), planes], axis=-1))
    return extrema.to_unit_range(embedding + out['embedding']), out['reward']

  def predict_heads(self, embedding: tf.Tensor
                    ) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns policy parameters [B, P] and value logits [B, Z]."""
    out = self._prediction(_centre(embedding))
    return out['policy'], out['value']


class PlaneNormalization(keras.layers.Layer):
  """Layer normalisation over all positions and planes of a sample.

  Each plane has a gain and a bias. Computed in float32.
  """

  def __init__(self, **kwargs):
    super().__init__(**kwargs)
    self.gamma = self.beta = None

  def build(self, input_shape):
    """Makes gains and biases."""
    self.gamma, self.beta = (self.add_weight(
        name, input_shape[-1:], initializer=initializer,
        experimental_autocast=False)  # Or bfloat16 would round it.
        for name, initializer in (('gamma', 'ones'), ('beta', 'zeros')))
    super().build(input_shape)

  def call(self, inputs):
    """Returns planes [B, H, W, C] of mean 0 and deviation 1, then gained."""
    x = tf.cast(inputs, tf.float32)
    mean, variance = tf.nn.moments(x, [1, 2, 3], keepdims=True)
    x = (x - mean) * tf.math.rsqrt(variance + _EPSILON)
    return tf.cast(x * self.gamma + self.beta, inputs.dtype)


class _Layers:
  """What the parts of the network are made of, in the dtype to compute in."""

  def __init__(self, policy: keras.mixed_precision.Policy, head_planes: int):
    self._policy = policy
    self._head_planes = head_planes

  def convolution(self, x, planes: int, *, size: int = 3, strides: int = 1,
                  **kwargs):
    """Returns planes of the same resolution, or of a part of it."""
    return keras.layers.Conv2D(
        planes, size, strides, 'same', dtype=self._policy,
        kernel_initializer='lecun_normal', **kwargs)(x)

  def activate(self, x):
    """Returns the normalised and rectified planes."""
    x = PlaneNormalization(dtype=self._policy)(x)
    return keras.layers.ReLU(dtype=self._policy)(x)

  def blocks(self, x, num: int):
    """Returns the planes after residual blocks of two layers."""
    for _ in range(num):
      residual = self.convolution(self.activate(x), x.shape[-1])
      residual = self.convolution(self.activate(residual), x.shape[-1])
      x = keras.layers.Add(dtype=self._policy)([x, residual])
    return x

  def halve(self, x, kind: str, planes: int):
    """Returns planes of half the height and width, rounded up."""
    if kind == _POOL:
      return keras.layers.AveragePooling2D(
          3, 2, 'same', dtype=self._policy)(x)
    if kind == _CONVOLUTION:
      return self.convolution(x, planes, strides=2)
    raise ValueError(f'downsampling must be by {_CONVOLUTION!r} or {_POOL!r}, '
                     f'got {kind!r}.')

  def double(self, x, planes: int, shape: Sequence[int]):
    """Returns planes of a height and width that `halve` makes these of."""
    x = keras.layers.Conv2DTranspose(
        planes, 4, 2, 'same', dtype=self._policy,
        kernel_initializer='lecun_normal')(x)
    height, width = (x.shape[i + 1] - shape[i] for i in range(2))
    return keras.layers.Cropping2D(
        ((0, height), (0, width)), dtype=self._policy)(x)

  def embedding(self, x, planes: int):
    """Returns float32 planes that are not rectified."""
    return keras.layers.Activation('linear', dtype='float32', name='embedding')(
        self.convolution(self.activate(x), planes))

  def head(self, x, size: int, name: str):
    """Returns [B, size] float32 of planes that are rectified."""
    x = self.activate(self.convolution(x, self._head_planes, size=1))
    x = keras.layers.Flatten(dtype=self._policy)(x)
    return keras.layers.Dense(
        size, kernel_initializer='zeros', name=name, dtype='float32')(x)


def _representation(layers: _Layers, shape: Sequence[int], downsampling,
                    num_blocks: int, planes: int) -> keras.Model:
  """Returns the network from frames in [0, 1] to the embedding."""
  x = inputs = keras.Input(shape)
  for i, (kind, num_planes, blocks) in enumerate(downsampling):
    if i and kind == _CONVOLUTION:
      x = layers.activate(x)
    x = layers.blocks(layers.halve(x, kind, num_planes), blocks)
  if x.shape[-1] != planes:
    x = layers.convolution(x, planes)
  return keras.Model(
      inputs, layers.embedding(layers.blocks(x, num_blocks), planes),
      name='representation')


def _decoder(layers: _Layers, shape: Sequence[int], downsampling,
             num_blocks: int, frame_shape: Sequence[int]) -> keras.Model:
  """Returns the network from the embedding to frames in [0, 1]."""
  sizes = [frame_shape]
  for _ in downsampling[1:]:
    sizes.append([(size + 1) // 2 for size in sizes[-1][:2]])
  x = inputs = keras.Input(shape)
  x = layers.blocks(layers.convolution(
      keras.layers.Rescaling(2.0, -1.0)(x), shape[-1]), num_blocks)
  for size, (_, planes, blocks) in zip(sizes[::-1], downsampling[::-1]):
    x = layers.activate(layers.blocks(x, blocks))
    x = layers.double(x, planes, size)
  return keras.Model(inputs, keras.layers.Activation('linear', dtype='float32')(
      layers.convolution(layers.activate(x), frame_shape[-1])), name='decoder')


def _dynamics(layers: _Layers, shape: Sequence[int], num_blocks: int,
              planes: int, num_reward_bins: int) -> keras.Model:
  """Returns the network from embedding and action to change and reward."""
  inputs = keras.Input(shape)
  x = layers.blocks(layers.convolution(inputs, planes), num_blocks)
  return keras.Model(inputs, {
      'embedding': layers.embedding(x, planes),
      'reward': layers.head(layers.activate(x), num_reward_bins, 'reward'),
  }, name='dynamics')


def _prediction(layers: _Layers, shape: Sequence[int], num_parameters: int,
                num_value_bins: int) -> keras.Model:
  """Returns the network from the embedding to policy and value."""
  inputs = keras.Input(shape)
  return keras.Model(inputs, {
      'policy': layers.head(inputs, num_parameters, 'policy'),
      'value': layers.head(inputs, num_value_bins, 'value'),
  }, name='prediction')


def _centre(embedding: tf.Tensor) -> tf.Tensor:
  return 2.0 * embedding - 1.0
