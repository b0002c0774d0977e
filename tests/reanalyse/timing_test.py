"""Seconds that windows bear."""

import time

import numpy as np
import tensorflow as tf

from tests import trainer_toys
from tf_muzero.reanalyse import pipeline
from tf_muzero.reanalyse import timing


def test_the_clock_stops_when_something_is_made():
  @tf.function
  def work():
    begun = tf.timestamp()
    with tf.control_dependencies([begun]):
      made = tf.numpy_function(lambda: time.sleep(0.2) or 1.0, [], tf.float64)
    return timing.since(begun, made)

  assert float(work()) >= 0.2


def test_windows_share_what_their_making_took():
  window = next(iter(trainer_toys.make_windows()))
  shared = timing.spread(window, search=4.0, read=2.0).diagnostics
  np.testing.assert_allclose(
      shared['search_seconds'], np.full([8], 0.5), rtol=1e-6)
  np.testing.assert_allclose(tf.reduce_sum(shared['read_seconds']), 2.0)
  assert 'depth' in shared


def test_batches_tell_how_long_they_lay_ready():
  batches = iter(pipeline.ahead(
      trainer_toys.make_windows(), deterministic=False))
  first = next(batches)
  time.sleep(0.2)
  second = next(batches)  # Made while the first was looked at.
  lay = [float(tf.reduce_sum(x.diagnostics['ahead_seconds']))
         for x in (first, second)]
  assert lay[1] > max(lay[0], 0.1)
