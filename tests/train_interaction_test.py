"""Training on fresh windows: beside stored ones, and on nothing else."""

import dataclasses
import glob
import json
import os
import shutil
from unittest import mock

import numpy as np
import pytest
import tensorflow as tf

from tests import data_toys
from tests import train_runs
from tf_muzero import collect
from tf_muzero.acting import interaction as interaction_lib
from tf_muzero.acting import replay
from tf_muzero.acting import rounds
from tf_muzero.acting import schedules
from tf_muzero.data import episodes
from tf_muzero.data import writing
from tf_muzero.envs import behaviours

pytestmark = pytest.mark.usefixtures('quick_graphs')

_INTERACTION = interaction_lib.Interaction(
    'catch', 1, num_environments=3, temperature=1.0, root_noise_fraction=0.25,
    root_noise_alpha=0.5, sample_reuse=2, store_windows=20)


def _run(dataset, directory, num_steps, fraction, sources=None,
         playing=None, **changes):
  return train_runs.run(
      dataset, directory, num_steps, reanalyse_fraction=fraction,
      interaction=dataclasses.replace(
          _INTERACTION, sources=sources, **playing or {}),
      frame_stack=2, **changes)


def _lines(directory, name):
  with open(os.path.join(directory, name), encoding='utf8') as file:
    return [{key: value for key, value in json.loads(line).items()
             if not key.startswith('time/')} for line in file]


def _assert_same_run(directory, other):
  for name in ('metrics.jsonl', 'interaction.jsonl'):
    assert _lines(directory, name) == _lines(other, name)
  readers = [
      tf.train.load_checkpoint(tf.train.latest_checkpoint(
          os.path.join(x, 'checkpoints'))) for x in (directory, other)]
  names = [name for name in readers[0].get_variable_to_shape_map()
           if name.startswith(('network/', 'target/', 'optimizer/'))]
  assert len(names) > 100
  for name in names:
    np.testing.assert_array_equal(
        *(reader.get_tensor(name) for reader in readers), err_msg=name)


def test_half_of_each_batch_is_fresh_and_a_resumed_run_is_the_same(tmp_path):
  dataset, whole, resumed = (
      str(tmp_path / name) for name in ('data', 'whole', 'resumed'))
  collect.collect(
      task='catch', directory=dataset, num_episodes=12,
      behaviour=behaviours.uniform(), seed=1, action_repeat=1)
  _run(dataset, whole, 20, 0.5)  # Two windows of a batch of four are fresh.
  shutil.copytree(whole, resumed)
  # Wherever they are played.
  trainer = _run(dataset, resumed, 20, 0.5, playing={'num_processes': 2},
                 resume_from=12)
  assert trainer.step == 20
  aside = os.path.join(resumed, 'checkpoints', 'set_aside', 'after-12')
  assert 'ckpt-20.index' in os.listdir(aside)
  _assert_same_run(whole, resumed)
  # Of 27 windows of a round, 27 fill the store; 2 x 20 / 2 more were played.
  assert {x['round'] for x in _lines(whole, 'interaction.jsonl')} == {0, 1}


@pytest.fixture(name='play')
def _play(monkeypatch):
  """Yields the mock that plays, with a temperature that follows the learner.
  """
  monkeypatch.setitem(globals(), '_INTERACTION', dataclasses.replace(
      _INTERACTION, temperature=lambda step: 1.0 / (1.0 + step)))
  with mock.patch.object(rounds, 'play', side_effect=rounds.play) as play:
    yield play


