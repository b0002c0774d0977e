"""Tasks of the DeepMind Control Suite."""

from typing import Any

from absl import logging

from tf_muzero import quiet
from tf_muzero.envs import flat
from tf_muzero.envs import mujoco_gl


_DRAWS = {('quadruped', 'escape')}  # Make what they show with OpenGL.


def load(name: str, seed: int) -> flat.Flat:
  """Returns the task `<domain>/<task>`."""
  suite = _import_suite()
  domain, _, task = name.partition('/')
  if (domain, task) in _DRAWS and not mujoco_gl.is_chosen():
    raise ValueError(f'The task dm_control:{name} draws its ground with OpenGL:'
                     ' set the variable MUJOCO_GL to egl or osmesa, whichever '
                     'works on this machine.')
  if (domain, task) not in suite.ALL_TASKS:
    known = sorted(t for d, t in suite.ALL_TASKS if d == domain)
    raise ValueError(
        f"There is no task 'dm_control:{name}'. "
        + (f'The domain {domain!r} has: {", ".join(known)}.' if known
           else 'Domains: '
           f'{", ".join(sorted(set(d for d, _ in suite.ALL_TASKS)))}.'))
  return flat.Flat(suite.load(domain, task, task_kwargs={'random': seed}),
                   f'dm_control:{name}')


def _import_suite() -> Any:
  mujoco_gl.settle()
  try:
    # It tells what we just set. And else it looks for a screen, and warns if it
    # finds none.
    with quiet.below(logging.WARNING), mujoco_gl.unless_chosen():
      from dm_control import suite  # pylint: disable=import-outside-toplevel
  except ModuleNotFoundError as error:
    raise ImportError(
        'Tasks of dm_control need it: pip install dm-control; on Python 3.13, '
        'where labmaze cannot be built, which these tasks do without: '
        'pip install --no-deps dm-control') from error
  return suite
