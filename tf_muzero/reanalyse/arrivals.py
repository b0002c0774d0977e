"""What comes from the workers of the reanalyse service, and how fast."""

import tensorflow as tf

from tf_muzero.data import orders


class Arrivals:
  """Counts what comes from which worker, inside the trainer's dataset."""

  def __init__(self):
    """Creates the counters, on the host."""
    with tf.device('CPU:0'):
      # By worker: number of elements, and the time of the last one.
      self._counts = tf.lookup.experimental.MutableHashTable(
          tf.string, tf.int64, tf.constant(0, tf.int64))
      self._times = tf.lookup.experimental.MutableHashTable(
          tf.string, tf.float64, tf.constant(0.0, tf.float64))
      # Time since which the trainer's pipeline waits for an element, or 0.
      self._asked = tf.Variable(0.0, dtype=tf.float64, trainable=False)
      self._waited = tf.Variable(0.0, dtype=tf.float64, trainable=False)

  def watch(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Returns the elements of a dataset of (worker, element), counted."""
    def ask(number):
      self._asked.assign(tf.timestamp())
      return number

    def arrive(_, arrived):
      worker, element = arrived
      now = tf.timestamp()
      self._counts.insert(worker, self._counts.lookup(worker) + 1)
      self._times.insert(worker, now)
      self._waited.assign_add(now - self._asked)
      self._asked.assign(0.0)
      return element

    # `zip` asks the first before the second.
    asks = orders.numbers().map(ask)
    return tf.data.Dataset.zip((asks, dataset)).map(arrive)

  def by_worker(self) -> dict[str, tuple[int, float]]:
    """Returns, for each worker, its elements and the time of the last one."""
    names, counts = (x.numpy() for x in self._counts.export())
    times = self._times.lookup(tf.constant(names, tf.string)).numpy()
    return {name.decode(): (int(count), float(then))
            for name, count, then in zip(names, counts, times)}

  def waited(self) -> float:
    """Returns the seconds that the pipeline has waited for elements so far."""
    return float(self._waited.numpy())

  def waits_since(self) -> float:
    """Returns the time since which it waits now, or 0.0."""
    return float(self._asked.numpy())
