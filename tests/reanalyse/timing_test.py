"""Seconds that searched segments bear."""

import time

import numpy as np
import tensorflow as tf

from tf_muzero.reanalyse import timing


def test_the_clock_stops_when_something_is_made():
  @tf.function
  def work():
    begun = tf.timestamp()
    with tf.control_dependencies([begun]):
      made = tf.numpy_function(lambda: time.sleep(0.2) or 1.0, [], tf.float64)
    return timing.now(made) - begun

  assert float(work()) >= 0.2


def test_segments_share_what_their_making_took():
  shared = timing.spread(8, search=tf.constant(4.0), read=tf.constant(2.0))
  np.testing.assert_allclose(
      shared['search_seconds'], np.full([8], 0.5), rtol=1e-6)
  np.testing.assert_allclose(tf.reduce_sum(shared['read_seconds']), 2.0)
