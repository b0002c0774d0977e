"""What TensorBoard finds of a run."""

import json
import re
import types

import numpy as np
import pytest
from tensorboard.backend.event_processing import event_accumulator
import tensorflow as tf

from tests import trainer_toys
from tf_muzero import metrics
from tf_muzero.learning import callbacks
from tf_muzero.learning import profiling
from tf_muzero.learning import tensorboard

pytestmark = pytest.mark.usefixtures('quick_graphs')


def _read(directory):
  found = event_accumulator.EventAccumulator(
      str(directory / 'tensorboard'), size_guidance={'tensors': 0})
  found.Reload()
  return found


def _description(found, name):
  return found.SummaryMetadata(name).summary_description


def test_a_fit_is_recorded_with_what_it_means(tmp_path):
  trainer = trainer_toys.make_trainer(steps_per_execution=2)
  writer = tensorboard.open_writer(str(tmp_path))
  tensorboard.write_text(writer, 0, 'configuration', 'train.seed = 1')
  windows = trainer_toys.make_windows()
  trainer_toys.fit(trainer, windows, 8, [
      callbacks.LogMetrics(4, str(tmp_path), writer, num_steps=8, batch_size=8,
                           searches_per_window=1.0)])
  found = _read(tmp_path)
  names = set(found.Tags()['tensors'])
  lines = [json.loads(line) for line in (
      tmp_path / 'metrics.jsonl').read_text().splitlines()]
  assert [line['step'] for line in lines] == [4, 8]
  assert names == {
      *(lines[0].keys() - {'step'}), 'configuration',
      'distribution/value_target', 'distribution/policy_sigma'}
  for name in names:
    assert _description(found, name) == metrics.describe(name).sentence
  assert abs(lines[0]['optimizer/learning_rate'] - 0.01) < 1e-6
  assert lines[1]['time/elapsed_seconds'] > lines[0]['time/elapsed_seconds'] > 0
  text = tf.make_ndarray(found.Tensors('configuration')[0].tensor_proto)
  assert text.item() == b'```\ntrain.seed = 1\n```'
  for name, count in (('value_target', 8), ('policy_sigma', 8)):
    events = found.Tensors(f'distribution/{name}')
    assert [event.step for event in events] == [4, 8]
    counts = tf.make_ndarray(events[0].tensor_proto)[:, 2]
    assert counts.sum() == count  # Of the batch, one component each.
  *_, last = windows.take(8)
  np.testing.assert_array_equal(
      trainer.samples['distribution/value_target'], last.value[:, 0])


def _log(directory, steps):
  """Returns lines of metrics of executions that end at these steps."""
  model = types.SimpleNamespace(
      step=0, optimizer=types.SimpleNamespace(learning_rate=0.5), samples={})
  callback = callbacks.LogMetrics(
      2, str(directory), tensorboard.open_writer(str(directory)), num_steps=9,
      batch_size=8, searches_per_window=1.0)
  callback.set_model(model)
  callback.on_train_begin()
  for model.step in steps:
    callback.on_train_batch_begin(0)
    callback.on_train_batch_end(0, {'time/waited': 0.0, 'search/age': 1.0})
  return [json.loads(line) for line in (
      directory / 'metrics.jsonl').read_text().splitlines()]


def test_wall_time_goes_on_where_a_run_is_resumed(tmp_path):
  (tmp_path / 'metrics.jsonl').write_text(
      '{"step": 0, "time/elapsed_seconds": 1000.0}\n')
  last = _log(tmp_path, [1, 2])[-1]
  assert 1000.0 < last['time/elapsed_seconds'] < 1500.0


def test_steps_that_compile_have_no_speed(tmp_path, caplog):
  caplog.set_level('INFO', logger='absl')
  first, second = _log(tmp_path, [2, 4])
  assert second.keys() - first.keys() >= {
      'time/steps_per_second', 'time/waited_share', 'time/step_seconds'}
  lines = [x for x in caplog.messages if x.startswith('step ')]
  assert lines[0].endswith('ETA unknown') and 'steps/s' not in lines[0]
  assert re.search(r' steps/s  .* ETA \d:\d\d:\d\d$', lines[1])


@pytest.mark.parametrize('begins, traced', [
    ([0, 10, 20], (10, 20)), ([0, 10], (10, 20)), ([0], None),
    ([15, 25], None)])
def test_a_trace_begins_at_the_next_execution(
    begins, traced, monkeypatch, caplog):
  calls, model = [], types.SimpleNamespace(step=begins[0])
  monkeypatch.setattr(tf.profiler, 'experimental', types.SimpleNamespace(
      start=lambda directory: calls.append(model.step),
      stop=lambda: calls.append(model.step)))
  profile = profiling.Profile(3, 15, '')
  profile.set_model(model)
  profile.on_train_begin()
  for step in begins:
    profile.on_train_batch_begin(0)
    model.step = step + 10
    profile.on_train_batch_end(0)
  profile.on_train_end()
  assert calls == list(traced or ())
  assert ('Nothing was traced' in caplog.text) == (begins == [0])


def test_a_film_is_an_image_that_moves(tmp_path):
  writer = tensorboard.open_writer(str(tmp_path))
  tensorboard.write_films(
      writer, 3, {'film/mcts': tensorboard.Film(b'GIF89a...', 4, 2)})
  found = _read(tmp_path)
  event, = found.Tensors('film/mcts')
  assert event.step == 3
  assert tf.make_ndarray(event.tensor_proto).tolist() == [
      b'4', b'2', b'GIF89a...']
  assert found.SummaryMetadata('film/mcts').plugin_data.plugin_name == 'images'
  assert 'mcts' in _description(found, 'film/mcts')


def test_every_kind_of_metric_is_described():
  for name in metrics.names():
    name = name.format(k=3, mode='mcts', worker='host:1', kind='search')
    metric = metrics.describe(name)
    assert metric.sentence.endswith('.') and '{' not in str(metric)
  assert metrics.describe('evaluation/mcts_standard_error').title == (
      'standard error')
  assert metrics.describe('validation/value_error_5').label == (
      'error of values after 5 steps (return)')
  assert metrics.describe('loss/other') is None
