"""Collecting: what is played is stored, and interruptions do no harm."""

import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import tensorflow_datasets as tfds

from tf_muzero import collect
from tf_muzero import envs
from tf_muzero.data import episodes
from tf_muzero.envs import behaviours
from tf_muzero.envs import scripted
from tf_muzero.envs import wrappers


def test_catch(tmp_path):
  directory = str(tmp_path / 'catch')
  collected = collect.collect(
      task='catch', directory=directory, num_episodes=20,
      behaviour=behaviours.uniform(), seed=1, action_repeat=1)
  dataset = episodes.open_dataset(directory)
  assert dataset.task == 'catch' and dataset.spec.action.num_values == 3
  assert dataset.num_episodes == 20 and dataset.num_steps == 180
  loaded = episodes.load_episodes(dataset)
  assert [e.reward.sum() for e in loaded] == collected.returns
  assert all(e.discount.tolist() == [1.0] * 8 + [0.0, 1.0] for e in loaded)
  # The reward stands with the action that earned it, the ninth.
  assert all(abs(e.reward[8]) == 1.0 and not e.reward[:8].any()
             for e in loaded)


def test_cartpole(tmp_path):
  directory = str(tmp_path / 'cartpole')
  collected = collect.collect(
      task='dm_control:cartpole/swingup', directory=directory, num_episodes=2,
      behaviour=scripted.cartpole_segments(), seed=1, action_repeat=10)
  dataset = episodes.open_dataset(directory)
  assert dataset.action_repeat == 10 and collected.num_steps == 200
  assert dataset.metadata['seed'] == 1
  assert dataset.metadata['behaviour'].startswith('cartpole_segments(')
  loaded = episodes.load_episodes(dataset)
  assert [e.reward.sum() for e in loaded] == pytest.approx(collected.returns)
  assert all(e.discount.all() and len(e.reward) == 101 for e in loaded)


def test_atari_lies_as_in_rlu_atari(tmp_path):
  pytest.importorskip('ale_py', reason='ale-py, the extra [atari], is missing')
  directory = str(tmp_path / 'atari')
  collected = collect.collect(
      task='atari:SpaceInvaders', directory=directory, num_episodes=2,
      behaviour=behaviours.uniform(), seed=1, action_repeat=1,
      clip_rewards=True, max_steps=150)
  builder = tfds.builder_from_directory(directory)
  features = builder.info.features
  assert features.keys() == {
      'steps', 'checkpoint_id', 'episode_id', 'episode_return'}
  assert builder.info.metadata['reward_alignment'] == 'aligned'
  assert builder.info.metadata['clip_rewards'] is True
  raw = envs.load('atari:SpaceInvaders', seed=1)
  time_step, has_score = raw.reset(), False
  for number, episode in enumerate(builder.as_dataset(split='train')):
    steps = list(episode['steps'].as_numpy_iterator())
    assert len(steps) == 151 and not any(x['is_terminal'] for x in steps)
    assert episode['episode_return'] == collected.returns[number]
    for step in steps[:-1]:  # What is stored, played again.
      np.testing.assert_array_equal(step['observation'], time_step.observation)
      time_step = raw.step(step['action'])
      assert step['reward'] == np.clip(time_step.reward, -1.0, 1.0)
      has_score |= time_step.reward > 1.0
    time_step = raw.reset()
  assert has_score  # Else nothing was clipped.


def test_same_seed_same_data(tmp_path):
  loaded = []
  for seed, name in ((1, 'a'), (1, 'b'), (2, 'c')):
    collect.collect(
        task='catch', directory=str(tmp_path / name), num_episodes=3,
        behaviour=behaviours.uniform(), seed=seed, action_repeat=1)
    loaded.append(np.concatenate([
        e.observation for e in episodes.load_episodes(
            episodes.open_dataset(str(tmp_path / name)))]))
  assert (loaded[0] == loaded[1]).all() and (loaded[0] != loaded[2]).any()


def test_errors_come_before_work(tmp_path):
  (tmp_path / 'full').mkdir()
  (tmp_path / 'full' / 'file').write_text('x')
  settings = {'task': 'catch', 'behaviour': None, 'seed': 1, 'action_repeat': 1}
  with pytest.raises(ValueError, match='exists already'):
    collect.collect(
        directory=str(tmp_path / 'full'), num_episodes=1, **settings)
  with pytest.raises(ValueError, match='num_episodes'):
    collect.collect(directory=str(tmp_path / 'new'), num_episodes=0, **settings)


