"""The same numbers as EfficientZero's own code.

From what tools/make_efficientzero_golden.py wrote.
"""

import json
import pathlib
import types

import numpy as np
import pytest
import tensorflow as tf

from tests import reanalyse_toys
from tf_muzero import rng
from tf_muzero.data import segments as segments_lib
from tf_muzero.learning.terms import consistency
from tf_muzero.learning.terms import projection
from tf_muzero.learning.terms import term
from tf_muzero.networks import agent as agent_lib
from tf_muzero.networks import value_prefix
from tf_muzero.networks import value_transform
from tf_muzero.reanalyse import value_targets
from tf_muzero.reanalyse import windows as windows_lib
from tf_muzero.search import mcts
from tf_muzero.types import Episode
from tf_muzero.types import Improved
from tf_muzero.types import RootOutput
from tf_muzero.types import Searched
from tf_muzero.types import StepOutput

_PATH = pathlib.Path(__file__).parent / 'goldens' / 'efficientzero.json'
_GOLDEN = json.loads(_PATH.read_text(encoding='utf8'))
_SCALED = {golden['size']: golden for golden in _GOLDEN['scaled']}
_TARGETS, _SEARCH = _GOLDEN['targets'], _GOLDEN['search']


def _array(x):
  return np.array(x, np.float32)


def _agent(horizon, golden):
  """Returns an agent with bins as those of the golden."""
  size = golden.get('size', 5)
  support = value_transform.Support(-size, size, 2 * size + 1)
  return agent_lib.Agent(
      lambda: None, support, support, golden['discount'], 1,
      value_prefix=value_prefix.ValuePrefix(
          horizon, num_features=4, units=golden.get('units', 1)))


def test_the_golden_is_small():
  assert _PATH.stat().st_size < 40_000


class _Same:
  """A projection that leaves vectors as they are."""

  projector = predict = staticmethod(lambda x: x)


def _simsiam(predicted, target):
  """Returns the term's loss [B, K] of K unrolled states."""
  network = types.SimpleNamespace(represent=lambda x: x)
  first = tf.zeros_like(predicted[:, :1])  # Is not compared.
  return consistency.simsiam(
      weight=2.0, projector=[6], predictor=[6]).loss_fn(term.Unrolled(
          network, agent=(), head=(), observation=(), policy=(),
          value_logits=(), reward_logits=(),
          auxiliary=term.Auxiliary(heads={'simsiam': _Same()}),
          seen=tf.concat([first, target], axis=1),
          embedding=tf.concat([first, predicted], axis=1)), ())


def test_consistency():
  golden = _GOLDEN['consistency']
  predicted, target, loss, gradient = (
      _array(golden[key]).reshape([5, 3, -1])
      for key in ('predicted', 'target', 'loss', 'gradient'))
  predicted, target = tf.constant(predicted), tf.constant(target)
  with tf.GradientTape() as tape:
    tape.watch((predicted, target))
    ours = _simsiam(predicted, target)
  np.testing.assert_allclose(ours, loss[..., 0], atol=5e-7)
  np.testing.assert_allclose(
      -projection.cosine(predicted, target), loss[..., 0], atol=5e-7)
  of_predicted, of_target = tape.gradient(ours, (predicted, target))
  # The longer a vector is, the smaller is its gradient.
  length = np.maximum(np.linalg.norm(predicted, axis=-1, keepdims=True), 1e-5)
  np.testing.assert_allclose(
      of_predicted * length, gradient * length, atol=5e-7)
  assert np.abs(gradient * length).max() > 0.5
  assert of_target is None


@pytest.mark.parametrize('size', _SCALED)
def test_scaled_values_and_their_bins(size):
  golden = _SCALED[size]
  value, scaled = _array(golden['value']), _array(golden['scaled'])
  np.testing.assert_allclose(
      value_transform.scale(value), scaled, rtol=1e-6, atol=1e-12)
  np.testing.assert_allclose(
      value_transform.unscale(scaled), value, rtol=1e-6, atol=3e-7)
  bins = np.zeros([len(value), 2 * size + 1], np.float32)
  for row, pairs in zip(bins, golden['bins']):
    for number, probability in pairs:
      row[number] = probability
  ours = value_transform.Support(-size, size, 2 * size + 1).encode(value)
  np.testing.assert_allclose(ours, bins, atol=5e-6)


def _without_least(value):
  """Returns values that are 0 where they are less than 0.001, as theirs."""
  return np.where(np.abs(value) < 1e-3, 0.0, value)


@pytest.mark.parametrize('size', _SCALED)
def test_values_of_logits(size):
  golden = _SCALED[size]
  logits = np.zeros([len(golden['logits']), 2 * size + 1], np.float32)
  for row, pairs in zip(logits, golden['logits']):
    for number, logit in pairs:
      row[number] = logit
  decoded = _array(golden['decoded'])
  ours = value_transform.Support(-size, size, 2 * size + 1).decode(logits)
  np.testing.assert_allclose(
      _without_least(ours), decoded, rtol=1e-5, atol=1e-5)
  assert np.abs(decoded).max() > 10.0


