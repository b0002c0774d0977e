"""The store: what is held, and how windows are drawn from it."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from tf_muzero.data import orders
from tf_muzero.learning import feeding
from tf_muzero.reanalyse import store as store_lib
from tf_muzero.reanalyse import windows as windows_lib
from tf_muzero.types import Improved
from tf_muzero.types import Searched
from tf_muzero.types import Segment

_L, _K = 4, 2
_S = _L + _K


def _searched(number, num_windows=_L, num_candidates=2, origin=0):
  """Returns a segment that tells its number, and its states theirs."""
  t = tf.range(_S)
  state = tf.cast(10 * tf.cast(number, tf.int32) + t, tf.float32)
  is_transition = t < num_windows + (_K if num_windows == _L else 0)
  return Searched(
      Segment(
          observation=tf.stack([state, -state], axis=-1), action=t,
          reward=state, discount=tf.ones(_S), is_state=t <= num_windows + _K,
          is_transition=is_transition),
      Improved(
          candidates=tf.zeros([_S, num_candidates], tf.int32),
          weights=tf.fill([_S, num_candidates], 1.0 / num_candidates),
          value=state, network_value=state, diagnostics={'depth': state}),
      tf.constant(origin, tf.int64), {'search_seconds': tf.constant(0.25)})


def _dataset(num=None, size=2, **settings):
  """Returns segments 0, 1, 2, ..., or those below `num` again and again."""
  numbers = tf.data.Dataset.counter() if num is None else (
      tf.data.Dataset.range(num).repeat())
  return numbers.map(lambda number: _searched(number, **settings)).batch(
      size, drop_remainder=True)


def _source(strategy, dataset, **settings):
  fed = feeding.distribute(strategy, lambda _: dataset, 0)
  return store_lib.Source(*fed, **{
      'batch_size': 8, 'capacity': 16, 'sample_reuse': 2, **settings})


def _store(*sources, strategy=None, value_fn=None, **settings):
  """Returns a store of (dataset, settings of the source) pairs."""
  strategy = strategy or tf.distribute.get_strategy()
  return store_lib.Store(
      [_source(strategy, *source[:1], **source[1]) for source in sources],
      _cutting(value_fn, **settings), seed=3, strategy=strategy)


def _cutting(value_fn=None, **settings):
  return windows_lib.Cutting(
      value_fn or (lambda searched: searched.improved.value), _L, _K,
      keep_observations=True, **settings)


def _draw(store, num_batches, strategy=None):
  """Returns batches of all replicas, NumPy, and the seconds of each."""
  strategy = strategy or tf.distribute.get_strategy()
  step = tf.function(lambda: store.next_windows(
      tf.constant(0.0, tf.float64)), autograph=False)
  batches, seconds = [], []
  for _ in range(num_batches):
    windows, told = step()
    local = [tf.nest.map_structure(
        lambda x, i=i: strategy.experimental_local_results(x)[i].numpy(),
        windows) for i in range(strategy.num_replicas_in_sync)]
    batches.append(tf.nest.map_structure(
        lambda *x: np.concatenate(x), *local))
    seconds.append(tf.nest.map_structure(float, told))
  return batches, seconds


def _two_replicas():
  return tf.distribute.MirroredStrategy(
      [x.name for x in tf.config.list_logical_devices('CPU')[:2]],
      cross_device_ops=tf.distribute.ReductionToOneDevice())


def _names(batches):
  return np.concatenate([x.observation[:, 0, 0] for x in batches])


@pytest.fixture(scope='module', name='drawn')
def _drawn():
  """Returns 20 batches of endless segments, and the seconds of each."""
  return _draw(_store((_dataset(), {})), 20)


def test_windows_are_slices_of_what_was_searched(drawn):
  batch = drawn[0][0]
  for i, name in enumerate(batch.observation[:, 0, 0]):
    assert name % 10 < _L
    states = name + np.arange(_K + 1, dtype=np.float32)
    np.testing.assert_array_equal(batch.observation[i, :, 0], states)
    np.testing.assert_array_equal(batch.observation[i, :, 1], -states)
    np.testing.assert_array_equal(batch.reward[i], states[:-1])
    np.testing.assert_array_equal(batch.value[i], states)
    np.testing.assert_array_equal(batch.action[i], states % 10)
    assert batch.diagnostics['depth'][i] == name
  np.testing.assert_array_equal(batch.importance, np.ones(8))


@pytest.mark.parametrize('reuse', [1, 3])
def test_reuse_is_the_exact_ratio_of_windows_trained_on_to_searched(reuse):
  """After the segments that fill it; each has two windows here."""
  settings = {'sample_reuse': reuse}
  _, seconds = _draw(_store((_dataset(num_windows=2), settings)), 31)
  added = [round(x['search_seconds'] / 0.25) for x in seconds]
  capacity = 16 // _L  # In segments.
  for number in range(1, 32):
    windows = 2 * (sum(added[:number]) - capacity)
    # No more than what one search brings lies ready.
    assert 0 <= windows * reuse - 8 * number < 2 * 2 * reuse
  assert all(x['waited'] >= 0.0 for x in seconds)


def test_the_newest_are_held(drawn):
  batches, seconds = drawn
  added = np.cumsum([round(x['search_seconds'] / 0.25) for x in seconds])
  for batch, number in zip(batches, added):
    segments = batch.observation[:, 0, 0] // 10
    assert segments.max() < number and segments.min() >= number - 4
  assert len(np.unique(_names(batches) // 10)) > 20


def test_all_windows_are_drawn_alike_and_independently():
  """Of segments with one to four windows each."""
  dataset = tf.data.Dataset.range(4).map(
      lambda i: _searched(i, tf.cast(i + 1, tf.int32))).batch(
          4, drop_remainder=True).repeat()
  batches, _ = _draw(_store((dataset, {'batch_size': 50})), 200)
  names, counts = np.unique(_names(batches), return_counts=True)
  np.testing.assert_array_equal(names, [0, 10, 11, 20, 21, 22, 30, 31, 32, 33])
  # Independent draws: 10,000 of 10 kinds, deviation 30.
  assert np.abs(counts - 1000).max() < 4 * 30
  in_batch = [np.sum(x.observation[:, 0, 0] == 33.0) for x in batches]
  np.testing.assert_allclose(np.var(in_batch), 50 * 0.1 * 0.9, rtol=0.3)


def test_batches_vary_as_independent_draws_do():
  """With one segment of four of each of 60 episodes, as in the quickstart."""
  lengths = np.full([60], 4)
  values = np.random.default_rng(1).normal(size=60).astype(np.float32)

  def segment(episode, _):
    found = _searched(episode)
    return found._replace(improved=found.improved._replace(
        value=tf.fill([_S], tf.constant(values)[episode])))

  dataset = orders.spread(lengths, 5).map(segment).batch(
      2, drop_remainder=True)
  batches, _ = _draw(_store((dataset, {
      'batch_size': 256, 'capacity': _L * 60, 'sample_reuse': 4})), 400)
  share = lengths / lengths.sum()
  mean = share @ values
  deviation = np.sqrt(share @ (values - mean) ** 2 / 256)
  found = [x.value[:, 0].mean() for x in batches]
  np.testing.assert_allclose(np.mean(found), mean, atol=0.3 * deviation)
  assert 0.9 < np.std(found) / deviation < 1.1  # 3.5 percent by chance.


@pytest.mark.parametrize('replicas', [1, 2])
def test_every_batch_has_its_share_of_each_source_and_how_full_they_are(
    replicas):
  """Segments of the second have room for four windows each and have one."""
  strategy = _two_replicas() if replicas == 2 else None
  store = _store(
      (_dataset(), {'batch_size': 5}),
      (_dataset(origin=1, num_windows=1), {'batch_size': 3, 'sample_reuse': 1}),
      strategy=strategy)
  batches, seconds = _draw(store, 10, strategy)
  for batch in batches:
    assert np.sum(batch.snapshot_step) == 3 and len(batch.value) == 8
  # 4 segments fill each part; then 50 / 2 windows are needed, and 30 / 1.
  added = sum(x['search_seconds'] for x in seconds) / 0.25
  needed = 8 + 25 / _L + 30
  assert needed <= added <= needed + 2 * 2
  assert store.fill_shares() == [1.0, 0.25]


def test_replicas_hold_different_segments():
  strategy = _two_replicas()
  batches, _ = _draw(
      _store((_dataset(8), {'capacity': 32}), strategy=strategy), 50, strategy)
  parts = [{int(x) // 10 for batch in batches
            for x in batch.observation[part, 0, 0]}
           for part in (slice(4), slice(4, None))]
  assert parts == [{0, 2, 4, 6}, {1, 3, 5, 7}]


@pytest.mark.parametrize('alpha, beta', [(1.0, 1.0), (0.5, 0.4)])
def test_priorities_are_differences_of_values(alpha, beta):
  gap = lambda searched: tf.constant([[0.0, 1.0, 2.0, 4.0, 9.0, 9.0]])
  store = _store(
      (_dataset(1, 1), {'batch_size': 100, 'capacity': _L}),
      value_fn=lambda searched: searched.improved.value - gap(searched),
      priority_exponent=alpha, importance_exponent=beta)
  batches, _ = _draw(store, 100)
  probability = np.array([1e-6, 1.0, 2.0, 4.0]) ** alpha
  probability /= probability.sum()
  counts = np.array([np.sum(_names(batches) == i) for i in range(_L)])
  deviation = np.sqrt(1e4 * probability * (1.0 - probability))
  assert np.all(np.abs(counts - 1e4 * probability) < 4.0 * deviation + 1.0)
  importance = (_L * probability) ** -beta
  for batch in batches:
    drawn = importance[batch.observation[:, 0, 0].astype(int)]
    np.testing.assert_allclose(
        batch.importance, drawn / drawn.max(), rtol=1e-4)


@pytest.mark.parametrize('replicas', [1, 2])
def test_it_goes_on_where_it_was_saved(replicas, tmp_path):
  strategy = _two_replicas() if replicas == 2 else None
  make = lambda: _store(
      (_dataset(), {'batch_size': 6}),
      (_dataset(origin=1), {'batch_size': 2}), strategy=strategy)
  store = make()
  _draw(store, 7, strategy)
  path = store.position().write(str(tmp_path / 'position'))
  expected, _ = _draw(store, 9, strategy)
  other = make()
  other.position().read(path).assert_consumed()
  for one, two in zip(expected, _draw(other, 9, strategy)[0]):
    tf.nest.map_structure(np.testing.assert_array_equal, one, two)


def test_frames_are_held_once():
  """65,536 windows of Atari, as the paper has them: under 0.6 GB."""
  length, num_frames, windows = 135, 4, 125

  def make(strategy):
    spec = Searched(
        Segment(*(tf.TensorSpec(shape, dtype) for shape, dtype in (
            ([4, length + num_frames - 1, 84, 84, 1], tf.uint8),
            ([4, length], tf.int32), ([4, length], tf.float32),
            ([4, length], tf.float32), ([4, length], tf.bool),
            ([4, length], tf.bool)))),
        Improved(tf.TensorSpec([4, length, 18], tf.int32),
                 tf.TensorSpec([4, length, 18]), tf.TensorSpec([4, length]),
                 tf.TensorSpec([4, length]),
                 {'depth': tf.TensorSpec([4, length])}),
        tf.TensorSpec([4], tf.int64), {})
    return store_lib.Store(
        [store_lib.Source(tf.data.Dataset.from_tensors(0), spec, 512, 65_536,
                          1)],
        windows_lib.Cutting(lambda x: x.improved.value, windows, 5, False),
        seed=0, strategy=strategy)

  assert make(tf.distribute.get_strategy()).num_bytes < 0.6e9


def test_sources_of_different_tasks_are_refused():
  with pytest.raises(ValueError, match='differ in candidates'):
    _store((_dataset(), {}), (_dataset(num_candidates=3), {}))


def test_what_replicas_cannot_share_is_refused():
  strategy = _two_replicas()
  with pytest.raises(ValueError, match='batch_size .* multiple of the 2'):
    _store((_dataset(), {'batch_size': 7}), strategy=strategy)
  with pytest.raises(ValueError, match='segments_per_search .* 2 replicas'):
    _store((_dataset(size=3), {}), strategy=strategy)


def test_the_order_of_memory_is_even():
  counts = [1, 2, 5, 12]
  pairs = list(orders.spread(counts, 7).take(3 * 20).as_numpy_iterator())
  passes = [pairs[i:i + 20] for i in (0, 20, 40)]
  everything = sorted((g, m) for g, n in enumerate(counts) for m in range(n))
  assert all(sorted(one) == everything for one in passes)
  assert passes[0] != passes[1]
  for begin, end in itertools.combinations(range(61), 2):
    for group, count in enumerate(counts):
      found = sum(g == group for g, _ in pairs[begin:end])
      assert abs(found - count * (end - begin) / 20) < 2.0


def test_hosts_that_share_unevenly_have_what_they_draw():
  """Of 5 and 3 windows of a batch, two hosts have 2 and 2, and 3 and 1."""
  strategy = _two_replicas()
  sources = [
      _source(strategy, _dataset(), batch_size=size) for size in (5, 3)]
  shares = []
  for index in range(2):
    store = store_lib.Store(
        sources, _cutting(), seed=3, strategy=strategy, host=(index, 2))
    shares.append([x.share for x in store._parts])  # pylint: disable=protected-access
  assert shares == [[2, 2], [3, 1]]
