"""A diver who knows the deep sea."""

import math

import dm_env
import numpy as np

from tf_muzero.envs import deep_sea
from tf_muzero.envs.behaviours import ActFn
from tf_muzero.envs.behaviours import Behaviour
from tf_muzero.envs.behaviours import Setting


def always_right(mapping_seed: int = deep_sea.MAPPING_SEED) -> Behaviour:
  """Returns a behaviour that moves right wherever it is.

  Args:
    mapping_seed: of the task, see `deep_sea.DeepSea`.
  """
  def start(setting: Setting, rng: np.random.Generator) -> ActFn:
    del rng
    action = setting.spec.action
    shape = getattr(setting.spec.observation, 'shape', ())
    size = math.isqrt(math.prod(shape))
    if shape != (size**2,) or getattr(action, 'num_values', 0) != 2:
      raise ValueError('This behaviour is for deep_sea:N, whose observation is '
                       'a board [N * N], and which has two actions; got '
                       f'{setting.spec}.')
    moves_right = deep_sea.mapping(size, mapping_seed).reshape(-1)
    def act(time_step: dm_env.TimeStep) -> np.ndarray:
      where = int(np.argmax(time_step.observation))
      return np.asarray(moves_right[where], action.dtype)
    return act
  return Behaviour('always_right', start)
