"""Pictures of environments, with OpenGL where there is one and without."""

import ctypes
import functools
import math
import os
import sys
from typing import Any, Callable, Optional

from absl import logging
import dm_env
import numpy as np
from PIL import Image
from PIL import ImageDraw

from tf_muzero.envs import atari
from tf_muzero.envs import catch
from tf_muzero.envs import deep_sea
from tf_muzero.envs import wrappers

_SIZE = 240, 320  # Height and width of pictures of dm_control.
_CELL = 24  # Pixels of a cell of a board.
_SKY, _RAIL, _CART, _POLE = '#eef2f5', '#8a949c', '#3b6ea5', '#d0782d'


def render(environment: dm_env.Environment) -> np.ndarray:
  """Returns a picture of the environment's state, [H, W, 3] uint8.

  A game of Atari shows its own screen. Simulations of MuJoCo, of dm_control and
  of Gymnasium, are drawn by MuJoCo where EGL or OSMesa works, or the one of
  them that the variable MUJOCO_GL names. Where none does, the picture is a
  simple drawing, which exists of cartpole only, as of catch and deep sea. Other
  environments have a method `render` that returns a picture, or there are none.

  Args:
    environment: what `envs.load` returned, also within wrappers; told that it
      will be drawn.
  """
  environment = wrappers.innermost(environment)
  if isinstance(environment, atari.Atari):
    return environment.picture()
  if isinstance(environment, (catch.Catch, deep_sea.DeepSea)):
    return _draw_board(environment.board())
  physics = getattr(environment, 'physics', None)
  simulation = _simulation(environment, physics)
  if simulation is None:
    return _picture_of(environment)
  scene = _scene()
  if scene is not None:
    return scene(*simulation)
  if physics is not None and _is_cartpole(physics):
    return _draw_cartpole(physics.named.data.qpos['slider'][0],
                          physics.named.data.qpos['hinge_1'][0])
  raise ValueError(
      'Pictures of this task need OpenGL without a screen: EGL or OSMesa '
      '(Debian: apt-get install libosmesa6), and MUJOCO_GL must be unset or '
      'name one that works; and tf_muzero must be imported before tensorflow.')


def _simulation(environment: dm_env.Environment, physics: Any
                ) -> Optional[tuple[Any, Any]]:
  """Returns MuJoCo's model and data of an environment, None without such."""
  if physics is not None:
    return physics.model.ptr, physics.data.ptr
  inner = getattr(environment, 'unwrapped', None)  # Of Gymnasium.
  parts = getattr(inner, 'model', None), getattr(inner, 'data', None)
  mujoco = sys.modules.get('mujoco')
  is_mujoco = mujoco and isinstance(parts[0], mujoco.MjModel) and isinstance(
      parts[1], mujoco.MjData)
  return parts if is_mujoco else None


def _picture_of(environment: Any) -> np.ndarray:
  """Returns what an environment's own method `render` draws."""
  name = type(environment).__name__
  if not hasattr(environment, 'render'):
    raise ValueError(f'There are no pictures of {name}: it has no method '
                     'render() that returns [H, W, 3] uint8.')
  picture = np.asarray(environment.render())
  if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
    raise ValueError(
        f'render() of {name} must return a picture of uint8 [H, W, 3], got '
        f'{picture.dtype}{list(picture.shape)}.')
  return picture.copy()


def _is_cartpole(physics: Any) -> bool:
  return [physics.model.id2name(i, 'joint')
          for i in range(physics.model.njnt)] == ['slider', 'hinge_1']


@functools.lru_cache(maxsize=1)
def _scene() -> Optional[Callable[[Any, Any], np.ndarray]]:
  """Returns a function (model, data) -> picture, or None without OpenGL.

  The context is MuJoCo's, made here and not by dm_control, which decides when
  it is imported. Making it is slow, so it is kept.
  """
  if hasattr(ctypes.CDLL(None), 'LLVMContextCreate'):
    logging.warning('OpenGL is not used: tensorflow was imported before '
                    'tf_muzero, and its LLVM would end the process.')
    return None
  wanted = os.environ.get('MUJOCO_GL', 'disabled').lower()
  platforms = [wanted] if wanted in ('egl', 'osmesa') else ['egl', 'osmesa']
  for platform in platforms:
    context = _make_context(platform)
    if context is not None:
      return _scene_of(context)
  return None


