"""What is found in a dataset, by hand."""

import dataclasses

import dm_env
import numpy as np
import pytest

from tests import data_toys
from tf_muzero.data import episodes as episodes_lib
from tf_muzero.data import files
from tf_muzero.data import survey as survey_lib
from tf_muzero.data.reading import Reading


def _write(directory, spec, *episodes):
  """Writes episodes of (rewards, is_terminal)."""
  rng = np.random.default_rng(0)
  played = []
  for rewards, is_terminal in episodes:
    time_steps, actions = data_toys.play(rng, spec, len(rewards), is_terminal)
    played.append(([time_steps[0], *(
        dm_env.TimeStep(t.step_type, r, t.discount, t.observation)
        for t, r in zip(time_steps[1:], rewards))], actions))
  data_toys.write(directory, played, spec, episodes_per_file=2)
  return str(directory)


@pytest.mark.parametrize('spec', [
    data_toys.STATE_SPEC, data_toys.BOARD_SPEC, data_toys.FRAME_SPEC])
def test_survey_by_hand(tmp_path, spec):
  directory = _write(tmp_path / 'toy', spec, ([2.0, -4.0, 8.0], True),
                     ([1.0, 1.0], False))
  survey = survey_lib.survey(episodes_lib.open_dataset(directory), 0.5)
  assert survey.num_episodes == 2 and survey.num_steps == 5
  assert survey.num_terminal == 1 and not survey.is_sample
  assert survey.reward == (-4.0, 8.0)
  # 2 - 2 + 2, -4 + 4, 8; 1 + 0.5, 1.
  assert survey.returns == (0.0, 8.0)
  # Cut off after [1, 1], it goes on with 1 for ever: worth 2.
  assert survey.values == (0.0, 8.0)
  assert survey.mean_value == pytest.approx((2 + 0 + 8 + 2 + 2) / 5)
  assert survey.mean_reward == pytest.approx(8.0 / 5)
  assert survey.mean_return == 4.0 and survey.best_return == 6.0
  assert survey.lengths[0] == 2 and survey.lengths[-1] == 3
  assert bool(survey.observation_mean) == (spec != data_toys.FRAME_SPEC)


@pytest.mark.parametrize('discount, least', [
    (0.99, -18.6),  # Shorter than the horizon: as long again.
    (0.5, -2.0),
    (1.0, -10.0)])
def test_values_go_past_a_cut(tmp_path, discount, least):
  directory = _write(
      tmp_path / 'toy', data_toys.BOARD_SPEC, ([-1.0] * 10, False))
  survey = survey_lib.survey(episodes_lib.open_dataset(directory), discount)
  assert survey.values[0] == pytest.approx(least, rel=0.01)
  assert survey.returns[0] == pytest.approx(
      -sum(discount**t for t in range(10)))


def test_a_huge_dataset_is_sampled(tmp_path, monkeypatch):
  directory = _write(tmp_path / 'toy', data_toys.FRAME_SPEC,
                     *[([float(i)], False) for i in range(9)])
  dataset = dataclasses.replace(
      episodes_lib.open_dataset(directory), approximate_steps=10**9)
  monkeypatch.setattr(survey_lib, '_SAMPLE', 5)
  survey = survey_lib.survey(dataset, 0.9)
  assert survey.is_sample and survey.num_episodes == 5
  # The first one of each of the five files: 0, 2, 4, 6, 8.
  assert survey.mean_reward == 4.0 and survey.reward == (0.0, 8.0)


@pytest.mark.parametrize('share, num_held_out', [
    (0.0, 0), (0.01, 1), (0.3, 3), (0.99, 8)])
def test_held_out_episodes_are_apart(tmp_path, share, num_held_out):
  directory = _write(tmp_path / 'toy', data_toys.BOARD_SPEC,
                     *[([float(i)], False) for i in range(9)])
  dataset = episodes_lib.open_dataset(directory, Reading(held_out=share))
  held_out = dataclasses.replace(dataset, parts=dataset.held_out_parts)
  assert files.count(held_out.parts) == num_held_out
  rewards = [float(episode.reward[0]) for part in (dataset, held_out)
             for episode in episodes_lib.iterate(part)]
  assert sorted(rewards) == list(range(9))


def test_of_one_episode_nothing_is_held_out(tmp_path):
  directory = _write(tmp_path / 'toy', data_toys.BOARD_SPEC, ([1.0], False))
  dataset = episodes_lib.open_dataset(directory, Reading(held_out=0.5))
  assert dataset.num_episodes == 1 and not dataset.held_out_parts
