"""Checkpoints of the trainer, and of its position in the data."""

import contextlib
import os
import re
import shutil
import tempfile
from typing import Iterator, NamedTuple

from absl import logging
import tensorflow as tf

from tf_muzero import devices
from tf_muzero import rng
from tf_muzero.learning import callbacks
from tf_muzero.learning import trainer as trainer_lib

_MAX_TO_KEEP = 3
_OURS = re.compile(r'(?:ckpt|data)-(\d+)[._]')


class Start(NamedTuple):
  """Where training starts.

  Attributes:
    checkpoint: path of the last one, empty for none.
    step: learner step of the checkpoint.
    position: path of the position in the data, empty where it cannot be
      restored: TensorFlow can save an iterator of one replica only.
  """
  checkpoint: str
  step: int
  position: str

  @property
  def lost_at(self) -> int:
    """Step at which the position in the data is lost, 0 where it is not."""
    return 0 if self.position else self.step

  def data_seed(self, seed: int) -> int:
    """Returns a seed of the data, a new one where its position is lost."""
    return rng.derive(seed, self.lost_at)


def find(directory: str, strategy: tf.distribute.Strategy,
         has_position: bool = True) -> Start:
  """Returns where a run starts: at its last checkpoint, if there is one.

  Args:
    directory: of the checkpoints.
    strategy: that trains.
    has_position: whether the position in the data can be restored.
  """
  checkpoint = tf.train.latest_checkpoint(directory)
  if not checkpoint:
    return Start('', 0, '')
  step = _step_of(checkpoint)
  position = os.path.join(directory, f'data-{step}')
  is_restored = (tf.io.gfile.exists(position + '.index')
                 and strategy is tf.distribute.get_strategy()
                 and has_position)
  return Start(checkpoint, step, position if is_restored else '')


def restore(trainer: trainer_lib.Trainer, start: Start) -> tf.train.Checkpoint:
  """Restores a trainer and returns what it is saved by."""
  checkpoint = tf.train.Checkpoint(
      network=trainer.network, target=trainer.target_network,
      optimizer=trainer.optimizer)
  if start.checkpoint:
    with _restoring(start.checkpoint, (
        'Was the network or the optimiser changed? Set them as they were, or '
        'give another run_directory. Is the file damaged? Remove the '
        'checkpoint; the one before it is then resumed from.')):
      checkpoint.restore(start.checkpoint).assert_consumed()
    logging.info('Resumed at step %d from %s.', start.step, start.checkpoint)

  def restore_position(_):
    with _restoring(start.position, (
        'Was the data changed, or how it is read? Set it as it was; or remove '
        'these files, and it is read on in a new order.')):
      trainer.position().read(start.position).assert_consumed()

  if start.position:
    trainer.restore_iterator_fn = restore_position
  return checkpoint


@contextlib.contextmanager
def _restoring(path: str, hint: str) -> Iterator[None]:
  """Makes of all that TensorFlow raises a ValueError that says what to do."""
  try:
    yield
  except (tf.errors.OpError, AssertionError, ValueError, IndexError) as error:
    raise ValueError(f'{path} cannot be restored. {hint} TensorFlow says: '
                     f'{str(error).splitlines()[0]}') from error


def has_all_steps(run_directory: str, num_steps: int) -> bool:
  """Returns whether a run has nothing left to learn."""
  checkpoint = tf.train.latest_checkpoint(directory_of(run_directory))
  return bool(checkpoint) and _step_of(checkpoint) >= num_steps


def directory_of(run_directory: str) -> str:
  """Returns the directory of a run's checkpoints."""
  return os.path.join(run_directory, 'checkpoints')


def _step_of(checkpoint: str) -> int:
  return int(checkpoint.rsplit('-', 1)[1])


class SaveCheckpoints(callbacks.Periodic):
  """Saves the trainer and the data's position, periodically and at the end.

  Of several processes, the chief's files stay. The others save too, because
  saving may need all of them, into a folder of their own that is then removed.
  """

  def __init__(self, every: int, checkpoint: tf.train.Checkpoint,
               directory: str, has_position: bool = True):
    """Creates the callback.

    Args:
      every: learner steps.
      checkpoint: of the trainer.
      directory: where checkpoints are kept, the last three.
      has_position: whether the position in the data can be saved.
    """
    super().__init__(every)
    self._has_position = has_position
    self._is_chief = devices.is_chief()
    self._directory = directory if self._is_chief else tempfile.mkdtemp()
    tf.io.gfile.makedirs(self._directory)
    self._manager = tf.train.CheckpointManager(
        checkpoint, self._directory, max_to_keep=_MAX_TO_KEEP)

  def on_train_batch_end(self, batch, logs=None):
    """Saves when it is time, or when this execution is the last one."""
    super().on_train_batch_end(batch, logs)
    if self.model.stop_training:
      self._save_once()

  def on_train_end(self, logs=None):
    """Saves the last step, if it was not saved."""
    self._save_once()
    if not self._is_chief:
      shutil.rmtree(self._directory)

  def run(self, step, logs):
    """Saves; a checkpoint that cannot be written leaves no files."""
    try:
      with callbacks.saving(f'The checkpoint of step {step}'):
        self._save(step)
    except OSError:
      if self._latest_step() != step:
        self._remove({step})
      raise
    self._remove(self._steps() - {
        _step_of(path) for path in self._manager.checkpoints})

  def _save(self, step: int) -> None:
    # The position first: the checkpoint makes the step one to resume from.
    if self._has_position and isinstance(
        self.model.iterator, tf.data.Iterator):
      self.model.position().write(
          os.path.join(self._directory, f'data-{step}'))
    self._manager.save(checkpoint_number=step)

  def _save_once(self) -> None:
    if self._latest_step() != self.model.step:
      self.run(self.model.step, None)

  def _latest_step(self) -> int:
    path = tf.train.latest_checkpoint(self._directory)
    return _step_of(path) if path else -1

  def _steps(self) -> set[int]:
    """Returns all steps that there are files of, half-written ones too."""
    matches = map(_OURS.match, tf.io.gfile.listdir(self._directory))
    return {int(match[1]) for match in matches if match}

  def _remove(self, steps: set[int]) -> None:
    for name in tf.io.gfile.listdir(self._directory):
      match = _OURS.match(name)
      if match and int(match[1]) in steps:
        path = os.path.join(self._directory, name.rstrip('/'))
        if tf.io.gfile.isdir(path):
          tf.io.gfile.rmtree(path)
        else:
          tf.io.gfile.remove(path)
