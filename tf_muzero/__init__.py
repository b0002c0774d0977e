"""MuZero Unplugged on TensorFlow: plan with a model learned from episodes.

The folders are the pipeline, in reading order: envs, data, conversion,
networks, search, reanalyse, learning, acting, reporting. The commands are
modules here: collect, convert, inspect, train, evaluate, report, export.
`types` has the containers that cross folders.
"""

import contextlib
from importlib import metadata
import os
import sys

from tf_muzero import quiet

__all__ = ('__version__',)  # All else is imported from its module: docs/api.md.
__version__ = '0.3.0'

# TensorFlow reports a missing GPU in several lines marked as errors, and
# its real errors arrive as exceptions too. Export another value to see all.
os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
os.environ.setdefault('PYGAME_HIDE_SUPPORT_PROMPT', '1')

# Where the package keras is Keras 3, `tf.keras` becomes tf_keras, which is
# Keras 2, for TF-Agents and TensorFlow Probability too; see keras2.py.
with contextlib.suppress(metadata.PackageNotFoundError):
  if not metadata.version('keras').startswith('2.'):
    os.environ.setdefault('TF_USE_LEGACY_KERAS', '1')
    if 'tensorflow' in sys.modules:  # It reads the variable at its import,
      # but only for `from tensorflow.keras import ...`.
      sys.modules.setdefault('tensorflow.keras',
                             sys.modules['tensorflow'].keras)
    else:
      sys.meta_path.insert(0, quiet.TensorFlowFinder())
      # Its import shows the LLVM inside TensorFlow to all other libraries, and
      # software OpenGL, which brings an LLVM of its own, ends the process when
      # it draws. TensorFlow does without where this module is missing.
      sys.modules['tensorflow.python.pywrap_dlopen_global_flags'] = (
          None)  # type: ignore[assignment]
    # XLA compiles a loop into one piece where a step touches less than this. By
    # default 1,024 bytes: too little for a tree of many candidates.
    flags = os.environ.get('XLA_FLAGS', '')
    if '--xla_backend_extra_options' not in flags:
      os.environ['XLA_FLAGS'] = (
          f'{flags} --xla_backend_extra_options='
          'xla_cpu_small_while_loop_byte_threshold=65536').strip()

# tf-agents imports gym, which asks on stderr to be replaced.
with contextlib.suppress(ImportError):
  from gym_notices import notices
  notices.notices.clear()
