"""What TensorBoard shows of a run: numbers, texts, histograms and films."""

import os
from typing import NamedTuple, Optional

import numpy as np
from tensorboard.compat.proto import summary_pb2
import tensorflow as tf

from tf_muzero import metrics as metrics_lib


class Film(NamedTuple):
  """Moving pictures.

  Attributes:
    gif: the content of a GIF file.
    width: in pixels.
    height: in pixels.
  """
  gif: bytes
  width: int
  height: int


def open_writer(run_directory: str) -> tf.summary.SummaryWriter:
  """Returns what writes to `tensorboard/` of a run; one is enough for all.

  TensorBoard follows one file of a directory at a time.
  """
  return tf.summary.create_file_writer(
      os.path.join(run_directory, 'tensorboard'))


def write_scalars(writer: tf.summary.SummaryWriter, step: int,
                  metrics: dict[str, float]) -> None:
  """Writes numbers with their descriptions."""
  with writer.as_default(step):
    for name, value in metrics.items():
      tf.summary.scalar(name, value, description=_describe(name))
  writer.flush()


def write_histograms(writer: tf.summary.SummaryWriter, step: int,
                     samples: dict[str, np.ndarray]) -> None:
  """Writes a histogram of each array of numbers."""
  with writer.as_default(step):
    for name, values in samples.items():
      tf.summary.histogram(name, values, description=_describe(name))
  writer.flush()


def write_text(writer: tf.summary.SummaryWriter, step: int, name: str,
               text: str) -> None:
  """Writes a text as it is, in letters of one width."""
  with writer.as_default(step):
    tf.summary.text(name, f'```\n{text}\n```', description=_describe(name))
  writer.flush()


def write_films(writer: tf.summary.SummaryWriter, step: int,
                films: dict[str, Film]) -> None:
  """Writes moving pictures, which TensorBoard shows as images."""
  with writer.as_default(step):
    for name, film in films.items():
      # `tf.summary.image` takes still pictures alone.
      metadata = summary_pb2.SummaryMetadata(
          summary_description=_describe(name),
          plugin_data=summary_pb2.SummaryMetadata.PluginData(
              plugin_name='images'),
          data_class=summary_pb2.DATA_CLASS_BLOB_SEQUENCE)
      tf.summary.write(name, tf.constant(
          [str(film.width).encode(), str(film.height).encode(), film.gif]),
                       metadata=metadata)
  writer.flush()


def _describe(name: str) -> Optional[str]:
  metric = metrics_lib.describe(name)
  return metric.sentence if metric else None
