"""The composition of batches, counted."""

import pytest

from tf_muzero.reanalyse import mixing


@pytest.mark.parametrize('fraction, batch_size, expected', [
    (0.5, 8, 4), (0.5, 7, 4), (0.25, 10, 2), (0.9, 16, 14), (0.995, 256, 255),
    (0.01, 64, 1), (0.0, 6, 0), (1.0, 6, 6)])
def test_the_share_is_rounded(fraction, batch_size, expected):
  assert mixing.count_reanalysed(fraction, batch_size) == expected


@pytest.mark.parametrize('fraction, batch_size, empty, smallest', [
    (0.01, 32, 'reanalysed', 51), (0.995, 64, 'fresh', 101),
    (0.5, 1, 'reanalysed', 2), (0.75, 2, 'fresh', 3)])
def test_an_empty_part_is_refused_with_the_batch_size_that_would_do(
    fraction, batch_size, empty, smallest):
  with pytest.raises(ValueError, match=f'no {empty} windows.*>= {smallest}'):
    mixing.count_reanalysed(fraction, batch_size)
  assert 0 < mixing.count_reanalysed(fraction, smallest) < smallest
  with pytest.raises(ValueError):
    mixing.count_reanalysed(fraction, smallest - 1)


@pytest.mark.parametrize('fraction', [-0.1, 1.1])
def test_a_fraction_out_of_range_is_refused(fraction):
  with pytest.raises(ValueError, match='fraction must be in'):
    mixing.count_reanalysed(fraction, 8)
