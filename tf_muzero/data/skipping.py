"""Bad episodes left out: told in the log, and counted."""

import os

import tensorflow as tf

from tf_muzero.data import checks
from tf_muzero.types import EnvironmentSpec


def without_bad(decoded: tf.data.Dataset, notes: str, num_episodes: int,
                spec: EnvironmentSpec) -> tf.data.Dataset:
  """Returns what is good; prints a line for what is not.

  The count in the line goes on over all passes. Where all are bad, that is an
  error, `tf.errors.InvalidArgumentError`.

  Args:
    decoded: dataset of `decoding.Checked`.
    num_episodes: of a pass.
    spec: what an agent sees and does.
    notes: see `note`.
  """
  def account(before, checked):
    num_before, had_good = before
    is_bad = checked.finding.problem != 0
    num_skipped, has_good = num_before + tf.cast(is_bad, tf.int64), (
        had_good | ~is_bad)
    sentence = checks.sentence(checked.finding, checked.where, spec)
    tf.debugging.Assert(has_good | (num_skipped < num_episodes), [
        'There is not one good episode. The last one: ' + sentence])
    def tell():
      line = tf.strings.join(['Skipped bad episode: ', sentence, '; ',
                              tf.strings.as_string(num_skipped), ' so far.'])
      return tf.group(tf.print(line), note(notes, sentence, 1))
    tf.cond(is_bad, tell, tf.no_op)
    return (num_skipped, has_good), checked

  start = tf.constant(0, tf.int64), tf.constant(False)
  return decoded.scan(start, account).filter(
      lambda checked: checked.finding.problem == 0)


def notes_of(run_directory: str) -> str:
  """Returns the directory of the notes of a run."""
  return os.path.join(run_directory, 'skipped')


def note(directory: str, sentence: tf.Tensor, num_episodes: tf.Tensor
         ) -> tf.Operation:
  """Writes down that episodes were left out; in a graph or eagerly.

  A file for each sentence, so that what is skipped again in another pass, or
  by another process, is not counted twice.

  Args:
    directory: of the notes; empty for none.
    sentence: scalar string.
    num_episodes: scalar that it is about.
  """
  if not directory:
    return tf.no_op()
  name = tf.strings.as_string(tf.strings.to_hash_bucket_fast(sentence, 2**62))
  return tf.io.write_file(
      tf.strings.join([directory, name], '/'), tf.strings.join(
          [tf.strings.as_string(num_episodes), sentence], ' '))


def count(directory: str) -> int:
  """Returns how many episodes were left out, by what is written down."""
  total = 0
  for path in tf.io.gfile.glob(f'{directory}/*'):
    with tf.io.gfile.GFile(path) as file:
      # Empty for as long as it is being written.
      total += int(file.read().split(' ', 1)[0] or 1)
  return total
