"""What is fitted to the data, refused, and recorded."""

import dataclasses
import functools
import os
import re

import dm_env
import numpy as np
import pytest

from tests import data_toys
from tests import reanalyse_toys
from tests import train_runs
from tf_muzero.acting import fitting
from tf_muzero.acting import interaction
from tf_muzero.data import action_values
from tf_muzero.data import episodes as episodes_lib
from tf_muzero.networks import agent as agent_lib
from tf_muzero.networks import state
from tf_muzero.networks import value_prefix
from tf_muzero.networks import value_transform

_SMALL = value_transform.Support(-2.0, 2.0, 11)  # About 8.
_FITTED = value_transform.FittedSupport(11, 4.0)


def _agent(value_support, reward_support, discount=0.9):
  return agent_lib.Agent(
      functools.partial(state.StateNetwork, num_blocks=1, minimum_width=8,
                        maximum_width=16),
      value_support, reward_support, discount, 2)


@pytest.fixture(scope='module', name='directory')
def _directory(tmp_path_factory):
  """Returns a dataset whose rewards are +-5000, as `bigreward` has them."""
  rng, played = np.random.default_rng(0), []
  for _ in range(4):
    time_steps, actions = data_toys.play(rng, data_toys.STATE_SPEC, 20, True)
    played.append(([time_steps[0], *(
        dm_env.TimeStep(t.step_type, 5000.0 * (-1.0)**i, t.discount,
                        t.observation)
        for i, t in enumerate(time_steps[1:]))], actions))
  directory = tmp_path_factory.mktemp('data') / 'big'
  data_toys.write(directory, played, data_toys.STATE_SPEC)
  return str(directory)


def test_supports_that_do_not_hold_the_data_are_refused(directory, tmp_path):
  with pytest.raises(ValueError) as error:
    fitting.fit(str(tmp_path), episodes_lib.open_dataset(directory), _agent(
        value_transform.Support(-2.0, 22.0, 11), _SMALL))
  message = str(error.value)
  assert 'rewards are from -5000 to 5000, and reward_support holds' in message
  bindings = re.findall(
      r"--gin_bindings='(\w+)/value_transform.Support.(\w+) = (-?[\d.]+)'",
      message)
  assert [x[:2] for x in bindings] == [
      ('value', 'minimum'), ('value', 'maximum'),
      ('reward', 'minimum'), ('reward', 'maximum')]
  assert [x[2] for x in bindings[2:]] == ['-74.8', '74.8']  # h is 74.72.
  limits = {'value': {'num_bins': 11}, 'reward': {'num_bins': 11}}
  for scope, side, number in bindings:
    limits[scope][side] = float(number)
  supports = [value_transform.Support(**x) for x in limits.values()]
  fit = fitting.fit(str(tmp_path), episodes_lib.open_dataset(directory),
                    _agent(*supports))
  assert [fit.agent.value_support, fit.agent.reward_support] == supports


def test_one_support_for_both_has_one_binding(directory, tmp_path):
  with pytest.raises(ValueError, match=(
      "'value_transform.Support.minimum = -7[0-9.]+'")) as error:
    fitting.fit(str(tmp_path), episodes_lib.open_dataset(directory),
                _agent(_SMALL, _SMALL))
  assert '/value_transform' not in str(error.value)


def test_clipping_can_be_wanted(directory, tmp_path):
  fit = fitting.fit(str(tmp_path), episodes_lib.open_dataset(directory),
                    _agent(_SMALL, _SMALL), clip_targets=True)
  assert fit.agent.value_support == _SMALL


def test_fitted_supports_hold_the_data_and_are_recorded(directory, tmp_path):
  dataset = episodes_lib.open_dataset(directory)
  agent = _agent(_FITTED, _FITTED)
  fit = fitting.fit(str(tmp_path), dataset, agent)
  for support, least in ((fit.agent.value_support, 5000.0),
                         (fit.agent.reward_support, 5000.0)):
    assert support.highest > least and support.lowest < -0.5 * least
  # 80 transitions: 9 wide.
  assert fit.agent.num_datapoints == 80 and fit.source.num_steps == 80
  # Counted, and still few enough to look for what is wrong with actions.
  assert fit.source.counted_steps == 80 and not fit.source.approximate_steps
  assert 'out of bounds' in action_values.advise(fit.source)
  assert fit.agent.make_network(dataset.spec).represent(
      np.zeros([1, 3], np.float32)).shape == [1, 9]
  fitting.save(str(tmp_path), fit.content)
  assert fitting.load(str(tmp_path), agent) == fit.agent
  # Whatever becomes of the data, the run goes on with what it had.
  changed = dataclasses.replace(dataset, split='train[:2]', parts=())
  again = fitting.fit(str(tmp_path), changed, agent)
  assert again.agent == fit.agent and again.lengths == fit.lengths
  assert all(np.array_equal(*x) for x in zip(again.statistics, fit.statistics))


