"""Windows a second from disk to batches, without a search; prints JSON.

  python tools/benchmark_reader.py [DATASET]

Without a dataset, one is written of arbitrary numbers, in the layout and of the
sizes of rlu_control_suite/walker_walk, or of frames with `--frames`. Windows
are of K + 1 steps. Ours go the way of training: episodes are decoded and
checked, cut into segments and into windows, shuffled and batched; vectors are
held in memory after they were loaded, or streamed from the files in each pass.
Beside it, in the same run and in turns:

  rlds    the recipe of RLDS for the same windows of state episodes:
          `rlds.transformations.batch(steps, K + 1, shift=1)`
  decode  for frames: `tf.io.decode_png` of each stored frame and nothing else,
          on all cores; no reader that decodes a frame once can be faster

Numbers are medians over rounds, ratios those of the same round.
"""

import argparse
import json
import os
import resource
import statistics
import tempfile
import time
from typing import Callable

from absl import logging
import dm_env
from dm_env import specs
import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from tf_muzero.data import episodes as episodes_lib
from tf_muzero.data import layout
from tf_muzero.data import memory
from tf_muzero.data import records
from tf_muzero.data import segments as segments_lib
from tf_muzero.data import writing
from tf_muzero.types import EnvironmentSpec

_UNROLL = 5  # K.
_TD_STEPS = 5
_STRIDE = 64  # Windows a segment.
_BATCH = 256
_PASSES = 3  # In each round, so that starting them counts little.
_SHUFFLE = 128  # Segments, in the buffer that they are drawn from.
_EPISODES_AT_ONCE = 8  # As in training.
_GROUP = 32  # Segments whose windows are mixed.


def main():
  """Runs the benchmark."""
  parser = argparse.ArgumentParser()
  parser.add_argument('dataset', nargs='?')
  parser.add_argument('--frames', action='store_true')
  parser.add_argument('--episodes', type=int, default=40)
  parser.add_argument('--steps', type=int, default=1000, help='of an episode')
  parser.add_argument('--rounds', type=int, default=5)
  parser.add_argument('--memory', action='store_true', help=(
      'only how much memory our reader takes in one pass'))
  options = parser.parse_args()
  with tempfile.TemporaryDirectory() as folder:
    directory = options.dataset or write(
        os.path.join(folder, 'toy'), options.frames, options.episodes,
        options.steps)
    print(json.dumps(
        measure_memory(directory) if options.memory else
        measure(directory, options.rounds), indent=2))


def write(directory: str, frames: bool, num_episodes: int, num_steps: int
          ) -> str:
  """Writes episodes and returns their directory.

  As in the public datasets, many of them are in a file.
  """
  rng = np.random.default_rng(0)
  if frames:
    spec = EnvironmentSpec(
        specs.Array([84, 84, 1], np.uint8), specs.DiscreteArray(18))
  else:
    spec = EnvironmentSpec(
        {name: specs.Array([size], np.float32, name) for name, size in (
            ('orientations', 14), ('velocity', 9), ('height', 1))},
        specs.BoundedArray([6], np.float32, -1.0, 1.0))

  sprite = rng.integers(256, size=[9, 12, 1], dtype=np.uint8)

  def observe():
    if not frames:
      return {name: rng.normal(size=entry.shape).astype(np.float32)
              for name, entry in spec.observation.items()}
    frame = np.full([84, 84, 1], 90, np.uint8)
    for y, x in rng.integers(70, size=[12, 2]):
      frame[y:y + 9, x:x + 12] = sprite
    return frame

  with writing.new_dataset(directory, name='toy', spec=spec, metadata={},
                           episodes_per_file=100) as add:
    for _ in range(num_episodes):
      actions = list(rng.integers(18, size=num_steps) if frames else
                     rng.uniform(-1.0, 1.0, [num_steps, 6]).astype(np.float32))
      add([dm_env.restart(observe()),
           *(dm_env.transition(0.0, observe()) for _ in actions[1:]),
           dm_env.truncation(0.0, observe())], actions)
  return directory


def measure(directory: str, num_rounds: int) -> dict:
  """Returns what is printed."""
  dataset = episodes_lib.open_dataset(directory)
  is_image = layout.is_image(dataset.spec.observation)
  logging.set_verbosity(logging.ERROR)  # TFDS warns in each pass.
  start = time.perf_counter()
  held = memory.episodes(dataset, seed=0)
  loading = time.perf_counter() - start
  readers: dict[str, Callable[[], tf.data.Dataset]] = {
      'ours': lambda: windows(held)}
  if is_image:
    readers['decode'] = lambda: decoded_frames(dataset)
  else:
    readers['ours, streamed'] = lambda: windows(
        episodes_lib.episodes(dataset, seed=0))
    readers['rlds'] = lambda: rlds_windows(dataset)
  rates: dict[str, list[float]] = {name: [] for name in readers}
  for i in range(num_rounds + 1):
    for name, make in readers.items():
      rate = speed(make())
      if i:  # The first round warms up.
        rates[name].append(rate)
  result = {
      'dataset': dataset.name, 'episodes': dataset.num_episodes,
      'steps': dataset.num_steps, 'cores': os.cpu_count(),
      'tensorflow': tf.__version__, 'unroll_steps': _UNROLL,
      'batch_size': _BATCH, 'rounds': num_rounds,
      'seconds to load': round(loading, 2)}
  for name, values in rates.items():
    result[f'{name}, {"frames" if name == "decode" else "windows"}/s'] = round(
        statistics.median(values))
    reference = 'decode' if is_image else 'rlds'
    if name != reference and reference in rates:
      ratios = [x / y for x, y in zip(values, rates[reference])]
      result[f'{name}, over {reference}'] = {
          'median': round(statistics.median(ratios), 2),
          'lowest': round(min(ratios), 2), 'highest': round(max(ratios), 2)}
  result['episodes in a batch'] = round(distinct_episodes(dataset), 1)
  result['peak memory, MiB'] = _peak_memory()
  return result


