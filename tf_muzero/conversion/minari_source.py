"""A dataset of Minari: by its id, or where it lies."""

import collections
from typing import Any, Iterator, Mapping, Optional

from absl import logging
from dm_env import specs
import numpy as np

from tf_muzero import actions
from tf_muzero.conversion import trajectories
from tf_muzero.conversion.trajectories import Trajectory
from tf_muzero.data import foreign
from tf_muzero.types import Nest

_OBSERVED = ('Box', 'Discrete', 'MultiBinary', 'MultiDiscrete', 'Dict')


def open_minari(name: str) -> trajectories.Source:
  """Returns the episodes of a dataset of Minari.

  Args:
    name: directory, or id of one that was downloaded or made here.
  """
  minari = trajectories.load('minari')
  here = foreign.find_minari(name)
  try:
    dataset = (minari.MinariDataset(here) if here
               else minari.load_dataset(name))
  except FileNotFoundError as error:
    raise ValueError(f'There is no file {name!r}, nor a Minari dataset of that '
                     f'id. `minari download {name}` gets one, if others have '
                     'it.') from error
  except ValueError as error:
    raise ValueError(f'{name!r} cannot be read as a Minari dataset: {error}'
                     ) from error
  _check_space(dataset.observation_space, 'The observation')
  spec = _action_spec(dataset.action_space)

  def read(settled: collections.Counter) -> Iterator[Trajectory]:
    for episode in dataset.iterate_episodes():
      yield _trajectory(dataset.id, episode, settled)

  return trajectories.Source(
      f'Minari dataset {dataset.id}', _task(dataset.env_spec), spec,
      int(dataset.total_steps), {
          'minari_id': dataset.id, 'minari_version': minari.__version__,
          'minari_format': dataset.spec.minari_version}, read)


def _trajectory(name: str, episode: Any, settled: collections.Counter
                ) -> Trajectory:
  where, num_steps = f'{name}, episode {episode.id}', len(episode.rewards)
  is_terminal, is_cut = (np.asarray(x, bool) for x in (
      episode.terminations, episode.truncations))
  early = np.flatnonzero((is_terminal | is_cut)[:-1])
  if early.size:
    raise ValueError(f'{where}, step {early[0]}: it is said to end here, and '
                     f'goes on to step {num_steps - 1}.')
  if num_steps and not (is_terminal[-1] or is_cut[-1]):
    settled[trajectories.NO_MARK] += 1
  return Trajectory(
      _arrays(episode.observations),
      trajectories.action_vector(_arrays(episode.actions), where),
      np.asarray(episode.rewards), bool(is_terminal[-1:].any()), where)


def _arrays(values: Nest) -> Nest:
  if isinstance(values, Mapping):
    return {name: _arrays(part) for name, part in values.items()}
  return np.asarray(values)


def _task(env_spec: Any) -> str:
  """Returns the id of the environment, where the dataset tells."""
  if env_spec is None:
    return ''
  changed = {name: value for name, value in env_spec.kwargs.items()
             if name != 'render_mode'}
  wrappers = [wrapper.name for wrapper in env_spec.additional_wrappers]
  if changed or wrappers:
    logging.warning(
        'The environment %s was made with %s and wrapped in %s; the task '
        'gymnasium:%s is without them.', env_spec.id, changed or 'no changes',
        wrappers or 'nothing', env_spec.id)
  return f'gymnasium:{env_spec.id}'


def _check_space(space: Any, what: str) -> None:
  kind = type(space).__name__
  if kind not in _OBSERVED:
    raise ValueError(f'{what} has the space {space}, which cannot be used; '
                     f'{", ".join(_OBSERVED)} can.')
  if kind == 'Dict':
    for name, part in space.spaces.items():
      _check_space(part, f'{what} {name!r}')
  if kind == 'Discrete':
    logging.warning('%s has the space %s: it is seen as one number.', what,
                    space)


def _action_spec(space: Any) -> Optional[specs.Array]:
  """Returns the spec of a space of actions, None for one without bounds."""
  kind = type(space).__name__
  if kind == 'Discrete':
    return actions.Integers(int(space.n), int(space.start))
  boxes = [space] if kind == 'Box' else (
      [space[name] for name in sorted(space.spaces)] if kind == 'Dict' else [])
  if not boxes or any(type(box).__name__ != 'Box'
                      or np.dtype(box.dtype).kind != 'f' for box in boxes):
    raise ValueError(f'The actions have the space {space}, which cannot be '
                     'used; Discrete, a Box of floats and a Dict of such can.')
  low, high = (np.concatenate([np.ravel(getattr(box, name)) for box in boxes])
               for name in ('low', 'high'))
  with np.errstate(over='ignore'):
    spans = (high - low).astype(np.float32)
  if not (np.isfinite(spans) & (spans > 0)).all():
    return None
  return actions.bounded(low.shape, low, high)
