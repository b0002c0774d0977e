"""Passes over the stored data: read, counted, refused."""

import fractions
import re
import types

import pytest

from tf_muzero import train
from tf_muzero.acting import batches
from tf_muzero.acting import fitting
from tf_muzero.acting import passes
from tf_muzero.acting import rehearsal
from tf_muzero.config import options


@pytest.mark.parametrize('text, expected', [
    ('200 passes', 200), ('1 passes', 1), ('+3. passes', 3),
    ('0.5 passes', fractions.Fraction(1, 2)),
    ('.25 passes', fractions.Fraction(1, 4))])
def test_passes_are_read(text, expected):
  assert passes.parse(text) == expected


@pytest.mark.parametrize('text, message', [
    ('200', "such as 20000, or passes .* such as '200 passes'; got '200'"),
    ('3.5', "got '3.5'"), ('', "got ''"), ('passes', "got 'passes'"),
    ('200 pass', 'got'), ('200passes', 'got'), ('1e3 passes', 'got'),
    ('nan passes', 'got'), ('2 passes ', 'got'),
    ('0 passes', "> 0 passes, got '0 passes'"),
    ('0.0 passes', '> 0 passes'), ('-1 passes', '> 0 passes')])
def test_other_texts_are_refused(text, message):
  with pytest.raises(ValueError, match=f'^num_steps must be .*{message}'):
    passes.check(text, 1.0, None)


@pytest.mark.parametrize('text, transitions, fraction, batch_size, expected', [
    ('200 passes', 15_000, 1.0, 256, 11_719),
    ('1 passes', 256, 1.0, 256, 1), ('1 passes', 257, 1.0, 256, 2),
    ('0.001 passes', 10, 1.0, 256, 1),
    ('0.1 passes', 30, 1.0, 3, 1),  # As floats, a little more than that.
    ('10 passes', 100, 0.5, 4, 500),
    ('10 passes', 100, 0.3, 5, 500)])  # Of the 5 windows, 2 are stored.
def test_steps(text, transitions, fraction, batch_size, expected):
  assert passes.steps(text, transitions, fraction, batch_size) == expected


def test_steps_are_the_inverse_of_what_a_feed_tells():
  feed = batches.Feed(
      types.SimpleNamespace(num_steps=1500), None, None, None, 1.0, 25, 1,
      False, False, 0)
  for number in (0.5, 3.0, 200.0):
    num_steps = passes.steps(f'{number} passes', 1500, 1.0, 25)
    assert feed.passes(num_steps) == number


def test_learner_steps_stay_what_they_are(tmp_path):
  assert passes.steps(7, 0, 0.0, 1) == 7
  assert passes.of_run(str(tmp_path), 7, 1.0, 4) == 7
  assert passes.imagined(7) == 7
  passes.check(7, 0.0, None)
  with pytest.raises(ValueError, match='num_steps must be >= 1, got 0'):
    passes.check(0, 1.0, None)


@pytest.mark.parametrize('word, expected', [
    ('200 passes', '200 passes'), ('2_000', 2000), ('3.5', '3.5')])
def test_the_command_line_gives_both(word, expected):
  given = options.parse(train.train, (), ['train', f'--num_steps={word}'])
  assert given.arguments == {'num_steps': expected}


def _interaction(sources):
  return types.SimpleNamespace(sources=sources)


@pytest.mark.parametrize('fraction, interaction, message', [
    (0.0, _interaction(None), 'a reanalyse_fraction of 0 learns from no'),
    (0.5, _interaction('some'), 'interaction.sources mix what is played')])
def test_where_passes_have_no_meaning_they_are_refused(
    fraction, interaction, message):
  with pytest.raises(ValueError, match=re.escape(
      "num_steps must be a number of learner steps, such as 20000, got "
      f"'2 passes': {message}")):
    passes.check('2 passes', fraction, interaction)


def test_what_is_not_mixed_has_passes():
  passes.check('2 passes', 1.0, _interaction('not used'))
  passes.check('2 passes', 0.5, _interaction(None))


def _content(**survey):
  return {'num_datapoints': 1000, 'survey': survey}


@pytest.mark.parametrize('is_sample, expected', [
    (False, '2 passes over 1,000 transitions: 500 learner steps'),
    (True, '2 passes over about 1,000 transitions (estimated, not counted): '
           '500 learner steps')])
def test_the_log_says_what_they_became(caplog, is_sample, expected):
  content = _content(is_sample=is_sample)
  with caplog.at_level('INFO', logger='absl'):
    assert passes.settle('2 passes', content, 1.0, 4) == 500
    assert passes.settle(500, content, 1.0, 4) == 500
  assert [record.getMessage() for record in caplog.records] == [expected]


def test_a_run_without_stored_data_has_none():
  with pytest.raises(ValueError, match='there are no stored transitions'):
    passes.settle('2 passes', _content(), 0.5, 4)
  assert passes.settle(3, _content(), 0.0, 4) == 3


def test_of_a_run_they_are_known_when_it_has_begun(tmp_path):
  directory = str(tmp_path)
  assert passes.of_run(directory, '2 passes', 1.0, 4) is None
  with pytest.raises(ValueError, match="got 'two passes'"):
    passes.of_run(directory, 'two passes', 1.0, 4)
  fitting.save(directory, _content(is_sample=False))
  assert passes.of_run(directory, '2 passes', 1.0, 4) == 500
  assert passes.of_run(directory, '3 passes', 0.5, 4) == 1500


def test_what_depends_on_their_number_is_checked_when_it_is_known():
  given = {'num_steps': '2 passes', 'reanalyse_fraction': 1.0, 'batch_size': 4,
           'profile': '499:510'}
  assert rehearsal.length(given, _content(is_sample=False)) == 500
  given['profile'] = '500:510'
  with pytest.raises(ValueError, match='START < 500, the steps of the run'):
    rehearsal.length(given, _content(is_sample=False))
