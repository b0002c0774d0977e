"""MuZero Unplugged on TensorFlow: plan with a model learned from episodes.

The folders are the pipeline, in reading order: envs, data, conversion,
networks, search, reanalyse, learning, acting, reporting. The commands are
modules here: collect, convert, inspect, train, evaluate, report, export.
`types` has the containers that cross folders.
"""

import contextlib
import os

__all__ = ('__version__',)  # All else is imported from its module: docs/api.md.
__version__ = '0.2.0'

# TensorFlow 2.15 reports a missing GPU in several lines marked as errors, and
# its real errors arrive as exceptions too. Export another value to see all.
os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
os.environ.setdefault('PYGAME_HIDE_SUPPORT_PROMPT', '1')

# tf-agents imports gym 0.23, which asks on stderr to be replaced.
with contextlib.suppress(ImportError):
  from gym_notices import notices
  notices.notices.clear()
