"""Which checkpoint is the best, where it is kept, and how it is found."""

import json
import math
import os
import types

import pytest
import tensorflow as tf

from tf_muzero.learning import best
from tf_muzero.learning import checkpoint_files
from tf_muzero.learning import checkpoints
from tf_muzero.learning import positions


def test_the_metric_that_decides():
  assert best.choose({
      'validation/reward_error_1': 0.1, 'evaluation/policy': 1.0,
      'evaluation/mcts': 0.5, 'evaluation/mcts_standard_error': 0.1,
      }) == 'evaluation/mcts'
  assert best.choose({
      'validation/value_error_1': 0.1, 'validation/reward_error_10': 0.1,
      'validation/reward_error_2': 0.1, 'validation/fitted_value': 1.0,
      }) == 'validation/reward_error_2'
  assert best.choose({'step': 3}) == ''
  assert best.is_better('evaluation/mcts', -1.0, -2.0)
  assert best.is_better('validation/agreement_0', 0.6, 0.5)
  assert best.is_better('validation/fitted_value', 0.6, 0.5)
  assert best.is_better('validation/reward_error_5', 0.5, 0.6)
  assert best.is_better('validation/action_distance_0', 0.5, 0.6)


def test_a_metric_that_will_not_be_there_is_refused():
  measure = best.Measure(lambda *_: {}, ('evaluation/mcts',))
  assert best.checked('', measure) is measure
  assert best.checked('', None) is None
  best.checked('evaluation/mcts', measure)
  best.checked('evaluation/anything', lambda *_: {})  # Does not say.
  with pytest.raises(ValueError, match="one of .'evaluation/mcts'., got 'mct'"):
    best.checked('mct', measure)
  with pytest.raises(ValueError, match='nothing is evaluated'):
    best.checked('evaluation/mcts', None)


class _Run:
  """A training whose only weight is its step."""

  def __init__(self, directory, step=0, best_by=''):
    self.checkpoints = checkpoint_files.directory_of(str(directory))
    self._weight = tf.Variable(0.0)
    self._evaluate = types.SimpleNamespace(evaluated=0, metrics={})
    saver = checkpoints.Saver(
        tf.train.Checkpoint(weight=self._weight), str(directory),
        checkpoints.Start('', 0, ''))
    self._model = types.SimpleNamespace(
        step=step, store=None, stop_training=False,
        distribute_strategy=tf.distribute.get_strategy())
    self._callbacks = [
        best.KeepBest(2, saver, self._evaluate, best_by),
        checkpoints.SaveCheckpoints(1, saver)]
    for callback in self._callbacks:
      callback.set_model(self._model)
      callback.on_train_begin()

  def steps(self, *values, metric='evaluation/mcts'):
    """Makes steps, with an evaluation at each second one."""
    for value in values:
      self._model.step += 1
      self._weight.assign(float(self._model.step))
      if self._model.step % 2 == 0:
        self._evaluate.evaluated = self._model.step
        self._evaluate.metrics = {metric: value}
      for callback in self._callbacks:
        callback.on_train_batch_end(0)

  @property
  def best(self):
    """What is told of the best checkpoint."""
    return checkpoint_files.read_best(self.checkpoints)

  @property
  def kept(self):
    """The weight that the best checkpoint has."""
    path = checkpoint_files.find(self.checkpoints, 'best', 'x').path
    weight, = [tf.train.load_variable(path, name) for name, _ in (
        tf.train.list_variables(path)) if 'weight' in name]
    return float(weight)


def test_the_best_outlives_the_rotation_and_is_replaced_by_better_ones(
    tmp_path):
  run = _Run(tmp_path)
  run.steps(0.0, 1.0)
  assert run.best == (2, 'evaluation/mcts', 1.0) and run.kept == 2.0
  run.steps(0.0, 3.0, 0.0, math.nan, 0.0, 3.0, 0.0, 2.0)  # Steps 3 to 10.
  assert run.best == (4, 'evaluation/mcts', 3.0) and run.kept == 4.0
  assert checkpoint_files.steps_in(run.checkpoints) == [8, 9, 10]
  assert sorted(os.listdir(os.path.join(run.checkpoints, 'best'))) == [
      'best.json', 'ckpt-4.data-00000-of-00001', 'ckpt-4.index']
  assert tf.train.latest_checkpoint(run.checkpoints).endswith('ckpt-10')
  run = _Run(tmp_path, step=10)  # A resumed one knows it.
  run.steps(0.0, 2.5)
  assert run.best.step == 4
  run.steps(0.0, 3.5)
  assert run.best.step == 14 and run.kept == 14.0


def test_another_metric_decides_from_then_on(tmp_path):
  _Run(tmp_path).steps(0.0, 1.0)
  run = _Run(tmp_path, step=2, best_by='validation/reward_error_1')
  run.steps(0.0, 9.0, metric='validation/reward_error_1')
  assert run.best == (4, 'validation/reward_error_1', 9.0)
  run.steps(0.0, 8.0, 0.0, 8.5, metric='validation/reward_error_1')
  assert run.best.step == 6


def test_what_a_kill_leaves_of_a_better_one_is_not_the_best(tmp_path):
  run = _Run(tmp_path)
  run.steps(0.0, 1.0)
  folder = tmp_path / 'checkpoints' / 'best'
  (folder / 'ckpt-4.index').write_text('half')
  assert run.kept == 2.0
  run.steps(0.0, 0.0, 0.0, 2.0)
  assert run.kept == 6.0 and not (folder / 'ckpt-4.index').exists()


def test_names(tmp_path):
  run = _Run(tmp_path)
  with pytest.raises(ValueError, match='has no checkpoint yet'):
    checkpoint_files.find(run.checkpoints, 'last', 'checkpoint')
  run.steps(0.0, 1.0, 0.0, 0.0, 0.0)
  find = lambda name: checkpoint_files.find(run.checkpoints, name, 'checkpoint')
  assert find('last').step == find(5).step == find('5').step == 5
  assert find('best') == find(2)
  assert find('3').path.endswith('checkpoints/ckpt-3')
  for wrong in ('4000', 'newest', '1', ''):
    with pytest.raises(ValueError, match=(
        rf"^checkpoint must be .* got '{wrong}'; in .* there are 3, 4, 5, "
        r'last, best \(2\)')):
      find(wrong)


def test_a_lost_list_of_checkpoints_begins_nothing_anew(tmp_path):
  run = _Run(tmp_path)
  run.steps(0.0, 1.0)
  os.remove(os.path.join(run.checkpoints, 'checkpoint'))
  assert checkpoints.find(
      run.checkpoints, tf.distribute.get_strategy()).step == 2


def test_what_differs_between_two_orders():
  source = types.SimpleNamespace(task='catch', action_repeat=1)
  one = positions.describe(source, batch_size=4, seed=1, fn=best.checked)
  other = positions.describe(source, batch_size=8, seed=1, fn=best.checked)
  assert json.loads(json.dumps(one)) == one
  assert one['fn'] == 'checked'
  assert positions.differences(one, other) == ['batch_size: 8, was 4']
