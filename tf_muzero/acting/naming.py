"""Names of observation entries: for people, and for serving signatures.

For people an entry has its whole path, such as `robot/pos`. The inputs of a
signature are arguments of a Python function, all in one list and told apart
without regard to case.
"""

import keyword
import re
import unicodedata

import tensorflow as tf
import tree

from tf_muzero.types import Nest

SINGLE = 'observation'  # What an observation without entries is called.
# Other inputs of our signatures, and what TensorFlow cannot take.
_TAKEN = ('step_type', 'reward', 'discount', 'seed', 'frames', 'action',
          'embedding', 'batch_size', 'self')


def paths(observation: Nest) -> list[str]:
  """Returns the path of each entry, such as `robot/pos`, flattened.

  Args:
    observation: anything, or nest of dicts.
  """
  return ['/'.join(map(str, path)) or SINGLE
          for path, _ in tree.flatten_with_path(observation)]


def signature_names(observation: Nest) -> Nest:
  """Returns a nest of names that are good for inputs of a signature.

  They are the paths with `_` for what is no ASCII letter or digit; those that
  would be taken already are numbered.

  Args:
    observation: anything, or nest of dicts.
  """
  names: list[str] = []
  for path in paths(observation):
    name = stem = _safe(path)
    number = 2
    while name.lower() in [*_TAKEN, *(other.lower() for other in names)]:
      name, number = f'{stem}_{number}', number + 1
    names.append(name)
  return tf.nest.pack_sequence_as(observation, names)


def _safe(path: str) -> str:
  """Returns a Python identifier that reads like a path."""
  plain = unicodedata.normalize('NFKD', path)
  plain = ''.join(x for x in plain if not unicodedata.combining(x))
  name = re.sub('[^A-Za-z0-9]+', '_', plain).strip('_')
  if not name or name[0].isdigit() or keyword.iskeyword(name):
    return f'{SINGLE}_{name}'.strip('_')
  return name
