"""Windows a second from disk to batches, without a search; prints JSON.

  python tools/benchmark_reader.py [DATASET]

Without a dataset, one is written of arbitrary numbers, in the layout and of the
sizes of rlu_control_suite/walker_walk, or of frames with `--frames`. Windows
are of K + 1 steps; of frames they have, as in training, the F that their first
state is made of. Ours: episodes are decoded and checked, cut into segments and
into windows, shuffled and batched; vectors are held in memory, or streamed from
the files in each pass. Of frames, `segments` is what a search gets. Beside it,
in the same run and in turns:

  rlds    the recipe of RLDS for the same windows of state episodes:
          `rlds.transformations.batch(steps, K + 1, shift=1)`
  decode  for frames: `tf.io.decode_png` of each stored frame and nothing else,
          on all cores; no reader that decodes each once can be faster

Numbers are medians over rounds; ratios are within a round: median, lowest,
highest, without the first pass. Processor time is that of all threads; it
depends less than the clock on what else the cores have to run.
"""

import argparse
import json
import os
import resource
import statistics
import tempfile
import time
from typing import NamedTuple

from absl import logging
import dm_env
from dm_env import specs
import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from tf_muzero.data import episodes as episodes_lib
from tf_muzero.data import layout
from tf_muzero.data import memory
from tf_muzero.data import orders
from tf_muzero.data import records
from tf_muzero.data import segments as segments_lib
from tf_muzero.data import writing
from tf_muzero.types import EnvironmentSpec
from tf_muzero.types import Segment

_UNROLL = 5  # K.
_TD_STEPS = 5
_FRAME_STACK = 4  # F.
_STRIDE = 64  # Windows a segment.
_BATCH = 256
_SECONDS = 2.0  # That a reader is measured in a round, or for one pass.
_MANY = 4096  # Batches; more than a pass has, if the dataset is small.
_SHUFFLE = 128  # Segments, in the buffer that they are drawn from.
_EPISODES_AT_ONCE = 8  # As in training.
_GROUP = 32  # Segments whose windows are mixed.


class Speed(NamedTuple):
  """Items in a second: of the clock, of a processor; seconds to start."""
  by_clock: float
  by_processor: float
  starting: float


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
  recipe = None if is_image else rlds_windows(dataset)  # Fails early.
  logging.set_verbosity(logging.ERROR)  # TFDS warns in each pass.
  begun = time.perf_counter()
  held = memory.hold(dataset)
  read = (orders.passes(len(held.lengths), 0, num_passes=1).map(held.take)
          if held else episodes_lib.episodes(dataset, seed=0))
  loading = time.perf_counter() - begun
  readers = {'ours': windows(read)}
  if is_image:
    readers['ours, segments'] = segments(read).map(starts_of)
    readers['decode'] = decoded_frames(dataset)
  else:
    readers['ours, streamed'] = windows(episodes_lib.episodes(dataset, seed=0))
    readers['rlds'] = recipe
  speeds: dict[str, list[Speed]] = {name: [] for name in readers}
  for _ in range(num_rounds):
    for name, reader in readers.items():
      speeds[name].append(speed(reader))
  result = {
      'dataset': dataset.name, 'episodes': dataset.num_episodes,
      'steps': dataset.num_steps, 'cores': os.cpu_count(),
      'tensorflow': tf.__version__, 'unroll_steps': _UNROLL,
      'batch_size': _BATCH, 'rounds': num_rounds,
      'seconds to load': round(loading, 2)}
  references = speeds['decode' if is_image else 'rlds']
  for name, values in speeds.items():
    result[name] = summary(values, references)
  result['episodes in a batch'] = round(distinct_episodes(dataset), 1)
  result['peak memory, MiB'] = _peak_memory()
  return result


