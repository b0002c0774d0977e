"""Ways to improve a policy, judged by the simulator on a tiny network."""

import copy
import functools

import acting_toys
import numpy as np
import pytest
import tensorflow as tf

from tf_muzero import envs
from tf_muzero.acting import evaluation
from tf_muzero.envs import wrappers
from tf_muzero.networks import state
from tf_muzero.networks.agent import Agent
from tf_muzero.networks.value_transform import Support
from tf_muzero.search import gumbel
from tf_muzero.search import mcts
from tf_muzero.types import SearchOutput
from tools import judge_targets
from tools.target_judge import operators
from tools.target_judge import simulator
from tools.target_judge import table


def _agent(num_candidates=4):
  return Agent(functools.partial(state.StateNetwork, num_blocks=1, width=8),
               Support(-3.0, 3.0, 7), Support(-3.0, 3.0, 7), discount=0.9,
               num_candidates=num_candidates)


def _look(task, action_repeat, **changes):
  environment_fn = evaluation.make_environment_fn(
      task, action_repeat=action_repeat, random_start_steps=0, max_steps=30)
  spec = envs.spec(environment_fn(0))
  agent = _agent()
  return judge_targets.look(
      agent, acting_toys.make_network(agent, spec), spec, environment_fn,
      **{'num_states': 6, 'num_episodes': 1, 'share': 0.5,
         'injected_prior': 0.25, 'pool': 3, 'seed': 0, **changes})


@pytest.fixture(name='cartpole', scope='module')
def _cartpole():
  return _look('dm_control:cartpole/swingup', 4)


@pytest.fixture(name='catch', scope='module')
def _catch():
  return _look('catch', 1, num_episodes=3, share=1.0, num_states=12)


def _told(q_values, injected_share):
  """Returns an operator that knows what the judge says, and weighs by it."""

  def search(parameters, root, recurrent_fn, seed, *, draw_fn, execution):
    del parameters, recurrent_fn, seed, draw_fn, execution
    size = root.prior_logits.shape
    weights = (tf.one_hot(np.argmax(q_values, -1), size[1])
               if injected_share is None else tf.concat([
                   tf.fill([size[0], 1], injected_share), tf.fill(
                       [size[0], size[1] - 1],
                       (1.0 - injected_share) / (size[1] - 1))], axis=1))
    ones = tf.ones(size, tf.int32)
    return SearchOutput(root.candidates, ones, weights, tf.zeros(size),
                        root.value, root.value, ones[:, 0])

  return operators.Operator('told', search)


def test_an_action_is_judged_by_the_simulator_s_next_state(cartpole):
  states = cartpole.states
  q_values = cartpole.judge_fn(np.tile(states.action[:, None], [1, 2, 1]))
  # The second time the physics was set back, the first time it was a copy.
  np.testing.assert_allclose(q_values[:, 0], q_values[:, 1], atol=1e-5)
  physics = wrappers.innermost(states.environments[2]).physics
  before = physics.get_state()
  again = cartpole.judge_fn(np.tile(states.action[:, None], [1, 2, 1]))
  np.testing.assert_array_equal(before, physics.get_state())
  np.testing.assert_allclose(again, q_values, atol=1e-6)


def test_candidates_do_not_use_up_each_other_s_time(cartpole):
  environment = copy.deepcopy(cartpole.states.environments[0])
  inner = wrappers.innermost(environment)
  inner._step_count = inner._step_limit - 3  # pylint: disable=protected-access
  steps = simulator._branches(  # pylint: disable=protected-access
      environment, np.zeros([6, 1], np.float32))
  assert len({(step.reward, step.last()) for step in steps}) == 1


def test_returns_are_of_the_rest_of_the_episode(catch):
  # The ball is at the end after nine decisions, and pays 1 or -1.
  rows = catch.states.model_input.reshape([-1, 10, 5])[:, :9].sum(-1).argmax(-1)
  np.testing.assert_allclose(
      np.abs(catch.states.returns), 0.9**(8 - rows), rtol=1e-6)
  # In the last row but one, only under the ball it is worth 1.
  q_values = catch.judge_fn(np.tile(np.arange(3), [len(rows), 1]))
  for row, values in zip(rows, q_values):
    if row == 8:
      assert set(np.abs(values)) == {1.0}


