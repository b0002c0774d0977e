"""Rounds of episodes of different lengths, with decisions that tell all."""

import dm_env
from dm_env import specs
import numpy as np
import pytest
import tensorflow as tf

from tf_muzero import envs
from tf_muzero.acting import actors
from tf_muzero.acting import interaction as interaction_lib
from tf_muzero.acting import rounds
from tf_muzero.types import Improved

_N = 6
_ACTION = specs.BoundedArray([], np.float32, -1.0, 1.0)


class _Clock(dm_env.Environment):
  """Observes its seed and the step; 1 + seed % 5 steps, odd seeds terminal."""

  def __init__(self, seed):
    self.seed, self.actions, self.is_closed = seed % 1000, [], False
    self.length = 1 + self.seed % 5

  def _observe(self):
    return {'step': np.array([len(self.actions)], np.float32),
            'seed': np.array([self.seed], np.float32)}

  def reset(self):
    return dm_env.restart(self._observe())

  def step(self, action):
    assert len(self.actions) < self.length, 'stepped past its end'
    self.actions.append(float(action))
    reward = 10.0 * len(self.actions)
    if len(self.actions) < self.length:
      return dm_env.transition(reward, self._observe())
    if self.seed % 2:
      return dm_env.termination(reward, self._observe())
    return dm_env.truncation(reward, self._observe())

  def observation_spec(self):
    raise NotImplementedError

  def action_spec(self):
    return _ACTION

  def close(self):
    self.is_closed = True


def _decide(vector, observation, noise, numbers, temperature):
  """Returns decisions that tell environment (by its seed), round, step."""
  assert noise.shape == (_N, 2) and temperature == 0.5
  seed, step = observation[:, -1, 0], observation[:, -1, 1]
  action = vector + seed + 0.125 * step
  return action, Improved(
      candidates=tf.stack([action, -action], axis=1),
      weights=tf.constant([[0.25, 0.75]] * _N), value=seed + 0.5 * step,
      network_value=tf.fill([_N], tf.cast(numbers[0], tf.float32)),
      diagnostics={'step': tf.fill([_N], tf.cast(numbers[1], tf.float32))})


@pytest.fixture(name='round_', scope='module')
def _round():
  environments = []
  def environment_fn(*, seed):
    environments.append(_Clock(seed))
    return environments[-1]

  played = rounds.play(
      actors.InProcess(environment_fn), _decide, tf.constant(1000.0), 7,
      action_spec=_ACTION, num_environments=_N, num_candidates=2,
      temperature=0.5, root_noise_alpha=0.5, frame_stack=1, seed=3)
  return environments, played


def test_each_episode_is_its_environments(round_):
  environments, played = round_
  assert len(played) == _N
  assert len({x.length for x in environments}) > 2  # Else this tests little.
  for environment, (episode, improved) in zip(environments, played):
    steps = np.arange(environment.length + 1)
    seed = environment.seed
    np.testing.assert_array_equal(
        episode.observation, np.stack([0 * steps + seed, steps], axis=1))
    np.testing.assert_array_equal(
        episode.action, np.where(
            steps < environment.length, 1000 + seed + 0.125 * steps, 0))
    np.testing.assert_array_equal(episode.action[:-1], environment.actions)
    np.testing.assert_array_equal(
        episode.reward,
        np.where(steps < environment.length, 10 * (steps + 1), 0))
    ends = (steps == environment.length - 1) & (seed % 2 == 1)
    np.testing.assert_array_equal(episode.discount, np.where(ends, 0, 1))
    # Every state was planned for, the last one too.
    np.testing.assert_array_equal(improved.value, seed + 0.5 * steps)
    np.testing.assert_array_equal(improved.diagnostics['step'], steps)
    np.testing.assert_array_equal(improved.network_value, 7 + 0 * steps)
    assert environment.is_closed


def test_segments_carry_what_was_said_of_their_states(round_):
  stride, length = 2, 4
  for episode, improved in round_[1]:
    segment, cut = rounds.cut(
        rounds.Played(episode, improved), stride, length, 1, 70)
    last = len(episode.reward) - 1
    assert len(segment.reward) == (last + stride - 1) // stride
    assert set(segment.played_step.numpy()) == {70}
    for i in range(len(segment.reward)):
      for j, t in enumerate(range(i * stride, i * stride + length)):
        assert segment.is_state[i, j] == (t <= last)
        assert segment.is_transition[i, j] == (t < last)
        t = min(t, last)
        assert segment.reward[i, j] == episode.reward[t]
        assert cut.value[i, j] == improved.value[t]
        np.testing.assert_array_equal(
            segment.observation[i, j], episode.observation[t])
        np.testing.assert_array_equal(
            cut.candidates[i, j], improved.candidates[t])


def test_decisions_see_the_last_observations():
  seen = []
  def decide(vector, observation, *others):
    seen.append(observation.numpy())
    return _decide(vector, observation, *others)

  played = rounds.play(
      actors.InProcess(lambda *, seed: _Clock(seed)), decide,
      tf.constant(1000.0), 7, action_spec=_ACTION, num_environments=_N,
      num_candidates=2, temperature=0.5, root_noise_alpha=0.5, frame_stack=3,
      seed=3)
  for i, (episode, improved) in enumerate(played):
    records = np.concatenate([np.zeros([2, 2]), episode.observation])
    for t in range(len(episode.reward)):
      np.testing.assert_array_equal(seen[t][i], records[t:t + 3])
    segments, said = rounds.cut(rounds.Played(episode, improved), 2, 4, 3, 0)
    np.testing.assert_array_equal(
        segments.observation[0, :3], records[:3])
    np.testing.assert_array_equal(said.value[0, 0], improved.value[0])


def test_episodes_are_cut_off_after_a_number_of_decisions():
  interaction = interaction_lib.Interaction(
      'catch', 1, 1, temperature=1.0, root_noise_fraction=0.25,
      root_noise_alpha=0.5, sample_reuse=1, store_windows=1, max_steps=4)
  # pylint: disable-next=protected-access
  environment = interaction_lib._environment_fn(
      interaction, envs.spec(envs.load('catch', seed=0)))(seed=0)
  environment.reset()
  time_steps = [environment.step(0) for _ in range(4)]
  assert [x.last() for x in time_steps] == [False] * 3 + [True]
  assert time_steps[-1].discount == 1.0  # No terminal end.
