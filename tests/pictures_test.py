"""What counts as a picture is the same in environments and datasets."""

import numpy as np
import pytest

from tf_muzero import pictures


@pytest.mark.parametrize('shape, dtype, is_picture', [
    ((84, 84), np.uint8, True), ((19, 19), np.int8, False),
    ((3, 3, 2), np.uint8, True), ((3, 3, 2), np.float32, False),
    ((8, 8, 1), np.float32, True), ((2, 8, 8, 3), np.uint8, True),
    ((1000,), np.uint8, False)])
def test_a_picture_is_told_by_its_shape(shape, dtype, is_picture):
  assert pictures.looks_like_one(shape, np.dtype(dtype)) == is_picture


def test_channels_may_come_first():
  assert pictures.looks_channels_first((3, 64, 80))
  assert pictures.looks_channels_first((12, 64, 64))
  assert not pictures.looks_channels_first((64, 64, 3))
  assert not pictures.looks_channels_first((6, 7, 12))
