"""What training learns from: stored episodes, or an environment alone."""

from typing import Optional, Union

from absl import logging
import tensorflow as tf

from tf_muzero.acting import interaction as interaction_lib
from tf_muzero.data import episodes as episodes_lib
from tf_muzero.data.reading import Reading

Source = Union[episodes_lib.Dataset, interaction_lib.Source]
# What `episodes.open_dataset` takes.
Stored = Union[str, episodes_lib.Dataset, tf.data.Dataset]


def open_source(
    fraction: float, dataset: Optional[Stored], reading: Reading,
    interaction: Optional[interaction_lib.Interaction]) -> Source:
  """Returns what windows come from, the environment only where it must.

  Args:
    fraction: the reanalyse fraction.
    dataset: see `episodes.open_dataset`.
    reading: what of it is read, and how.
    interaction: how fresh episodes are played.
  """
  if fraction == 1.0:
    interaction = None
  elif not interaction:
    raise ValueError(
        f'interaction must be given for a reanalyse_fraction of {fraction}, '
        'which plays fresh episodes: --gin_file=gin/interaction.gin after the '
        "other files, and --gin_bindings='interaction.Interaction.task = "
        '"gymnasium:..."\'. A reanalyse_fraction of 1 learns from stored '
        'episodes alone.')
  elif fraction == 0.0:
    if interaction.sources:
      logging.info('A reanalyse_fraction of 0 learns from no stored states: '
                   'interaction.sources are not used.')
    return interaction_lib.open_task(interaction)
  elif interaction.sources and not interaction.sources.has_dataset:
    if dataset:
      raise ValueError(
          f'the dataset {dataset!r} is given, and its weight is 0: none of it '
          'would be learned from. Give interaction.sources a weight of dataset '
          'that is > 0, or no dataset.')
    return interaction_lib.open_task(interaction)
  if dataset is None or dataset == '':
    raise ValueError('dataset must be given for a reanalyse_fraction of '
                     f'{fraction}: --dataset=..., or tf-muzero train RUN '
                     'DATASET.')
  source = episodes_lib.open_dataset(dataset, reading)
  if interaction and interaction.action_repeat != source.action_repeat:
    raise ValueError(
        f'interaction.action_repeat must be {source.action_repeat}, as in '
        f'{source.place!r}, got {interaction.action_repeat}.')
  if interaction and source.task not in ('', interaction.task):
    raise ValueError(f'interaction.task must be {source.task!r}, as in '
                     f'{source.place!r}, got {interaction.task!r}.')
  clips = source.metadata.get(
      'clip_rewards', source.name.startswith('rlu_atari'))
  if interaction and interaction.clip_rewards != clips:
    raise ValueError(f'interaction.clip_rewards must be {clips}, as in '
                     f'{source.place!r}, got {interaction.clip_rewards}.')
  return source
