"""The command that makes a dataset of what others recorded."""

import os

import pytest

from tests import conversion_toys as toys
from tests import train_runs
from tf_muzero import cli
from tf_muzero import convert as convert_lib


@pytest.mark.parametrize('name, module', [
    ('x.h5', 'h5py'), ('x.csv', 'pyarrow'), ('toy/random-v0', 'minari')])
def test_a_missing_extra_is_named(tmp_path, monkeypatch, name, module):
  if '.' in name:
    (tmp_path / name).write_text('')
    name = tmp_path / name
  def import_module(name):
    raise ModuleNotFoundError(name)
  monkeypatch.setattr('importlib.import_module', import_module)
  with pytest.raises(ImportError, match=fr'{module} is missing: pip install '
                     r'tf-muzero\[convert\]'):
    toys.convert(name, tmp_path / 'data')


@pytest.mark.parametrize('name, message', [
    ('x.npz', 'There is no file'), ('here.txt', 'is none of these'),
    ('.', 'is none of these')])
def test_what_is_no_source_is_told(tmp_path, name, message):
  (tmp_path / 'here.txt').write_text('')
  with pytest.raises(ValueError, match=message):
    toys.convert(tmp_path / name, tmp_path / 'data')


def test_what_is_no_file_of_its_kind_is_told(tmp_path):
  for name, message in (('x.h5', 'as HDF5'), ('x.npz', 'as npz'),
                        ('x.parquet', 'as Parquet')):
    (tmp_path / name).write_bytes(b'nonsense' * 9)
    with pytest.raises(ValueError, match=f'cannot be read {message}'):
      toys.convert(tmp_path / name, tmp_path / 'data')


def test_settings_of_text_are_of_text(tmp_path):
  with pytest.raises(ValueError, match="separator, .* of CSV .*parquet' is no"):
    toys.convert(tmp_path / 'x.parquet', tmp_path / 'data', separator=';')


def test_interrupted_leaves_nothing(tmp_path, monkeypatch, caplog):
  toys.write_hdf5(tmp_path / 'x.h5', toys.steps())
  records = convert_lib.writing.records
  def interrupt(*args):
    if len(args[1]) == 5:
      raise KeyboardInterrupt
    return records(*args)
  monkeypatch.setattr(convert_lib.writing, 'records', interrupt)
  with pytest.raises(KeyboardInterrupt):
    toys.convert(tmp_path / 'x.h5', tmp_path / 'data')
  assert 'Interrupted: nothing was written to' in caplog.text
  assert os.listdir(tmp_path) == ['x.h5']


def test_what_is_converted_is_trained_on(tmp_path):
  """By the command, with a setting, and no gin file."""
  toys.write_hdf5(tmp_path / 'x.h5', toys.steps())
  cli.call(cli.configure(
      convert_lib.convert, [], ['convert.convert.action_repeat = 3'],
      arguments={'source': str(tmp_path / 'x.h5'),
                 'directory': str(tmp_path / 'data')}))
  trainer = train_runs.run(str(tmp_path / 'data'), str(tmp_path / 'run'), 2)
  assert int(trainer.optimizer.iterations) == 2