def test_supports_of_sums_hold_better_ones_than_the_data_has(
    directory, tmp_path):
  dataset = episodes_lib.open_dataset(directory)
  summing = lambda *supports: dataclasses.replace(
      _agent(*supports), value_prefix=value_prefix.ValuePrefix(
          num_steps=3, num_features=2, units=2))
  fit = fitting.fit(str(tmp_path), dataset, summing(
      _FITTED, value_transform.FittedSupport(11, 1.0)))
  # Those of the data cancel.
  assert fit.content['survey']['reward_sums'] == (-5000.0, 5000.0)
  support = fit.agent.reward_support
  assert support.highest > 15000.0 and support.lowest < -15000.0
  with pytest.raises(ValueError, match='sums of up to 3 rewards are from -5000'
                     ' to 5000, and reward_support'):
    fitting.fit(str(tmp_path), dataset, summing(_FITTED, _SMALL))


def test_other_supports_than_recorded_are_refused(directory, tmp_path):
  wide = value_transform.Support(-100.0, 100.0, 11)
  fitting.save(str(tmp_path), fitting.fit(
      str(tmp_path), episodes_lib.open_dataset(directory),
      _agent(wide, wide)).content)
  with pytest.raises(ValueError, match='value_support must be .*-100.0'):
    fitting.load(str(tmp_path), _agent(
        dataclasses.replace(wide, maximum=90.0), wide))


def test_values_of_actions_need_no_support_of_rewards(directory, tmp_path):
  agent = dataclasses.replace(_agent(_FITTED, _SMALL), action_values=True)
  run, dataset = str(tmp_path), episodes_lib.open_dataset(directory)
  fitting.save(run, fitting.fit(run, dataset, agent).content)
  assert fitting.load(run, agent).action_values
  # Shapes would let a head of rewards go on as one of values.
  with pytest.raises(ValueError, match='action_values must be True'):
    fitting.load(run, dataclasses.replace(agent, action_values=False))


def test_without_data_nothing_can_be_fitted(tmp_path):
  source = interaction.Source(data_toys.STATE_SPEC, 'catch', 1)
  with pytest.raises(ValueError, match='no dataset to fit them to'):
    fitting.fit(str(tmp_path), source, _agent(_FITTED, _SMALL))
  fit = fitting.fit(str(tmp_path), source, _agent(_SMALL, _SMALL))
  assert not fit.statistics and not fit.lengths
  with pytest.raises(ValueError, match='no fitted.json'):
    fitting.load(str(tmp_path / 'other'), _agent(_FITTED, _SMALL))


@pytest.mark.parametrize('lengths, wanted', [
    ([20], 20), ([9], 9), ([250], 125), ([200], 100), ([1000], 125), ((), 125),
    ([3], 3)])
def test_segments_suit_the_episodes(lengths, wanted):
  reanalyse = reanalyse_toys.reanalyse(
      num_simulations=1, windows_per_segment=0, segments_per_search=0,
      td_steps=20)
  fitted = reanalyse.fitted(lengths, 5)
  assert fitted.windows_per_segment == wanted
  assert 570 < fitted.states_per_search(5) < 630
  for replicas in (2, 3):  # Which have as many segments each.
    shared = reanalyse.fitted(lengths, 5, replicas)
    assert shared.windows_per_segment == wanted
    assert not shared.segments_per_search % replicas
    assert 380 < shared.states_per_search(5) < 820
  given = reanalyse_toys.reanalyse(num_simulations=1, windows_per_segment=7)
  assert given.fitted(lengths, 5, 2) == given


def test_a_training_is_refused_before_it_starts(directory, tmp_path):
  with pytest.raises(ValueError, match='clip_targets = True'):
    train_runs.run(directory, str(tmp_path / 'run'), 2)
  assert not os.path.exists(tmp_path / 'run')
