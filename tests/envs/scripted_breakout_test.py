"""The player of Breakout finds the ball, and follows or flees it."""

import numpy as np
import pytest

from tf_muzero import envs
from tf_muzero.envs import behaviours
from tf_muzero.envs import scripted_breakout

pytest.importorskip('ale_py', reason='ale-py, the extra [atari], is missing')


def played(size, good_share, num_steps, seed=1):
  """Returns the score and the offsets of the ball, where it was seen."""
  environment = envs.load(f'atari:Breakout/{size}', seed=seed)
  player = scripted_breakout.breakout_segments(good_share, noise=0.0)
  act = player.start_fn(behaviours.Setting(envs.spec(environment), 1),
                        np.random.default_rng(seed))
  time_step, score, offsets = environment.reset(), 0.0, []
  for _ in range(num_steps):
    offsets.append(scripted_breakout.ball_offset(time_step.observation))
    time_step = environment.step(act(time_step))
    if time_step.last():
      break
    score += time_step.reward
  return score, [x for x in offsets if x is not None]


@pytest.mark.parametrize('size', [42, 84])
def test_a_good_player_keeps_the_ball_above_the_paddle(size):
  score, followed = played(size, (1.0, 1.0), 300)
  bad_score, fled = played(size, (0.0, 0.0), 300)
  assert score >= 5.0 > bad_score
  assert np.mean(np.abs(followed)) < 0.1 < np.mean(np.abs(fled))
  assert len(followed) > 100  # It asks for the next ball.


def test_the_offset_is_that_of_the_picture():
  frame = np.zeros([42, 42, 1], np.uint8)
  frame[:, :2] = frame[:, -2:] = 142  # The walls.
  assert scripted_breakout.ball_offset(frame) is None
  frame[38, 10:14] = 110  # The paddle.
  assert scripted_breakout.ball_offset(frame) is None
  frame[25, 22] = 60  # The ball: half of it in each of two columns.
  frame[25, 23] = 60
  assert scripted_breakout.ball_offset(frame) == pytest.approx(11 / 42)


@pytest.mark.parametrize('option, balls', [('', 0), ('/fire', 2)])
def test_fire_is_pressed_for_an_agent_that_does_nothing(option, balls):
  environment = envs.load('atari:Breakout/42' + option, seed=0)
  environment.reset()
  seen = [scripted_breakout.ball_offset(environment.step(0).observation)
          is not None for _ in range(150)]
  times = np.flatnonzero(np.diff(np.array([False] + seen).astype(int)) == 1)
  assert (len(times) >= balls) if balls else not any(seen)


def test_it_refuses_other_games():
  environment = envs.load('atari:Pong', seed=0)
  with pytest.raises(ValueError, match='Breakout'):
    scripted_breakout.breakout_segments().start_fn(
        behaviours.Setting(envs.spec(environment), 1),
        np.random.default_rng(0))
