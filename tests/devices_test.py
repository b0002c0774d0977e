"""How a TPU is found, on a machine without one."""

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
