"""Libraries that are hushed for a while."""

import os

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


@pytest.mark.parametrize('level, shown', [
    ('3', 'of worth\n'), ('0', 'a known one\nof worth\n')])
def test_known_lines_of_native_code_are_dropped(
    level, shown, monkeypatch, capfd):
  monkeypatch.setenv('TF_CPP_MIN_LOG_LEVEL', level)
  with pytest.raises(KeyError), quiet.native('known', 'unheard of'):
    os.write(2, b'a known one\nof worth\n')
    raise KeyError
  assert capfd.readouterr().err == shown
  os.write(2, b'a known one\n')
  assert capfd.readouterr().err == 'a known one\n'
