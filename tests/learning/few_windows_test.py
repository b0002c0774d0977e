"""A warning of segments that are longer than episodes."""

import types

import pytest

from tf_muzero.learning import few_windows


@pytest.mark.parametrize('shares, told_after', [
    ([0.4] * 4 + [0.6] + [0.3] * 9, 10), ([0.5] * 9, None)])
def test_a_store_that_stays_empty_is_told_once(shares, told_after, caplog):
  caplog.set_level('WARNING', logger='absl')
  callback = few_windows.WarnOfFewWindows(1, windows_per_segment=63)
  callback.set_model(types.SimpleNamespace(store=types.SimpleNamespace()))
  for step, share in enumerate(shares, start=1):
    callback.model.store.fill_shares = lambda share=share: [1.0, share]
    callback.run(step, {})
    assert len(caplog.messages) == (
        told_after is not None and step >= told_after)
  if told_after:
    assert '30%' in caplog.text and 'the 63 windows' in caplog.text
