"""What embeddings are compared in: a projection of them, and a prediction."""

from typing import Sequence

from dm_env import specs
import tensorflow as tf

from tf_muzero import ranges
from tf_muzero.keras2 import keras
from tf_muzero.networks.contract import Network

_EPSILON = 1e-5  # As of `state`.


class Projection(tf.Module):
  """Two MLPs: of embeddings, and of their projections.

  # Differs from the papers: hidden layers have layer normalisation and not
  # batch normalisation, so that no window's loss depends on what else is in the
  # batch, or on the number of replicas.

  Attributes:
    projector: [N, D...] -> [N, size].
    predictor: [N, size] -> [N, size], for the side that learns.
  """

  def __init__(self, embedding_shape: Sequence[int],
               projector: Sequence[int], predictor: Sequence[int]):
    """Creates both with all their variables.

    Args:
      embedding_shape: D...
      projector: units of its layers.
      predictor: units of its layers.
    """
    super().__init__(name='projection')
    self.projector = _mlp(embedding_shape, projector, 'projector')
    self.predictor = _mlp(projector[-1:], predictor, 'predictor')

  def predict(self, embedding: tf.Tensor) -> tf.Tensor:
    """Returns [N, size] of embeddings [N, D...]."""
    return self.predictor(self.projector(embedding))


def head(network: Network, model_input: specs.Array, *,
         projector: Sequence[int], predictor: Sequence[int]) -> Projection:
  """Returns a fresh projection of a network's embeddings.

  Args:
    network: whose embeddings they are.
    model_input: what it sees.
    projector: units of its layers.
    predictor: likewise; the last one as the projector's.
  """
  # Traced and not run: where it is made, there may be no device for it.
  embedding = tf.function(
      network.represent, autograph=False).get_concrete_function(
          tf.TensorSpec([1, *model_input.shape], model_input.dtype)
      ).structured_outputs
  return Projection(embedding.shape[1:], projector, predictor)


def check(projector: Sequence[int], predictor: Sequence[int]) -> None:
  """Raises ValueError for layers that cannot be."""
  for units in (projector, predictor):
    ranges.at_least(1, num_layers=len(units))
    for size in units:
      ranges.at_least(1, units=size)
  if projector[-1] != predictor[-1]:
    raise ValueError(
        'The last layers of projector and predictor are compared, so they must '
        f'have as many units; got {list(projector)} and {list(predictor)}.')


def cosine(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
  """Returns the cosine of the angle between vectors of the last axis."""
  return tf.reduce_sum(unit(x) * unit(y), axis=-1)


def unit(x: tf.Tensor) -> tf.Tensor:
  """Returns vectors of the last axis, scaled to length one."""
  return tf.math.l2_normalize(x, axis=-1, epsilon=_EPSILON**2)


def _mlp(shape: Sequence[int], units: Sequence[int], name: str) -> keras.Model:
  """Returns an MLP whose hidden layers are normalised and rectified."""
  x = inputs = keras.Input(shape)
  x = keras.layers.Flatten()(x)
  for size in units[:-1]:
    x = keras.layers.Dense(size, kernel_initializer='lecun_normal')(x)
    x = keras.layers.ReLU()(keras.layers.LayerNormalization(
        epsilon=_EPSILON)(x))
  x = keras.layers.Dense(units[-1], kernel_initializer='lecun_normal')(x)
  return keras.Model(inputs, x, name=name)
