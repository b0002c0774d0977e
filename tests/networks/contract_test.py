"""What a network has to be."""

import functools

from dm_env import specs
import numpy as np
import pytest
import tensorflow as tf

from tests import own_networks as own
from tf_muzero import rng
from tf_muzero.networks import agent as agent_lib
from tf_muzero.networks import contract
from tf_muzero.networks import pixels
from tf_muzero.networks import state
from tf_muzero.networks import value_transform
from tf_muzero.types import EnvironmentSpec

_VECTOR = specs.Array([5], np.float32)
_FRAME = specs.Array([12, 10, 1], np.uint8)
_ACTIONS = {'discrete': specs.DiscreteArray(3), 'continuous':
            specs.BoundedArray([2], np.float32, -1.0, 1.0)}
_SMALL_PIXELS = functools.partial(
    pixels.PixelNetwork, planes=4, num_blocks=1, head_planes=2,
    downsampling=[('convolution', 4, 1)])


def _agent(network_fn):
  return agent_lib.Agent(
      network_fn, value_transform.Support(-5.0, 5.0, 21),
      value_transform.Support(-2.0, 2.0, 9), discount=0.9, num_candidates=3)


@pytest.mark.parametrize('kind', sorted(_ACTIONS))
@pytest.mark.parametrize('network_fn, observation', [
    (own.Linear, _VECTOR), (own.Still, _VECTOR), (_SMALL_PIXELS, _FRAME),
    (functools.partial(state.StateNetwork, num_blocks=1, width=8), _VECTOR)])
def test_networks_that_are(network_fn, observation, kind):
  _agent(network_fn).check_network(EnvironmentSpec(observation, _ACTIONS[kind]))


def test_what_a_network_does_not_use_is_no_matter():
  spec = EnvironmentSpec(_VECTOR, _ACTIONS['discrete'])
  agent = _agent(own.Still)
  network = agent.make_network(spec)
  model, parameters = agent.plan_with(network, spec), tuple(network.variables)
  root = model.root_fn(parameters, rng.seed(0), tf.ones([6, 5]))
  step = model.recurrent_fn(
      parameters, rng.seed(0), tf.zeros([6], tf.int32), root.embedding)
  np.testing.assert_array_equal(step.embedding[0], root.embedding[0])


def test_what_is_optional():
  spec = EnvironmentSpec(_VECTOR, _ACTIONS['discrete'])
  linear, vectors = (_agent(fn).make_network(spec) for fn in (
      own.Linear, functools.partial(state.StateNetwork, num_blocks=1, width=8)))
  for part in (contract.Normalizer, contract.Follower, contract.Decoder,
               contract.Starter):
    assert isinstance(vectors, part) and not isinstance(linear, part)
  for part in (contract.Decoder, contract.DecoderMaker):
    assert issubclass(pixels.PixelNetwork, part) == (
        part is contract.DecoderMaker)
  assert contract.num_parameters(linear) == 5 * 4 + 7 * 4 + 4 * (9 + 3 + 21)
  assert contract.num_parameters(vectors) == vectors.count_params()


@pytest.mark.parametrize('network_fn, message', [
    (own.without_step, 'Shy has no step; see networks.contract.Network'),
    (own.Untracked, 'Untracked must be a keras.Model of Keras 2'),
    (own.Narrow, r'Narrow.predict_heads must return value logits, float32 '
                 r'\[2, 21\] for 2 states; got float32 \(2, 20\)'),
    (own.Growing, r'Growing.step must return an embedding as represent '
                  r'returned, float32 \[2, 4\].*\(2, 8\)'),
    (own.Dict, 'Dict.represent must return one tensor, got dict'),
    (own.Single, 'Single.step must return a tuple of two tensors'),
    (own.Late, 'Late made variables when it was called first, 5 before and 6 '
               'after: .* In the constructor, give each layer its shape'),
    (own.Unbuilt, 'Unbuilt has no variables yet: .* In the constructor'),
    (own.without_sizes, r'network_fn is to be called with \(observation, .*'
     r"says: without_sizes\(\) got an unexpected keyword argument 'num_"),
    (own.with_more, r'what else it needs is to be bound.*: with_more\(\) '
                    "missing 1 required .*'width'"),
    (own.Inside, r'Inside reads a variable inside of \w*If: tf.cond'),
    (own.Double, 'Double must have float32 variables; count:0 are not'),
])
def test_networks_that_are_not(network_fn, message):
  with pytest.raises(ValueError, match=message):
    _agent(network_fn).check_network(
        EnvironmentSpec(_VECTOR, _ACTIONS['discrete']))


def test_errors_of_a_network_are_its_own():
  with pytest.raises(TypeError, match='NoneType'):
    _agent(lambda *args, **kwargs: len(None)).make_network(
        EnvironmentSpec(_VECTOR, _ACTIONS['discrete']))
