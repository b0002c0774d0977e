"""When a training is evaluated."""

import json
import types

from tf_muzero.learning import evaluations
from tf_muzero.learning import interruption
from tf_muzero.learning import tensorboard


class _Evaluated:
  """A run directory and its evaluations, each of which may be interrupted."""

  def __init__(self, directory):
    self._directory = directory
    self.is_told = False

  def _poll(self):
    if self.is_told:
      raise interruption.Interrupted('SIGTERM')

  def run(self, steps):
    """Trains from the first of these steps to the last one."""
    model = types.SimpleNamespace(
        step=steps[0], stop_training=False,
        target_network=types.SimpleNamespace(variables=[]))
    evaluate = evaluations.Evaluate(
        4, str(self._directory), tensorboard.open_writer(str(self._directory)),
        self._measure, self._poll)
    evaluate.set_model(model)
    evaluate.on_train_begin()
    for model.step in steps[1:]:
      model.stop_training = self.is_told
      evaluate.on_train_batch_end(0)
    evaluate.on_train_end()

  def _measure(self, parameters, poll_fn):
    assert not parameters
    poll_fn()
    return {'x': 1.0}

  @property
  def steps(self):
    path = self._directory / 'evaluations.jsonl'
    return [json.loads(line)['step'] for line in path.read_text().splitlines()]


def test_every_so_many_steps_and_at_the_end(tmp_path):
  evaluated = _Evaluated(tmp_path)
  evaluated.run(range(0, 14, 3))
  assert evaluated.steps == [6, 9, 12]
  evaluated.run([9, 10])  # A resumed run does again what came after.
  assert evaluated.steps == [6, 9, 10]
  evaluated.run([10, 16])
  assert evaluated.steps == [6, 9, 10, 16]


def test_what_a_signal_prevented_is_made_up_for(tmp_path):
  evaluated = _Evaluated(tmp_path)
  evaluated.run([0, 5])
  evaluated.is_told = True
  evaluated.run([5, 8, 9])
  assert evaluated.steps == [5]
  evaluated.is_told = False
  evaluated.run([9, 10])
  assert evaluated.steps == [5, 9, 10]
