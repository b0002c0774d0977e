"""Atari: the protocol, frame by frame, and a real episode of RL Unplugged."""

import hashlib
import itertools
import os
import sys

import numpy as np
import pytest
import tensorflow_datasets as tfds

from tf_muzero import envs
from tf_muzero.envs import atari
from tf_muzero.envs import atari_roms

pytest.importorskip('ale_py', reason='ale-py, the extra [atari], is missing')

_FIXTURES = os.environ.get('TF_MUZERO_FIXTURES')


class _Stub:
  """Stands for ALE: screens that tell the frame, and all moves recorded."""

  def __init__(self, num_frames=10**9):
    self.frame, self.moves, self._num_frames = 0, [], num_frames
    self.num_lives = 0

  def reset_game(self):
    self.frame = 0

  def act(self, move):
    self.frame += 1
    self.moves.append(move)
    return self.frame

  def lives(self):
    return self.num_lives

  def game_over(self):
    return self.frame >= self._num_frames

  def getScreenGrayscale(self):  # pylint: disable=invalid-name
    # Odd frames light the left half, even ones the right half.
    screen = np.full([210, 160], self.frame, np.uint8)
    if self.frame % 2:
      screen[:, 80:] = 0
    else:
      screen[:, :80] = 0
    return screen


def _with_stub(presses_fire=False, **kwargs):
  environment = atari.Atari(
      atari_roms.find('Pong'), seed=1, max_steps=kwargs.pop('max_steps', 9),
      presses_fire=presses_fire)
  environment._ale = _Stub(**kwargs)  # pylint: disable=protected-access
  return environment


def test_four_frames_of_which_the_brighter_of_the_last_two_is_seen():
  environment = _with_stub()
  first = environment.reset()
  assert first.observation.max() == 0 and first.first()
  for number in (1, 2):
    time_step = environment.step(3)
    assert (time_step.observation[:, :42] == 4 * number - 1).all()
    assert (time_step.observation[:, 42:] == 4 * number).all()
    assert time_step.reward == sum(range(4 * number - 3, 4 * number + 1))
  assert len(set(environment._ale.moves)) == 1  # pylint: disable=protected-access


@pytest.mark.parametrize('lives, pressed', [(0, [0, 3]), (5, [0, 3])])
def test_fire_is_pressed_where_an_episode_or_a_life_begins(lives, pressed):
  environment = _with_stub(presses_fire=True)
  # pylint: disable-next=protected-access
  ale, fire, noop = environment._ale, environment._fire, 0
  for _ in range(2):
    ale.num_lives, ale.moves = lives, []
    environment.reset()
    for step in range(5):
      if step == 3:
        ale.num_lives = lives - 1
      environment.step(noop)
    assert [i for i, move in enumerate(ale.moves[::4]) if move == fire
            ] == pressed


def test_the_end_of_a_game_is_terminal_and_of_the_time_is_not():
  environment = _with_stub(num_frames=6)
  environment.reset()
  assert environment.step(0).mid()
  time_step = environment.step(0)
  assert time_step.last() and time_step.discount == 0.0
  assert time_step.reward == 5 + 6  # Nothing after the end.
  assert environment.step(0).first()
  environment = _with_stub(max_steps=3)
  environment.reset()
  time_steps = [environment.step(0) for _ in range(3)]
  assert [x.last() for x in time_steps] == [False, False, True]
  assert time_steps[-1].discount == 1.0


def test_observations_are_means_over_areas():
  environment = envs.load('atari:Pong', seed=0)
  screen = np.random.default_rng(0).integers(
      0, 256, [210, 160]).astype(np.uint8)
  # 84 divides 210 * 2 and 160 * 21: all areas are whole numbers of cells.
  cells = np.kron(screen, np.ones([2, 21]))
  exact = cells.reshape(84, 5, 84, 40).mean(axis=(1, 3))
  # pylint: disable-next=protected-access
  shrunk = environment._shrink(screen)
  assert shrunk.shape == (84, 84, 1) and shrunk.dtype == np.uint8
  assert np.abs(shrunk[..., 0] - exact).max() <= 0.5 + 1e-4


def test_sticky_actions_are_seeded():
  def play(seed):
    environment = envs.load('atari:Breakout', seed=seed)
    environment.reset()
    return np.stack([environment.step(i % 4).observation for i in range(60)])

  np.testing.assert_array_equal(play(1), play(1))
  assert (play(1) != play(2)).any()


def test_action_sets():
  sizes = {task: envs.load(task, seed=0).action_spec().num_values
           for task in ('atari:Pong', 'atari:Pong/full', 'atari:Freeway')}
  assert sizes == {'atari:Pong': 6, 'atari:Pong/full': 18, 'atari:Freeway': 3}


