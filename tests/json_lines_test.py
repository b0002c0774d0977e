"""Files with a JSON object on each line, across an interruption."""

import os

from tf_muzero import json_lines


def test_lines_from_a_number_on_and_a_half_written_one_are_dropped(tmp_path):
  path = tmp_path / 'metrics.jsonl'
  kept = '{"step": 1, "round": 9}\n{"step": 2}\n'
  path.write_text(kept + '{"step": 3}\n{"step": 4}\n{"step": 5, "lo')
  json_lines.drop_from(str(path), 'step', 3)
  assert path.read_text() == kept
  assert os.listdir(tmp_path) == ['metrics.jsonl']


def test_a_file_that_is_not_there_is_not_made(tmp_path):
  json_lines.drop_from(str(tmp_path / 'metrics.jsonl'), 'step', 3)
  assert not os.listdir(tmp_path)