def _searched():
  """Returns a segment of each window, whose first state is the window's."""
  length = 1 + _TARGETS['unroll_steps'] + _TARGETS['td_steps']
  found = []
  for (game, start), played in zip(_TARGETS['windows'], _TARGETS['played']):
    reward = [*_TARGETS['rewards'][game], 0.0]
    discount = np.ones(len(reward), np.float32)
    discount[-2] = 0.0
    found.append(segments_lib.cut_at(
        Episode(observation=_TARGETS['first'][game] + np.arange(len(reward)),
                action=np.zeros(len(reward), np.int32), reward=_array(reward),
                discount=discount),
        tf.constant([start]), length, played_step=played))
  segment = tf.nest.map_structure(lambda *x: tf.concat(x, axis=0), *found)
  value = tf.gather(_array(_TARGETS['network_value']), segment.observation)
  return Searched(
      segment, Improved((), (), value, value, {}),
      tf.fill([len(found)], tf.constant(_TARGETS['total'], tf.int64)), {})


def _windows(horizon):
  """Returns agent and windows, with value targets by the age of the data."""
  agent = _agent(horizon, _TARGETS)
  reanalyse = reanalyse_toys.reanalyse(
      num_simulations=1, td_steps=_TARGETS['td_steps'],
      windows_per_segment=1, value_target_fn=value_targets.td,
      shorten_every=_TARGETS['shorten_every'])
  searched = _searched()
  value = reanalyse.cutting(
      agent, _TARGETS['unroll_steps'], False).value_fn(searched)
  return agent, windows_lib.whole(searched, value)


def test_value_targets_of_old_data():
  _, window = _windows(1)
  of_window = slice(0, _TARGETS['unroll_steps'] + 1)
  np.testing.assert_allclose(
      window.value[:, of_window], _array(_TARGETS['values']), atol=2e-6)
  assert set(_TARGETS['num_steps']) == {1, 2, 3, 4, 5}


def test_masks():
  _, window = _windows(1)
  steps = slice(0, _TARGETS['unroll_steps'])
  mask = _array(_TARGETS['mask'])
  np.testing.assert_array_equal(window.policy_mask[:, steps], mask)
  # Where theirs learns nothing, ours learns that nothing follows an end.
  np.testing.assert_array_equal(window.reward_mask[:, steps], 1.0)
  np.testing.assert_array_equal(window.reward[:, steps] * (1.0 - mask), 0.0)


@pytest.mark.parametrize('horizon', _TARGETS['sums'])
def test_sums_of_rewards(horizon):
  agent, window = _windows(int(horizon))
  steps = slice(0, _TARGETS['unroll_steps'])
  # Theirs has a sum after the last step, too, which nothing is learned of.
  np.testing.assert_allclose(
      agent.reward_targets(window.reward[:, steps]),
      _array(_TARGETS['sums'][horizon])[:, steps], atol=1e-6)


class _Path:
  """A network of the golden's features, for an embedding that is the depth."""

  def __init__(self, agent):
    self.value_prefix = value_prefix.Head(
        agent.value_prefix, agent.reward_support.num_bins)
    for variable, key in zip(self.value_prefix.variables, (
        'kernel', 'recurrent', 'bias', 'matrix', 'start')):
      variable.assign(_SEARCH[key])

  def step(self, embedding, action):
    del action
    return embedding + 1, tf.gather_nd(_array(_SEARCH['features']), tf.stack(
        [embedding, tf.range(embedding.shape[0])], axis=-1))


@pytest.fixture(name='path', params=_SEARCH['found'],
                ids=lambda golden: str(golden['horizon']))
def _path(request):
  """Returns what was found for a horizon, an agent, its network, values."""
  agent = _agent(request.param['horizon'], _SEARCH)
  return request.param, agent, _Path(agent), _array(_SEARCH['value'])


def test_rewards_of_a_path(path):
  golden, agent, network, value = path
  num_steps, batch = value.shape
  embedding = tf.zeros([batch], tf.int32)
  memory, returns, total = agent.no_memory(network, batch), 0.0, 0.0
  sums, root_values = [], []
  for k in range(num_steps):
    embedding, logits, reward, memory = agent.step(
        network, embedding, tf.zeros_like(embedding), memory)
    returns += agent.discount**k * reward
    total += returns + agent.discount**(k + 1) * value[k]
    sums.append(agent.reward_support.decode(logits))
    root_values.append(total / (k + 2))  # The root itself counts as 0.
  np.testing.assert_allclose(
      _without_least(sums), golden['sums'], rtol=1e-5, atol=1e-5)
  np.testing.assert_allclose(root_values, golden['root_values'], atol=1e-5)
  assert np.ptp(golden['sums']) > 1.0


def test_search_of_a_path(path):
  golden, agent, network, value = path
  num_steps, batch = value.shape
  logits = tf.zeros([batch, 1])

  def recurrent_fn(parameters, seed, action, embedding):
    del parameters, seed
    after, _, reward, memory = agent.step(
        network, embedding[0], action, embedding[1])
    return StepOutput(
        reward, tf.fill([batch], agent.discount), logits, tf.gather_nd(
            value, tf.stack([embedding[0], tf.range(batch)], axis=-1)),
        (after, memory))

  output = mcts.search(
      (), RootOutput((), logits, tf.zeros([batch]), (
          tf.zeros([batch], tf.int32), agent.no_memory(network, batch))),
      recurrent_fn, rng.seed(1), num_simulations=num_steps)
  np.testing.assert_allclose(
      output.value, golden['root_values'][-1], atol=1e-5)
