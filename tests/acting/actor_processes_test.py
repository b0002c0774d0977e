"""Environments in processes of their own: the same rounds, and clear ends."""

import functools
import gc
import os
import signal

import numpy as np
import pytest
import tensorflow as tf

from tests import own_toys
from tf_muzero import envs
from tf_muzero.acting import actor_processes
from tf_muzero.acting import actors
from tf_muzero.acting import rounds
from tf_muzero.types import Improved

_N = 5

# What the task of a user may do to the process that it is in.
_UNRULY = own_toys.PUSH + '''

class Unruly(Push):

  def step(self, action):
    if action == 4.0:
      raise KeyError('the motor is off')
    if action == 5.0:
      import os
      os._exit(3)
    return super().step(action)


def make_unruly(seed):
  return Unruly(seed)
'''


def _make(task, **settings):
  return functools.partial(actors.make_environment, task, **{
      'action_repeat': 1, 'clip_rewards': False, 'max_steps': None,
      'spec': envs.spec(envs.load(task, seed=0)), **settings})


@pytest.fixture(name='unruly', scope='module')
def _unruly(tmp_path_factory):
  """Yields two environments, each in a process of its own."""
  path = tmp_path_factory.mktemp('own') / 'unruly.py'
  path.write_text(_UNRULY)
  with actor_processes.scope():
    yield actor_processes.actors_of(_make(f'{path}:make_unruly'), 2)


def _decide(vector, observation, noise, numbers, temperature):
  """Returns actions that push away from the middle, in [-1, 1]."""
  del vector, numbers, temperature
  total = tf.reduce_sum(observation, axis=[1, 2])
  action = tf.tanh(5.0 * observation[:, -1, 1:])
  return action, Improved(
      action[:, tf.newaxis], tf.ones_like(noise[:, :1]), total, total,
      diagnostics={})


def test_rounds_are_those_of_this_process(tmp_path):
  path = tmp_path / 'push.py'
  path.write_text(own_toys.PUSH)
  make = _make(f'{path}:make', action_repeat=2, max_steps=4)
  action_spec = make(seed=0).action_spec()
  with actor_processes.scope():
    elsewhere = actor_processes.actors_of(make, 2)
    for number in (0, 1):  # The second one in the same processes.
      here, there = (
          rounds.play(
              x, _decide, tf.constant(0.0), number, action_spec=action_spec,
              num_environments=_N, num_candidates=1, temperature=1.0,
              root_noise_alpha=0.5, frame_stack=2, seed=3)
          for x in (actor_processes.actors_of(make, 0), elsewhere))
      assert len({len(x.episode.reward) for x in here}) > 1
      for x, y in zip(tf.nest.flatten(here), tf.nest.flatten(there)):
        assert x.dtype == y.dtype
        np.testing.assert_array_equal(x, y)


def test_what_an_environment_raises_is_raised_here(unruly):
  unruly.begin([1, 2])
  with pytest.raises(ValueError, match=r'KeyError \(.*unruly.py.*motor is off'):
    unruly.step({0: np.array([0.0]), 1: np.array([4.0])})
  assert len(unruly.begin([1, 2])) == 2  # And it goes on.


def test_a_process_that_ends_is_told(unruly):
  unruly.begin([1, 2])
  with pytest.raises(RuntimeError, match=(
      'Process 1 of interaction.num_processes, which has the environments 1, '
      'ended with exit code 3')):
    unruly.step({1: np.array([5.0])})
  # pylint: disable-next=protected-access
  first = unruly._workers[0].process
  os.kill(first.pid, signal.SIGKILL)
  with pytest.raises(RuntimeError, match='Process 0.*by the signal SIGKILL'):
    unruly.step({0: np.array([0.0])})


def test_processes_end_with_the_scope_and_with_the_object():
  with actor_processes.scope():
    in_scope = actor_processes.actors_of(_make('catch'), 1)
    in_scope.begin([0])
    # pylint: disable-next=protected-access
    worker = in_scope._workers[0]
    os.kill(worker.process.pid, signal.SIGTERM)  # Its parent may go on.
    in_scope.step({0: np.array(1)})
  assert worker.process.returncode == 0
  with pytest.raises(RuntimeError, match='was ended'):
    in_scope.step({0: np.array(1)})
  dropped = actor_processes.actors_of(_make('catch'), 1)
  dropped.begin([0])
  # pylint: disable-next=protected-access
  worker = dropped._workers[0]
  del dropped
  gc.collect()
  assert worker.process.returncode == 0