def _make_context(platform: str) -> Optional[Any]:
  """Returns a current OpenGL context, or None where there is no such."""
  # pylint: disable=import-outside-toplevel, broad-exception-caught
  before = os.environ.get('PYOPENGL_PLATFORM')
  os.environ['PYOPENGL_PLATFORM'] = platform
  try:
    if platform == 'egl':
      from mujoco import egl as gl
    else:
      from mujoco import osmesa as gl
    context = gl.GLContext(*reversed(_SIZE))
    context.make_current()
    return context
  except Exception:  # What a missing or broken driver raises is anything.
    return None
  finally:
    if before is None:
      os.environ.pop('PYOPENGL_PLATFORM', None)
    else:
      os.environ['PYOPENGL_PLATFORM'] = before


def _scene_of(context: Any) -> Callable[[Any, Any], np.ndarray]:
  """Returns a function (model, data) -> picture that draws in the context."""
  import mujoco  # pylint: disable=import-outside-toplevel
  height, width = _SIZE
  viewport = mujoco.MjrRect(0, 0, width, height)
  option = mujoco.MjvOption()
  kept: list[Any] = [None, None]  # The last model, and what draws it.

  def draw(model: Any, data: Any) -> np.ndarray:
    context.make_current()
    if kept[0] is not model:  # Loading a model's meshes and textures is slow.
      if kept[1]:
        kept[1].free()
      kept[:] = model, mujoco.MjrContext(
          model, mujoco.mjtFontScale.mjFONTSCALE_100)
      mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, kept[1])
    camera = mujoco.MjvCamera()
    if model.ncam:
      camera.type = mujoco.mjtCamera.mjCAMERA_FIXED
      camera.fixedcamid = 0
    else:
      mujoco.mjv_defaultFreeCamera(model, camera)
    scene = mujoco.MjvScene(model, maxgeom=2000)
    mujoco.mjv_updateScene(
        model, data, option, None, camera, mujoco.mjtCatBit.mjCAT_ALL, scene)
    mujoco.mjr_render(viewport, scene, kept[1])
    picture = np.zeros([height, width, 3], np.uint8)
    mujoco.mjr_readPixels(picture, None, viewport, kept[1])
    return picture[::-1].copy()  # OpenGL's first row is the lowest.
  return draw


def _draw_board(board: np.ndarray) -> np.ndarray:
  shades = np.where(board > 0.0, 255, 40).astype(np.uint8)
  picture = np.kron(shades, np.ones([_CELL, _CELL], np.uint8))
  return np.repeat(picture[..., np.newaxis], 3, axis=-1)


def _draw_cartpole(x: float, angle: float) -> np.ndarray:
  """Returns a drawing of a cart at `x`, its pole `angle` from upright."""
  height, width = _SIZE
  scale = width / 4.4  # Pixels per metre: the rail is 4 m long.
  image = Image.new('RGB', (width, height), _SKY)
  draw = ImageDraw.Draw(image)
  rail = height * 0.55
  left, right = width / 2 - 2 * scale, width / 2 + 2 * scale
  draw.line([(left, rail), (right, rail)], _RAIL, 4)
  cart = width / 2 + x * scale
  half = 0.2 * scale, 0.1 * scale
  draw.rectangle(
      [cart - half[0], rail - half[1], cart + half[0], rail + half[1]], _CART)
  tip = (cart + math.sin(angle) * scale, rail - math.cos(angle) * scale)
  draw.line([(cart, rail), tip], _POLE, 7)
  draw.ellipse([tip[0] - 5, tip[1] - 5, tip[0] + 5, tip[1] + 5], _POLE)
  return np.asarray(image)
