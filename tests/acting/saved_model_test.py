"""Tests of SavedModels."""

import dataclasses
import json

import acting_toys
import numpy as np
import pytest
import tensorflow as tf

from tf_muzero import rng
from tf_muzero.acting import modes
from tf_muzero.acting import policy as policy_lib
from tf_muzero.acting import saved_model

_AGENT = acting_toys.make_agent()
_METADATA = {'task': 'toy', 'action_repeat': 4, 'mode': 'mcts', 'step': 11,
             'observation': {'position': [3]}}


def _save(directory, spec, agent=_AGENT):
  network = acting_toys.make_network(agent, spec)
  policy = policy_lib.make_policy(
      agent, network, spec, mode=modes.mcts(), search_fn=acting_toys.search)
  model = agent.plan_with(network, spec)
  saved_model.save(directory, policy, model, _METADATA, step=11)
  return policy, model


@pytest.fixture(scope='module', name='continuous')
def _continuous(tmp_path_factory):
  directory = str(tmp_path_factory.mktemp('saved') / 'policy')
  return (directory, *_save(directory, acting_toys.CONTINUOUS))


def test_verify_passes(continuous):
  directory, policy, _ = continuous
  saved_model.verify(directory, policy)


def test_verify_notices_other_weights(continuous):
  directory, policy, _ = continuous
  before = policy.parameters
  policy.assign([1.3 * x for x in before])
  try:
    with pytest.raises(RuntimeError, match='differs from the live one'):
      saved_model.verify(directory, policy)
  finally:
    policy.assign(before)


def test_discrete_actions(tmp_path):
  directory = str(tmp_path / 'policy')
  policy, _ = _save(directory, acting_toys.DISCRETE)
  saved_model.verify(directory, policy)


def test_the_frame_stack_is_inside(tmp_path):
  directory = str(tmp_path / 'policy')
  spec = acting_toys.DISCRETE
  policy, model = _save(
      directory, spec, dataclasses.replace(_AGENT, frame_stack=3))
  saved_model.verify(directory, policy)
  loaded = tf.saved_model.load(directory)
  assert loaded.get_initial_state(batch_size=2).frames.shape == (2, 2, 4)
  frames = np.random.default_rng(0).normal(size=[2, 3, 4]).astype('f')
  stacked = frames.reshape([2, 12])
  seed = rng.seed(9)
  np.testing.assert_allclose(
      loaded.initial_inference(frames, seed)['embedding'],
      model.root_fn(policy.parameters, seed, stacked).embedding[0], atol=1e-5)


def test_metadata(continuous):
  directory = continuous[0]
  assert saved_model.is_saved_model(directory)
  assert saved_model.read_metadata(directory) == _METADATA
  loaded = tf.saved_model.load(directory)
  inside = loaded.get_metadata()
  assert inside['action_repeat'].numpy() == 4
  assert inside['task'].numpy() == b'toy'
  assert loaded.get_train_step().numpy() == 11


def test_no_saved_model(tmp_path):
  assert not saved_model.is_saved_model(str(tmp_path))
  with pytest.raises(ValueError, match='metadata.json'):
    saved_model.read_metadata(str(tmp_path))


def test_model_functions(continuous):
  directory, policy, model = continuous
  loaded = tf.saved_model.load(directory)
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


def test_metadata_is_plain_json(continuous):
  with open(continuous[0] + '/metadata.json', encoding='utf-8') as file:
    assert json.load(file)['mode'] == 'mcts'
