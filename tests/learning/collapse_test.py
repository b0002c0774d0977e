"""Warnings of searches that teach little."""

import types

import pytest

from tf_muzero.learning import collapse


@pytest.mark.parametrize('name, values, told_at', [
    ('search/injected_share', [0.9] * 4 + [0.4] + [0.6] * 9, [10]),
    ('search/injected_share', [0.5] * 9, []),
    ('search/depth', [10.1] * 5 + [1.0] + [10.1] * 9, [5]),
    ('search/depth', [10.0] * 9, []),
    ('search/age', [99.0] * 9, [])])
def test_a_sign_that_stays_is_told_once(name, values, told_at, caplog):
  caplog.set_level('WARNING', logger='absl')
  callback = collapse.WarnOfCollapse(1, unroll_steps=5)
  model = types.SimpleNamespace(step=0)
  callback.set_model(model)
  callback.on_train_begin()
  for model.step, value in enumerate(values, start=1):
    callback.on_train_batch_end(0, {name: value})
  assert len(caplog.messages) == len(told_at)
  for step, message in zip(told_at, caplog.messages):
    assert f'{name} is ' in message and f'at learner step {step}, ' in message


def test_without_an_unroll_no_depth_is_too_great(caplog):
  callback = collapse.WarnOfCollapse(1, unroll_steps=0)
  for step in range(9):
    callback.run(step, {'search/depth': 50.0})
  assert not caplog.messages
