"""A controller written by hand for MountainCar-v0 of Gymnasium."""

import dm_env
from dm_env import specs
import numpy as np

from tf_muzero.envs.behaviours import ActFn
from tf_muzero.envs.behaviours import Behaviour
from tf_muzero.envs.behaviours import Setting

_LEFT, _RIGHT = 0, 2


def push_along() -> Behaviour:
  """Returns a behaviour that pushes the car in the direction of its motion.

  It gets out of the valley each time, and not by the shortest way. With
  `behaviours.noisy` it makes demonstrations that leave something to learn.
  """
  def start(setting: Setting, rng: np.random.Generator) -> ActFn:
    del rng
    _check_is_mountain_car(setting)
    def act(time_step: dm_env.TimeStep) -> np.ndarray:
      _, velocity = time_step.observation
      return np.asarray(_RIGHT if velocity > 0.0 else _LEFT,
                        setting.spec.action.dtype)
    return act
  return Behaviour('push_along', start)


def _check_is_mountain_car(setting: Setting) -> None:
  observation, action = setting.spec
  if getattr(observation, 'shape', None) != (2,) or not (
      isinstance(action, specs.DiscreteArray) and action.num_values == 3):
    raise ValueError(
        'This controller is for gymnasium:MountainCar-v0, whose observation is '
        'position and velocity, and which has three actions; got '
        f'{setting.spec}.')
