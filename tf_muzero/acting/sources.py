"""What training learns from: stored episodes, or an environment alone."""

import dataclasses
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
    interaction: Optional[interaction_lib.Interaction]
    ) -> tuple[Source, Optional[interaction_lib.Interaction]]:
  """Returns what windows come from, the environment only where it must.

  Args:
    fraction: the reanalyse fraction.
    dataset: see `episodes.open_dataset`.
    reading: what of it is read, and how.
    interaction: how fresh episodes are played.

  Returns:
    The source, and the interaction with what it leaves to the dataset.
  """
  if fraction == 1.0:
    if interaction:
      logging.warning('Nothing is played, and interaction is not used: the '
                      'reanalyse_fraction is 1.')
    interaction = None
  elif not interaction:
    raise ValueError(
        f'interaction must be given for a reanalyse_fraction of {fraction}, '
        'which plays fresh episodes: --gin_file=gin/interaction.gin after the '
        'other files. A reanalyse_fraction of 1 learns from stored episodes '
        'alone.')
  elif _needs_no_dataset(fraction, dataset, interaction):
    if not interaction.task:
      raise ValueError(
          'interaction.task must be given where no dataset is learned from: '
          """--gin_bindings='interaction.Interaction.task = "gymnasium:..."'."""
      )
    interaction = dataclasses.replace(
        interaction, action_repeat=interaction.action_repeat or 1)
    return interaction_lib.open_task(interaction), interaction
  if dataset is None or dataset == '':
    raise ValueError('dataset must be given for a reanalyse_fraction of '
                     f'{fraction}: --dataset=..., or tf-muzero train RUN '
                     'DATASET.')
  source = episodes_lib.open_dataset(dataset, reading)
  return source, interaction and _as_in(source, interaction)


def _needs_no_dataset(fraction: float, dataset: Optional[Stored],
                      interaction: interaction_lib.Interaction) -> bool:
  """Returns whether all is played; ValueError where a dataset is not used."""
  if fraction == 0.0:
    if interaction.sources:
      logging.info('A reanalyse_fraction of 0 learns from no stored states: '
                   'interaction.sources are not used.')
    if dataset:
      logging.warning('A reanalyse_fraction of 0 learns from no stored states: '
                      'the dataset %r is not used.', dataset)
    return True
  if not interaction.sources or interaction.sources.has_dataset:
    return False
  if dataset:
    raise ValueError(
        f'the dataset {dataset!r} is given, and its weight is 0: none of it '
        'would be learned from. Give interaction.sources a weight of dataset '
        'that is > 0, or no dataset.')
  return True


def _as_in(source: episodes_lib.Dataset,
           interaction: interaction_lib.Interaction
           ) -> interaction_lib.Interaction:
  """Returns the interaction as the dataset was played, or raises ValueError."""
  task = interaction.task or source.task
  if not task:
    raise ValueError(
        f'interaction.task must be given: {source.place!r} does not say what '
        'it was played in.')
  if source.task not in ('', task):
    raise ValueError(f'interaction.task must be {source.task!r}, as in '
                     f'{source.place!r}, got {task!r}.')
  repeat = interaction.action_repeat or source.action_repeat
  if repeat != source.action_repeat:
    raise ValueError(
        f'interaction.action_repeat must be {source.action_repeat}, as in '
        f'{source.place!r}, got {repeat}.')
  clips = source.metadata.get(
      'clip_rewards', source.name.startswith('rlu_atari'))
  if interaction.clip_rewards != clips:
    raise ValueError(f'interaction.clip_rewards must be {clips}, as in '
                     f'{source.place!r}, got {interaction.clip_rewards}.')
  return dataclasses.replace(interaction, task=task, action_repeat=repeat)
