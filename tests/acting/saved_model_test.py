"""Tests of SavedModels."""

import dataclasses
import functools
import itertools
import json

import acting_toys
from dm_env import specs
import numpy as np
import pytest
import tensorflow as tf

from tf_muzero import actions
from tf_muzero import rng
from tf_muzero.acting import modes
from tf_muzero.acting import policy as policy_lib
from tf_muzero.acting import run_directory
from tf_muzero.acting import saved_model
from tf_muzero.acting import verification
from tf_muzero.data import observations
from tf_muzero.networks import value_prefix
from tf_muzero.types import EnvironmentSpec

pytestmark = pytest.mark.usefixtures('quick_graphs')

_AGENT = acting_toys.make_agent()
_METADATA = acting_toys.METADATA
_BOUNDED = specs.BoundedArray(
    [2], np.float32, [0.0, -3.0], [5.0, 1.0], 'action')

_save, _act = acting_toys.save_policy, acting_toys.act


@pytest.fixture(scope='module', name='continuous')
def _continuous(tmp_path_factory):
  directory = str(tmp_path_factory.mktemp('saved') / 'policy')
  return (directory, *_save(directory, acting_toys.CONTINUOUS))


@pytest.fixture(scope='module', name='loaded')
def _loaded(continuous):
  """Returns `continuous` as it is loaded; only read."""
  return tf.saved_model.load(continuous[0])


@pytest.fixture(scope='module', name='compiled')
def _compiled(tmp_path_factory):
  """Returns what acts in bounds of its own, compiled, and its plain twin."""
  directory = str(tmp_path_factory.mktemp('compiled') / 'policy')
  spec = acting_toys.CONTINUOUS._replace(action=_BOUNDED)
  network = acting_toys.make_network(_AGENT, spec)
  make = functools.partial(
      policy_lib.make_policy, _AGENT, network, spec, mode=modes.sample())
  policy = make(jit_compile=True)
  plain = make(twin=policy)
  model = _AGENT.plan_with(network, spec)
  saved_model.save(directory, policy, model, {}, step=1, plain=plain)
  return directory, policy, plain, model


def test_verify_passes(continuous):
  directory, policy, _ = continuous
  verification.verify(directory, policy, policy)


def test_verify_notices_other_weights(continuous):
  directory, policy, _ = continuous
  before = policy.parameters
  policy.assign([1.3 * x for x in before])
  try:
    with pytest.raises(RuntimeError, match='differs from the live one'):
      verification.verify(directory, policy, policy)
  finally:
    policy.assign(before)


def test_xla_inside_and_a_plain_graph_beside(compiled):
  directory, policy, plain, _ = compiled
  assert plain.model_variables[0] is policy.model_variables[0]
  loaded = verification.verify(directory, policy, plain)
  for name, is_compiled in (('act', True), ('act_plain', False)):
    function = getattr(loaded, name).concrete_functions[0]
    library = function.graph.as_graph_def().library.function
    assert any(x.attr['_XlaMustCompile'].b for x in library) == is_compiled
  latency = verification.latency(loaded, policy, batch_sizes=[1, 2])
  assert sorted(latency) == ['act', 'act_plain']
  assert all(x > 0.0 for row in latency.values() for x in row.values())
  observation = acting_toys.make_observation(acting_toys.CONTINUOUS, 2)
  np.testing.assert_allclose(
      _act(loaded, observation),
      _act(loaded, observation, function='act_plain'),
      atol=1e-5)


def test_seeds(loaded):
  observation = acting_toys.make_observation(acting_toys.CONTINUOUS, 2)
  is_first = tf.zeros([2], tf.bool)
  state = loaded.get_initial_state(batch_size=2)
  first, moved_on = loaded.act(observation, is_first, state)
  second, _ = loaded.act(observation, is_first, moved_on)
  again, _ = loaded.act(observation, is_first, state)
  # As the docstring says.
  other, _ = loaded.act(observation, is_first, state._replace(
      seed=tf.tile([[7, 0]], [2, 1])))
  np.testing.assert_array_equal(first, again)
  assert np.all(first.numpy() != second.numpy())
  assert np.all(first.numpy() != other.numpy())


