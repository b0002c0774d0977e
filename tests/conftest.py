"""Set-up of all tests: quiet logs, and four logical CPUs for the strategies."""

import gc
import os

os.environ['TF_CPP_MIN_LOG_LEVEL'] = '3'

# pylint: disable=wrong-import-order,wrong-import-position,unused-import
import tf_muzero  # Decides how TensorFlow is imported.
import pytest
import tensorflow as tf

_CPU = tf.config.list_physical_devices('CPU')[0]
tf.config.set_logical_device_configuration(
    _CPU, [tf.config.LogicalDeviceConfiguration()] * 4)
# TensorFlow starts, and tf.data keeps the options of now: `quick_graphs` would
# else change what it computes, by a rounding, if it came first.
tf.config.list_logical_devices()


def pytest_collection_modifyitems(items):
  """Puts files with slow tests first, so that all processes end together."""
  slow = {item.path for item in items if item.get_closest_marker('slow')}
  items.sort(key=lambda item: item.path not in slow)


def pytest_collection_finish():
  """Lets no garbage collection look at the libraries, which stay."""
  gc.freeze()


@pytest.fixture(scope='module')
def quick_graphs():
  """For graphs that run a few times: to improve them takes longer than that."""
  option = 'disable_meta_optimizer'
  tf.config.optimizer.set_experimental_options({option: True})
  yield
  tf.config.optimizer.set_experimental_options({option: False})
