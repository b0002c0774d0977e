"""The demo's tree, its records and its pictures."""

import numpy as np
import pytest

from tf_muzero import search_demo
from tf_muzero.search import drawing


@pytest.fixture(scope='module', name='records')
def _records():
  return drawing.tree_records(search_demo.plan(200), 0)


def test_records_are_a_tree(records):
  assert [r.number for r in records] == list(range(201))
  assert records[0].visits == 201
  for r in records[1:]:
    assert r.depth == records[r.parent].depth + 1
  for r in records:
    kids = [k for k in records if k.parent == r.number]
    assert r.visits == 1 + sum(k.visits for k in kids)


def test_the_demo_does_what_it_says(records):
  visits = {r.candidate: r.visits for r in records if r.parent == 0}
  assert max(visits, key=visits.get) == 2  # To the right, against the prior.


@pytest.mark.parametrize('kind,magic', [('png', b'\x89PNG'), ('svg', b'<?xml')])
def test_pictures(records, tmp_path, kind, magic):
  path = str(tmp_path / f'tree.{kind}')
  drawing.draw(records, path, min_visits=20, title='A tree')
  with open(path, 'rb') as file:
    assert file.read(len(magic)) == magic
  drawing.draw(records[:2], path, min_visits=1000)  # The root alone.


def test_an_unknown_kind_of_picture_is_an_error(records):
  with pytest.raises(ValueError, match='png'):
    drawing.draw(records, 'tree.bmp')


def test_values_are_means(records):
  # A root's value is the mean over its own value and its children's returns.
  root, start_value = records[0], 0.08 * 4
  total = start_value + sum(r.q * r.visits for r in records if r.parent == 0)
  np.testing.assert_allclose(root.value, total / root.visits, rtol=1e-5)
