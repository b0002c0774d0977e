"""Tests of episodes in many environments."""

from typing import NamedTuple

import acting_toys
import numpy as np
import pytest
import tensorflow as tf

from tf_muzero.acting import rollout


class _State(NamedTuple):
  seed: tf.Tensor
  calls: tf.Tensor


class _Counter:
  """Acts by the sum of its observation; keeps what it was given."""

  def __init__(self):
    self.batch_sizes, self.firsts, self.seeds = [], [], []

  def get_initial_state(self, batch_size):
    """Returns a state that counts calls."""
    return _State(tf.zeros([batch_size, 2], tf.int32), tf.constant(0))

  def act(self, observation, is_first, state):
    """Returns the action and the next state."""
    self.batch_sizes.append(is_first.shape[0])
    self.firsts.append(int(tf.reduce_sum(tf.cast(is_first, tf.int32))))
    self.seeds.append(tuple(state.seed[0].numpy()))
    action = tf.tanh(observation['position'][:, :1])
    return action, state._replace(calls=state.calls + 1)


def _run(num_episodes, num_environments, policy=None, seed=5, **kwargs):
  return rollout.run_episodes(
      policy or _Counter(), acting_toys.Countdown, num_episodes=num_episodes,
      num_environments=num_environments, seed=seed, **kwargs)


def _play_by_hand(seed):
  """Returns return and length of an episode of `_Counter`, in plain Python."""
  environment = acting_toys.Countdown(seed)
  time_step, total, length = environment.reset(), 0.0, 0
  while not time_step.last():
    time_step = environment.step(
        np.tanh(time_step.observation['position'][:1]))
    total, length = total + time_step.reward, length + 1
  return total, length


def test_agrees_with_one_episode_after_the_other():
  result = _run(7, 3)
  by_hand = [_play_by_hand(int(seed)) for seed in result.seeds]
  np.testing.assert_allclose(result.returns, [x[0] for x in by_hand], rtol=1e-6)
  np.testing.assert_array_equal(result.lengths, [x[1] for x in by_hand])
  assert len(set(result.lengths)) > 1  # Slots were refilled at different times.


def test_does_not_depend_on_the_number_of_environments():
  results = [_run(5, n) for n in (1, 2, 5, 9)]
  for result in results[1:]:
    np.testing.assert_allclose(result.returns, results[0].returns, rtol=1e-6)
    np.testing.assert_array_equal(result.seeds, results[0].seeds)


def test_batch_size_is_fixed_and_starts_are_marked():
  policy = _Counter()
  _run(7, 3, policy)
  assert set(policy.batch_sizes) == {3}
  assert policy.firsts[0] == 3
  assert sum(policy.firsts) == 7


def test_seed_decides_everything():
  policy = _Counter()
  other = _run(3, 3, policy, seed=6)
  assert policy.seeds[0] == (6, 0)
  assert not np.any(np.isin(other.seeds, _run(3, 3).seeds))


def test_environments_are_closed():
  made = []

  def make(seed):
    made.append(acting_toys.Countdown(seed))
    return made[-1]

  rollout.run_episodes(
      _Counter(), make, num_episodes=4, num_environments=2, seed=0)
  assert [environment.is_closed for environment in made] == [True] * 4


def test_frames_are_of_the_first_episode():
  seen = []

  def render(environment):
    seen.append(environment)
    return np.zeros([2, 2, 3], np.uint8)

  result = _run(4, 2, render_fn=render)
  assert len(result.frames) == result.lengths[0] + 1
  assert all(environment is seen[0] for environment in seen)


def test_few_frames_of_a_long_episode_are_as_far_apart_as_each_other():
  render = lambda environment: environment._remaining  # pylint: disable=protected-access
  whole = _run(1, 1, render_fn=render).frames
  assert len(whole) > 3
  assert _run(1, 1, render_fn=render, most_frames=3).frames == whole[::2]


def test_progress_counts_decisions():
  counts = []
  result = _run(4, 2, progress_fn=counts.append)
  assert sum(counts) == sum(result.lengths)


@pytest.mark.parametrize('name', ['num_episodes', 'num_environments'])
def test_numbers_are_checked(name):
  with pytest.raises(ValueError, match=f'{name} must be >= 1, got 0'):
    _run(**{'num_episodes': 1, 'num_environments': 1, name: 0})
