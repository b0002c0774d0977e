"""What a command says when it fails: one message instead of a traceback."""

import os
import re
import sys
from typing import Any, Callable

import tensorflow as tf

from tf_muzero.config import bindings

# What is wrong with the settings, the data, the files or the numbers.
EXPECTED = (ValueError, ImportError, OSError, FloatingPointError,
            tf.errors.OpError)


def exiting(function: Callable[[Any], Any], argument: Any) -> Any:
  """Returns the function's result; exits with what an expected error says."""
  try:
    return function(argument)
  except EXPECTED as error:
    if os.environ.get('TF_MUZERO_DEBUG'):
      raise
    sys.exit(of(error))
  except KeyboardInterrupt:
    sys.exit('Interrupted.')


def of(error: Exception) -> str:
  """Returns what an error says, without what gin and TensorFlow add to it."""
  text = (_said_by(error) if isinstance(error, tf.errors.OpError)
          else str(error))
  lines = [line for line in text.splitlines()
           if not line.startswith('  In call to configurable')]
  if not isinstance(error, bindings.ConfigError):
    lines.append('(TF_MUZERO_DEBUG=1 shows where.)')
  return 'Error: ' + '\n'.join(lines)


def _said_by(error: tf.errors.OpError) -> str:
  """Returns what an operation says, without where in which graph it is."""
  first = re.search(r'^ *\(0\) [A-Z_]+: *(.+)', error.message, re.MULTILINE)
  lines = [line for line in error.message.splitlines()
           if line and not line[0].isspace()]  # Those are of the graph.
  text = first[1] if first else lines[-1] if lines else error.message
  text = re.sub(r'^({{.*?}} *)+|( \[Op:\w+\])+( name: )?$', '', text)
  return re.sub(r'^assertion failed: \[(.*)\]$', r'\1', text)