def summary(speeds: list[Speed], references: list[Speed]) -> dict:
  """Returns medians, and of the ratios the lowest and the highest too."""
  by_clock, by_processor, starting = map(statistics.median, zip(*speeds))
  result = {'windows/s': round(by_clock),
            'windows/s of a processor': round(by_processor),
            'seconds to start': round(starting, 2)}
  for field in ('by_clock', 'by_processor') * (speeds is not references):
    ratios = [getattr(x, field) / getattr(y, field)
              for x, y in zip(speeds, references)]
    result[f'ratio {field}'] = [
        round(x, 2)
        for x in (statistics.median(ratios), min(ratios), max(ratios))]
  return result


def measure_memory(directory: str) -> dict:
  """Returns what is printed about memory."""
  dataset = episodes_lib.open_dataset(directory)
  before = _peak_memory()
  list(lengths(windows(episodes_lib.episodes(dataset, seed=0))))
  return {'episodes': dataset.num_episodes, 'steps': dataset.num_steps,
          'peak memory before, MiB': before,
          'peak memory, MiB': _peak_memory()}


def _peak_memory() -> int:
  return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def speed(dataset: tf.data.Dataset) -> Speed:
  """Returns how fast a dataset of one pass is read, pass after pass.

  Args:
    dataset: of [B, ...], or of counts of items.
  """
  begun = time.perf_counter()
  passes = iter(lengths(dataset).repeat())
  next(passes)
  clock, processor = time.perf_counter(), time.process_time()
  first, num_items, num_passes, seconds = clock - begun, 0, 0, 0.0
  while seconds < _SECONDS:
    num_items += int(next(passes))
    num_passes += 1
    seconds = time.perf_counter() - clock
  return Speed(num_items / seconds,
               num_items / (time.process_time() - processor),
               first - seconds / num_passes)


def lengths(dataset: tf.data.Dataset) -> tf.data.Dataset:
  """Returns a dataset of the number of items of a pass."""
  return dataset.map(lambda *x: tf.shape(tf.nest.flatten(x)[0])[0]).batch(
      _MANY).map(tf.reduce_sum)


def segments(episodes: tf.data.Dataset) -> tf.data.Dataset:
  """Returns one pass over groups of segments, in random order."""
  is_image = episodes.element_spec.observation.dtype == tf.uint8
  return segments_lib.segments(
      episodes, windows_per_segment=_STRIDE, unroll_steps=_UNROLL,
      td_steps=_TD_STEPS, frame_stack=_FRAME_STACK if is_image else 1,
      shuffle_segments=_SHUFFLE, episodes_at_once=_EPISODES_AT_ONCE
      ).batch(_GROUP)


def starts_of(group: Segment) -> tf.Tensor:
  """Returns [windows, 2]: segment, and step in it, that windows start at."""
  return tf.where(group.is_transition[:, :_STRIDE])


def windows(episodes: tf.data.Dataset) -> tf.data.Dataset:
  """Returns one pass over our batches of windows."""
  def cut(group, seed):  # [G, S, ...] -> [windows, T, ...]
    starts = tf.random.experimental.stateless_shuffle(starts_of(group), seed)

    def at(x, length):
      steps = starts[:, 1:] + tf.range(length, dtype=tf.int64)
      return tf.gather_nd(x, tf.stack(
          [tf.broadcast_to(starts[:, :1], tf.shape(steps)), steps], axis=-1))

    is_image = group.observation.dtype == tf.uint8
    return tf.nest.map_structure(
        lambda x: at(x, _UNROLL + 1), group._replace(observation=())
        )._replace(observation=at(
            group.observation, _FRAME_STACK if is_image else _UNROLL + 1))

  seeds = tf.data.Dataset.random(0).batch(2)
  return tf.data.Dataset.zip((segments(episodes), seeds)).map(
      cut, num_parallel_calls=os.cpu_count()).rebatch(_BATCH)


def rlds_windows(dataset: episodes_lib.Dataset) -> tf.data.Dataset:
  """Returns one pass over the recipe's batches of the same windows."""
  try:
    # pylint: disable=import-outside-toplevel,import-error
    from rlds import transformations
  except ImportError as error:
    raise ImportError('RLDS is missing for this system.') from error
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