def test_online_only_needs_no_dataset(tmp_path, play):
  directory = str(tmp_path)
  trainer = _run(None, directory, 18, 0.0)
  assert int(trainer.optimizer.iterations) == 18
  lines = _lines(directory, 'interaction.jsonl')
  # 27 windows fill the store, 4 x 18 / 2 came later.
  assert [x['round'] for x in lines] == [0] * 3 + [1] * 3 + [2] * 3
  assert lines[0]['step'] == 0 and lines[-1]['step'] > 0
  assert [call.kwargs['temperature'] for call in play.call_args_list] == [
      1.0 / (1.0 + line['step']) for line in lines[::3]]
  # What was played is a dataset as any other.
  played = episodes.open_dataset(os.path.join(directory, 'played'))
  assert played.task == 'catch' and played.num_episodes == 9
  assert [(x.reward.sum(), len(x.reward) - 1)
          for x in episodes.load_episodes(played)] == [
              (x['return'], x['length']) for x in lines]
  # Without its position in the data it fills the store anew, with new rounds.
  for path in glob.glob(os.path.join(directory, 'checkpoints', 'data-18.*')):
    os.remove(path)
  _run(None, directory, 19, 0.0)
  later = _lines(directory, 'interaction.jsonl')
  assert later[:9] == lines and {x['round'] for x in later[9:]} == {3, 4}


def test_what_was_played_is_learned_from_again(tmp_path):
  directory = str(tmp_path)
  sources = replay.Sources(0.0, 1.0, 1.0, recent_steps=60, best_steps=20)
  for num_steps in (4, 8):  # The second start has what the first one played.
    trainer = _run(None, directory, num_steps, 0.5, deterministic=False,
                   sources=sources)
    assert trainer.step == num_steps
  lines = _lines(directory, 'interaction.jsonl')
  # 27 windows fill the store, and 2 x 8 / 2 more are fresh.
  assert len(lines) >= 4
  with pytest.raises(ValueError, match='deterministic needs interaction.sour'):
    _run(None, str(tmp_path / 'other'), 4, 0.5, sources=sources)
  with pytest.raises(ValueError, match='its weight is 0'):
    _run('some', str(tmp_path / 'other'), 4, 0.5, deterministic=False,
         sources=sources)


def test_sources_that_fall_to_nothing_are_refused_before_work(tmp_path):
  fading = replay.Sources(
      schedules.linear(first=1.0, last=0.0, num_steps=4), 0.0, 0.0,
      recent_steps=60, best_steps=20)
  with pytest.raises(ValueError, match='all are 0 at learner step 7'):
    _run('some', str(tmp_path / 'run'), 8, 0.5, deterministic=False,
         sources=fading)


def test_a_service_searches_what_was_played(tmp_path):
  dataset, directory = str(tmp_path / 'data'), str(tmp_path / 'run')
  collect.collect(task='catch', directory=dataset, num_episodes=2, seed=1,
                  behaviour=behaviours.uniform(), action_repeat=1)
  sources = replay.Sources(1.0, 1.0, 1.0, recent_steps=60, best_steps=20)
  trainer = _run(dataset, directory, 8, 0.5, deterministic=False,
                 sources=sources, service='local:1')
  assert trainer.step == 8
  assert 'index' in os.listdir(os.path.join(directory, 'replay'))
  searched = [name for line in _lines(directory, 'service.jsonl')
              for name in line if 'searches_per_second/' in name]
  assert searched


def test_rewards_are_clipped_as_those_of_the_dataset_are(tmp_path):
  dataset = str(tmp_path / 'data')
  collect.collect(
      task='catch', directory=dataset, num_episodes=2, clip_rewards=True,
      behaviour=behaviours.uniform(), seed=1, action_repeat=1)
  with pytest.raises(ValueError, match='clip_rewards must be True'):
    _run(dataset, str(tmp_path / 'run'), 1, 0.5)


def test_another_game_is_refused(tmp_path):
  dataset = str(tmp_path / 'data')
  with writing.new_dataset(
      dataset, name='other', spec=data_toys.BOARD_SPEC,
      metadata={'task': 'atari:Pong'}, episodes_per_file=1) as add:
    add(writing.played(*data_toys.play(
        np.random.default_rng(0), data_toys.BOARD_SPEC, 3),
                       data_toys.BOARD_SPEC))
  with pytest.raises(ValueError, match="task must be 'atari:Pong'.*'catch'"):
    _run(dataset, str(tmp_path / 'run'), 1, 0.5)
  assert not (tmp_path / 'run').exists()