def measure_memory(directory: str) -> dict:
  """Returns what is printed about memory."""
  dataset = episodes_lib.open_dataset(directory)
  before = _peak_memory()
  speed(windows(memory.episodes(dataset, seed=0)), 1)
  return {'episodes': dataset.num_episodes, 'steps': dataset.num_steps,
          'peak memory before, MiB': before,
          'peak memory, MiB': _peak_memory()}


def _peak_memory() -> int:
  return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def speed(dataset: tf.data.Dataset, num_passes: int = _PASSES) -> float:
  """Returns items a second; elements are [B, ...], or a count of items."""
  dataset = dataset.repeat(num_passes)
  start = time.perf_counter()
  total = dataset.reduce(
      np.int64(0), lambda total, x: total + tf.shape(
          tf.nest.flatten(x)[0], tf.int64)[0])
  return int(total) / (time.perf_counter() - start)


def windows(episodes: tf.data.Dataset) -> tf.data.Dataset:
  """Returns one pass over our batches of windows."""
  steps = tf.range(_STRIDE)[:, tf.newaxis] + tf.range(_UNROLL + 1)

  def cut(segments, seed):  # [G, S, ...] -> [windows, T, ...]
    starts = tf.where(segments.is_transition[:, :_STRIDE])
    starts = tf.random.experimental.stateless_shuffle(starts, seed)
    at = tf.gather(steps, starts[:, 1])
    return tf.nest.map_structure(
        lambda x: tf.gather_nd(x, tf.stack([
            tf.broadcast_to(starts[:, :1], tf.shape(at, tf.int64)),
            tf.cast(at, tf.int64)], axis=-1)), segments)

  segments = segments_lib.segments(
      episodes, windows_per_segment=_STRIDE, unroll_steps=_UNROLL,
      td_steps=_TD_STEPS, shuffle_segments=_SHUFFLE,
      episodes_at_once=_EPISODES_AT_ONCE)
  seeds = tf.data.Dataset.random(0).batch(2)
  return tf.data.Dataset.zip((segments.batch(_GROUP), seeds)).map(
      cut, num_parallel_calls=os.cpu_count()).rebatch(_BATCH)


def rlds_windows(dataset: episodes_lib.Dataset) -> tf.data.Dataset:
  """Returns one pass over the recipe's batches of the same windows."""
  # pylint: disable=import-outside-toplevel,import-error
  from rlds import transformations
  builder = tfds.builder_from_directory(dataset.directory)
  read = tfds.ReadConfig(
      try_autocache=False, interleave_cycle_length=16, shuffle_seed=0)

  def cut(episode):
    return transformations.batch(
        episode['steps'], _UNROLL + 1, shift=1, drop_remainder=True)

  return builder.as_dataset(
      split=dataset.split, shuffle_files=True, read_config=read).interleave(
          cut, cycle_length=16, num_parallel_calls=tf.data.AUTOTUNE).shuffle(
              _SHUFFLE * _STRIDE, seed=0).batch(_BATCH)


def decoded_frames(dataset: episodes_lib.Dataset) -> tf.data.Dataset:
  """Returns one pass over counts of decoded frames, in the best way known."""
  features = layout.only(dataset.features, ['observation'])

  def decode(_, example):
    steps = features.deserialize_example(
        example, decoders={'steps': tfds.decode.SkipDecoding()})['steps']
    return tf.map_fn(
        lambda x: tf.io.decode_png(x, channels=1), steps['observation'],
        fn_output_signature=tf.TensorSpec([84, 84, 1], tf.uint8))

  return records.read(dataset.parts, seed=0, shuffle_episodes=256).map(
      decode, num_parallel_calls=os.cpu_count())


def distinct_episodes(dataset: episodes_lib.Dataset) -> float:
  """Returns the mean number of episodes that the windows of a batch are of."""
  numbered = episodes_lib.episodes(dataset, seed=0).enumerate().map(
      lambda number, episode: episode._replace(reward=tf.fill(
          tf.shape(episode.reward), tf.cast(number, tf.float32))))
  return float(np.mean([
      len(np.unique(batch.reward[:, 0]))
      for batch in windows(numbered).as_numpy_iterator()]))


if __name__ == '__main__':
  main()
