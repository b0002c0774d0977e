"""Observations of an environment as agents see them: flat, or one frame."""

import math
from typing import Mapping

from absl import logging
from dm_env import specs
import numpy as np

from tf_muzero import pictures
from tf_muzero.types import Nest


def seen(spec: Nest, path: str = '') -> Nest:
  """Returns the spec of what an agent sees of an environment's observations.

  A float32 vector of each entry; but of uint8 and truth values [H, W, C] or
  [H, W], if it is no small board, a uint8 frame [H, W, C].

  Args:
    spec: of the environment: an array's, or dicts of them.
    path: of the entry within the observation.
  """
  if isinstance(spec, Mapping):
    if not spec:
      raise ValueError(f'{_named(path)} has no entries.')
    return {name: seen(entry, f'{path}/{name}' if path else str(name))
            for name, entry in spec.items()}
  if not isinstance(spec, specs.Array):
    raise ValueError('the observation must be an array or dicts of arrays; '
                     f'{_named(path)} is a {type(spec).__name__}.')
  shape, dtype = tuple(spec.shape), np.dtype(spec.dtype)
  said = f'{_named(path)} is {dtype.name}{list(shape)}'
  if dtype.kind not in 'fiub':
    raise ValueError(f'{said}, which is no array of numbers.')
  if 0 in shape:
    raise ValueError(f'{said}, which has no elements: leave it out.')
  name = path.rpartition('/')[2] or spec.name or 'observation'
  is_picture = pictures.looks_like_one(shape, dtype)
  if is_picture and dtype in pictures.DTYPES and len(shape) < 4:
    if len(shape) == 3 and (shape[2] > pictures.MOST_CHANNELS
                            or pictures.looks_channels_first(shape)):
      raise ValueError(f'{said}, which looks like a picture whose channels do '
                       'not come last; give it as [H, W, C].')
    return specs.BoundedArray((*shape, 1)[:3], np.uint8, 0, 255, name)
  if is_picture:
    logging.log_first_n(
        logging.WARNING, '%s: it is seen as a vector of %d numbers. If it is a '
        'picture, give it as uint8 [H, W, C].', 1, said, np.prod(shape))
  return specs.Array([int(np.prod(shape))], np.float32, name)


def see(observation: Nest, spec: Nest, path: str = '') -> Nest:
  """Returns copies of an observation's entries as `seen` says they are.

  Raises ValueError where they are not as it says, or not finite.

  Args:
    observation: as the environment gives it.
    spec: what `seen` returned.
    path: of the entry within the observation.
  """
  if isinstance(spec, dict):
    if not isinstance(observation, Mapping) or (
        observation.keys() != spec.keys()):
      got = (sorted(observation) if isinstance(observation, Mapping)
             else type(observation).__name__)
      raise ValueError(f'{_named(path)} must have the entries {sorted(spec)} '
                       f'of its spec, got {got}.')
    return {name: see(observation[name], entry,
                      f'{path}/{name}' if path else str(name))
            for name, entry in spec.items()}
  given = np.asarray(observation)
  is_frame, size = spec.dtype == np.uint8, math.prod(spec.shape)
  if is_frame and given.dtype == np.bool_:
    given = np.where(given, np.uint8(255), np.uint8(0))
  if is_frame and (given.dtype != np.uint8 or tuple(
      (*given.shape, 1)[:3]) != tuple(spec.shape)):
    raise ValueError(
        f'{_named(path)} must be uint8{list(spec.shape)}, as its spec says; '
        f'got {given.dtype}{list(given.shape)}.')
  if given.size != size:
    raise ValueError(
        f'{_named(path)} must have {size} elements, as its spec says; got '
        f'{given.dtype}{list(given.shape)}.')
  copied = np.array(given, spec.dtype).reshape(spec.shape)
  if not is_frame and not np.isfinite(copied).all():
    i = int(np.argmin(np.isfinite(copied)))
    raise ValueError(
        f'{_named(path)} is not finite: element {i} is {copied[i]}.')
  return copied


def _named(path: str) -> str:
  return f'observation {path!r}' if path else 'the observation'
