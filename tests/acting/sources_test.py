"""What training learns from: which settings go together, and what is left out.
"""

import dataclasses

import pytest

from tf_muzero import collect
from tf_muzero.acting import interaction as interaction_lib
from tf_muzero.acting import replay
from tf_muzero.acting import sources
from tf_muzero.data.reading import Reading
from tf_muzero.envs import behaviours

_INTERACTION = interaction_lib.Interaction(
    '', 0, num_environments=2, temperature=1.0, root_noise_fraction=0.25,
    root_noise_alpha=0.5, sample_reuse=1, store_windows=1)
_PLAYED = replay.Sources(0.0, 1.0, 0.0, recent_steps=10, best_steps=10)


@pytest.fixture(name='dataset', scope='module')
def _dataset(tmp_path_factory):
  directory = str(tmp_path_factory.mktemp('data') / 'catch')
  collect.collect(task='catch', directory=directory, num_episodes=2,
                  behaviour=behaviours.uniform(), seed=1, action_repeat=2)
  return directory


def _open(fraction, dataset, **changes):
  return sources.open_source(fraction, dataset, Reading(), dataclasses.replace(
      _INTERACTION, **changes))


def test_what_is_not_said_is_as_in_the_dataset(dataset):
  source, interaction = _open(0.5, dataset)
  assert source.num_episodes == 2
  assert (interaction.task, interaction.action_repeat) == ('catch', 2)


def test_that_nothing_is_played_is_said(dataset, caplog):
  with caplog.at_level('WARNING'):
    assert _open(1.0, dataset)[1] is None
  assert 'Nothing is played' in caplog.text


def test_that_nothing_is_learned_from_a_dataset_is_said(dataset, caplog):
  with caplog.at_level('WARNING'):
    source, _ = _open(0.0, dataset, task='catch')
  assert not source.num_episodes
  assert 'catch' in caplog.text and 'is not used' in caplog.text


def test_what_is_learned_from_again_is_kept():
  with pytest.raises(ValueError, match='keep_episodes must be >= 1'):
    dataclasses.replace(_INTERACTION, sources=_PLAYED, keep_episodes=0)


def test_without_a_dataset_all_is_played():
  for fraction, played in ((0.0, None), (0.5, _PLAYED)):
    source, interaction = _open(fraction, None, task='catch', sources=played)
    assert source.num_episodes == 0 and source.task == 'catch'
    assert interaction.action_repeat == source.action_repeat == 1


@pytest.mark.parametrize('fraction, has_dataset, changes, said', [
    (0.5, True, {'action_repeat': 1}, 'action_repeat must be 2'),
    (0.5, True, {'task': 'atari:Pong'}, "task must be 'catch'"),
    (0.5, True, {'clip_rewards': True}, 'clip_rewards must be False'),
    (0.5, True, {'sources': _PLAYED}, 'its weight is 0'),
    (0.5, False, {}, 'dataset must be given'),
    (0.5, False, {'sources': _PLAYED}, 'task must be given'),
    (0.0, False, {}, 'task must be given')])
def test_what_does_not_go_together(
    dataset, fraction, has_dataset, changes, said):
  with pytest.raises(ValueError, match=said):
    _open(fraction, dataset if has_dataset else None, **changes)
