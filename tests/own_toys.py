"""A task of a user's own, as the text of a file of his."""

import contextlib
import sys

# A mass that is to be pushed to the middle.
PUSH = '''
import dm_env
from dm_env import specs
import numpy as np

TAKEN = []  # Forces of all steps.


class Push(dm_env.Environment):
  """Ten steps of a mass that is pushed with a force in [-3, 5]."""

  def __init__(self, seed):
    self._random = np.random.RandomState(seed)

  def reset(self):
    self._steps, self._x = 0, self._random.uniform(-1.0, 1.0)
    return dm_env.restart(self._observe())

  def step(self, action):
    TAKEN.append(float(action))
    self._steps += 1
    self._x += 0.1 * float(action)
    end = (dm_env.termination if abs(self._x) > 2.0 else
           dm_env.truncation if self._steps == 10 else dm_env.transition)
    return end(-abs(self._x), self._observe())

  def observation_spec(self):
    return {'mass': {'x': specs.Array((), np.float64)},
            'left': specs.Array((), np.int64)}

  def action_spec(self):
    return specs.BoundedArray((), np.float64, -3.0, 5.0)

  def render(self):
    picture = np.zeros([16, 48, 3], np.uint8)
    picture[:, int(24 + 10 * self._x)] = 255
    return picture

  def _observe(self):
    return {'mass': {'x': self._x}, 'left': 10 - self._steps}


def make(seed):
  return Push(seed)


def make_alike():
  return Push(0)


def make_badly():
  return object()
'''


@contextlib.contextmanager
def folder(path, monkeypatch):
  """Has `push_task.py` in the working directory, and no module afterwards.

  Args:
    path: of the directory.
    monkeypatch: of pytest.
  """
  (path / 'push_task.py').write_text(PUSH)
  monkeypatch.chdir(path)
  monkeypatch.setattr(sys, 'path', [x for x in sys.path if x])
  before = set(sys.modules)
  yield
  for name in set(sys.modules) - before:
    if str(path) in str(getattr(sys.modules[name], '__file__', '')):
      del sys.modules[name]
