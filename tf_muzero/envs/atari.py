"""Atari 2600 games as RL Unplugged recorded them, by ale-py.

The protocol is the one of Machado et al. 2018 ("Revisiting the ALE") as the DQN
Replay Dataset has it (Agarwal et al. 2020, by Dopamine): a test
replays an episode of `rlu_atari` and gets its frames, pixel for pixel.
"""

from typing import Any

import dm_env
from dm_env import specs
import numpy as np

from tf_muzero.envs import atari_roms

_SIZE = 84  # Pixels along each side of an observation, by default.
_FRAME_SKIP = 4  # Frames that an action is held for.
_MAX_STEPS = 27_000  # 108,000 frames, 30 minutes of play.
_STICKINESS = 0.25  # Probability that a frame repeats the action before it.
_NO_LIVES_YET = -1  # Games that do not count lives say 0.


class Atari(dm_env.Environment):
  """A game of grey pixels, 84 x 84 unless told otherwise.

  An action is held for four frames, each of which repeats the action of the
  frame before with probability 0.25 ("sticky actions"). The observation is the
  brighter of the last two frames at each pixel, averaged over areas; the first
  one of an episode is the frame after the reset as it is. There are no random
  no-ops at the start, and losing a life does not end an episode. Rewards are
  changes of the score. After 27,000 steps an episode is cut off.
  """

  def __init__(self, rom_path: str, *, seed: int,
               full_action_set: bool = False, size: int = _SIZE,
               presses_fire: bool = False, stickiness: float = _STICKINESS,
               max_steps: int = _MAX_STEPS):
    """Initialises the game.

    Args:
      rom_path: file of the game.
      seed: of the sticky actions.
      full_action_set: whether there are all 18 actions, or only those that do
        something in this game.
      size: pixels along each side of an observation.
      presses_fire: whether the first action of an episode, and the one after a
        lost life, is fire instead of what the agent chose; some games wait for
        it.
      stickiness: probability that a frame repeats the action before it.
      max_steps: after which an episode is cut off.
    """
    ale_py = atari_roms.import_ale()
    ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)
    self._ale = ale_py.ALEInterface()
    self._ale.setInt('random_seed', seed)
    self._ale.setFloat('repeat_action_probability', stickiness)
    self._ale.loadROM(rom_path)
    self._actions = (self._ale.getLegalActionSet() if full_action_set
                     else self._ale.getMinimalActionSet())
    height, width = self._ale.getScreenDims()
    if not 1 <= size <= min(height, width):
      raise ValueError(f'size must be in [1, {min(height, width)}], the pixels '
                       f'of the screen, got {size}.')
    self._size = size
    self._presses_fire = presses_fire
    self._taps = _taps(height, size), _taps(width, size)
    self._max_steps = max_steps
    # What scores depend on.
    self.protocol = {
        'sticky_actions': stickiness, 'frame_skip': _FRAME_SKIP,
        'max_frames': _FRAME_SKIP * max_steps,
        'num_actions': len(self._actions), 'frame_size': size,
        'presses_fire': presses_fire, 'rewards': 'raw score'}
    self._fire = ale_py.Action.FIRE
    self._lives, self._num_steps = _NO_LIVES_YET, 0
    self._is_over = True

  def reset(self) -> dm_env.TimeStep:
    self._ale.reset_game()
    self._lives, self._num_steps = _NO_LIVES_YET, 0
    self._is_over = False
    return dm_env.restart(self._shrink(self._ale.getScreenGrayscale()))

  def step(self, action: np.ndarray) -> dm_env.TimeStep:
    if self._is_over:
      return self.reset()
    move, reward, screens = self._actions[int(action)], 0.0, []
    if self._presses_fire:
      if self._ale.lives() != self._lives:
        move = self._fire
      self._lives = self._ale.lives()
    for i in range(_FRAME_SKIP):
      reward += self._ale.act(move)
      is_terminal = self._ale.game_over()
      if is_terminal or i >= _FRAME_SKIP - 2:
        screens.append(self._ale.getScreenGrayscale())
      if is_terminal:
        break
    self._num_steps += 1
    self._is_over = is_terminal or self._num_steps >= self._max_steps
    end = (dm_env.termination if is_terminal else
           dm_env.truncation if self._is_over else dm_env.transition)
    return end(reward, self._shrink(np.maximum(screens[0], screens[-1])))

  def observation_spec(self) -> specs.Array:
    return specs.BoundedArray(
        [self._size, self._size, 1], np.uint8, 0, 255, 'observation')

  def action_spec(self) -> specs.DiscreteArray:
    return specs.DiscreteArray(len(self._actions), np.int32, 'action')

  def picture(self) -> np.ndarray:
    """Returns the screen in colour, [210, 160, 3] uint8."""
    return self._ale.getScreenRGB()

  def _shrink(self, screen: np.ndarray) -> np.ndarray:
    """Returns [size, size, 1] uint8, means over areas of a screen.

    As OpenCV's INTER_AREA: in float32, along rows and then along columns, ties
    rounded to even. In another order some pixels are off by one.
    """
    rows, columns = self._taps
    wide = screen.astype(np.float32)
    narrow = sum(wide[:, pixel] * share for pixel, share in columns)
    means = sum(narrow[pixel] * share[:, np.newaxis] for pixel, share in rows)
    return np.rint(means).astype(np.uint8)[..., np.newaxis]


def load(name: str, seed: int) -> Atari:
  """Returns the game of an id.

  Args:
    name: `<Game>`, and what differs from the benchmark: `/full` for all 18
      actions, `/<pixels>` for frames of another size, `/fire` where fire is
      pressed for the agent when a life begins. Games are named as in
      `rlu_atari`, such as `Pong` and `MsPacman`.
    seed: of the sticky actions.
  """
  game, *options = name.split('/')
  settings: dict[str, Any] = {}
  for option in options:
    if option == 'full':
      settings['full_action_set'] = True
    elif option == 'fire':
      settings['presses_fire'] = True
    elif option.isdecimal():
      settings['size'] = int(option)
    else:
      raise ValueError(
          f"After 'atari:{game}' may come '/full', '/fire', or a size of "
          f"frames, as in 'atari:{game}/42'; got {option!r}.")
  path = atari_roms.find(game)
  atari_roms.warn_if_differs(game)
  environment = Atari(path, seed=seed, **settings)
  environment.protocol['rom_differs'] = atari_roms.differs(game)
  return environment


def _taps(num_pixels: int, size: int) -> list[tuple[np.ndarray, np.ndarray]]:
  """Returns the pixels that the mean over each of equal intervals is of.

  Args:
    num_pixels: along an axis.
    size: number of intervals.

  Returns:
    A few pairs of a pixel's index and its share of the mean, [size] each; the
    sum over the pairs is the mean.
  """
  low = np.arange(size) * num_pixels  # In units of 1 / size pixel.
  taps = []
  for i in range(2 + (num_pixels - 2) // size):
    pixel = low // size + i
    overlap = np.minimum(low + num_pixels, (pixel + 1) * size) - np.maximum(
        low, pixel * size)
    if overlap.max() > 0:
      taps.append((np.minimum(pixel, num_pixels - 1),
                   (np.maximum(overlap, 0) / num_pixels).astype(np.float32)))
  return taps
