"""Tests of the policy."""

import dataclasses

import acting_toys
import numpy as np
import pytest
import tensorflow as tf
from tf_agents.trajectories import time_step as time_steps

from tf_muzero.acting import modes
from tf_muzero.acting import policy as policy_lib
from tf_muzero.acting import rollout
from tf_muzero.data import observations
from tf_muzero.search.execution import Execution

_SPEC = acting_toys.CONTINUOUS
_AGENT = acting_toys.make_agent()


@pytest.fixture(scope='module', name='network')
def _network():
  return acting_toys.make_network(_AGENT, _SPEC)


def _policy(network, mode=modes.sample(), spec=_SPEC, **kwargs):
  return policy_lib.make_policy(
      _AGENT, network, spec, mode=mode, search_fn=acting_toys.search, **kwargs)


def _act(policy, batch_size, state, seed=0):
  return policy.act(acting_toys.make_observation(_SPEC, batch_size, seed),
                    tf.zeros([batch_size], tf.bool), state)


def test_acts_as_the_planning_model(network):
  policy = _policy(network, modes.policy())
  observation = acting_toys.make_observation(_SPEC, 3)
  action, _ = _act(policy, 3, policy.get_initial_state(3))
  # Observations are concatenated in sorted order of their names.
  flat = tf.concat([observation['position'], observation['velocity']], -1)
  expected = _AGENT.plan_with(network, _SPEC).mode_fn(
      network.variables, flat)
  np.testing.assert_allclose(action, expected, atol=1e-6)


def test_state_makes_it_reproducible(network):
  policy = _policy(network)
  first, state = _act(policy, 2, rollout.seeded_state(policy, 2, 7))
  second, _ = _act(policy, 2, state)
  again, _ = _act(policy, 2, rollout.seeded_state(policy, 2, 7))
  other, _ = _act(policy, 2, rollout.seeded_state(policy, 2, 8))
  np.testing.assert_array_equal(first, again)
  assert np.all(np.asarray(first) != np.asarray(second))
  assert np.all(np.asarray(first) != np.asarray(other))


def test_rows_do_not_depend_on_the_batch_size(network):
  policy = _policy(network)
  observation = acting_toys.make_observation(_SPEC, 5)
  few = tf.nest.map_structure(lambda x: x[:2], observation)
  all_rows, _ = policy.act(
      observation, tf.zeros([5], tf.bool), rollout.seeded_state(policy, 5, 1))
  two_rows, _ = policy.act(
      few, tf.zeros([2], tf.bool), rollout.seeded_state(policy, 2, 1))
  np.testing.assert_allclose(all_rows[:2], two_rows, atol=1e-6)


@pytest.mark.parametrize('jit_compile', [False, True])
def test_any_finite_observation_gives_an_action(network, jit_compile):
  policy = _policy(network, modes.mcts(), jit_compile=jit_compile)
  huge = {'position': [[3e38, -3e38, 0.0], [1e38] * 3, [1e19] * 3],
          'velocity': [[3e38, 3e38], [1e38] * 2, [1.0, 2.0]]}
  is_first, state = tf.zeros([3], tf.bool), policy.get_initial_state(3)
  action, _ = policy.act(huge, is_first, state)
  assert np.all(np.abs(action) <= 1.0)
  policy.assign([np.inf * v for v in network.variables])
  with pytest.raises(tf.errors.InvalidArgumentError, match='weights or gives'):
    policy.act(huge, is_first, state)


@pytest.mark.parametrize('jit_compile', [False, True])
def test_assign_takes_effect_and_traces_once(network, jit_compile):
  policy = _policy(network, modes.mcts(), jit_compile=jit_compile)
  state = rollout.seeded_state(policy, 2, 1)
  before, _ = _act(policy, 2, state)
  policy.assign([1.5 * v for v in network.variables])
  after, _ = _act(policy, 2, state)
  assert np.all(np.abs(before - after) > 1e-4)
  _act(policy, 2, state, seed=1)
  assert policy.act.experimental_get_tracing_count() == 1
  # The network itself is not touched.
  np.testing.assert_array_equal(
      policy.parameters[2], 1.5 * network.variables[2])


@pytest.mark.parametrize('gpus, execution', [
    ([], Execution.XLA_CPU), (['GPU:0'], Execution.ANYWHERE)])
def test_searches_as_it_suits_where_it_acts(
    network, monkeypatch, gpus, execution):
  searches = []
  mode = modes.Mode('noted', lambda _, search_fn: searches.append(
      search_fn), needs_search=True)
  monkeypatch.setattr(
      tf.config, 'list_logical_devices', {'GPU': gpus}.__getitem__)
  _policy(network, mode, jit_compile=True)
  assert [x.keywords for x in searches] == [{'execution': execution}]


def test_assign_of_another_number(network):
  policy = _policy(network)
  with pytest.raises(ValueError, match='parameters must be'):
    policy.assign(network.variables[1:])


