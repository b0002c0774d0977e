"""Libraries that are hushed for a while."""

from absl import logging
import pytest

from tf_muzero import quiet


def test_what_was_shown_before_is_shown_after(caplog):
  logger = logging.get_absl_logger()
  for level in (0, 10, 20):  # 0: that of the root, which nobody changed.
    caplog.set_level(level, logger='absl')
    with pytest.raises(KeyError), quiet.below(logging.WARNING):
      logging.info('hushed')
      # As TensorFlow does while it writes a SavedModel.
      verbosity = logging.get_verbosity()
      logging.set_verbosity(logging.FATAL)
      logging.set_verbosity(verbosity)
      logging.info('hushed')
      logging.warning('shown')
      raise KeyError
    assert logger.level == level
  assert caplog.messages == 3 * ['shown']
