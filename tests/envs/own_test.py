"""Environments of a user's own functions, in modules and in files."""

import os
import subprocess
import sys
import textwrap

import numpy as np
import own_toys
import pytest

from tf_muzero import envs

_CARTPOLE = '''
import gymnasium

from beside import NAME  # In a file of the same folder.


def make(render_mode=None):
  return gymnasium.make(NAME, render_mode=render_mode)
'''


@pytest.fixture(name='folder')
def _folder(tmp_path, monkeypatch):
  """The working directory, with modules that go when the test does."""
  (tmp_path / 'deep').mkdir()
  (tmp_path / 'deep' / 'my_pole.py').write_text(_CARTPOLE)
  (tmp_path / 'deep' / 'beside.py').write_text('NAME = "CartPole-v1"')
  with own_toys.folder(tmp_path, monkeypatch):
    yield tmp_path


def _first(task, seed):
  return envs.load(task, seed=seed).reset().observation


@pytest.mark.parametrize('place', ['push_task', './push_task.py'])
def test_a_dm_env_of_a_module_and_of_a_file(folder, place):
  del folder
  environment = envs.load(f'{place}:make', seed=3)
  spec = environment.action_spec()
  assert (spec.minimum, spec.maximum) == (np.float32([-3]), np.float32([5]))
  time_step = environment.reset()
  x, = time_step.observation['mass']['x']
  assert time_step.observation['left'] == [10.0]
  time_step = environment.step(np.float32([4.0]))
  assert time_step.observation['mass']['x'] == pytest.approx([x + 0.4])
  one, other = (_first(f'{place}:make', seed)['mass']['x'] for seed in (3, 4))
  assert one == [x] and other != [x]


def test_a_gymnasium_environment_is_seeded_even_if_its_function_is_not(
    folder, caplog):
  del folder
  task = 'deep/my_pole.py:make'
  np.testing.assert_array_equal(_first(task, 3), _first(task, 3))
  np.testing.assert_array_equal(
      _first(task, 3), _first('gymnasium:CartPole-v1', 3))
  assert envs.protocol(envs.load(task, seed=0))['id'] == 'CartPole-v1'
  assert 'seed' not in caplog.text


def test_a_dm_env_that_takes_no_seed_is_told_once(folder, caplog):
  del folder
  for _ in range(2):
    envs.load('push_task:make_alike', seed=1)
  assert caplog.text.count('push_task:make_alike takes no keyword seed') == 1


def test_keywords_that_are_passed_on_are_those_of_pictures(folder):
  (folder / 'passing.py').write_text(
      'import gymnasium\n'
      "def make(**kwargs): return gymnasium.make('CartPole-v1', **kwargs)\n")
  np.testing.assert_array_equal(
      _first('passing.py:make', 3), _first('gymnasium:CartPole-v1', 3))
  environment = envs.load('passing.py:make', seed=0, is_drawn=True)
  environment.reset()
  assert envs.render(environment).shape == (400, 600, 3)


def test_pictures(folder):
  del folder
  environment = envs.load('push_task:make', seed=0, is_drawn=True)
  environment.reset()
  assert envs.render(environment).shape == (16, 48, 3)
  environment = envs.load('deep/my_pole.py:make', seed=0, is_drawn=True)
  environment.reset()
  assert envs.render(environment).shape == (400, 600, 3)


@pytest.mark.parametrize('task, words', [
    ('push_task:makes', "no function 'makes' in push_task"),
    ('push_task.py:makes', "no function 'makes'"),
    ('missing.py:make', "no file '.*missing.py'.*relative to the working dir"),
    ('push_task:make_badly', 'must return a dm_env.Environment or a gymnasium.*'
     'got builtins.object')])
def test_what_cannot_be_made_is_told(folder, task, words):
  del folder
  with pytest.raises(ValueError, match=words):
    envs.load(task, seed=0)