@pytest.mark.parametrize(
    'mode', [modes.policy(), modes.sample(), modes.value(), modes.mcts()],
    ids=lambda mode: mode.name)
@pytest.mark.parametrize('spec', [_SPEC, acting_toys.DISCRETE],
                         ids=['continuous', 'discrete'])
def test_every_mode_acts_for_any_batch_size(mode, spec):
  policy = _policy(acting_toys.make_network(_AGENT, spec), mode, spec)
  graph = policy.act.get_concrete_function(
      tf.nest.map_structure(lambda x: tf.TensorSpec([None, *x.shape]),
                            spec.observation),
      tf.TensorSpec([None], tf.bool),
      policy_lib.PolicyState(tf.TensorSpec([None, 2], tf.int32)))
  for batch_size in (1, 3):
    action, state = graph(
        acting_toys.make_observation(spec, batch_size),
        tf.ones([batch_size], tf.bool), policy.get_initial_state(batch_size))
    assert action.shape == (batch_size, *spec.action.shape)
    assert action.dtype == spec.action.dtype
    assert state.seed.shape == (batch_size, 2)
    assert np.all(action >= policy.action_spec.minimum)
    assert np.all(action <= policy.action_spec.maximum)


def test_is_a_policy_of_tf_agents(network):
  policy = _policy(network)
  time_step = time_steps.restart(
      acting_toys.make_observation(_SPEC, 2), batch_size=2)
  state = policy.get_initial_state(2)
  step = policy.action(time_step, state)
  expected, expected_state = _act(policy, 2, state)
  np.testing.assert_array_equal(step.action, expected)
  # A first step does not begin the random numbers again.
  np.testing.assert_array_equal(step.state.seed, expected_state.seed)
  second = policy.action(time_step, step.state)
  assert np.all(np.asarray(second.action) != np.asarray(step.action))


@pytest.mark.parametrize('jit_compile', [False, True])
def test_observations_that_make_no_sense_are_refused(network, jit_compile):
  policy = _policy(network, jit_compile=jit_compile)
  observation = acting_toys.make_observation(_SPEC, 2)
  state = rollout.seeded_state(policy, 2, 1)
  is_first = tf.zeros([2], tf.bool)
  with pytest.raises(ValueError, match=(
      r"^The observation's entry position must be numbers \[2, 3\].*\(2, 4\)")):
    policy.act({**observation, 'position': tf.zeros([2, 4])}, is_first, state)
  with pytest.raises(ValueError, match='must have velocity'):
    policy.act({'position': observation['position']}, is_first, state)
  for wrong in (np.nan, np.inf, -np.inf):
    with pytest.raises(tf.errors.InvalidArgumentError,
                       match='entry velocity must be finite'):
      policy.act({**observation, 'velocity': np.full([2, 2], wrong)}, is_first,
                 state)
  with pytest.raises(ValueError, match='one row for each.*Got 3 rows for 2'):
    policy.act(observation, is_first, rollout.seeded_state(policy, 3, 1))
  with pytest.raises(ValueError, match='batch is empty'):
    policy.act(tf.nest.map_structure(lambda x: x[:0], observation),
               is_first[:0], state)


def test_a_policy_of_tf_agents_refuses_them_too(network):
  policy = _policy(network)
  time_step = time_steps.restart(
      acting_toys.make_observation(_SPEC, 2), batch_size=2)
  with pytest.raises(ValueError, match='one row for each'):
    policy.action(time_step, policy.get_initial_state(3))
  with pytest.raises(tf.errors.InvalidArgumentError, match='must be finite'):
    policy.action(time_step._replace(observation={
        **time_step.observation, 'position': tf.fill([2, 3], np.nan)}),
                  policy.get_initial_state(2))


@pytest.mark.parametrize('spec', [_SPEC, acting_toys.DISCRETE],
                         ids=['dict', 'array'])
def test_the_state_keeps_the_stack_of_each_episode(spec):
  agent = dataclasses.replace(_AGENT, frame_stack=3)
  network = acting_toys.make_network(agent, spec)
  policy = policy_lib.make_policy(agent, network, spec, mode=modes.policy())
  mode_fn = agent.plan_with(network, spec).mode_fn
  state = policy.get_initial_state(2)
  # Row 0 is one episode; row 1 starts another at decision 2.
  history = [[], []]
  for t in range(5):
    observation = acting_toys.make_observation(spec, 2, seed=t)
    is_first = [t == 0, t in (0, 2)]
    action, state = policy.act(observation, tf.constant(is_first), state)
    flat = observations.flatten(observation).numpy()
    for i in range(2):
      history[i] = [*([] if is_first[i] else history[i]), flat[i]]
      stack = [np.zeros_like(flat[i])] * 2 + history[i]
      np.testing.assert_allclose(action[i], mode_fn(
          network.variables, np.concatenate(stack[-3:])[np.newaxis])[0],
                                 atol=1e-6)
