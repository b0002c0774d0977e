"""Missing or contradictory ends of episodes: settled, and told."""

import logging

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from tests import data_toys
from tf_muzero.data import adapters
from tf_muzero.data import ends
from tf_muzero.data import episodes as episodes_lib
from tf_muzero.data import tellings
from tf_muzero.data.reading import Reading


def adapt(terminal_from='is_terminal', adapter=adapters.as_stored, **fields):
  """Returns the adapted steps of an episode, and what is told of it."""
  steps = ends.make_adapter(adapter, terminal_from)(
      {name: tf.constant(value) for name, value in fields.items()})
  told = [name for name, flag in zip(tellings.TELLINGS, steps['told']) if flag]
  return {name: value.numpy() for name, value in steps.items()}, told


_FLAGS = {'is_first': [True, False, False], 'is_last': [False, False, True]}
_REWARD = np.array([1.0, 2.0, 0.0], np.float32)


@pytest.mark.parametrize('discount, is_terminal, terminal_from, wanted, told', [
    ([1, 1, 1], True, 'is_terminal', 0, ['only is_terminal']),
    ([1, 1, 0], True, 'is_terminal', 0, ['only is_terminal']),
    ([1, 0, 1], False, 'is_terminal', 1, ['only discount']),
    ([1, 0, 0], True, 'is_terminal', 0, []),
    ([1, 1, 0], False, 'is_terminal', 1, []),
    ([.9, .9, .9], False, 'is_terminal', .9, []),
    ([1, 1, 1], True, 'discount', 1, ['only is_terminal']),
    ([1, 0, 1], False, 'discount', 0, ['only discount'])])
def test_one_field_says_what_is_terminal(
    discount, is_terminal, terminal_from, wanted, told):
  steps, found = adapt(
      terminal_from, reward=_REWARD, discount=np.float32(discount),
      is_terminal=[False, False, is_terminal], **_FLAGS)
  assert found == told
  assert steps['discount'][:2].tolist() == [
      np.float32(discount[0]), np.float32(wanted)]


def test_what_is_no_discount_is_left_to_the_checks():
  steps, _ = adapt(reward=_REWARD, discount=np.float32([1, np.nan, 0]),
                   is_terminal=[False, False, True], **_FLAGS)
  assert np.isnan(steps['discount'][1])


def test_is_terminal_before_the_end_is_told():
  steps, told = adapt(reward=_REWARD, discount=np.float32([1, 0, 0]),
                      is_terminal=[False, True, True], **_FLAGS)
  assert told == ['early is_terminal'] and steps['discount'][0] == 1.0


@pytest.mark.parametrize('name', ['is_first', 'is_last'])
def test_an_end_that_is_never_set(name):
  fields = {'reward': _REWARD, 'discount': np.ones(3, np.float32),
            'is_terminal': [False] * 3, **_FLAGS}
  steps, told = adapt(**{**fields, name: [False] * 3})
  assert steps[name].tolist() == _FLAGS[name] and told == [f'no {name}']
  wrong = [False, True, False]
  steps, told = adapt(**{**fields, name: wrong})
  assert steps[name].tolist() == wrong and not told  # A problem, see `checks`.


@pytest.mark.parametrize('is_terminal', [True, False])
def test_missing_fields(is_terminal):
  steps, told = adapt(reward=_REWARD, is_terminal=[False, False, is_terminal])
  assert steps['discount'].tolist()[:2] == [1.0, float(not is_terminal)]
  assert steps['is_first'].tolist() == _FLAGS['is_first']
  assert steps['is_last'].tolist() == _FLAGS['is_last']
  assert not told
  steps, told = adapt('discount', reward=_REWARD, discount=np.float32(
      [1, not is_terminal, 1]))
  assert steps['discount'].tolist()[:2] == [1.0, float(not is_terminal)]
  assert not told


def test_which_field_counts():
  both = ('reward', 'discount', 'is_terminal')
  for wanted, usual, counts in (
      ('', 'is_terminal', 'is_terminal'), ('', 'discount', 'discount'),
      ('discount', 'is_terminal', 'discount')):
    assert ends.source_of_terminals(both, wanted, usual) == counts
  assert ends.source_of_terminals(both[:2], '', 'is_terminal') == 'discount'
  assert ends.source_of_terminals(both[2:], '', 'discount') == 'is_terminal'
  assert ends.source_of_terminals(both[:1], '', 'discount') == 'discount'
  with pytest.raises(ValueError, match='there is no is_terminal, only reward'):
    ends.source_of_terminals(both[:2], 'is_terminal', 'discount')


def test_too_few_records_have_no_terminal():
  for number in (0, 1):
    steps, told = adapt(reward=_REWARD[:number], is_terminal=[True] * number,
                        discount=np.ones(number, np.float32))
    assert len(steps['discount']) == number and not told


def test_what_is_missing_is_said():
  assert not ends.describe_missing(
      ('discount', 'is_first', 'is_last', 'is_terminal'))
  neither, *flags = ends.describe_missing(('reward',))
  assert 'neither discount nor is_terminal' in neither
  assert len(flags) == 2 and 'no is_last' in flags[1]


def _write(directory):
  """Two episodes of three that contradict, all without is_last."""
  features = dict(data_toys.raw_features()['steps'].feature.items())
  del features['is_first']
  def example(is_terminal):
    steps = {**data_toys.raw_steps()['steps'], 'is_last': [False] * 3,
             'is_terminal': [False, False, is_terminal]}
    del steps['is_first']
    return {'steps': steps}
  data_toys.write_raw(
      directory, tfds.features.FeaturesDict(
          {'steps': tfds.features.Dataset(features)}),
      [example(True), example(False), example(True)])
  return episodes_lib.open_dataset(str(directory))


def test_it_is_told_once_with_numbers(tmp_path, caplog):
  dataset = _write(tmp_path / 'raw')
  with caplog.at_level(logging.WARNING):
    for _ in range(2):
      found = episodes_lib.load_episodes(dataset)
  assert [episode.discount[1] for episode in found] == [0.0, 1.0, 0.0]
  told = [x.getMessage() for x in caplog.records if 'raw: ' in x.getMessage()]
  assert len(told) == 3
  assert 'steps have no is_first' in told[0]
  assert 'in 3 of 3 episodes, is_last is never true' in told[1]
  assert 'in 2 of 3 episodes, is_terminal says' in told[2]
  assert "terminal_from = 'discount'" in told[2]


def test_a_stream_tells_it_once(tmp_path, capfd):
  dataset = _write(tmp_path / 'raw')
  capfd.readouterr()
  assert len(list(episodes_lib.episodes(dataset, repeat=True).take(7))) == 7
  printed = capfd.readouterr().err
  assert printed.count('is_last is never true') == 1
  assert printed.count('is_terminal counts') == 1
  assert 'so in episodes from' in printed and 'episode 0 on' in printed


def test_the_setting_is_checked():
  with pytest.raises(ValueError, match='terminal_from must be one of'):
    Reading(terminal_from='done')
