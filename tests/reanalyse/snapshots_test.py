"""Snapshots: what is published is what a dataset reads."""

import os

import numpy as np
import pytest
import tensorflow as tf

from tf_muzero.reanalyse import snapshots

_SHAPES = [tf.TensorShape([2, 3]), tf.TensorShape([]), tf.TensorShape([4])]


def _parameters(offset):
  return [tf.reshape(tf.range(s.num_elements(), dtype=tf.float32) + offset, s)
          for s in _SHAPES]


def _read(directory):
  step, vector = snapshots.read(directory, tf.constant(0))
  return int(step), snapshots.unpack(vector, _SHAPES)


def test_round_trip(tmp_path):
  snapshots.publish(str(tmp_path), 12, _parameters(0.5))
  step, parameters = _read(str(tmp_path))
  assert step == 12
  for x, y in zip(parameters, _parameters(0.5)):
    np.testing.assert_array_equal(x, y)


def test_a_running_dataset_sees_new_snapshots(tmp_path):
  directory = str(tmp_path)
  snapshots.publish(directory, 1, _parameters(0.0))
  dataset = tf.data.Dataset.counter().map(
      lambda index: snapshots.read(directory, index)[0])
  options = tf.data.Options()
  options.autotune.enabled = False  # Else elements are made ahead of time.
  options.experimental_optimization.map_parallelization = False
  iterator = iter(dataset.with_options(options))
  steps = [int(next(iterator))]
  snapshots.publish(directory, 2, _parameters(0.0))
  steps.append(int(next(iterator)))
  assert steps == [1, 2]


def test_a_half_written_snapshot_is_never_read(tmp_path):
  directory = str(tmp_path)
  snapshots.publish(directory, 1, _parameters(0.0))
  # What a writer leaves that was killed in the middle.
  with open(os.path.join(directory, 'latest.partial'), 'wb') as file:
    file.write(b'half')
  assert _read(directory)[0] == 1


def test_a_snapshot_of_another_network_is_refused(tmp_path):
  snapshots.publish(str(tmp_path), 1, _parameters(0.0)[:2])
  with pytest.raises((ValueError, tf.errors.InvalidArgumentError)):
    _read(str(tmp_path))
