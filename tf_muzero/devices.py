"""Where training runs."""

import contextlib
import functools
import os
import signal
import threading

from absl import logging
import tensorflow as tf

from tf_muzero import cluster
from tf_muzero import quiet

_XLA_SAYS = ('Compiled cluster using XLA!', 'before absl::InitializeLog()')


def limit_threads(intra_op_threads: int) -> None:
  """Limits the threads that one operation may use; 0 leaves it to TensorFlow.

  Searches side by side use the cores better than threads inside each of them.
  With TensorFlow after 2.15 what XLA compiled runs on these threads too: one
  thread then runs all searches, in turn, and leaves the other cores to the
  learner. Too late once TensorFlow runs, which is logged.
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


def search_threads() -> int:
  """Returns what `limit_threads` takes where there are searches and no learner.

  One, or with TensorFlow after 2.15, where all searches would share it, 0.
  """
  return 1 if tf.__version__.startswith('2.15.') else 0


def make_strategy(name: str) -> tf.distribute.Strategy:
  """Returns the distribution strategy of that name; TensorFlow runs then.

  Args:
    name: `cpu` (one device: also one GPU), `mirrored` (all local GPUs, or all
      logical CPU devices), `multi_worker` (those of all processes that the
      environment variable TF_CONFIG names), or `tpu` (the one that TPU_NAME
      names; by default `local`, the machine's own).
  """
  makers = {'cpu': tf.distribute.get_strategy, 'mirrored': _mirrored_strategy,
            'multi_worker': _multi_worker_strategy, 'tpu': _tpu_strategy}
  if name not in makers:
    raise ValueError(
        f"strategy must be 'cpu', 'mirrored', 'multi_worker' or 'tpu', got "
        f'{name!r}.')
  strategy = makers[name]()
  if name != 'tpu':
    start_compiler()
  return strategy


@functools.lru_cache(maxsize=None)
def start_compiler() -> None:
  """Compiles something small and keeps back what XLA says of its first time.

  It says in two lines, one of them a warning, that it is in use, and has no
  switch for that. TensorFlow runs afterwards: `limit_threads` comes before.
  A TensorFlow for TPUs has no XLA for the host; what needs one says so itself.
  """
  with quiet.native(*_XLA_SAYS), contextlib.suppress(tf.errors.OpError):
    tf.function(
        lambda x: x + 1.0, jit_compile=True, autograph=False)(tf.constant(0.0))


def is_chief(strategy: str) -> bool:
  """Returns whether this process writes the run's files.

  Of several trainers, one does: `chief`, or the first worker, in TF_CONFIG.

  Args:
    strategy: its name. Where it is not `multi_worker`, TF_CONFIG is nothing of
      ours.
  """
  return strategy != 'multi_worker' or cluster.read().number == 0


def any_worker(strategy: tf.distribute.Strategy, flag: bool) -> bool:
  """Returns whether the flag is set in any of the processes that train.

  Of several processes, each has to call it, and waits for the others.
  """
  if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
    return flag
  return bool(_total(strategy, tf.constant(float(flag))) > 0.0)


@tf.function(autograph=False)
def _total(strategy: tf.distribute.Strategy, number: tf.Tensor) -> tf.Tensor:
  return strategy.reduce(tf.distribute.ReduceOp.SUM, strategy.run(
      tf.identity, (number,)), axis=None)


def _mirrored_strategy() -> tf.distribute.Strategy:
  kind = 'GPU' if tf.config.list_logical_devices('GPU') else 'CPU'
  return tf.distribute.MirroredStrategy(
      [device.name for device in tf.config.list_logical_devices(kind)],
      cross_device_ops=tf.distribute.ReductionToOneDevice())


def _multi_worker_strategy() -> tf.distribute.Strategy:
  cluster.wait(cluster.read())
  before = {x: signal.getsignal(x) for x in (signal.SIGINT, signal.SIGTERM)}
  is_main = threading.current_thread() is threading.main_thread()
  if is_main:  # Python's own would not be called before TensorFlow returns.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
  try:
    return tf.distribute.MultiWorkerMirroredStrategy()
  finally:
    if is_main:  # TensorFlow takes SIGTERM too, and does nothing with it.
      for number, handler in before.items():
        signal.signal(number, handler or signal.SIG_DFL)


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
