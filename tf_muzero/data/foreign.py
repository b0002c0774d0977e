"""Episodes in files of other kinds, of which `convert` makes datasets."""

import glob
import os
import re
import shlex
from typing import Optional

HDF5, NPZ = ('.hdf5', '.h5'), ('.npz',)
PARQUET, CSV = ('.parquet', '.pq'), ('.csv', '.csv.gz', '.tsv', '.tsv.gz')
_MINARI_METADATA = 'metadata.json'
_MINARI_ID = re.compile(r'([\w-]+/)*[\w-]+-v\d+')


def kind_of(path: str) -> Optional[str]:
  """Returns 'arrays', 'table' or 'minari', by its name and by what lies there.

  None where it is nothing of these.

  Args:
    path: of a file or a directory on this machine, which may not be there.
  """
  name = path.lower()
  if name.endswith(HDF5 + NPZ):
    return 'arrays'
  if name.endswith(PARQUET + CSV):
    return 'table'
  if find_minari(path):
    return 'minari'
  inside = (file for depth in ('*', '*/*', '*/*/*')
            for file in glob.iglob(f'{glob.escape(path)}/{depth}'))
  return 'table' if any(file.endswith(PARQUET) for file in inside) else None


def find_minari(path: str) -> str:
  """Returns the directory with the data of a Minari dataset there, or ''."""
  for directory in (path, os.path.join(path, 'data')):
    names = os.listdir(directory) if os.path.isdir(directory) else ()
    # Datasets of TFDS may have metadata, too.
    if _MINARI_METADATA in names and 'features.json' not in names:
      return directory
  return ''


def how_to_convert(source: str) -> str:
  """Returns how a dataset is made of a source, '' where it cannot be one.

  Args:
    source: what was given for a dataset and is none.
  """
  if os.path.exists(source) and kind_of(source):
    start = f'{source!r} is not a dataset yet. Make one of it'
  elif _MINARI_ID.fullmatch(source):
    start = f'If {source!r} is a Minari dataset, make one of RLDS of it'
  else:
    return ''
  name = source.strip('/').replace('/', '_') if (
      not os.path.exists(source)) else os.path.basename(source.rstrip('/'))
  return (f'{start}: tf-muzero convert {shlex.quote(source)} '
          f'{shlex.quote("datasets/" + name.split(".")[0])}')
