"""How long windows took to make, told by the windows themselves.

Seconds travel as diagnostics, so that they are known wherever the pipeline
runs. Those of a batch add up to what one learner step has cost, over all
threads.
"""

import tensorflow as tf

from tf_muzero.types import Nest
from tf_muzero.types import Window

BATCHES_AHEAD = 8


def since(begun: tf.Tensor, made: Nest) -> tf.Tensor:
  """Returns the seconds from a timestamp to when something is made."""
  with tf.control_dependencies(tf.nest.flatten(made)):
    return tf.timestamp() - begun


def spread(windows: Window, **seconds: tf.Tensor) -> Window:
  """Returns windows that each bear their share of `<name>_seconds`."""
  num_windows = tf.shape(windows.value)[0]
  each = {f'{name}_seconds': tf.fill([num_windows], tf.cast(
      x, tf.float32) / tf.cast(num_windows, tf.float32))
          for name, x in seconds.items()}
  return windows._replace(diagnostics={**windows.diagnostics, **each})


def ahead(batches: tf.data.Dataset) -> tf.data.Dataset:
  """Returns batches made ahead, with the seconds that they lay ready."""
  stamped = batches.map(lambda windows: (tf.timestamp(), windows))
  return stamped.prefetch(BATCHES_AHEAD).map(
      lambda made, windows: spread(windows, ahead=tf.timestamp() - made))
