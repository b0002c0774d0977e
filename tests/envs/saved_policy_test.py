"""A SavedModel of TF-Agents acts as a behaviour, with TensorFlow alone."""

import subprocess
import sys
from typing import NamedTuple

import numpy as np
import pytest
import tensorflow as tf
from tf_agents.policies import policy_saver
from tf_agents.policies import tf_policy
from tf_agents.specs import tensor_spec
from tf_agents.trajectories import policy_step
from tf_agents.trajectories import time_step as time_steps

from tf_muzero import envs
from tf_muzero.envs import behaviours
from tf_muzero.envs import saved_policy


class State(NamedTuple):
  """What it remembers."""
  seed: tf.Tensor


class Counting(tf_policy.TFPolicy):  # pylint: disable=abstract-method
  """Acts by its observation and its state, which it counts up."""

  def __init__(self):
    super().__init__(
        time_steps.time_step_spec(
            {'position': tf.TensorSpec([3], tf.float32),
             'velocity': tf.TensorSpec([2], tf.float32)}),
        tensor_spec.BoundedTensorSpec([1], tf.float32, -9.0, 9.0),
        State(tf.TensorSpec([2], tf.int32)), automatic_state_reset=False)

  def _variables(self):
    return []

  def _action(self, time_step, policy_state, seed=None):
    number = tf.cast(policy_state.seed[:, :1] % 7, tf.float32) / 10.0
    action = number * time_step.observation['position'][:, 1:2]
    return policy_step.PolicyStep(
        action, State(policy_state.seed + 1), ())


@pytest.fixture(name='directory', scope='module')
def _directory(tmp_path_factory):
  directory = str(tmp_path_factory.mktemp('policy') / 'saved')
  policy_saver.PolicySaver(Counting()).save(directory)
  return directory


def _actions(directory, seed, num_episodes=2):
  environment = envs.load('dm_control:cartpole/swingup', seed=0)
  setting = behaviours.Setting(envs.spec(environment), 1)
  behaviour, rng = saved_policy.saved(directory), np.random.default_rng(seed)
  actions = []
  for _ in range(num_episodes):
    act, time_step = behaviour.start_fn(setting, rng), environment.reset()
    for _ in range(8):
      actions.append(act(time_step))
      time_step = environment.step(actions[-1])
  return np.array(actions)


def test_it_acts_and_remembers(directory):
  actions = _actions(directory, seed=1)
  assert actions.dtype == np.float32 and actions.shape == (16, 1)
  numbers = np.abs(actions[:8, 0])  # Cosines near -1, so tenths of counts.
  counts = np.round(numbers * 10).astype(int)
  assert (np.diff(counts) % 7 == 1).all()


def test_same_seed_same_actions_and_episodes_differ(directory):
  one, other = (_actions(directory, seed=1) for _ in range(2))
  assert (one == other).all()
  assert (_actions(directory, seed=2) != one).any()


def test_actions_are_clipped(directory):
  environment = envs.load('dm_control:cartpole/swingup', seed=0)
  setting = behaviours.Setting(envs.spec(environment), 1)
  act = saved_policy.saved(directory).start_fn(
      setting, np.random.default_rng(0))
  time_step = environment.reset()._replace(observation={
      'position': np.float32([0.0, 90.0, 0.0]), 'velocity': np.zeros(2, 'f')})
  assert max(act(time_step)[0] for _ in range(7)) == 1.0


def test_noise_is_added(directory):
  behaviour = behaviours.noisy(saved_policy.saved(directory), 0.1)
  assert behaviour.name == f"noisy(saved('{directory}'), 0.1)"


def test_tf_agents_is_not_needed(directory):
  program = (
      'import sys; from tf_muzero.envs import saved_policy; '
      f'saved_policy.saved({directory!r}); '
      'assert "tf_agents" not in sys.modules')
  subprocess.run([sys.executable, '-c', program], check=True)


def test_errors(directory, tmp_path):
  with pytest.raises(ValueError, match='no SavedModel'):
    saved_policy.saved(str(tmp_path))
  tf.saved_model.save(tf.Module(), str(tmp_path / 'other'))
  with pytest.raises(ValueError, match="no function 'action'"):
    saved_policy.saved(str(tmp_path / 'other'))
  environment = envs.load('dm_control:acrobot/swingup', seed=0)
  setting = behaviours.Setting(envs.spec(environment), 1)
  act = saved_policy.saved(directory).start_fn(
      setting, np.random.default_rng(0))
  with pytest.raises(ValueError, match='must have position.*orientations'):
    act(environment.reset())
