"""What is printed of a dataset is what is in it; problems end badly."""

import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow_datasets as tfds

from tests import data_toys
from tf_muzero import cli
from tf_muzero import inspect
from tf_muzero.data import episodes
from tf_muzero.data import layout
from tf_muzero.data.reading import Reading


def _write(directory, spec=data_toys.STATE_SPEC, is_terminal=False):
  rng = np.random.default_rng(0)
  played = [data_toys.play(rng, spec, n, is_terminal) for n in (3, 1, 8)]
  data_toys.write(directory, played, spec, task='toy:1', action_repeat=4,
                  colour='red')
  return [data_toys.episode_of(*x) for x in played]


def _write_bad(directory, rewards, **steps):
  data_toys.write_raw(directory, layout.features(data_toys.BOARD_SPEC), [{
      'episode_id': i, 'timestamp': 0, 'steps': {
          'observation': np.zeros([3, 3], np.float32), 'action': [0, 3, 0],
          'reward': np.float32([reward, 0.5, 0.0]),
          'discount': np.ones(3, np.float32),
          'is_first': [True, False, False], 'is_last': [False, False, True],
          'is_terminal': [False] * 3, **steps}}
      for i, reward in enumerate(rewards)])
  (directory / 'metadata.json').write_text('{"num_actions": 4}')


def test_summary(tmp_path):
  wanted = _write(tmp_path / 'toy')
  summary, problems, _ = inspect.summarise(
      episodes.open_dataset(str(tmp_path / 'toy')))
  assert not problems
  assert summary.total == pytest.approx([e.reward.sum() for e in wanted])
  assert summary.length.tolist() == [3, 1, 8]
  assert not summary.is_terminal.any()
  every = np.concatenate([e.action[:-1] for e in wanted])
  assert (summary.action[:, 0].min(0) == every.min(0)).all()
  assert (summary.action[:, 1].max(0) == every.max(0)).all()
  assert np.tensordot(summary.length / 12, summary.action[:, 2], 1) == (
      pytest.approx(every.mean(0), abs=1e-6))


def test_print_continuous(tmp_path, capsys):
  _write(tmp_path / 'toy')
  inspect.inspect(str(tmp_path / 'toy'))
  printed = capsys.readouterr().out
  for line in ('task         toy:1', 'repeat       4 environment',
               'angle [1] float32, velocity [2] float32',
               'model input  [3] float32', 'colour       red',
               'episodes     3', 'steps        12; 1 to 8 an episode',
               'end          0 terminal, 3 cut off', 'problems     none'):
    assert line in printed


def test_print_discrete_and_terminal(tmp_path, capsys):
  wanted = _write(tmp_path / 'toy', data_toys.BOARD_SPEC, is_terminal=True)
  inspect.inspect(str(tmp_path / 'toy'))
  printed = capsys.readouterr().out
  assert 'one of 4' in printed and '3 terminal, 0 cut off' in printed
  share = np.mean(np.concatenate([e.action[:-1] for e in wanted]) == 2)
  assert f'action 2     {share:7.1%}' in printed


def test_shares_at_the_bounds(tmp_path):
  time_steps, actions = data_toys.play(
      np.random.default_rng(0), data_toys.STATE_SPEC, 4)
  actions = np.float32([[1.0, 0.0], [1.0, -1.0], [-1.0, 0.5], [1.0, 0.5]])
  data_toys.write(tmp_path / 'toy', [(time_steps, list(actions))],
                  data_toys.STATE_SPEC)
  summary, *_ = inspect.summarise(
      episodes.open_dataset(str(tmp_path / 'toy')))
  assert summary.at_bounds.tolist() == [[[0.25, 0.25], [0.75, 0.0]]]


def test_histogram_counts_all(tmp_path, capsys):
  _write_bad(tmp_path / 'toy', [0.0] * 6 + [10.0] * 3)
  inspect.inspect(str(tmp_path / 'toy'))
  bars = [line.split() for line in capsys.readouterr().out.splitlines()
          if ' to ' in line and '#' in line]
  assert [(bar[3], len(bar[4])) for bar in bars] == [('6', 40), ('3', 20)]


def test_bad_values_are_problems(tmp_path, capsys):
  _write_bad(tmp_path / 'toy', [1.0, np.nan, 2.0, np.inf])
  with pytest.raises(ValueError, match='cannot be trained on'):
    inspect.inspect(str(tmp_path / 'toy'))
  printed = capsys.readouterr().out
  assert 'episodes     2' in printed and 'problems     2' in printed
  for episode, value in ((1, 'nan'), (3, 'inf')):
    assert (f'episode {episode}, step 0: reward is not finite: it is {value}.'
            in printed)


def test_unreadable_rest_is_a_problem(tmp_path, capsys):
  _write(tmp_path / 'toy')
  file, = (tmp_path / 'toy').glob('*tfrecord*')
  content = bytearray(file.read_bytes())
  content[-30] ^= 4
  file.write_bytes(bytes(content))
  with pytest.raises(ValueError, match='cannot be trained on'):
    inspect.inspect(str(tmp_path / 'toy'))
  printed = capsys.readouterr().out
  assert 'episodes     2' in printed and 'episode 2 cannot be read' in printed


def test_only_bad_episodes(tmp_path, capsys):
  _write_bad(tmp_path / 'toy', [np.nan] * 30)
  with pytest.raises(ValueError, match='cannot be trained on'):
    inspect.inspect(str(tmp_path / 'toy'))
  printed = capsys.readouterr().out
  assert 'problems     30' in printed and 'and 20 more' in printed


