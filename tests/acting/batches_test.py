"""Batches of one of several input pipelines."""

import types

import acting_toys
import data_toys
import numpy as np
import pytest
import tensorflow as tf

from tf_muzero.acting import batches
from tf_muzero.data import episodes as episodes_lib
from tf_muzero.learning import checkpoints
from tf_muzero.learning import feeding
from tf_muzero.reanalyse import improvement
from tf_muzero.reanalyse import pipeline
from tf_muzero.reanalyse import service as service_lib
from tf_muzero.reanalyse import value_targets


def test_one_of_several_pipelines_does_not_count_what_a_service_sends(tmp_path):
  rng = np.random.default_rng(0)
  data_toys.write(tmp_path / 'data', [
      data_toys.play(rng, acting_toys.DISCRETE, 6) for _ in range(2)],
                  acting_toys.DISCRETE)
  dispatcher = tf.data.experimental.service.DispatchServer()
  reanalyse = pipeline.Reanalyse(
      improvement.cloning_improvement, value_targets.td_search,
      acting_toys.search, td_steps=1, windows_per_segment=4,
      segments_per_search=1, sample_reuse=1, store_windows=4,
      parallel_searches=1, host_jit=False)
  service = service_lib.Service(dispatcher.target)
  assert service.arrivals
  feed = batches.Feed(
      episodes_lib.open_dataset(str(tmp_path / 'data')),
      acting_toys.make_agent(), reanalyse, None, 1.0, 4, 2, False, False, 0)
  batches._Makers(  # pylint: disable=protected-access
      feed, str(tmp_path), service, checkpoints.Start('', 0, '')
      ).stored(feeding.Share((0, 2), 1, seed=0))
  assert not service.arrivals


def test_passes_over_stored_episodes(tmp_path):
  rng = np.random.default_rng(0)
  data_toys.write(tmp_path / 'data', [
      data_toys.play(rng, acting_toys.DISCRETE, n) for n in (6, 10)],
                  acting_toys.DISCRETE)
  dataset = episodes_lib.open_dataset(str(tmp_path / 'data'))
  feed = batches.Feed(dataset, None, None, None, 1.0, 4, 2, False, False, 0)
  assert dataset.num_steps == 16
  assert feed.passes(10) == 2.5
  assert feed._replace(fraction=0.8).passes(10) is None


@pytest.mark.parametrize('fraction, searches', [(1.0, 3.0), (0.5, 1.6)])
def test_searches_of_stored_and_of_fresh_windows(fraction, searches):
  reanalyse = types.SimpleNamespace(searches_per_window=lambda _: 3.0)
  interaction = types.SimpleNamespace(sample_reuse=5)
  assert batches.Feed(
      None, None, reanalyse, interaction if fraction < 1.0 else None, fraction,
      4, 2, False, False, 0).searches_per_window == pytest.approx(searches)
