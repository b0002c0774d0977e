"""How a TPU is found, on a machine without one, and what is heard of XLA."""

import os
import subprocess
import sys

import pytest
import tensorflow as tf

from tf_muzero import devices


@pytest.mark.parametrize('variable, asked', [
    (None, 'local'), ('local', 'local'), ('pod-1', 'pod-1')])
def test_the_tpu_that_is_named_is_looked_up(monkeypatch, variable, asked):
  names = []

  def resolver(tpu):
    names.append(tpu)
    raise OSError('no metadata server')

  monkeypatch.setattr(
      tf.distribute.cluster_resolver, 'TPUClusterResolver', resolver)
  monkeypatch.delenv('TPU_NAME', raising=False)
  if variable:
    monkeypatch.setenv('TPU_NAME', variable)
  with pytest.raises(ValueError, match=f'TPU_NAME={asked}.*no metadata'):
    devices.make_strategy('tpu')
  assert names == [asked]


def test_a_machine_without_a_tpu_is_told_so(monkeypatch):
  monkeypatch.delenv('TPU_NAME', raising=False)
  with pytest.raises(ValueError, match='found no TPU.*choose another'):
    devices.make_strategy('tpu')
  assert tf.config.get_soft_device_placement()


def test_what_xla_says_of_its_first_time_is_kept_back():
  """In a process of its own, where it is the first time."""
  done = subprocess.run([sys.executable, '-c', """
from tf_muzero import devices
import tensorflow as tf
devices.make_strategy('cpu')
tf.function(lambda x: x + 1.0, jit_compile=True)(tf.constant(1.0))
"""], check=True, capture_output=True, env={
    **os.environ, 'TF_CPP_MIN_LOG_LEVEL': '3', 'CUDA_VISIBLE_DEVICES': ''})
  assert done.stderr == b''


@pytest.mark.parametrize('version, threads', [('2.15.1', 1), ('2.21.0', 0)])
def test_searches_share_one_thread_only_where_it_is_one_for_each(
    version, threads, monkeypatch):
  monkeypatch.setattr(tf, '__version__', version)
  assert devices.search_threads() == threads


def test_a_tensorflow_without_xla_for_the_host_starts_all_the_same(monkeypatch):
  def compiles_nothing(*unused_args, **unused_kwargs):
    raise tf.errors.InvalidArgumentError(
        None, None, 'could not find registered transfer manager')

  monkeypatch.setattr(tf, 'function', compiles_nothing)
  devices.start_compiler()
