"""Paths that are refused, and outputs that cannot be written."""

import os

import pytest

from tf_muzero import collect
from tf_muzero import paths
from tf_muzero.data import episodes
from tf_muzero.envs import behaviours


def test_all_commands_take_a_path_alike(monkeypatch):
  monkeypatch.setenv('HOME', '/somewhere')
  for given, taken in {
      'runs/1': 'runs/1', 'runs/1/': 'runs/1', '~/run//': '/somewhere/run',
      '/': '/', 'gs://bucket/run/': 'gs://bucket/run',
      'with space': 'with space', 'run=1,2{a}': 'run=1,2{a}'}.items():
    assert paths.checked(given, 'directory') == taken


@pytest.mark.parametrize('path', [
    'a[b]', 'a]', 'a*', 'runs?/1', 'back\\slash', '~/[1]/'])
def test_what_tensorflow_takes_for_a_pattern_is_refused(path):
  with pytest.raises(ValueError, match='run_directory must have none of'):
    paths.checked(path, 'run_directory')


def test_an_output_is_tried_and_leaves_nothing(tmp_path):
  paths.check_writable(str(tmp_path / 'new' / 'a.json'), 'output')
  assert not os.listdir(tmp_path / 'new')
  paths.check_writable('a_file_of_the_working_directory', 'output')
  with pytest.raises(OSError, match='video.* cannot be written: it is a dir'):
    paths.check_writable(str(tmp_path / 'new'), 'video')


def test_an_output_below_a_file_or_on_a_full_disk_names_its_setting(tmp_path):
  (tmp_path / 'file').write_text('')
  with pytest.raises(OSError, match=r'x.json. \(output\) cannot be written'):
    paths.check_writable(str(tmp_path / 'file' / 'x.json'), 'output')
  with pytest.raises(OSError, match='output says where to write'):
    with paths.writing('/dev/full', 'output'):
      with open('/dev/full', 'w', encoding='utf8') as file:
        file.write('x')
        file.flush()


def test_a_dataset_may_have_any_name(tmp_path):
  directory = str(tmp_path / 'a[b]*?\\c')
  collect.collect(
      task='catch', directory=directory, num_episodes=2, seed=1,
      behaviour=behaviours.uniform(), action_repeat=1)
  dataset = episodes.open_dataset(directory)
  assert len(list(episodes.episodes(dataset, seed=0))) == 2
