"""Orders: permutations, and what workers make of them together."""

import numpy as np
import pytest
import tensorflow as tf

from tests import data_toys
from tf_muzero.data import episodes as episodes_lib
from tf_muzero.data import orders


@pytest.mark.parametrize('count', [1, 2, 17])
def test_each_pass_is_another_permutation(count):
  read = lambda seed: np.reshape(list(orders.passes(
      count, seed, 3).as_numpy_iterator()), [3, count])
  order = read(1)
  np.testing.assert_array_equal(np.sort(order), np.tile(range(count), [3, 1]))
  np.testing.assert_array_equal(order, read(1))
  if count == 17:
    assert len(np.unique(np.concatenate([order, read(2)]), axis=0)) == 6


def test_no_end():
  first = orders.passes(5, 1, 4).concatenate(tf.data.Dataset.range(1))
  for expected, found in zip(orders.passes(5, 1).take(20), first):
    assert expected == found


def test_workers_read_each_episode_once(tmp_path):
  generator, lengths = np.random.default_rng(0), range(1, 14)
  data_toys.write(tmp_path / 'toy', [
      data_toys.play(generator, data_toys.STATE_SPEC, n) for n in lengths],
                  data_toys.STATE_SPEC, episodes_per_file=3)
  dataset = episodes_lib.open_dataset(str(tmp_path / 'toy'))
  service = tf.data.experimental.service
  dispatcher = service.DispatchServer()
  workers = [service.WorkerServer(service.WorkerConfig(
      dispatcher.target.rpartition('/')[2])) for _ in range(2)]
  shared = episodes_lib.episodes(dataset, seed=1, dealt=True).apply(
      service.distribute(service.ShardingPolicy.DYNAMIC, dispatcher.target))
  found = [len(x.reward) - 1 for x in shared.as_numpy_iterator()]
  assert sorted(found) == list(lengths)
  for worker in workers:
    worker.stop()
