"""The files of Atari games, and whether they are those of RL Unplugged.

ale-py brings the games with it. Half of the 46 games of RL Unplugged were
recorded with other versions of them, those of atari-py 0.2.5; whoever has these
may name their folder in the environment variable TF_MUZERO_ATARI_ROMS. They
have the names of ale-py there, such as `ms_pacman.bin`.
"""

import csv
import functools
import hashlib
import os
import re
from importlib import resources
from typing import Any

from absl import logging

_FOLDER = 'TF_MUZERO_ATARI_ROMS'


def find(game: str) -> str:
  """Returns the path of a game's file.

  Args:
    game: as in `rlu_atari`, such as `MsPacman`.
  """
  roms = import_ale().roms
  rom_id = re.sub(r'(?<!^)(?=[A-Z])', '_', game).lower()
  if rom_id not in roms.get_all_rom_ids() or not game[:1].isupper():
    raise ValueError(
        f"There is no game 'atari:{game}'. Names are as in rlu_atari: "
        f'{", ".join(sorted(recorded_md5s()))}; others alike.')
  folder = os.environ.get(_FOLDER)
  if folder:
    path = os.path.join(folder, f'{rom_id}.bin')
    if os.path.exists(path):
      return path
  return str(roms.get_rom_path(rom_id))


def differs(game: str) -> bool:
  """Returns whether a game is another version than RL Unplugged recorded.

  False where it has no such game.

  Args:
    game: as in `rlu_atari`.
  """
  recorded = recorded_md5s().get(game)
  if recorded is None:
    return False
  with open(find(game), 'rb') as file:
    return hashlib.md5(file.read()).hexdigest() != recorded


@functools.lru_cache(maxsize=None)
def warn_if_differs(game: str) -> None:
  """Logs once that a game is another version than RL Unplugged recorded."""
  if differs(game):
    logging.warning(
        'ale-py has another version of %s than RL Unplugged was recorded with: '
        'scores may not be comparable. If you have that of atari-py 0.2.5, '
        'name its folder in %s.', game, _FOLDER)


@functools.lru_cache(maxsize=1)
def recorded_md5s() -> dict[str, str]:
  """Returns the MD5 of each game's file that RL Unplugged was recorded with.

  Source: the files of atari-py 0.2.5.
  """
  table = resources.files('tf_muzero.envs').joinpath('atari_roms.csv')
  with table.open(encoding='utf-8') as file:
    return {row['game']: row['md5'] for row in csv.DictReader(file)}


def import_ale() -> Any:
  """Returns the module `ale_py`, which is an extra."""
  try:
    # pylint: disable=import-outside-toplevel
    import ale_py
    import ale_py.roms
  except ImportError as error:
    raise ImportError(
        'Atari games need ale-py: pip install tf-muzero[atari]') from error
  return ale_py
