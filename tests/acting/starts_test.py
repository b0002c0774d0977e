"""What a run tells of its starts."""

from tensorboard.backend.event_processing import event_accumulator
import tensorflow as tf

import tf_muzero
from tf_muzero.acting import starts
from tf_muzero.learning import tensorboard


def test_each_start_is_kept(tmp_path):
  directory = str(tmp_path)
  assert not starts.load(directory)
  writer = tensorboard.open_writer(directory)
  starts.add(directory, writer, 0, parameters=12)
  (tmp_path / 'config.gin').write_text('train.seed = 1')
  starts.add(directory, writer, 300, parameters=12)
  first, second = starts.load(directory)
  assert (first['step'], second['step']) == (0, 300)
  assert first['parameters'] == 12
  assert first['tf_muzero'] == tf_muzero.__version__
  assert first['tensorflow'] == tf.__version__
  events = event_accumulator.EventAccumulator(directory + '/tensorboard')
  assert [event.step for event in events.Reload().Tensors(
      'configuration')] == [300]  # When there was one.
  assert first['cores'] >= 1 and first['time'] <= second['time']


def test_a_damaged_file_is_left_out(tmp_path, caplog):
  (tmp_path / 'run.json').write_text('{"starts"')
  assert not starts.load(str(tmp_path))
  assert 'run.json is damaged' in caplog.text