def test_frames_of_another_size_are_means_too():
  large, small = (envs.load(task, seed=1) for task in (
      'atari:Pong/full/84', 'atari:Pong/full/42'))
  large, small = large.reset().observation, small.reset().observation
  assert small.shape == (42, 42, 1)
  means = large.reshape(42, 2, 42, 2).mean(axis=(1, 3))
  np.testing.assert_allclose(small[..., 0], means, atol=1.0)
  for name in ('atari:Pong/half', 'atari:Pong/0', 'atari:Pong/161'):
    with pytest.raises(ValueError, match='half|size'):
      envs.load(name, seed=0)


def test_all_games_of_rl_unplugged_are_there():
  recorded = atari_roms.recorded_md5s()
  assert len(recorded) == 46
  assert all(os.path.exists(atari_roms.find(game)) for game in recorded)
  # Counted with ale-py 0.12.1, which has all games in one version each.
  assert sum(atari_roms.differs(game) for game in recorded) == 23
  assert not atari_roms.differs('Pong') and atari_roms.differs('MsPacman')
  assert not atari_roms.differs('Tennis')  # Not in RL Unplugged.


def test_another_folder_of_games(tmp_path, monkeypatch):
  monkeypatch.setenv('TF_MUZERO_ATARI_ROMS', str(tmp_path))
  bundled = atari_roms.find('MsPacman')
  (tmp_path / 'ms_pacman.bin').write_bytes(b'as it was recorded')
  found = atari_roms.find('MsPacman')
  assert found == str(tmp_path / 'ms_pacman.bin') != bundled
  md5 = hashlib.md5(b'as it was recorded').hexdigest()
  monkeypatch.setitem(atari_roms.recorded_md5s(), 'MsPacman', md5)
  assert not atari_roms.differs('MsPacman')


@pytest.mark.parametrize('name, words', [
    ('Pongg', 'Asterix.*Zaxxon'), ('pong', 'as in rlu_atari'), ('', 'Pong'),
    ('Pong/minimal', 'full')])
def test_wrong_names_are_told(name, words):
  with pytest.raises(ValueError, match=words):
    envs.load(f'atari:{name}', seed=0)


def test_missing_package_names_the_extra(monkeypatch):
  monkeypatch.setitem(sys.modules, 'ale_py', None)
  with pytest.raises(ImportError, match=r'\[atari\]'):
    envs.load('atari:Pong', seed=0)


def test_pictures_are_in_colour():
  environment = envs.load('atari:Pong', seed=0, action_repeat=2)
  environment.reset()
  picture = envs.render(environment)
  assert picture.shape == (210, 160, 3) and picture.dtype == np.uint8
  assert (picture[..., 0] != picture[..., 1]).any()


class _Sticky:
  """ALE with sticky actions that are told beforehand, not drawn."""

  def __init__(self, ale):
    self._ale = ale
    self.last, self.is_stuck = None, []

  def act(self, move):
    if not self.is_stuck.pop(0):
      self.last = move
    return self._ale.act(self.last)

  def __getattr__(self, name):
    return getattr(self._ale, name)


@pytest.mark.skipif(not _FIXTURES, reason='TF_MUZERO_FIXTURES is not set')
def test_a_recorded_episode_is_replayed_pixel_for_pixel():
  builder = tfds.builder('rlu_atari/Asterix_run_1', data_dir=_FIXTURES)
  episode = next(iter(builder.as_dataset(split='train')))
  steps = list(episode['steps'].take(60).as_numpy_iterator())
  environment = atari.Atari(
      atari_roms.find('Asterix'), seed=0, stickiness=0.0)
  # pylint: disable-next=protected-access
  ale = environment._ale = _Sticky(environment._ale)
  first = environment.reset()
  np.testing.assert_array_equal(first.observation, steps[0]['observation'])
  # What was drawn is not recorded: all that fits the frames so far is kept.
  # pylint: disable-next=protected-access
  fitting = [(ale.cloneSystemState(), environment._actions[0])]
  for step, following in zip(steps, steps[1:]):
    found = {}
    for state, last in fitting:
      for is_stuck in itertools.product([False, True], repeat=4):
        ale.restoreSystemState(state)
        ale.last, ale.is_stuck = last, list(is_stuck)
        time_step = environment.step(step['action'])
        if (time_step.observation == following['observation']).all():
          found[ale.getRAM().tobytes(), str(ale.last)] = (
              ale.cloneSystemState(), ale.last)
    fitting = list(found.values())
    assert fitting


@pytest.mark.parametrize('game, differs', [('Pong', False), ('Amidar', True)])
def test_what_scores_depend_on_is_told(game, differs):
  environment = envs.load(f'atari:{game}/full', seed=0, clip_rewards=True)
  assert envs.protocol(environment) == {
      'sticky_actions': 0.25, 'frame_skip': 4, 'max_frames': 108_000,
      'num_actions': 18, 'frame_size': 84, 'presses_fire': False,
      'rewards': 'raw score', 'rom_differs': differs}
  assert not envs.protocol(envs.load('catch', seed=0))
