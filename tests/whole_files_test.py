"""Files are there as a whole, text or bytes, and nothing beside them."""

import json

from tf_muzero import whole_files


def test_a_file_is_replaced_and_nothing_is_left_beside_it(tmp_path):
  path = tmp_path / 'x.json'
  whole_files.write(str(path), b'\x00\xff')
  assert path.read_bytes() == b'\x00\xff'
  whole_files.write_json(str(path), {'name': 'Zürich', 'size': [1, 2.5]})
  assert json.loads(path.read_text()) == {'name': 'Zürich', 'size': [1, 2.5]}
  assert [each.name for each in tmp_path.iterdir()] == ['x.json']
