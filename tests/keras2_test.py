"""Which Keras is used, beside whichever TensorFlow is installed."""

from importlib import metadata
import os
import subprocess
import sys

import pytest

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_FIRST = {'tensorflow': 'import tensorflow as tf', 'tf_muzero': ''}


def _run(program):
  environment = {name: value for name, value in os.environ.items()
                 if name != 'TF_USE_LEGACY_KERAS'}
  return subprocess.run(
      [sys.executable, '-c', program], cwd=_ROOT, check=False, text=True,
      capture_output=True, env={**environment, 'TF_CPP_MIN_LOG_LEVEL': '3',
                                'CUDA_VISIBLE_DEVICES': ''})


@pytest.mark.parametrize('first', _FIRST)
def test_all_use_the_same_keras_2(first):
  """Whatever is imported first, and whichever way."""
  done = _run(f'''
{_FIRST[first]}
import tf_muzero
from tf_agents.networks import network
from tf_muzero.keras2 import keras
import tensorflow as tf
from tensorflow.keras import layers
assert keras.__version__.startswith('2.')
assert keras.Model is tf.keras.Model
assert keras.layers.Layer is layers.Layer
assert issubclass(network.Network, keras.layers.Layer)
''')
  assert done.returncode == 0, done.stderr


def test_keras_3_is_refused_where_it_was_used_before():
  done = _run('''
import tensorflow as tf
tf.keras.Model
from tf_muzero.keras2 import keras
''')
  if metadata.version('keras').startswith('2.'):
    assert done.returncode == 0, done.stderr
  else:
    assert 'export TF_USE_LEGACY_KERAS=1' in done.stderr.splitlines()[-1]
