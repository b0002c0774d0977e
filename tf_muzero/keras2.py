"""Keras 2, whatever its name is beside the installed TensorFlow.

TensorFlow 2.15 has Keras 2 as `keras`. Later ones have Keras 3 of that name,
which keeps and calls models in other ways, and Keras 2 as `tf_keras`. This is
the one place that decides; all others import `keras` from here, and what they
make is of the same classes as in TF-Agents and as `tf.keras` has them.
"""

import os

import tensorflow as tf

# `tf_muzero/__init__.py` sets it where it is needed.
if os.environ.get('TF_USE_LEGACY_KERAS') in ('1', 'true', 'True'):
  try:
    import tf_keras as keras
  except ModuleNotFoundError as error:
    raise ImportError(
        f'TensorFlow {tf.__version__} needs Keras 2 as the package tf-keras of '
        'its own version: pip install '
        f'"tf-keras=={tf.__version__.rpartition(".")[0]}.*"') from error
else:
  import keras

if not keras.__version__.startswith('2.') or tf.keras.Model != keras.Model:
  raise ImportError(
      'tf_muzero needs Keras 2, but Keras 3 is in use as tf.keras. Import '
      'tf_muzero before other packages use tf.keras, or export '
      'TF_USE_LEGACY_KERAS=1.')
