"""Tests of what entries are in a dataset."""

from dm_env import specs
import numpy as np
import tensorflow_datasets as tfds

from tests import data_toys
from tf_muzero.data import stored


def test_the_dtypes_of_what_is_read():
  tensor = lambda dtype: tfds.features.Tensor(shape=(), dtype=dtype)
  features = data_toys.raw_features(observation=tfds.features.FeaturesDict({
      'robot': {'pos': tensor(np.float64), 'grip': tensor(np.bool_)},
      'mode': tensor(np.int64), 'left out': tensor(np.float32)}))
  entry = specs.Array([1], np.float32)
  assert stored.dtypes(features, {
      'robot': {'pos': entry, 'grip': entry}, 'mode': entry}) == {
          'robot': {'pos': 'float64', 'grip': 'bool'}, 'mode': 'int64'}
  assert stored.dtypes(data_toys.raw_features(), entry) == 'float64'
  frames = tfds.features.Image(shape=(6, 5, 1))
  assert stored.dtypes(
      data_toys.raw_features(observation=frames), entry) == 'uint8'
