"""Episodes that TensorFlow already has, filtered and mapped with `rlds`."""

import dataclasses
import functools

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from tests import data_toys
from tests import train_runs
from tf_muzero.data import episodes as episodes_lib
from tf_muzero.data import memory
from tf_muzero.data import segments as segments_lib
from tf_muzero.data import survey as survey_lib
from tf_muzero.data.reading import Reading

pytestmark = pytest.mark.usefixtures('quick_graphs')

try:
  import rlds
except ModuleNotFoundError:
  rlds = None  # pylint: disable=invalid-name
_needs_rlds = pytest.mark.skipif(
    rlds is None, reason='rlds exists for TensorFlow 2.15 only')
_LENGTHS = [3, 1, 8, 5, 2, 7, 4]


@pytest.fixture(name='directory', scope='module')
def _directory(tmp_path_factory):
  directory = tmp_path_factory.mktemp('data') / 'toy'
  rng = np.random.default_rng(0)
  data_toys.write(directory, [
      data_toys.play(rng, data_toys.STATE_SPEC, length, bool(i % 2))
      for i, length in enumerate(_LENGTHS)], data_toys.STATE_SPEC,
                  episodes_per_file=3)
  return str(directory)


@functools.lru_cache(maxsize=None)
def stored(directory):
  return tfds.builder_from_directory(directory).as_dataset(
      split='train', shuffle_files=False)


@pytest.fixture(name='dataset', scope='module')
def _dataset(directory):
  """Returns it opened, and its episodes counted."""
  return episodes_lib.open_dataset(stored(directory))


def _equal(one, other):
  return all(x.dtype == y.dtype and np.array_equal(x, y)
             for x, y in zip(one, other))


def _lengths(episodes):
  return [len(episode.reward) - 1 for episode in episodes]


@pytest.mark.parametrize('spec', [data_toys.BOARD_SPEC, data_toys.FRAME_SPEC,
                                  data_toys.STATE_SPEC])
def test_it_is_what_the_files_are(tmp_path, spec):
  rng = np.random.default_rng(0)
  data_toys.write(tmp_path / 'toy', [
      data_toys.play(rng, spec, length, True) for length in (3, 1, 4)], spec)
  files = episodes_lib.open_dataset(str(tmp_path / 'toy'))
  dataset = episodes_lib.from_rlds(
      stored(str(tmp_path / 'toy')), metadata={'num_actions': 4})
  assert dataset.spec == files.spec
  assert dataset.num_episodes == 3 and dataset.num_steps == 8
  assert episodes_lib.lengths(dataset).tolist() == [3, 1, 4]
  loaded = [episodes_lib.load_episodes(x) for x in (dataset, files)]
  assert len(loaded[0]) == len(loaded[1])
  assert all(map(_equal, *loaded))
  assert survey_lib.survey(dataset, 0.9) == survey_lib.survey(files, 0.9)


def test_passes_are_shuffled_and_shared(dataset):
  read = lambda seed: _lengths(episodes_lib.episodes(
      dataset, seed=seed, repeat=True).take(14).as_numpy_iterator())
  one, same, other = read(1), read(1), read(2)
  assert one == same != other and one[:7] != one[7:]
  assert sorted(one[:7]) == sorted(one[7:]) == sorted(_LENGTHS)
  assert sorted(sum((_lengths(episodes_lib.episodes(
      dataset, seed=1, shard=(i, 3)).as_numpy_iterator())
                     for i in range(3)), [])) == sorted(_LENGTHS)


def test_position_is_saved(tmp_path, dataset):
  iterate = lambda: iter(episodes_lib.episodes(dataset, seed=3, repeat=True))
  one, other = iterate(), iterate()
  for _ in range(9):
    next(one)
  path = tf.train.Checkpoint(iterator=one).write(str(tmp_path / 'position'))
  tf.train.Checkpoint(iterator=other).read(path).assert_consumed()
  for _ in range(15):
    assert _equal(*([x.numpy() for x in next(it)] for it in (one, other)))


@_needs_rlds
def test_what_is_filtered_and_mapped_is_trained_on(directory, tmp_path):
  """Only long episodes, with rewards of another unit and half of the sight."""
  def change(step):
    return {**step, 'reward': step['reward'] * 0.1, 'observation': {
        'angle': tf.cast(step['observation']['angle'], tf.float64)}}

  dataset = stored(directory).filter(
      lambda episode: rlds.transformations.episode_length(
          episode[rlds.STEPS]) > 4)
  dataset = rlds.transformations.map_nested_steps(dataset, change)
  opened = episodes_lib.from_rlds(dataset, metadata={
      'task': 'toy', 'action_minimum': [-2.0, -1.0],
      'action_maximum': [2.0, 1.0]})
  wanted = [x for x in episodes_lib.load_episodes(
      episodes_lib.open_dataset(directory)) if len(x.reward) > 4]
  found = episodes_lib.load_episodes(opened)
  assert len(found) == len(wanted)
  for one, other in zip(found, wanted):
    np.testing.assert_array_equal(one.observation, other.observation[:, :1])
    np.testing.assert_allclose(one.reward, 0.1 * other.reward, rtol=1e-6)
  trainer = train_runs.run(opened, str(tmp_path / 'run'), 4)
  assert int(trainer.optimizer.iterations) == 4
  assert trainer.network.represent(tf.zeros([1, 1])).shape[0] == 1


