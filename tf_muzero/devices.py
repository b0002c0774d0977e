"""Where training runs."""

import os

from absl import logging
import tensorflow as tf


def limit_threads(intra_op_threads: int) -> None:
  """Limits the threads that one operation may use; 0 leaves it to TensorFlow.

  Searches side by side use the cores better than threads inside each of them.
  Too late once TensorFlow runs, which is logged.
  """
  if intra_op_threads < 0:
    raise ValueError(
        f'intra_op_threads must be >= 0, got {intra_op_threads}.')
  config = tf.config.threading
  if intra_op_threads in (0, config.get_intra_op_parallelism_threads()):
    return
  try:
    config.set_intra_op_parallelism_threads(intra_op_threads)
  except RuntimeError:
    logging.warning('TensorFlow runs already: intra_op_threads stays %d.',
                    config.get_intra_op_parallelism_threads())


def make_strategy(name: str) -> tf.distribute.Strategy:
  """Returns the distribution strategy of that name.

  Args:
    name: `cpu` (one device: also one GPU), `mirrored` (all local GPUs, or all
      logical CPU devices), or `tpu` (the one that the environment variable
      TPU_NAME names; by default `local`, the machine's own).
  """
  if name == 'cpu':
    return tf.distribute.get_strategy()
  if name == 'mirrored':
    kind = 'GPU' if tf.config.list_logical_devices('GPU') else 'CPU'
    return tf.distribute.MirroredStrategy(
        [device.name for device in tf.config.list_logical_devices(kind)],
        cross_device_ops=tf.distribute.ReductionToOneDevice())
  if name == 'tpu':
    return _tpu_strategy()
  raise ValueError(
      f"strategy must be 'cpu', 'mirrored' or 'tpu', got {name!r}.")


def _tpu_strategy() -> tf.distribute.Strategy:
  # Named, since TensorFlow takes TPU_NAME=local for a name to look up.
  name = os.environ.get('TPU_NAME', 'local')
  try:
    resolver = tf.distribute.cluster_resolver.TPUClusterResolver(tpu=name)
    tf.config.experimental_connect_to_cluster(resolver)
    tf.tpu.experimental.initialize_tpu_system(resolver)
  except (ValueError, RuntimeError, OSError, tf.errors.OpError) as error:
    raise ValueError(
        f"strategy 'tpu' found no TPU of TPU_NAME={name}. On a TPU machine "
        'that is local; on the first one of a pod it is the name of the pod '
        '(tpu/README.md); elsewhere choose another strategy. TensorFlow '
        f'{tf.__version__} says: {error}') from error
  # An unsupported op is to fail, not to run on the host at every step.
  tf.config.set_soft_device_placement(False)
  return tf.distribute.TPUStrategy(resolver)