def test_an_error_of_the_users_own_is_his(folder):
  (folder / 'failing.py').write_text('import nothing_of_that_name')
  with pytest.raises(ModuleNotFoundError, match='nothing_of_that_name'):
    envs.load('failing:make', seed=0)


def test_without_pictures(folder):
  (folder / 'blind.py').write_text(textwrap.dedent(own_toys.PUSH).replace(
      'def render', 'def unseen'))
  environment = envs.load('blind.py:make', seed=0)
  environment.reset()
  with pytest.raises(ValueError, match='no pictures of Push.*render()'):
    envs.render(environment)
  (folder / 'grey.py').write_text(own_toys.PUSH.replace('48, 3]', '48]'))
  environment = envs.load('grey.py:make', seed=0)
  environment.reset()
  with pytest.raises(ValueError, match=r'must return .*got uint8\[16, 48\]'):
    envs.render(environment)


@pytest.mark.parametrize('value', ['nonsense', 'osmesa'])
def test_a_variable_that_does_not_work_matters_only_for_pictures(
    folder, value):
  (folder / 'arm.py').write_text(textwrap.dedent('''
      from dm_control import suite  # Of his own, so it sees the variable.

      def make(seed):
        return suite.load('pendulum', 'swingup', task_kwargs={'random': seed})
  '''))
  program = textwrap.dedent('''
      from tf_muzero import envs
      for task in ('arm:make', 'dm_control:cartpole/swingup'):
        envs.load(task, seed=0).reset()
  ''')
  root = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))
  done = subprocess.run(
      [sys.executable, '-c', program], capture_output=True, text=True,
      check=False, cwd=folder, env={
          **os.environ, 'MUJOCO_GL': value, 'PYTHONPATH': root,
          'TF_CPP_MIN_LOG_LEVEL': '3'})
  assert done.returncode == 0 and 'Traceback' not in done.stderr, done.stderr
  if value == 'nonsense':  # OSMesa may be installed.
    assert done.stderr.count('MUJOCO_GL=nonsense does not work here') == 1


@pytest.mark.parametrize('text, task, words', [
    ('def make(:\n', 'theirs.py:make',
     r'its file raised SyntaxError \(.*theirs.py, line 1\): invalid syntax'),
    ('def make(:\n', 'theirs:make', r'SyntaxError \(.*theirs.py, line 1\)'),
    ('\n1 / 0', 'theirs:make', r'its module raised ZeroDivision.*py, line 2\)'),
    ('def make():\n  return {}["x"]', 'theirs.py:make',
     r"theirs.py:make raised KeyError \(.*theirs.py, line 2\): 'x'"),
    ('def make(size): pass', 'theirs.py:make', 'TypeError.*argument: .size')])
def test_what_raises_in_code_of_the_users_is_told_with_its_place(
    folder, text, task, words):
  (folder / 'theirs.py').write_text(text)
  with pytest.raises(ValueError, match=words):
    envs.load(task, seed=0)


@pytest.mark.parametrize('step, words', [
    ('raise RuntimeError("no power")',
     r'step 1 of episode 1 raised RuntimeError \(.*, line 12\): no power'),
    ('return np.zeros(1), 0.0, True, {}', 'truncated and info; got 4 values'),
    ('return None', 'truncated and info; got NoneType')])
def test_what_a_gymnasium_environment_does_wrong_is_told(folder, step, words):
  (folder / 'wrong.py').write_text(textwrap.dedent('''
      import gymnasium
      import numpy as np

      class Wrong(gymnasium.Env):
        observation_space = gymnasium.spaces.Box(-1, 1, [1])
        action_space = gymnasium.spaces.Discrete(2)
        def reset(self, seed=None, options=None):
          return np.zeros(1, np.float32), {}
        def step(self, action):
          # As it should not.
          ''') + f'    {step}\n')
  environment = envs.load('wrong.py:Wrong', seed=0)
  environment.reset()
  with pytest.raises(ValueError, match=words):
    environment.step(np.int32(0))
