"""What of a checkpoint cannot be restored."""

import types

import pytest
import tensorflow as tf

from tf_muzero.learning import checkpoints


def _trainer(size, cycle_length):
  iterator = iter(tf.data.Dataset.range(9).interleave(
      lambda x: tf.data.Dataset.range(2), cycle_length=cycle_length,
      num_parallel_calls=1))
  next(iterator)
  return types.SimpleNamespace(
      network=tf.Variable(tf.zeros(size)), target_network=tf.Variable(0.0),
      optimizer=tf.Variable(0.0), heads={}, target_heads={},
      store=types.SimpleNamespace(
          position=lambda: tf.train.Checkpoint(iterator=iterator)))


@pytest.fixture(name='start')
def _start(tmp_path):
  directory = str(tmp_path)
  trainer = _trainer(3, 2)
  trainer.store.position().write(directory + '/data-4')
  tf.train.CheckpointManager(
      checkpoints.restore(trainer, checkpoints.Start('', 0, '')), directory, 1
      ).save(checkpoint_number=4)
  return checkpoints.find(directory)


def test_what_was_saved_is_restored(start):
  assert start.step == 4
  trainer = _trainer(3, 2)
  checkpoints.restore(trainer, start)
  checkpoints.restore_position(trainer.store, start)


def test_a_lost_position_is_told(tmp_path, caplog):
  directory = str(tmp_path)
  tf.train.CheckpointManager(checkpoints.restore(
      _trainer(3, 2), checkpoints.Start('', 0, '')), directory, 1).save(
          checkpoint_number=4)
  for has_position, reason in ((True, 'was not saved'), (False, 'a service')):
    caplog.clear()
    start = checkpoints.find(directory, has_position)
    assert start.step == 4 and not start.position
    assert 'begins at step 4' in caplog.text and reason in caplog.text


def test_another_network_or_a_damaged_file_is_told(start):
  with pytest.raises(ValueError, match='(?s)ckpt-4 cannot.*network.*says: Rec'):
    checkpoints.restore(_trainer(4, 2), start)
  with open(start.checkpoint + '.data-00000-of-00001', 'r+b') as file:
    file.truncate(2)
  with pytest.raises(ValueError, match='ckpt-4 cannot be restored.*damaged'):
    checkpoints.restore(_trainer(3, 2), start)


def test_another_way_to_read_is_told(start):
  trainer = _trainer(3, 4)
  with pytest.raises(ValueError, match='data-4 cannot.*how it is read'):
    checkpoints.restore_position(trainer.store, start)


def test_a_position_that_tensorflow_cannot_save_is_told_once(tmp_path, caplog):
  options = tf.data.Options()  # As those of training.
  options.experimental_external_state_policy = (
      tf.data.experimental.ExternalStatePolicy.IGNORE)
  iterator = iter(tf.data.Dataset.from_generator(
      lambda: iter(range(9)), output_signature=tf.TensorSpec([], tf.int64)
      ).with_options(options))
  next(iterator)
  saver = checkpoints.Saver(
      tf.train.Checkpoint(weights=tf.Variable(1.0)), str(tmp_path),
      checkpoints.Start('', 0, ''), has_position=True)
  with caplog.at_level('WARNING', logger='absl'):
    for step in (4, 8):
      saver.save(types.SimpleNamespace(step=step, store=types.SimpleNamespace(
          position=lambda: tf.train.Checkpoint(iterator=iterator))),
                 saver.directory)
  found = checkpoints.find(saver.directory)
  assert found.step == 8 and found.checkpoint and not found.position
  message, at_resume = caplog.messages
  assert 'A new order of the data begins at step 8' in at_resume
  assert 'cannot be saved' in message and message.endswith(
      ': GeneratorDataset does not support checkpointing. [Op:'
      'SerializeIterator] name: ')
