"""How long searched segments took to make, told by the segments themselves.

Seconds travel with them, so that they are known wherever the pipeline runs.
"""

from typing import Sequence, Union

import tensorflow as tf

from tf_muzero.types import Nest
from tf_muzero.types import Searched
from tf_muzero.types import Segment


def now(made: Nest) -> tf.Tensor:
  """Returns the time at which something is made."""
  with tf.control_dependencies(
      tf.nest.flatten(made, expand_composites=True)):
    return tf.timestamp()


def spread(num: int, **seconds: tf.Tensor) -> dict[str, tf.Tensor]:
  """Returns shares [num] of seconds by name."""
  return {f'{name}_seconds': tf.fill([num], tf.cast(x, tf.float32) / num)
          for name, x in seconds.items()}


def of(element: Union[Searched, Segment]) -> dict[str, tf.Tensor]:
  """Returns the seconds that an element tells; nobody searched `Segment`s."""
  return element.seconds if isinstance(element, Searched) else {}


def names(element: Union[Searched, Segment]) -> Sequence[str]:
  """Returns the names of the seconds that an element tells."""
  return sorted(of(element))