def test_names_that_are_nested_odd_and_equal(tmp_path):
  directory = str(tmp_path / 'policy')
  entry = specs.Array([2], np.float32, 'pos')
  spec = EnvironmentSpec(
      {'robot': {'pos': entry, 'größe': entry}, 'block': {'pos': entry},
       'joint pos': entry, 'a.b-c': entry, 'shape': entry, 'dtype': entry,
       'seed': entry, 'Seed': entry, 'class': entry},
      acting_toys.CONTINUOUS.action)
  policy, model = _save(directory, spec)
  verification.verify(directory, policy, policy)
  metadata = saved_model.read_metadata(directory)
  names = tf.nest.flatten(metadata['signature_names'])
  assert metadata['signature_names']['robot'] == {
      'pos': 'robot_pos', 'größe': 'robot_gro_e'}
  loaded = tf.saved_model.load(directory)
  observation = acting_toys.make_observation(spec, 2)
  flat = dict(zip(names, tf.nest.flatten(observation)))
  state = loaded.signatures['get_initial_state'](batch_size=tf.constant(2))
  outputs = loaded.signatures['action'](
      step_type=tf.constant([0, 1]), reward=tf.zeros([2]),
      discount=tf.ones([2]), **flat, **state)
  np.testing.assert_allclose(
      outputs['action'], _act(loaded, observation), atol=1e-6)
  root = loaded.signatures['initial_inference'](**flat, seed=rng.seed(9))
  np.testing.assert_allclose(root['value'], model.root_fn(
      policy.parameters, rng.seed(9), observations.flatten(observation)).value,
                             atol=1e-5)


@pytest.mark.parametrize('kind', ['bounded', 'discrete'])
def test_actions_are_the_environments_own(kind, tmp_path, request):
  if kind == 'bounded':
    directory, policy, _, model = request.getfixturevalue('compiled')
    spec = acting_toys.CONTINUOUS._replace(action=_BOUNDED)
  else:
    directory = str(tmp_path / 'policy')
    spec = acting_toys.DISCRETE._replace(action=actions.Integers(3, start=1))
    policy, model = _save(directory, spec, mode=modes.sample())
    verification.verify(directory, policy, policy)
  action = spec.action
  assert saved_model.spec_of({
      'observation': run_directory.nest_to_json(spec.observation),
      'action': run_directory.nest_to_json(action)}).action == action
  loaded = tf.saved_model.load(directory)
  observation = acting_toys.make_observation(spec, 64)
  chosen = _act(loaded, observation, 64)
  assert np.all(chosen >= action.minimum) and np.all(chosen <= action.maximum)
  assert np.all(np.ptp(chosen.astype(np.float64), axis=0) > 0)
  seed = rng.seed(9)
  root = model.root_fn(
      policy.parameters, seed, observations.flatten(observation))
  outputs = loaded.initial_inference(observation, seed)
  step = loaded.recurrent_inference(
      embedding=outputs['embedding'], action=chosen, seed=seed)
  expected = model.recurrent_fn(
      policy.parameters, seed, actions.to_network(tf.constant(chosen), action),
      root.embedding)
  np.testing.assert_allclose(step['value'], expected.value, atol=1e-4)
  np.testing.assert_allclose(step['reward'], expected.reward, atol=1e-4)
  if 'candidates' in outputs:
    for candidates in (outputs['candidates'], step['candidates']):
      assert np.all(candidates >= action.minimum)
      assert np.all(candidates <= action.maximum)
      assert np.any(candidates > 1.0)  # More than networks have.


