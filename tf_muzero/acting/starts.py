"""With what software and on what machine a run was made.

`run.json` has an entry for each time that its training started.
"""

import datetime
import json
import os
import platform
from typing import Any

from absl import logging
import tensorflow as tf

import tf_muzero
from tf_muzero import whole_files
from tf_muzero.learning import tensorboard

_FILE = 'run.json'


def add(run_directory: str, writer: tf.summary.SummaryWriter, step: int,
        **facts: Any) -> None:
  """Adds a start to `run.json` and logs it; TensorBoard gets the settings.

  Args:
    run_directory: of the run.
    writer: see `tensorboard`.
    step: learner step that training starts or goes on from.
    **facts: more of it, JSON values.
  """
  starts = load(run_directory)
  start = {
      'step': step,
      'time': datetime.datetime.now(datetime.timezone.utc).isoformat(
          timespec='seconds'),
      'tf_muzero': tf_muzero.__version__,
      'tensorflow': tf.__version__,
      'python': platform.python_version(),
      'system': f'{platform.system()} {platform.machine()}',
      'cores': os.cpu_count(),
      'devices': [device.name for device in tf.config.list_logical_devices()
                  if device.device_type != 'CPU'],
      **facts}
  starts.append(start)
  path = os.path.join(run_directory, _FILE)
  whole_files.write_json(path, {'starts': starts})
  path = os.path.join(run_directory, 'config.gin')
  if tf.io.gfile.exists(path):  # It was started by the command.
    with tf.io.gfile.GFile(path) as file:
      tensorboard.write_text(writer, step, 'configuration', file.read())
  logging.info('%s, results in %s', ', '.join(
      f'{name.replace("_", " ")} {value}' for name, value in start.items()
      if value), run_directory)


def load(run_directory: str) -> list[dict[str, Any]]:
  """Returns the starts of a run, the first one first; none where none is known.
  """
  path = os.path.join(run_directory, _FILE)
  if not tf.io.gfile.exists(path):
    return []
  try:
    with tf.io.gfile.GFile(path) as file:
      return json.load(file)['starts']
  except (ValueError, KeyError, TypeError) as error:
    logging.warning('%s is damaged and left out: %r.', path, error)
    return []