@_needs_rlds
def test_windows_are_those_of_rlds(directory, dataset):
  """Of K + 1 records, a window from each record that has K after it."""
  num_records = 4
  wanted = []
  for episode in stored(directory):
    for window in rlds.transformations.batch(
        episode[rlds.STEPS], size=num_records, shift=1, drop_remainder=True):
      wanted.append(window)
  found = []
  for segment in segments_lib.segments(
      episodes_lib.episodes(dataset),
      windows_per_segment=1, unroll_steps=num_records - 1, td_steps=0):
    if segment.is_state.numpy().all():
      found.append(segment)
  assert len(found) == len(wanted) == sum(
      max(0, length + 2 - num_records) for length in _LENGTHS)
  for ours, theirs in zip(found, wanted):
    np.testing.assert_array_equal(ours.observation, tf.concat(
        [theirs['observation'][name] for name in ('angle', 'velocity')], -1))
    is_transition = ours.is_transition.numpy()
    assert (is_transition == ~theirs['is_last'].numpy()).all()
    for name in ('action', 'reward', 'discount'):
      np.testing.assert_array_equal(
          getattr(ours, name)[is_transition], theirs[name][is_transition])


def test_budgets(directory, dataset):
  read = lambda **settings: episodes_lib.load_episodes(
      episodes_lib.from_rlds(stored(directory), reading=Reading(**settings)))
  drawn = _lengths(read(max_episodes=3))
  assert len(drawn) == 3 and drawn != _lengths(read(max_episodes=3, seed=1))
  assert sum(_lengths(read(max_steps=12))) <= 12
  assert len(episodes_lib.load_episodes(dataset)) == 7


@_needs_rlds
@pytest.mark.parametrize('change, message', [
    (lambda x: x.repeat(), 'never ends: leave out repeat'),
    (lambda x: x.map(lambda e: {'episode': e['steps']}), "nested dataset 'ste"),
    (lambda x: x.flat_map(lambda e: e['steps']), "nested dataset 'steps'"),
    (lambda x: x.take(0), 'has no episodes'),
    (lambda x: rlds.transformations.map_nested_steps(
        x, lambda step: {'observation': step['observation']}),
     'cannot be read: steps must have the fields'),
    (lambda x: rlds.transformations.map_nested_steps(
        x, lambda step: {**step, 'observation': tf.constant('text')}),
     "cannot be read: Observation 'observation' must be")])
def test_what_is_no_dataset_of_episodes_is_told(directory, change, message):
  with pytest.raises(ValueError, match=message):
    episodes_lib.from_rlds(change(stored(directory)))


@pytest.mark.parametrize('settings', [
    {'split': 'train'}, {'percent': 10.0}, {'data_dir': '~'},
    {'prepare': True}])
def test_settings_of_files_are_refused(directory, settings):
  name, = settings
  with pytest.raises(ValueError, match=f'reading.{name} says which files'):
    episodes_lib.from_rlds(stored(directory), reading=Reading(**settings))


@pytest.mark.parametrize('metadata, message', [
    ({'task': 3}, 'task must be a text, got 3'),
    ({'action_repeat': '4'}, "action_repeat must be an integer >= 1, got '4'")])
def test_metadata_that_means_nothing_is_told(directory, metadata, message):
  with pytest.raises(ValueError, match=message):
    episodes_lib.from_rlds(stored(directory), metadata=metadata)


def test_reading_is_given_once(dataset):
  assert episodes_lib.open_dataset(dataset) is dataset
  with pytest.raises(ValueError, match='not at both'):
    episodes_lib.open_dataset(dataset, Reading(max_steps=3))


@_needs_rlds
def test_bad_values_are_named_or_left_out(directory):
  def spoil(episode):
    is_bad = tf.equal(rlds.transformations.episode_length(episode['steps']), 9)
    return {'steps': episode['steps'].map(lambda step: {
        **step, 'reward': tf.where(is_bad, np.nan, step['reward'])})}

  read = lambda **settings: episodes_lib.load_episodes(episodes_lib.from_rlds(
      stored(directory).map(spoil), reading=Reading(**settings)))
  with pytest.raises(ValueError, match="Bad episode in 'dataset': dataset, "
                     'episode 2, step 0: reward is not finite'):
    read()
  assert _lengths(read(on_bad_episode='skip')) == [3, 1, 5, 2, 7, 4]


def test_empty_episodes_are_bad(directory):
  dataset = stored(directory).enumerate().map(lambda i, episode: {
      'steps': episode['steps'].filter(lambda _: i % 2 == 1)})
  opened = episodes_lib.from_rlds(dataset, reading=Reading(
      on_bad_episode='skip'))
  assert opened.num_episodes == 7 and opened.num_steps == 1 + 5 + 7
  assert _lengths(episodes_lib.load_episodes(opened)) == [1, 5, 7]
  with pytest.raises(ValueError, match='episode 0, step 0: .*fewer than two'):
    episodes_lib.load_episodes(
        dataclasses.replace(opened, reading=Reading()))


def test_what_does_not_fit_is_not_dealt_to_processes(directory):
  dataset = episodes_lib.open_dataset(
      stored(directory), Reading(memory_mib=0))
  with pytest.raises(ValueError, match='processes of a service share files'):
    memory.hold(dataset, dealt=True)


def test_episodes_to_shuffle_fit_in_memory(dataset):
  assert dataset.shuffled_at_once(5) == 5
  # An episode has 3 + 2 + 1 + 1 numbers and three flags in a record.
  large = dataclasses.replace(
      dataset, metadata={'num_episodes': 7, 'num_steps': 7 * 2**25})
  assert large.shuffled_at_once(5) == 2048 * 2**20 // (31 * (2**25 + 1)) == 2