def test_whoever_knows_the_judge_has_all_of_the_gain(catch):
  q_values = catch.judge_fn(np.tile(np.arange(3), [
      len(catch.states.returns), 1]))
  row = judge_targets.measure(catch, _told(q_values, None))
  assert row.gain == pytest.approx(1.0) and row.gain_error < 1e-6
  assert row.good == 1.0 and row.worst == 0.0 and row.sigma < 1e-6
  assert row.calls == 3


def test_the_policy_itself_has_none_of_the_gain(cartpole):
  row = judge_targets.measure(cartpole, _told(None, 0.0))
  assert row.gain == pytest.approx(0.0, abs=1e-5)
  assert row.good == row.worst == 0.0
  row = judge_targets.measure(cartpole, _told(None, 0.7))
  assert row.good == row.worst == pytest.approx(0.7)


@pytest.mark.parametrize('operator', [
    operators.every(functools.partial(mcts.search, num_simulations=4))[0],
    operators.Operator('Gumbel', functools.partial(
        gumbel.search, num_simulations=4), 6),
    operators.Operator('regularised', functools.partial(
        operators.regularised_search, num_simulations=4), 6),
    *operators.every(None)[-2:]], ids=lambda x: x.name)
def test_a_table_of_all_kinds(operator, cartpole):
  row = judge_targets.measure(cartpole, operator)
  assert np.isfinite(row[1:]).all() and row.gain <= 1.0 + 1e-6
  assert row.calls == 4 and 0.0 <= row.worst <= 1.0
  lines = table.format_table([row], judge_targets.network_errors(
      cartpole)).splitlines()
  assert lines[0].split() == ['gain', 'good', 'worst', 'sigma', 'bias',
                              'error', 'Q', 'error', 'calls', 'ms']
  assert lines[1].startswith(operator.name) and len(lines) == 3
  assert len(lines[0]) == len(lines[1])


def test_a_regularised_policy_is_where_its_gradient_is_level():
  rng = np.random.default_rng(0)
  logits, q_values = rng.normal(size=[2, 5, 7]).astype(np.float32)
  weights = operators.regularised(logits, q_values, 50).numpy()
  np.testing.assert_allclose(weights.sum(-1), 1.0, rtol=1e-6)
  low, high = (f(q_values, axis=-1, keepdims=True) for f in (np.min, np.max))
  factor = 1.25 * 50**0.5 / 57
  # Of y Q - factor sum(prior log(prior / y)), by y.
  gradient = (q_values - low) / (high - low) + factor * tf.nn.softmax(
      logits) / weights
  np.testing.assert_allclose(
      gradient, np.tile(gradient[:, :1], [1, 7]), rtol=1e-4)
  # Where nothing is better it is the prior.
  np.testing.assert_allclose(operators.regularised(
      logits, np.ones_like(logits), 50), tf.nn.softmax(logits), rtol=1e-4)


def test_the_gain_and_its_error_by_hand():
  weights = np.array([[0.5, 0.5], [0.0, 1.0]])
  q_values, mean = np.array([[0.0, 2.0], [0.0, 4.0]]), np.array([0.0, 2.0])
  # 1 and 2 of 2 and 2.
  share, error = table.gain(weights, q_values, mean)
  assert share == pytest.approx(0.75)
  assert error == pytest.approx(0.5 / 2**0.5 / 2.0)
  np.testing.assert_allclose(
      table.policy(np.zeros([1, 3]), True), [[0.0, 0.5, 0.5]])
  assert table.sigma(np.array([[[1.0], [-1.0]]]), np.array(
      [[0.5, 0.5]])) == pytest.approx(1.0)


def test_no_states_is_an_error():
  with pytest.raises(ValueError, match='raise share, which is 0.0'):
    _look('catch', 1, share=0.0)


def test_frames_are_stacked_as_the_policy_does():
  environment_fn = evaluation.make_environment_fn(
      'catch', action_repeat=1, random_start_steps=0)
  spec = envs.spec(environment_fn(0))
  states = simulator.visit(
      environment_fn, lambda seed, x: tf.constant([1]),
      lambda x: tf.zeros([len(x)]), spec, discount=0.9, frame_stack=2,
      num_states=9, num_episodes=1, share=1.0, seed=0)
  assert states.model_input.shape == (9, 100)
  first = states.model_input[np.argmax(states.model_input[:, :50].sum(-1) == 0)]
  assert not first[:50].any() and first[50:].sum() == 2.0
