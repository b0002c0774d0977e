"""Tests of videos."""

import io
import shutil
import sys

import numpy as np
from PIL import Image
import pytest

from tf_muzero.acting import video


def _frames():
  return [np.full([8, 6, 3], 40 * i, np.uint8) for i in range(4)]


def test_gif_has_all_frames_at_their_speed(tmp_path):
  path = str(tmp_path / 'episode.gif')
  video.write(path, _frames(), frames_per_second=10)
  with Image.open(path) as image:
    assert image.n_frames == 4
    assert image.size == (6, 8)
    assert image.info['duration'] == 100
    image.seek(2)
    np.testing.assert_allclose(
        np.asarray(image.convert('RGB'))[0, 0], 80, atol=3)


def test_a_film_of_a_long_episode_is_short_and_small():
  frames = [np.full([30, 60, 3], 20 * i, np.uint8) for i in range(11)]
  gif, width, height = video.film(frames, most_frames=4, width=20)
  assert (width, height) == (20, 10)
  with Image.open(io.BytesIO(gif)) as image:
    assert image.n_frames == 4  # The first, fourth, seventh, tenth.
    image.seek(3)
    assert abs(int(np.asarray(image.convert('RGB'))[0, 0, 0]) - 180) <= 3


def test_other_extensions_are_refused():
  with pytest.raises(ValueError, match='must end in .gif or .mp4'):
    video.check_path('episode.avi')


def test_mp4_without_ffmpeg_says_what_to_install(monkeypatch):
  monkeypatch.setattr(shutil, 'which', lambda name: None)
  monkeypatch.setitem(sys.modules, 'imageio_ffmpeg', None)
  with pytest.raises(ImportError, match='pip install imageio-ffmpeg'):
    video.check_path('episode.mp4')


def test_what_ffmpeg_says_is_told(tmp_path, monkeypatch):
  program = tmp_path / 'ffmpeg'
  program.write_text('#!/bin/sh\necho no such codec >&2\nexit 1\n')
  program.chmod(0o755)
  monkeypatch.setattr(shutil, 'which', lambda name: str(program))
  with pytest.raises(OSError, match='ffmpeg says: no such codec'):
    video.write(str(tmp_path / 'x.mp4'), _frames(), frames_per_second=10)


def test_mp4_with_ffmpeg(tmp_path):
  try:
    video.check_path('episode.mp4')
  except ImportError:
    pytest.skip('There is no ffmpeg here.')
  path = tmp_path / 'episode.mp4'
  video.write(str(path), _frames(), frames_per_second=10)
  assert path.stat().st_size > 100