def test_contradictions_are_told(tmp_path, capsys):
  _write_bad(tmp_path / 'toy', [1.0, 2.0],
             is_terminal=[False, False, True])
  inspect.inspect(str(tmp_path / 'toy'))
  printed = capsys.readouterr().out
  assert 'end          2 terminal, 0 cut off' in printed
  assert ('settled      in 2 of 2 episodes, is_terminal says that the last '
          'transition is terminal, and its discount is not 0; is_terminal '
          'counts') in printed


def test_own_actions_are_shown_as_they_are(tmp_path, capsys):
  scalar = tfds.features.Tensor(shape=(2,), dtype=np.float32)
  data_toys.write_raw(
      tmp_path / 'toy', data_toys.raw_features(action=scalar), [
          data_toys.raw_steps(action=np.float32([[0, 2.5], [40, 2], [9, 9]]))])
  with pytest.raises(ValueError, match='cannot be trained on'):
    inspect.inspect(str(tmp_path / 'toy'))
  assert ('advice       In 1 of 1 episodes actions are out of bounds; in all, '
          'they go from [0, 2] to [40, 2.5]') in capsys.readouterr().out
  summary = inspect.inspect(str(tmp_path / 'toy'), Reading(
      action_minimum=[0.0, 2.0], action_maximum=[50.0, 3.0]))
  printed = capsys.readouterr().out
  assert 'action       [2] float32 in [0, 50] x [2, 3]' in printed
  assert summary.action[0].tolist() == [[0.0, 2.0], [40.0, 2.5], [20.0, 2.25]]
  assert summary.at_bounds[0].tolist() == [[0.5, 0.5], [0.0, 0.0]]


def test_nested_entries_of_any_name(tmp_path, capsys):
  part = tfds.features.Tensor(shape=(1,), dtype=np.float32)
  names = ['shape', 'dtype', 'seed', 'joint pos', 'größe', 'a.b-c']
  data_toys.write_raw(
      tmp_path / 'toy', data_toys.raw_features(observation={
          'robot': {name: part for name in names}, 'touch': np.bool_}),
      [data_toys.raw_steps(observation={
          'robot': {name: np.zeros([3, 1], np.float32) for name in names},
          'touch': [True, False, True]})])
  inspect.inspect(str(tmp_path / 'toy'))
  printed = capsys.readouterr().out
  for name in names:
    assert f'robot/{name} [1] float32' in printed
  assert 'touch [1] float32' in printed
  assert 'model input  [7] float32' in printed


def test_integers_from_one_are_shown_as_they_are(tmp_path, capsys):
  data_toys.write_raw(
      tmp_path / 'toy', data_toys.raw_features(action=np.int64),
      [data_toys.raw_steps(action=[1, 3, 0])])
  inspect.inspect(str(tmp_path / 'toy'), Reading(action_start=1))
  printed = capsys.readouterr().out
  assert 'action       one of 3, from 1 to 3' in printed
  assert 'settled      nothing tells how many actions there are' in printed
  for number, share in ((1, 50), (2, 0), (3, 50)):
    assert f'action {number}     {share:6.1f}%' in printed


def test_print_frames(tmp_path, capsys):
  wanted = _write(tmp_path / 'toy', data_toys.FRAME_SPEC)
  inspect.inspect(str(tmp_path / 'toy'))
  printed = capsys.readouterr().out
  frames = np.concatenate([e.observation for e in wanted])
  for line in ('observation  [6, 5, 1] uint8', 'stored as    png',
               f'pixels       {frames.min()} to {frames.max()}'):
    assert line in printed
  assert 'model input' not in printed


def test_what_is_skipped_is_no_failure(tmp_path, capsys):
  _write_bad(tmp_path / 'toy', [1.0, np.nan, 2.0])
  inspect.inspect(
      str(tmp_path / 'toy'), Reading(on_bad_episode='skip', max_episodes=9))
  printed = capsys.readouterr().out
  assert 'subset       at most 9 episodes, drawn with seed 0' in printed
  assert 'problems     1' in printed


def test_command(tmp_path):
  _write_bad(tmp_path / 'bad', [1.0, np.nan])
  done = subprocess.run(
      [sys.executable, '-m', 'tf_muzero.inspect', str(tmp_path / 'bad')],
      capture_output=True, text=True, check=False)
  assert done.returncode == 1
  assert 'episodes     1' in done.stdout
  assert 'cannot be trained' in done.stderr and 'Traceback' not in done.stderr


def test_settings_of_reading_need_no_file(tmp_path, capsys):
  _write(tmp_path / 'toy', data_toys.BOARD_SPEC)
  cli.call(cli.configure(
      inspect.inspect, inspect.default_files({}, ()),
      ['reading.Reading.num_actions = 7'],
      arguments={'directory': str(tmp_path / 'toy')}))
  assert 'action       one of 7' in capsys.readouterr().out


def test_public_dataset(capsys):
  fixtures = os.environ.get('TF_MUZERO_FIXTURES')
  if not fixtures:
    pytest.skip('TF_MUZERO_FIXTURES names no directory of public datasets.')
  inspect.inspect(os.path.join(
      fixtures, 'rlu_control_suite/cartpole_swingup/1.0.0'))
  assert 'mean 861' in capsys.readouterr().out
  inspect.inspect('rlu_atari/Asterix_run_1', Reading(data_dir=fixtures))
  printed = capsys.readouterr().out
  for words in ('known oddity rewards are stored one step early',
                'task         atari:Asterix', 'one of 9', '1 terminal'):
    assert words in printed
