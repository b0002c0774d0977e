"""Pictures of an episode as a GIF or MP4 file."""

import io
import os
import shutil
import subprocess
from typing import BinaryIO, Sequence

import numpy as np
from PIL import Image

from tf_muzero import paths

MOST_FRAMES = 200  # Of a film.


def check_path(path: str) -> None:
  """Raises an error where `write` could not write this file."""
  extension = os.path.splitext(path)[1].lower()
  if extension not in ('.gif', '.mp4'):
    raise ValueError(f'video must end in .gif or .mp4, got {path!r}.')
  paths.check_local(path, 'video')
  if extension == '.mp4':
    _find_ffmpeg()


def write(path: str, frames: Sequence[np.ndarray], frames_per_second: int
          ) -> None:
  """Writes a video.

  Args:
    path: ends in `.gif` or `.mp4`; the latter needs ffmpeg.
    frames: [H, W, 3] uint8 each.
    frames_per_second: speed; a GIF can show at most 50.
  """
  check_path(path)
  if path.lower().endswith('.gif'):
    with open(path, 'wb') as file:
      _write_gif(file, frames, frames_per_second)
  else:
    _write_mp4(path, frames, frames_per_second)


def film(frames: Sequence[np.ndarray], *, most_frames: int = MOST_FRAMES,
         width: int = 240) -> tuple[bytes, int, int]:
  """Returns a small GIF of an episode, its width and its height, in pixels.

  Args:
    frames: [H, W, 3] uint8 each.
    most_frames: of long episodes, every second one is shown, or every third.
    width: of the pictures, at most.
  """
  images = [Image.fromarray(frame)
            for frame in frames[::-(-len(frames) // most_frames)]]
  for image in images:
    image.thumbnail((width, 2 * width))
  file = io.BytesIO()
  _write_gif(file, [np.asarray(image) for image in images], 25)
  return (file.getvalue(), *images[0].size)


def _write_gif(file: BinaryIO, frames: Sequence[np.ndarray],
               frames_per_second: int) -> None:
  # With one palette for all, and no dithering, still parts cost nothing.
  palette = Image.fromarray(np.concatenate(
      frames[::max(len(frames) // 8, 1)])).quantize()
  images = [Image.fromarray(frame).quantize(
      palette=palette, dither=Image.Dither.NONE) for frame in frames]
  images[0].save(
      file, 'GIF', save_all=True, append_images=images[1:], loop=0,
      duration=max(1000 // frames_per_second, 20))


def _write_mp4(path: str, frames: Sequence[np.ndarray],
               frames_per_second: int) -> None:
  height, width, _ = frames[0].shape
  command = [
      _find_ffmpeg(), '-y', '-loglevel', 'error', '-f', 'rawvideo', '-pix_fmt',
      'rgb24', '-s', f'{width}x{height}', '-r', str(frames_per_second), '-i',
      '-', '-an', '-pix_fmt', 'yuv420p', '-vf',
      'pad=ceil(iw/2)*2:ceil(ih/2)*2', path]
  done = subprocess.run(
      command, input=b''.join(frame.tobytes() for frame in frames),
      check=False, stderr=subprocess.PIPE)
  if done.returncode:
    raise OSError(f'ffmpeg says: {done.stderr.decode(errors="replace")}')


def _find_ffmpeg() -> str:
  """Returns the program's path: the system's, or that of imageio-ffmpeg."""
  program = shutil.which('ffmpeg')
  if program:
    return program
  try:
    import imageio_ffmpeg  # pylint: disable=import-outside-toplevel
  except ImportError as error:
    raise ImportError(
        'MP4 needs ffmpeg: install it, or `pip install imageio-ffmpeg`, or '
        'give a path that ends in .gif.') from error
  return imageio_ffmpeg.get_ffmpeg_exe()