def test_metadata(continuous, loaded):
  directory = continuous[0]
  assert saved_model.is_saved_model(directory)
  assert saved_model.read_metadata(directory) == {
      **_METADATA,
      'act_takes': {'position': 'numbers [B, 3]', 'velocity': 'numbers [B, 2]'},
      'act_dtypes': [{'position': x, 'velocity': y}
                     for x, y in (
                         *itertools.product(('float32', 'float64'), repeat=2),
                         *((x, x) for x in ('float16', 'int32', 'int64',
                                            'uint8', 'bool')))],
      'signature_names': {'position': 'position', 'velocity': 'velocity'}}
  inside = loaded.get_metadata()
  assert inside['action_repeat'].numpy() == 4
  assert inside['task'].numpy() == b'toy'
  assert loaded.get_train_step().numpy() == 11


def test_no_saved_model(tmp_path):
  assert not saved_model.is_saved_model(str(tmp_path))
  with pytest.raises(ValueError, match='metadata.json'):
    saved_model.read_metadata(str(tmp_path))


def test_model_functions(continuous, loaded):
  _, policy, model = continuous
  observation = acting_toys.make_observation(acting_toys.CONTINUOUS, 2)
  seed = rng.seed(9)
  flat = tf.concat([observation['position'], observation['velocity']], -1)
  root = model.root_fn(policy.parameters, seed, flat)
  step = model.recurrent_fn(
      policy.parameters, seed, root.candidates[:, 0], root.embedding)
  outputs = loaded.initial_inference(observation, seed)
  signature = loaded.signatures['initial_inference'](**observation, seed=seed)
  expected = dict(root._asdict(), embedding=root.embedding[0])
  for name in ('candidates', 'prior_logits', 'value', 'embedding'):
    np.testing.assert_allclose(outputs[name], expected[name], atol=1e-5)
    np.testing.assert_allclose(signature[name], expected[name], atol=1e-5)
  for recurrent in (loaded.recurrent_inference,
                    loaded.signatures['recurrent_inference']):
    outputs = recurrent(embedding=root.embedding[0], seed=seed,
                        action=root.candidates[:, 0])
    for name in ('reward', 'discount', 'value'):
      np.testing.assert_allclose(outputs[name], getattr(step, name), atol=1e-5)
    np.testing.assert_allclose(
        outputs['embedding'], step.embedding[0], atol=1e-5)
    assert outputs['candidates'].shape == root.candidates.shape
    assert len(np.unique(outputs['candidates'])) == root.candidates.shape[
        :].num_elements()


def test_frames_are_stacked_inside_and_the_memory_is_the_callers(tmp_path):
  """The memory is that of a value prefix."""
  directory = str(tmp_path / 'policy')
  policy, model = _save(directory, acting_toys.DISCRETE, dataclasses.replace(
      _AGENT, frame_stack=3, value_prefix=value_prefix.ValuePrefix(
          num_steps=2, num_features=3, units=4)))
  verification.verify(directory, policy, policy)
  loaded = tf.saved_model.load(directory)
  assert loaded.get_initial_state(batch_size=2).frames.shape == (2, 2, 4)
  frames = np.random.default_rng(0).normal(size=[2, 3, 4]).astype('f')
  seed, action = rng.seed(9), tf.constant([0, 1])
  known = loaded.initial_inference(frames, seed)
  embedding = model.root_fn(
      policy.parameters, seed, frames.reshape([2, 12])).embedding
  np.testing.assert_allclose(known['embedding'], embedding[0], atol=1e-5)
  for recurrent in (loaded.recurrent_inference,
                    loaded.signatures['recurrent_inference']):
    known = recurrent(embedding=known['embedding'], memory=known['memory'],
                      action=action, seed=seed)
    step = model.recurrent_fn(policy.parameters, seed, action, embedding)
    embedding = step.embedding
    np.testing.assert_allclose(known['reward'], step.reward, atol=1e-5)
    np.testing.assert_allclose(known['memory'], embedding[2], atol=1e-5)


def test_metadata_is_plain_json(continuous):
  with open(continuous[0] + '/metadata.json', encoding='utf-8') as file:
    assert json.load(file)['mode'] == 'mcts'