_SIGNALS = ('SIGINT', 'SIGTERM', 'SIGKILL')
# Each collects in a process of its own, of one that has imported TensorFlow.
_COLLECT = f"""
import os, sys, time
from tf_muzero import collect
from tf_muzero.envs import behaviours
def start(setting, rng):
  def act(time_step):
    time.sleep(0.0002)
    return behaviours.random_action(setting.spec.action, rng)
  return act
names = {{}}
for name in {_SIGNALS}:
  process = os.fork()
  if not process:
    os.dup2(os.open(name + '.err', os.O_WRONLY | os.O_CREAT), 2)
    collect.collect(
        task='catch', directory=name + '/catch', num_episodes=100_000,
        behaviour=behaviours.Behaviour('slow', start), seed=1,
        action_repeat=1, episodes_per_file=5)
    sys.exit()
  names[process] = name
  print(process, flush=True)
for _ in range(3):
  process, status = os.wait()
  print(names[process], os.waitstatus_to_exitcode(status), flush=True)
"""


@pytest.fixture(name='stopped', scope='module')
def _stopped(tmp_path_factory):
  """Returns name of a signal -> (directory, exit code, what was said).

  Each program that collects gets its signal when it has some episodes.
  """
  parent = tmp_path_factory.mktemp('stopped')
  with subprocess.Popen(
      [sys.executable, '-c', _COLLECT], cwd=parent, stdout=subprocess.PIPE,
      text=True, start_new_session=True) as program:
    stop = threading.Timer(  # If it goes wrong.
        240, os.killpg, [program.pid, signal.SIGKILL])
    stop.start()
    for name in _SIGNALS:
      process = int(program.stdout.readline())
      while not any('tfrecord-00002' in file
                    for _, _, files in os.walk(parent / name)
                    for file in files):
        assert program.poll() is None, (
            parent / f'{name}.err').read_text('utf8')
        time.sleep(0.05)
      os.kill(process, getattr(signal, name))
    ended = dict(line.split() for line in program.stdout)
    stop.cancel()
  return {name: (str(parent / name / 'catch'), int(ended[name]), (
      parent / f'{name}.err').read_text('utf8')) for name in _SIGNALS}


@pytest.mark.parametrize('name', ['SIGINT', 'SIGTERM'])
def test_interrupted_keeps_what_is_complete(stopped, name):
  directory, code, errors = stopped[name]
  assert code != 0 and name in errors
  dataset = episodes.open_dataset(directory)
  assert len(episodes.load_episodes(dataset)) == dataset.num_episodes >= 15
  assert os.listdir(os.path.dirname(directory)) == ['catch']


def test_killed_leaves_nothing_under_the_name(stopped):
  directory, code, _ = stopped['SIGKILL']
  assert code == -signal.SIGKILL
  assert not os.path.exists(directory)
  collect.collect(  # And is not in the way.
      task='catch', directory=directory, num_episodes=2,
      behaviour=behaviours.uniform(), seed=1, action_repeat=1)
  builder = tfds.builder_from_directory(directory)
  assert builder.info.splits['train'].num_examples == 2


class _Breaks(wrappers.Wrapper):
  """Breaks in the third episode."""

  def __init__(self, environment):
    super().__init__(environment)
    self._num_episodes = 0

  def reset(self):
    self._num_episodes += 1
    if self._num_episodes == 3:
      raise RuntimeError('The simulator broke.')
    return super().reset()


def test_a_broken_environment_keeps_what_is_complete(tmp_path, monkeypatch):
  environment = _Breaks(envs.load('catch', seed=1))
  monkeypatch.setattr(envs, 'load', lambda *args, **keywords: environment)
  with pytest.raises(RuntimeError, match='The simulator broke'):
    collect.collect(
        task='catch', directory=str(tmp_path / 'data'), num_episodes=9,
        behaviour=behaviours.uniform(), seed=1, action_repeat=1)
  assert len(episodes.load_episodes(
      episodes.open_dataset(str(tmp_path / 'data')))) == 2


def test_a_bad_action_keeps_what_is_complete(tmp_path):
  """Of a controller that goes beyond the bounds in its third episode."""
  episode = 0

  def start(setting, rng):
    nonlocal episode
    del setting, rng
    episode += 1
    return lambda _: [2.5] if episode == 3 else [1.0]  # A list will do.

  directory = str(tmp_path / 'data')
  with pytest.raises(ValueError, match='action .*2.5'):
    collect.collect(
        task='gymnasium:Pendulum-v1', directory=directory, num_episodes=9,
        behaviour=behaviours.Behaviour('mine', start), seed=1, action_repeat=1,
        max_steps=5)
  assert episodes.open_dataset(directory).num_episodes == 2


def test_a_controller_may_return_a_number(tmp_path):
  directory = str(tmp_path / 'data')
  collect.collect(
      task='gymnasium:Pendulum-v1', directory=directory, num_episodes=1,
      behaviour=behaviours.Behaviour('mine', lambda *_: lambda _: 1.0), seed=1,
      action_repeat=1, max_steps=5)
  episode, = episodes.load_episodes(episodes.open_dataset(directory))
  assert episode.action.shape == (6, 1)
