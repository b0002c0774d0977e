"""Shares of each batch for the hosts that train."""

import pytest
import tensorflow as tf

from tf_muzero.learning import feeding

_WHOLE = feeding.Share((0, 1), 24, 0.7, 5)


@pytest.mark.parametrize('num_pipelines', [1, 2, 3, 8])
def test_shares_make_a_batch_of_the_exact_composition(num_pipelines):
  shares = [feeding.share_of(i, num_pipelines, _WHOLE)
            for i in range(num_pipelines)]
  assert [x.shard for x in shares] == [
      (i, num_pipelines) for i in range(num_pipelines)]
  assert {x.batch_size for x in shares} == {24 // num_pipelines}
  counts = [x.fraction * x.batch_size for x in shares]
  assert sum(map(round, counts)) == 17  # round(0.7 * 24)
  assert max(counts) - min(counts) <= 1.0 + 1e-9
  assert len({x.seed for x in shares}) == num_pipelines
  assert shares[0].seed == _WHOLE.seed


def test_what_cannot_be_shared_is_refused():
  with pytest.raises(ValueError, match='multiple of the 5 hosts.*24'):
    feeding.share_of(0, 5, _WHOLE)
  cpus = [device.name for device in tf.config.list_logical_devices('CPU')]
  with pytest.raises(ValueError, match='multiple of the 4 replicas.*10'):
    feeding.distribute(tf.distribute.MirroredStrategy(cpus[:4]), None,
                       _WHOLE._replace(batch_size=10))
