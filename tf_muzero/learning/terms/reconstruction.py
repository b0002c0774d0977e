"""Reconstruction of observations (Anand et al. 2021)."""

from typing import Any, Optional

from dm_env import specs
import tensorflow as tf

from tf_muzero.learning.terms import term
from tf_muzero.networks import contract
from tf_muzero.types import Window

_NAME = 'reconstruction'


def reconstruction(*, weight: float) -> term.Term:
  """Returns the squared error of decoded observations.

  Each embedding, unrolled ones too, is decoded to its own observation, not
  augmented; that of an episode's last record is not. Summed over the last axis,
  the components of a vector or the planes of a frame, and the mean over a
  frame's pixels. The decoder is the network's own, or one that it makes for
  this term.
  """

  def head(network: contract.Network, model_input: specs.Array
           ) -> Optional[tf.Module]:
    del model_input
    if isinstance(network, contract.Decoder):
      return None
    if isinstance(network, contract.DecoderMaker):
      return network.make_decoder()
    raise ValueError('reconstruction must be 0 for a network without a decoder '
                     '(`decode` and `normalise`), such as '
                     f'{type(network).__name__}; got {weight}.')

  def loss(unrolled: term.Unrolled, window: Window) -> tf.Tensor:
    del window
    network: Any = unrolled.network
    decode = (network.decode if isinstance(network, contract.Decoder)
              else unrolled.auxiliary.head(_NAME))
    error = (term.at_each(decode, unrolled.embedding)
             - network.normalise(unrolled.observation))
    positions = list(range(2, error.shape.rank - 1))
    return tf.reduce_sum(tf.reduce_mean(error**2, axis=positions), axis=-1)

  return term.Term(
      _NAME, weight, loss, lambda window: window.policy_mask,
      term.mean_of_all, needs_observations=True, head_fn=head)
