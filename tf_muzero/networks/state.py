"""The network for state vectors: pre-activation residual MLPs."""

import math
from typing import Optional

from dm_env import specs
import numpy as np
import tensorflow as tf

from tf_muzero import ranges
from tf_muzero.keras2 import keras
from tf_muzero.networks import extrema
from tf_muzero.networks import heads
from tf_muzero.networks import precision
from tf_muzero.networks import replicated

# Below 1.001e-5 Keras does not take its batch-norm kernel, slow on a CPU.
_EPSILON = 1e-5
_FARTHEST = 1e15  # Standard deviations, whose squares float32 can sum.
_LEAST = 1e-6  # Deviation; what differs less counts as the same.


class StateNetwork(keras.Model):
  """Representation, dynamics and prediction for flat observations.

  Each is a residual MLP with layer normalisation (MuZero Unplugged, section
  4.2: ResNet-v2 with LayerNorm, 10 blocks of 2 layers, 512 units). Embeddings
  are scaled to [0, 1] per sample (MuZero, appendix G).
  """

  def __init__(
      self, observation: specs.Array, action: specs.Array,
      head: heads.PolicyHead, *, num_value_bins: int, num_reward_bins: int,
      num_blocks: int, width: Optional[int] = None,
      minimum_width: int = 8, maximum_width: Optional[int] = None,
      num_datapoints: Optional[int] = None, compute_dtype: str = 'float32',
      observation_horizon: int = 0):
    """Creates the network and all its variables.

    Args:
      observation: the model's input, a vector.
      action: what it does.
      head: the policy's head.
      num_value_bins: Z of the value.
      num_reward_bins: Z of the reward.
      num_blocks: residual blocks of each of the three parts.
      width: units of each layer and of the embedding; by default the paper's
        rule `datapoints_width`.
      minimum_width: what the rule may give at least.
      maximum_width: what it may give at most; None for any.
      num_datapoints: stored states, for that rule.
      compute_dtype: `float32`, or `bfloat16` for all but variables,
        normalisation, embeddings and outputs.
      observation_horizon: learner steps over which the statistics that
        observations are normalised by follow what is learned from: the mean
        over all batches until then, a moving average from then on. What was set
        before is forgotten at the first step, but for inputs that have not
        changed so far. 0 leaves them as they were set.
    """
    super().__init__()
    ranges.at_least(0, observation_horizon=observation_horizon)
    if len(observation.shape) != 1:
      raise ValueError('StateNetwork sees vectors, got observations of shape '
                       f'{observation.shape}; frames need a PixelNetwork.')
    observation_size = observation.shape[0]
    _check_sizes(num_blocks, width, minimum_width, maximum_width)
    if width is None:
      width = max(datapoints_width(num_datapoints, num_blocks), minimum_width)
      width = min(width, maximum_width or width)
    self._num_actions = (
        action.num_values if isinstance(action, specs.DiscreteArray) else 0)
    self._observation_horizon = observation_horizon
    self._observation_mean, self._observation_std = (self.add_weight(
        name, [observation_size], trainable=False, initializer=initializer,
        aggregation=replicated.aggregation())
        for name, initializer in (
            ('observation_mean', 'zeros'), ('observation_std', 'ones')))
    trunk = _Trunk(num_blocks, width, precision.policy(compute_dtype))
    self._representation = trunk.model(observation_size, {
        'embedding': (width, 'lecun_normal')}, 'representation')
    self._dynamics = trunk.model(
        width + (self._num_actions or action.shape[0]), {
            'embedding': (width, 'lecun_normal'),
            'reward': (num_reward_bins, 'zeros')}, 'dynamics')
    self._prediction = trunk.model(width, {
        'policy': (head.num_parameters, 'zeros'),
        'value': (num_value_bins, 'zeros')}, 'prediction')
    self._decoder = keras.layers.Dense(observation_size, name='decoder')
    self._decoder.build([None, width])
    self.built = True

  def set_observation_statistics(self, mean: np.ndarray, std: np.ndarray):
    """Sets what observations are normalised by: [size] each."""
    self._observation_mean.assign(mean)
    self._observation_std.assign(std)

  def follow_observations(self, observation: tf.Tensor, step: tf.Tensor
                          ) -> None:
    """Moves the statistics towards those of a batch, if they are to follow.

    Args:
      observation: [B, size] of this replica.
      step: learner steps before this one.
    """
    if not self._observation_horizon:
      return
    def average(x):
      return replicated.all_reduce(
          tf.distribute.ReduceOp.MEAN, tf.reduce_mean(x, axis=0))

    mean, deviation = self._observation_mean, self._observation_std
    shift = average(observation - mean)
    spread = average((observation - mean - shift)**2)
    rate = 1.0 / tf.cast(
        tf.minimum(step + 1, self._observation_horizon), tf.float32)
    # Of both together, about their mean.
    variance = ((1.0 - rate) * (deviation**2 + rate * shift**2)
                + rate * spread)
    differs = (1.0 - rate) * shift**2 + spread > _LEAST**2
    deviation.assign(tf.where(
        differs, tf.maximum(tf.sqrt(variance), _LEAST), deviation))
    mean.assign_add(rate * shift)

  def start_heads(self, value_logits: np.ndarray, reward_logits: np.ndarray):
    """Sets what the heads say before they have learned anything: [Z] each."""
    self._prediction.get_layer('value').bias.assign(value_logits)
    self._dynamics.get_layer('reward').bias.assign(reward_logits)

  def normalise(self, observation: tf.Tensor) -> tf.Tensor:
    """Returns observations [..., size] with zero mean and unit deviation.

    What is finite gives finite outputs, so it is clipped where none can differ.
    """
    return tf.clip_by_value(
        (observation - self._observation_mean) / self._observation_std,
        -_FARTHEST, _FARTHEST)

  def represent(self, observation: tf.Tensor) -> tf.Tensor:
    """Returns the embedding [B, D] of observations [B, size]."""
    return extrema.to_unit_range(
        self._representation(self.normalise(observation))['embedding'])

  def step(self, embedding: tf.Tensor, action: tf.Tensor
           ) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the next embedding [B, D] and the reward's logits [B, Z]."""
    if self._num_actions:
      action = tf.one_hot(action, self._num_actions)
    out = self._dynamics(tf.concat([_centre(embedding), action], axis=-1))
    return extrema.to_unit_range(embedding + out['embedding']), out['reward']

  def predict_heads(self, embedding: tf.Tensor
                    ) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns policy parameters [B, P] and value logits [B, Z]."""
    out = self._prediction(_centre(embedding))
    return out['policy'], out['value']

  def decode(self, embedding: tf.Tensor) -> tf.Tensor:
    """Returns the normalised observation [B, size] that an embedding tells."""
    return self._decoder(_centre(embedding))


def datapoints_width(num_datapoints: Optional[int], num_blocks: int) -> int:
  """Returns sqrt(datapoints / layers), which keeps parameters per datapoint.

  Source: MuZero Unplugged, caption of table 3. "Layers" are counted as blocks:
  40,000 datapoints and 10 blocks give the width of 64 in its table 9.
  """
  if not num_datapoints:
    raise ValueError('Give `width`, or `num_datapoints` for the rule '
                     'width = sqrt(datapoints / layers).')
  return round(math.sqrt(num_datapoints / num_blocks))


def _check_sizes(num_blocks: int, width: Optional[int], minimum_width: int,
                 maximum_width: Optional[int]) -> None:
  """Raises ValueError for sizes that no network has."""
  ranges.at_least(0, num_blocks=num_blocks)
  ranges.at_least(1, minimum_width=minimum_width)
  if width is not None:
    ranges.at_least(1, width=width)
  else:
    ranges.at_least(1, num_blocks=num_blocks)  # The rule divides by it.
  if maximum_width is not None:
    ranges.at_least(minimum_width, maximum_width=maximum_width)


class _Trunk:
  """A residual MLP, in the dtype to compute in."""

  def __init__(self, num_blocks: int, width: int,
               policy: keras.mixed_precision.Policy):
    self._num_blocks = num_blocks
    self._width = width
    self._policy = policy

  def model(self, input_size: int, outputs: dict[str, tuple[int, str]],
            name: str) -> keras.Model:
    """Returns it with one linear output, in float32, for each of `outputs`."""
    inputs = keras.Input([input_size])
    x = self._activate(self._dense(inputs))
    for _ in range(self._num_blocks):
      residual = self._dense(self._activate(x))
      residual = self._dense(self._activate(residual))
      x = keras.layers.Add(dtype=self._policy)([x, residual])
    x = self._activate(x)
    return keras.Model(inputs, {
        key: keras.layers.Dense(
            size, kernel_initializer=initializer, name=key, dtype='float32')(x)
        for key, (size, initializer) in outputs.items()}, name=name)

  def _dense(self, x: tf.Tensor) -> tf.Tensor:
    return keras.layers.Dense(
        self._width, 'linear', True, 'lecun_normal', dtype=self._policy)(x)

  def _activate(self, x: tf.Tensor) -> tf.Tensor:
    # Of bfloat16, Keras takes the mean and the variance in float32.
    x = keras.layers.LayerNormalization(
        epsilon=_EPSILON, dtype=self._policy)(x)
    return keras.layers.ReLU(dtype=self._policy)(x)


def _centre(embedding: tf.Tensor) -> tf.Tensor:
  return 2.0 * embedding - 1.0
