"""Where a dataset lies that is given by its directory, or its name in TFDS."""

import difflib
import importlib.util
import os
import re
from typing import Optional

from absl import logging
import tensorflow as tf
import tensorflow_datasets as tfds

from tf_muzero.data import files
from tf_muzero.data import foreign

_NAME = re.compile(r'(\w+)(?:/([\w.+-]+))?(?::(\d+\.\d+\.\d+))?')
_PUBLIC = 'gs://tfds-data/datasets'  # Where TFDS's own prepared ones are.
# These builders read with Apache Beam; others of RL Unplugged and D4RL do not.
_WITH_BEAM = re.compile(r'rlu_(?!atari_checkpoints_ordered)\w+')


def find_directory(name: str, data_dir: Optional[str], prepare: bool) -> str:
  """Returns the directory of a dataset.

  Args:
    name: its directory, or a name of TFDS such as `rlu_atari/Asterix_run_1`,
      of a version too where `:1.3.0` follows.
    data_dir: of TFDS; None for its own default.
    prepare: whether to prepare what is not there.
  """
  name = os.path.expanduser(name)
  match = _NAME.fullmatch(name)
  if not match or files.is_directory(name):
    files.check_exists(name)
    return name
  data_dir = os.path.expanduser(
      data_dir or os.environ.get('TFDS_DATA_DIR')
      or os.path.join('~', 'tensorflow_datasets'))
  builder, config, version = match.groups()
  found = _newest(os.path.join(data_dir, builder, config or ''), version)
  if found:
    return found
  _check_name(name, builder, config)
  if not prepare:
    raise ValueError(_how_to_prepare(name, builder, data_dir))
  return _prepare(name, builder, data_dir)


def _newest(directory: str, version: Optional[str]) -> str:
  """Returns the directory of a version, the newest one by default, or ''."""
  if not files.is_directory(directory):
    return ''
  versions = [
      entry.rstrip('/') for entry in tf.io.gfile.listdir(directory)
      if tfds.core.Version.is_valid(entry.rstrip('/'))
      and version in (None, entry.rstrip('/'))
      and tf.io.gfile.exists(
          os.path.join(directory, entry, 'dataset_info.json'))]
  if not versions:
    return ''
  return os.path.join(directory, max(versions, key=tfds.core.Version))


def _check_name(name: str, builder: str, config: Optional[str]) -> None:
  """Raises ValueError unless TFDS can prepare the dataset."""
  known = tfds.list_builders(with_community_datasets=False)
  if builder not in known:
    similar = difflib.get_close_matches(builder, known, n=3)
    how = foreign.how_to_convert(name)
    raise ValueError(
        f'There is no directory {name!r}, nor has TFDS a dataset of that name'
        + (f'; is it {" or ".join(similar)}?' if similar else '.')
        + f' {how}' * bool(how))
  configs = list(tfds.builder_cls(builder).builder_configs)
  if configs and config not in configs:
    similar = difflib.get_close_matches(config or '', configs, n=3, cutoff=0.3)
    raise ValueError(
        f'{name!r} needs a configuration of {builder!r}, such as '
        f'{builder}/{(similar or configs)[0]}; there are {len(configs)}.')


def _how_to_prepare(name: str, builder: str, data_dir: str) -> str:
  beam = (' after `pip install apache-beam`' if _WITH_BEAM.fullmatch(builder)
          else '')
  return (
      f'{name!r} is not prepared in data_dir {data_dir!r}. Prepare it with '
      f'`tfds build {name} --data_dir={data_dir}`{beam}, or here with prepare '
      f'= True; or read it where it is: data_dir = {_PUBLIC!r} has what TFDS '
      'prepared.')


def _prepare(name: str, builder: str, data_dir: str) -> str:
  """Returns the directory of a dataset that TFDS prepared just now."""
  if _WITH_BEAM.fullmatch(builder) and not importlib.util.find_spec(
      'apache_beam'):
    raise ImportError(f'TFDS prepares {name!r} with Apache Beam: '
                      '`pip install apache-beam`.')
  logging.info('TFDS prepares %s in %s: this may take hours.', name, data_dir)
  dataset = tfds.builder(name, data_dir=data_dir)
  dataset.download_and_prepare()
  return str(dataset.data_path)
