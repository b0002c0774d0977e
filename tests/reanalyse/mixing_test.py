"""Mixing: the composition of every batch is exact."""

import numpy as np
import pytest
import tensorflow as tf

from tf_muzero.reanalyse import mixing
from tf_muzero.types import Window

_K, _A = 2, 3


def _windows(origin, num_candidates=_A):
  """Returns windows 0, 1, 2, ... whose snapshot_step tells the origin."""

  def window(i):
    x = tf.cast(i, tf.float32)
    return Window(
        observation=tf.fill([_K + 1, 4], x), action=tf.fill([_K], 1),
        reward=tf.fill([_K], x),
        candidates=tf.zeros([_K + 1, num_candidates], tf.int32),
        weights=tf.fill([_K + 1, num_candidates], 1.0 / num_candidates),
        value=tf.fill([_K + 1], x), policy_mask=tf.ones([_K + 1]),
        value_mask=tf.ones([_K + 1]), reward_mask=tf.ones([_K]),
        snapshot_step=tf.constant(origin, tf.int64), diagnostics={'depth': x})

  return tf.data.Dataset.counter().map(window)


@pytest.mark.parametrize('fraction, batch_size', [
    (0.5, 8), (0.5, 7), (0.25, 10), (0.9, 16), (0.995, 256), (0.01, 64)])
def test_every_batch_has_exactly_the_fraction(fraction, batch_size):
  batches = mixing.mix(_windows(1), _windows(2), fraction, batch_size)
  expected = round(fraction * batch_size)
  for number, batch in enumerate(batches.take(5)):
    origin = batch.snapshot_step.numpy()
    assert (origin == 1).sum() == expected
    assert (origin == 2).sum() == batch_size - expected
    # Each source goes on where it was: nothing is lost or used twice.
    np.testing.assert_array_equal(
        batch.value[:expected, 0], number * expected + np.arange(expected))
    fresh = batch_size - expected
    np.testing.assert_array_equal(
        batch.value[expected:, 0], number * fresh + np.arange(fresh))
    np.testing.assert_array_equal(
        batch.diagnostics['depth'], batch.value[:, 0])


@pytest.mark.parametrize('fraction, origin', [(0.0, 2), (1.0, 1)])
def test_the_ends_take_one_source_only(fraction, origin):
  sources = {1: _windows(1), 2: _windows(2)}
  for others in (sources, {1: None, 2: None, origin: sources[origin]}):
    batch = next(iter(mixing.mix(others[1], others[2], fraction, 6)))
    np.testing.assert_array_equal(batch.snapshot_step, [origin] * 6)


def test_batches_keep_structure_and_static_shapes():
  for fraction in (0.0, 0.5, 1.0):
    spec = mixing.mix(_windows(1), _windows(2), fraction, 6).element_spec
    assert isinstance(spec, Window)
    assert spec.weights.shape == [6, _K + 1, _A]


@pytest.mark.parametrize('fraction, batch_size, empty, smallest', [
    (0.01, 32, 'reanalysed', 51), (0.995, 64, 'fresh', 101),
    (0.5, 1, 'fresh', 2), (0.75, 2, 'fresh', 3)])
def test_an_empty_part_is_refused_with_the_batch_size_that_would_do(
    fraction, batch_size, empty, smallest):
  with pytest.raises(ValueError, match=f'no {empty} windows.*>= {smallest}'):
    mixing.mix(_windows(1), _windows(2), fraction, batch_size)
  assert 0 < mixing.count_reanalysed(fraction, smallest) < smallest
  with pytest.raises(ValueError):
    mixing.count_reanalysed(fraction, smallest - 1)


@pytest.mark.parametrize('reanalysed, fresh, fraction, missing', [
    (None, _windows(2), 0.5, 'reanalysed'), (_windows(1), None, 0.5, 'fresh'),
    (None, _windows(2), 1.0, 'reanalysed'), (_windows(1), None, 0.0, 'fresh')])
def test_a_missing_source_is_named(reanalysed, fresh, fraction, missing):
  with pytest.raises(ValueError, match=f'{missing} windows must be given'):
    mixing.mix(reanalysed, fresh, fraction, 8)


def test_windows_of_different_tasks_are_refused():
  with pytest.raises(ValueError, match='differ in candidates'):
    mixing.mix(_windows(1), _windows(2, _A + 1), 0.5, 8)


@pytest.mark.parametrize('fraction', [-0.1, 1.1])
def test_a_fraction_out_of_range_is_refused(fraction):
  with pytest.raises(ValueError, match='fraction must be in'):
    mixing.count_reanalysed(fraction, 8)
