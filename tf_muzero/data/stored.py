"""What entries of observations are in a dataset, before they are converted."""

import numpy as np
import tensorflow_datasets as tfds

from tf_muzero.types import Nest


def dtypes(features: tfds.features.FeaturesDict, observation: Nest) -> Nest:
  """Returns a nest of names of dtypes, such as `float64`.

  Args:
    features: of the dataset.
    observation: nest of the entries that are read of it.
  """
  return _dtypes(features['steps'].feature['observation'], observation)


def _dtypes(feature: tfds.features.FeatureConnector, observation: Nest) -> Nest:
  if isinstance(observation, dict):
    return {name: _dtypes(feature[name], entry)
            for name, entry in observation.items()}
  return np.dtype(feature.np_dtype).name
