"""Bad episodes left out, and counted in the log."""

from typing import Any, Callable

import tensorflow as tf

from tf_muzero.data import checks


def without_bad(encoded: tf.data.Dataset, decode_fn: Callable[..., Any],
                num_parallel: int) -> tf.data.Dataset:
  """Returns what is decoded and good; prints a line for what is not.

  The count in the line goes on over all passes.

  Args:
    encoded: see `records.read`.
    decode_fn: makes `episodes.Checked` of its elements.
    num_parallel: how many are decoded at the same time.
  """
  def account(state, element):
    num_before, num_skipped = state
    number, checked = element
    num_lost = number - num_before  # Those that could not even be decoded.
    is_bad = checked.finding.problem != 0
    num_skipped += num_lost + tf.cast(is_bad, tf.int64)
    so_far = tf.strings.join(
        ['; ', tf.strings.as_string(num_skipped), ' so far.'])
    tf.cond(num_lost > 0, lambda: tf.print(tf.strings.join([
        'Skipped ', tf.strings.as_string(num_lost), ' episodes before ',
        checked.where, ' that cannot be decoded', so_far])), tf.no_op)
    tf.cond(is_bad, lambda: tf.print(
        'Skipped bad episode: ' + checks.sentence(
            checked.finding, checked.where) + so_far), tf.no_op)
    return (number + 1, num_skipped), checked

  decoded = encoded.enumerate().map(
      lambda number, element: (number, decode_fn(*element)),
      num_parallel_calls=num_parallel, deterministic=True)
  decoded = decoded.ignore_errors(log_warning=True)
  zero = tf.constant(0, tf.int64)
  return decoded.scan((zero, zero), account).filter(
      lambda checked: checked.finding.problem == 0)
