"""Tasks of the DeepMind Control Suite, with flat observations."""

import os
from typing import Any

from absl import logging
import dm_env
from dm_env import specs
import numpy as np

from tf_muzero import actions


class ControlSuite(dm_env.Environment):
  """A task of dm_control with float32 vectors to see and to do.

  Each entry of the observation is a flat float32 vector, scalars have one
  element. Actions are within the task's own bounds.
  """

  def __init__(self, environment: Any):
    """Initialises the environment.

    Args:
      environment: a `dm_control.rl.control.Environment`.
    """
    self._environment = environment
    action = environment.action_spec()
    self._action_spec = actions.bounded(
        action.shape, action.minimum, action.maximum)
    self._observation_spec = {
        name: specs.Array([int(np.prod(spec.shape))], np.float32, name)
        for name, spec in environment.observation_spec().items()}

  @property
  def physics(self) -> Any:
    """The simulation: a `dm_control.mujoco.Physics`."""
    return self._environment.physics

  def reset(self) -> dm_env.TimeStep:
    return self._flat(self._environment.reset())

  def step(self, action: np.ndarray) -> dm_env.TimeStep:
    return self._flat(self._environment.step(np.asarray(action, np.float64)))

  def observation_spec(self) -> dict[str, specs.Array]:
    return dict(self._observation_spec)

  def action_spec(self) -> specs.BoundedArray:
    return self._action_spec

  def close(self):
    self._environment.close()

  def _flat(self, time_step: dm_env.TimeStep) -> dm_env.TimeStep:
    return time_step._replace(observation={
        name: np.asarray(value, np.float32).reshape(-1)
        for name, value in time_step.observation.items()})


def load(name: str, seed: int) -> ControlSuite:
  """Returns the task `<domain>/<task>`."""
  suite = _import_suite()
  domain, _, task = name.partition('/')
  if (domain, task) not in suite.ALL_TASKS:
    known = sorted(t for d, t in suite.ALL_TASKS if d == domain)
    raise ValueError(
        f"There is no task 'dm_control:{name}'. "
        + (f'The domain {domain!r} has: {", ".join(known)}.' if known
           else 'Domains: '
           f'{", ".join(sorted(set(d for d, _ in suite.ALL_TASKS)))}.'))
  return ControlSuite(suite.load(domain, task, task_kwargs={'random': seed}))


def _import_suite() -> Any:
  # Before the import, which otherwise looks for a screen and warns if it finds
  # none. Drawing does not need it: see `rendering`.
  os.environ.setdefault('MUJOCO_GL', 'disabled')
  verbosity = logging.get_verbosity()
  logging.set_verbosity(logging.WARNING)  # It tells what we just set.
  try:
    from dm_control import suite  # pylint: disable=import-outside-toplevel
  except ImportError as error:
    raise ImportError(
        'Tasks of dm_control need it: pip install -e .[dm_control]'
    ) from error
  finally:
    logging.set_verbosity(verbosity)
  return suite
