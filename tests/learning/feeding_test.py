"""What each of the hosts that train is fed with."""

import numpy as np
import pytest
import tensorflow as tf

from tf_muzero.learning import feeding


@pytest.mark.parametrize('num_pipelines', [1, 2, 8])
def test_pipelines_have_shards_and_seeds_of_their_own(num_pipelines):
  shares = [feeding.share_of(i, num_pipelines, 4, seed=5)
            for i in range(num_pipelines)]
  assert [x.shard for x in shares] == [
      (i, num_pipelines) for i in range(num_pipelines)]
  assert {x.num_replicas for x in shares} == {4}
  assert len({x.seed for x in shares}) == num_pipelines
  assert shares[0].seed == 5


def test_replicas_of_a_host_share_its_batches():
  cpus = [device.name for device in tf.config.list_logical_devices('CPU')]
  strategy = tf.distribute.MirroredStrategy(cpus[:4])
  assert feeding.host_of(strategy) == (0, 1)
  make = lambda size: feeding.distribute(
      strategy, lambda _: tf.data.Dataset.from_tensors(np.zeros([size, 3])), 0)
  assert make(8).spec.shape == [2, 3]
  with pytest.raises(ValueError, match='multiple of the 4 replicas.*10'):
    make(10)
