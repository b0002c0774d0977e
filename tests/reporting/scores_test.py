"""Reference scores and what they make of returns."""

import pytest

from tf_muzero.reporting import scores


def test_all_games_are_known_and_the_dqn_is_better_than_chance():
  known = scores.atari_scores()
  assert len(known) == 46
  # So RL Unplugged's normalisation is Agarwal et al.'s, with min and max.
  assert all(x.online_dqn > x.random for x in known.values())
  assert sorted(g for g, x in known.items() if x.human is None) == [
      'Carnival', 'Pooyan']
  assert sorted(g for g, x in known.items() if x.split == 'tuning') == [
      'BeamRider', 'DemonAttack', 'DoubleDunk', 'IceHockey', 'MsPacman',
      'Pooyan', 'RoadRunner', 'Robotank', 'Zaxxon']


@pytest.mark.parametrize('task', ['atari:Pong', 'atari:Pong/full'])
def test_pong_by_hand(task):
  dqn, human = scores.scales(task)
  # Random -20.7, human 14.6, online DQN 16.61.
  assert dqn.normalised(-20.7) == 0.0
  assert dqn.normalised(16.61) == pytest.approx(100.0)
  assert dqn.normalised(21.0) == pytest.approx(100 * 41.7 / 37.31)
  assert human.normalised(14.6) == pytest.approx(100.0)
  assert 'human' in human.name


def test_other_frames_have_no_reference():
  assert not scores.scales('atari:Pong/42')
  assert not scores.scales('atari:Pong/full/fire')


def test_a_game_without_a_human_score():
  (dqn,) = scores.scales('atari:Pooyan')
  assert dqn.zero == 371.2


def test_control_is_the_return():
  (scale,) = scores.scales('dm_control:cartpole/swingup')
  assert scale.normalised(343.0) == pytest.approx(343.0)


def test_other_tasks_have_no_scale():
  assert not scores.scales('catch')


def test_a_game_that_is_none_of_the_46_has_no_scale():
  assert not scores.scales('atari:Tetris')


def test_the_paper_s_means_over_tasks():
  known = scores.control_scores()
  assert len(known) == 9 and 'dm_control:finger/turn_hard' in known
  for field, wanted in (('cloning_final', 406.7), ('unplugged_final', 601.9),
                        ('cloning_best', 497.4), ('unplugged_best', 733.3)):
    mean = sum(getattr(x, field) for x in known.values()) / 9
    assert mean == pytest.approx(wanted, abs=0.06)
