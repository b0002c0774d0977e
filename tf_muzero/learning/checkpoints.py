"""Checkpoints of the trainer, and of its position in the data."""

import contextlib
import os
import tempfile
from typing import Any, Iterator, Mapping, NamedTuple, Optional, Union

from absl import logging
import tensorflow as tf

from tf_muzero import quiet
from tf_muzero import rng
from tf_muzero.keras2 import keras
from tf_muzero.learning import callbacks
from tf_muzero.learning import checkpoint_files
from tf_muzero.learning import positions
from tf_muzero.learning import trainer as trainer_lib
from tf_muzero.reanalyse import store as store_lib

_MAX_TO_KEEP = 3


class Start(NamedTuple):
  """Where training starts.

  Attributes:
    checkpoint: path of what it starts from, empty for none.
    step: learner step of the checkpoint.
    position: path of the position in the data, with the store, empty where it
      cannot be restored: TensorFlow saves no iterators of other processes.
    order: of the data, which the position belongs to.
  """
  checkpoint: str
  step: int
  position: str
  order: positions.Order = positions.Order(0, {})

  @property
  def lost_at(self) -> int:
    """Step at which the position in the data is lost, 0 where it is not."""
    return 0 if self.position else self.step

  def data_seed(self, seed: int) -> int:
    """Returns a seed of the data, a new one where its position is lost."""
    return rng.derive(seed, self.order.begun_at)


def find(directory: str, has_position: bool = True,
         name: Union[str, int] = checkpoint_files.LAST,
         settings: Optional[Mapping[str, Any]] = None) -> Start:
  """Returns where a run starts: at a checkpoint, if there is one.

  Args:
    directory: of the checkpoints.
    has_position: whether the position in the data can be restored.
    name: see `checkpoint_files.find`.
    settings: what the order of the data depends on now; None for not known.
  """
  if name == checkpoint_files.LAST and not checkpoint_files.steps_in(directory):
    return Start('', 0, '', positions.Order(0, dict(settings or {})))
  checkpoint, step = checkpoint_files.find(directory, name, 'resume_from')
  path = os.path.join(os.path.dirname(checkpoint), f'data-{step}')
  is_restored = tf.io.gfile.exists(path + '.index') and has_position
  saved = positions.read(path) if is_restored else None
  differences = (positions.differences(saved.settings, settings)
                 if saved and settings is not None else [])
  if differences:
    logging.warning(
        'A new order of the data begins at step %d, for what it depends on has '
        'changed: %s.', step, '; '.join(differences))
  elif not is_restored:
    logging.warning(
        'A new order of the data begins at step %d: %s.', step,
        'its position was not saved' if has_position else 'with a service, and '
        'on several machines, its position is not saved')
  if differences or not is_restored:
    path, begun_at = '', step
  else:
    begun_at = saved.begun_at if saved else 0
  return Start(checkpoint, step, path, positions.Order(
      begun_at, dict(settings or {})))


def restore(trainer: trainer_lib.Trainer, start: Start) -> tf.train.Checkpoint:
  """Restores a trainer and returns what it is saved by."""
  heads = {'heads': trainer.heads, 'target_heads': trainer.target_heads}
  checkpoint = tf.train.Checkpoint(
      network=trainer.network, target=trainer.target_network,
      optimizer=trainer.optimizer, **(heads if trainer.heads else {}))
  if start.checkpoint:
    with _restoring(start.checkpoint, (
        'Was the network or the optimiser changed? Set them as they were, or '
        'give another run_directory. Is the file damaged? Remove the '
        'checkpoint; the one before it is then resumed from.')):
      checkpoint.restore(start.checkpoint).assert_consumed()
    logging.info('Resumed at step %d from %s.', start.step, start.checkpoint)

  return checkpoint


def restore_position(store: store_lib.Store, start: Start) -> None:
  """Restores what is held of the data and where it is read on, if it can be."""
  if start.position:
    with _restoring(start.position, (
        'Was the data changed, or how it is read? Set it as it was; or remove '
        'these files, and it is read on in a new order.')):
      store.position().read(start.position).assert_consumed()


