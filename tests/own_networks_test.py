"""Training a network of a user's that has not all parts that one can have."""

from dm_env import specs
import numpy as np
import pytest

from tests import own_networks
from tf_muzero import train
from tf_muzero.learning import losses
from tf_muzero.networks.agent import Agent
from tf_muzero.networks.value_transform import Support
from tf_muzero.types import EnvironmentSpec

_SPEC = EnvironmentSpec(specs.Array([5], np.float32), specs.DiscreteArray(3))


class _Source:
  spec, num_steps = _SPEC, 100


def _make_trainer(reconstruction=0.0, start=None, statistics=()):
  agent = Agent(own_networks.Linear, Support(-3.0, 3.0, 7, start),
                Support(-1.0, 1.0, 5), discount=0.9, num_candidates=3)
  return train.make_trainer(
      _Source, agent, losses.LossWeights(1.0, 1.0, 1.0, 0.0, reconstruction),
      4, 'float32', statistics, target_period=1, target_decay=0.0,
      jit_compile=False)


def test_what_is_left_out_is_told_once(caplog):
  _make_trainer(start=1.0, statistics=[np.zeros(5), np.ones(5)])
  for part in ('Linear has no set_observation_statistics: it sees '
               'observations as they are', 'Linear has no start_heads'):
    assert caplog.text.count(part) == 1


def test_nothing_is_told_of_what_would_not_be_used(caplog):
  _make_trainer()
  assert not caplog.text


def test_reconstruction_without_a_decoder_is_refused_before_training():
  with pytest.raises(ValueError, match='reconstruction must be 0 .*a decoder '
                     r'\(`decode` and `normalise`\), such as Linear; got 0.5'):
    _make_trainer(reconstruction=0.5)
