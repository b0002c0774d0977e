"""Files with a JSON object on each line, as a resumed run finds them."""

import json
from typing import Any

from absl import logging
import tensorflow as tf

from tf_muzero import whole_files


def drop_from(path: str, key: str, number: int) -> list[dict[str, Any]]:
  """Returns what is kept of a file that a resumed run goes on with.

  What it will write again is removed, and a half-written line.

  Args:
    path: of the file; nothing happens if there is none.
    key: what the lines are numbered by, such as 'step'.
    number: lines that have this or more are removed.
  """
  if not tf.io.gfile.exists(path):
    return []
  kept, texts = [], []
  with tf.io.gfile.GFile(path) as file:
    for line in file.read().splitlines():
      try:
        content = json.loads(line)
        if content[key] < number:
          kept.append(content)
          texts.append(line + '\n')
      except json.JSONDecodeError:
        logging.warning('%s: dropped a half-written line.', path)
  whole_files.write(path, ''.join(texts))
  return kept