@contextlib.contextmanager
def _restoring(path: str, hint: str) -> Iterator[None]:
  """Makes of all that TensorFlow raises a ValueError that says what to do."""
  try:
    yield
  except (tf.errors.OpError, AssertionError, ValueError, IndexError) as error:
    raise ValueError(f'{path} cannot be restored. {hint} TensorFlow says: '
                     f'{str(error).splitlines()[0]}') from error


class Saver:
  """Writes checkpoints and positions of a trainer.

  Of several processes, the chief's files stay. The others save too, because
  saving may need all of them, into a folder of their own that is then removed.

  Attributes:
    directory: of the checkpoints.
    start: where training started.
    is_chief: whether what is written stays.
  """

  def __init__(self, checkpoint: tf.train.Checkpoint, run_directory: str,
               start: Start, *, has_position: bool = True,
               is_chief: bool = True):
    """Creates what saves.

    Args:
      checkpoint: of the trainer.
      run_directory: of the run.
      start: where training starts.
      has_position: whether the position in the data can be saved.
      is_chief: see above.
    """
    checkpoint.save_counter  # Part of it, once asked for; restoring wants it. pylint: disable=pointless-statement
    self._checkpoint = checkpoint
    self._has_position = has_position
    self.directory = checkpoint_files.directory_of(run_directory)
    self.start = start
    self.is_chief = is_chief

  def save(self, model: keras.Model, directory: str) -> None:
    """Saves into a directory; what cannot be written leaves no files."""
    with contextlib.ExitStack() as stack:
      if not self.is_chief:
        directory = stack.enter_context(tempfile.TemporaryDirectory())
      tf.io.gfile.makedirs(directory)
      try:
        # TensorFlow 2.21 tells how long a moment of it took.
        with quiet.below(logging.WARNING), callbacks.saving(
            f'The checkpoint of step {model.step}'):
          # The position first: the checkpoint makes the step one to resume
          # from.
          self._save_position(model, directory)
          self._checkpoint.write(os.path.join(directory, f'ckpt-{model.step}'))
      except OSError:
        checkpoint_files.remove(directory, {model.step})
        raise

  def _save_position(self, model: keras.Model, directory: str) -> None:
    path = os.path.join(directory, f'data-{model.step}')
    if self._has_position and model.store:
      try:
        model.store.position().write(path)
        positions.write(path, self.start.order)
      except tf.errors.UnimplementedError as error:
        self._has_position = False
        logging.warning(
            'The position in this tf.data.Dataset cannot be saved, and a '
            'resumed run begins a new pass, in a new order: %s',
            error.message.rpartition('}} ')[2])
    elif model.step == self.start.step and self.start.position:
      _copy(self.start.position, path)  # Nothing was read since.


def _copy(position: str, path: str) -> None:
  """Copies all files of a position, unless they are there."""
  if position == path:
    return
  for source in tf.io.gfile.glob(position + '.*'):
    tf.io.gfile.copy(source, path + source[len(position):], overwrite=True)


class SaveCheckpoints(callbacks.Periodic):
  """Saves the trainer and the data's position, periodically and at the end.

  It is the last of all callbacks: what the others write of a step is there
  before its checkpoint is.
  """

  def __init__(self, every: int, saver: Saver):
    """Creates the callback.

    Args:
      every: learner steps.
      saver: that writes; the last three checkpoints are kept.
    """
    super().__init__(every)
    self._saver = saver
    self._saved = saver.start.step if saver.start.checkpoint else -1

  def on_train_batch_end(self, batch, logs=None):
    """Saves when it is time, or when this execution is the last one."""
    super().on_train_batch_end(batch, logs)
    if self.model.stop_training:
      self._save_once()

  def on_train_end(self, logs=None):
    """Saves the last step, if it was not saved."""
    self._save_once()

  def run(self, step, logs):
    """Saves; a checkpoint that cannot be written leaves no files."""
    directory = self._saver.directory
    self._saver.save(self.model, directory)
    self._saved = step
    if self._saver.is_chief:
      kept = checkpoint_files.steps_in(directory)[-_MAX_TO_KEEP:]
      with callbacks.saving(f'The checkpoint of step {step}'):
        checkpoint_files.write_state(directory, kept)
      checkpoint_files.remove(
          directory, checkpoint_files.files(directory).keys() - set(kept))

  def _save_once(self) -> None:
    if self._saved != self.model.step:
      self.run(self.model.step, None)
