"""The quickstart goes on with what it made itself, and with nothing else."""

import argparse

import pytest

from tools import quickstart


def test_other_arguments_are_refused(tmp_path):
  check = lambda **changes: quickstart.check_arguments(
      str(tmp_path), argparse.Namespace(**{
          'directory': 'any', 'seed': 0, 'action_repeat': 4, 'smoke': False,
          **changes}))
  check()
  check(directory='the/same')
  for changes in ({'seed': 1}, {'action_repeat': 1}, {'smoke': True}):
    with pytest.raises(SystemExit, match='Give another --directory'):
      check(**changes)
  check()
