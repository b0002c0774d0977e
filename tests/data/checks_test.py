"""Each thing that can be wrong with an episode is found, where it is."""

import numpy as np
import pytest
import tensorflow as tf

from tests import data_toys
from tf_muzero import actions
from tf_muzero.data import checks
from tf_muzero.types import Episode


def find(episode, is_first=None, is_last=None, spec=data_toys.STATE_SPEC):
  """Returns problem and step, the same eagerly and in a graph."""
  num_records = len(episode.reward)
  records = np.arange(num_records)
  flags = (records == 0 if is_first is None else np.array(is_first),
           records == num_records - 1 if is_last is None else np.array(is_last))
  tensors = [tf.constant(x) for x in (*episode, *flags)]
  finding = checks.find(Episode(*tensors[:4]), *tensors[4:], spec)
  compiled = tf.function(lambda *x: checks.find(Episode(*x[:4]), *x[4:], spec))(
      *tensors)
  for x, y in zip(finding, compiled):
    np.testing.assert_array_equal(x, y)
  return checks.PROBLEMS[int(finding.problem)], int(finding.step)


def good(num_transitions=5, spec=data_toys.STATE_SPEC, is_terminal=True):
  rng = np.random.default_rng(0)
  return data_toys.episode_of(
      *data_toys.play(rng, spec, num_transitions, is_terminal))


def changed(field, record, value):
  """Returns a good episode but for one value."""
  episode = good()
  array = getattr(episode, field).copy()
  array[record] = value
  return episode._replace(**{field: array})


@pytest.mark.parametrize('length', [1, 2, 5])
def test_nothing_is_wrong(length):
  assert find(good(length)) == ('no problem', 0)
  assert find(good(length, data_toys.BOARD_SPEC),
              spec=data_toys.BOARD_SPEC) == ('no problem', 0)


@pytest.mark.parametrize('field, record, value, problem', [
    ('observation', 5, [0.0, np.nan, 0.0], 'observation is not finite'),
    ('observation', 0, [np.inf, 0.0, 0.0], 'observation is not finite'),
    ('action', 2, [0.0, np.nan], 'action is not finite'),
    ('action', 3, [0.0, -1.01], 'action is out of bounds'),
    ('reward', 4, np.nan, 'reward is not finite'),
    ('discount', 1, 1.5, 'discount is not in [0, 1]'),
    ('discount', 1, np.nan, 'discount is not in [0, 1]'),
    ('discount', 3, 0.0, 'discount is 0 before the last transition'),
])
def test_the_step_is_found(field, record, value, problem):
  assert find(changed(field, record, value)) == (problem, record)


@pytest.mark.parametrize('field, value', [
    ('action', [np.nan, 7.0]), ('reward', np.nan), ('discount', np.nan)])
def test_the_last_record_means_nothing(field, value):
  assert find(changed(field, 5, value)) == ('no problem', 0)


@pytest.mark.parametrize('num_records', [0, 1])
def test_short_episodes(num_records):
  episode = Episode(*(x[:num_records] for x in good()))
  assert find(episode)[0] == 'the episode has fewer than two records'


def test_discrete_actions_have_bounds():
  episode = good(spec=data_toys.BOARD_SPEC)
  for action in (-1, 4):
    episode.action[2] = action
    assert find(episode, spec=data_toys.BOARD_SPEC) == (
        'action is out of bounds', 2)


def test_flags_stand_at_the_ends():
  first = 'is_first is not true at the first record alone'
  last = 'is_last is not true at the last record alone'
  no, yes = [False] * 6, [True] * 6
  assert find(good(), is_first=no) == (first, 0)
  assert find(good(), is_first=yes) == (first, 1)
  assert find(good(), is_last=no) == (last, 5)
  assert find(good(), is_last=yes) == (last, 0)


def test_rounding_is_forgiven():
  assert find(changed('action', 2, [1.0 + 1e-6, -1.0 - 1e-6]))[1] == 0


@pytest.mark.parametrize('problem, component, value, sentence', [
    (5, 0, np.inf, 'reward is not finite: it is inf'),
    (5, 0, 1e300, 'reward is not finite: it is 1e+300, too large for float32'),
    (1, 0, 0.0, 'the episode has fewer than two records'),
    (2, 2, np.nan, 'observation is not finite: velocity[1] is nan'),
    (3, 1, np.nan, 'action is not finite: component 1 is nan'),
    (4, 1, 51.25, 'action is out of bounds: component 1 is 51.25, and its '
     'bounds are [-2, 3]'),
    (6, 0, 1.0001, 'discount is not in [0, 1]: it is 1.0001')])
def test_description(problem, component, value, sentence):
  spec = data_toys.STATE_SPEC._replace(
      action=actions.bounded([2], [0.0, -2.0], [1.0, 3.0]))
  finding = checks.Finding(np.int64(problem), np.int64(17),
                           np.int64(component), np.float64(value))
  assert checks.describe(finding, b'a-00001, episode 3', spec) == (
      f'a-00001, episode 3, step 17: {sentence}.')


def test_description_of_integers():
  spec = data_toys.BOARD_SPEC._replace(action=actions.Integers(4, 1))
  finding = checks.Finding(
      np.int64(4), np.int64(0), np.int64(0), np.float64(2**32))
  assert checks.describe(finding, b'x', spec) == (
      'x, step 0: action is out of bounds: it is 4294967296, and they go from '
      '1 to 4.')


@pytest.mark.parametrize('episode, wanted', [
    (changed('action', 3, [0.0, -1.5]), [4, 3, 1, -1.5]),
    (good()._replace(reward=np.array([0.0, 1.0, -1e300, 0.0, 0.0, 0.0])),
     [5, 2, 0, -1e300])])
def test_what_is_wrong_is_found(episode, wanted):
  """Numbers that float32 has not are infinite there."""
  records = np.arange(6)
  finding = checks.find(Episode(*map(tf.constant, episode)), tf.constant(
      records == 0), tf.constant(records == 5), data_toys.STATE_SPEC)
  assert [x.numpy() for x in finding] == wanted


def test_what_is_beyond_by_rounding_is_clipped():
  spec = actions.bounded([2], 0.0, [1.0, 100.0])
  # The last record, whose action means nothing, is not looked at.
  stored = tf.constant([[1.0 + 1e-7, -1e-4], [0.5, 7.0], [9.0, 9.0]])
  clipped, is_told = checks.clip(stored, spec)
  assert clipped.numpy()[:2].tolist() == [[1.0, 0.0], [0.5, 7.0]]
  assert not is_told
  for beyond, is_out in ((100.09, False), (100.11, True)):
    stored = tf.constant([[0.0, beyond], [0.0, 0.0]])
    assert checks.out_of_bounds(stored, spec).numpy().tolist() == [
        is_out, False]
    assert checks.clip(stored, spec)[1]
