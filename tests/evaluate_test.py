"""Tests of the command that evaluates."""

import functools
import io
import json
import shutil
import types
from unittest import mock

import acting_toys
import numpy as np
from PIL import Image
import pytest
import tensorflow as tf

from tf_muzero import cli
from tf_muzero import envs
from tf_muzero import evaluate
from tf_muzero import export
from tf_muzero.acting import evaluation
from tf_muzero.acting import modes
from tf_muzero.acting import run_directory
from tf_muzero.envs import wrappers
from tf_muzero.learning import checkpoint_files

pytestmark = pytest.mark.usefixtures('quick_graphs')

_AGENT = acting_toys.make_agent()
_MODES = (modes.policy(), modes.value(), modes.mcts())
_SETTINGS = {'num_episodes': 5, 'num_environments': 2, 'seed': 3,
             'random_start_steps': 0, 'jit_compile': False}


@pytest.fixture(scope='module', name='run')
def _run(tmp_path_factory):
  """Returns the directory of a run of catch that learned nothing."""
  directory = str(tmp_path_factory.mktemp('run'))
  spec = envs.spec(envs.load('catch', seed=0))
  run_directory.save_task(
      directory, run_directory.Task('catch', 1, spec, num_datapoints=100))
  network = acting_toys.make_network(_AGENT, spec)
  tf.train.CheckpointManager(
      tf.train.Checkpoint(target=network), directory + '/checkpoints',
      max_to_keep=1).save(checkpoint_number=70)
  return directory


@pytest.fixture(scope='module', name='result')
def _result(run):
  return evaluate.evaluate(run, agent_fn=lambda: _AGENT, modes=_MODES,
                           search_fn=acting_toys.search, **_SETTINGS)


def test_result_has_statistics_of_every_mode(run, result):
  assert [x['mode'] for x in result['evaluations']] == [
      'policy', 'value', 'mcts']
  for x in result['evaluations']:
    assert len(x['returns']) == 5
    assert set(x['returns']) <= {-1.0, 1.0}
    assert x['lengths'] == [9] * 5
    assert x['mean'] == pytest.approx(np.mean(x['returns']))
    assert x['standard_error'] == pytest.approx(
        np.std(x['returns'], ddof=1) / np.sqrt(5))
  # All modes meet the same starts.
  assert len({tuple(x['seeds']) for x in result['evaluations']}) == 1
  assert result['task'] == 'catch'
  assert result['step'] == 70
  assert result['num_simulations'] == 4  # Visits of the toy's root.
  assert result['protocol'] == {}
  with open(run + '/evaluation.json', encoding='utf-8') as file:
    assert json.load(file) == result


def test_table_is_printed(run, capsys):
  evaluate.evaluate(run, agent_fn=lambda: _AGENT, modes=_MODES[:1], **_SETTINGS)
  printed = capsys.readouterr().out.splitlines()
  assert printed[0].startswith('catch, learner step 70, action repeat 1')
  assert printed[1].split() == [
      'mode', 'mean', '+-', 'min', 'max', 'episodes', 'seconds']
  assert printed[2].split()[0] == 'policy'


def test_modes_of_one_name_are_refused(run):
  with pytest.raises(ValueError, match="name of its own.*'policy', 'policy'"):
    evaluate.evaluate(run, agent_fn=lambda: _AGENT, modes=_MODES[:1] * 2,
                      **_SETTINGS)


def test_saved_model_gives_the_same_returns(run, result, tmp_path):
  policy = export.export(
      run, agent=_AGENT, mode=modes.mcts(), search_fn=acting_toys.search,
      output=str(tmp_path / 'policy'), jit_compile=False)
  video = tmp_path / 'episode.gif'
  output = tmp_path / 'result.json'
  loaded = evaluate.evaluate(
      policy, video=str(video), output=str(output), **_SETTINGS)
  assert loaded['evaluations'][0]['returns'] == (
      result['evaluations'][2]['returns'])
  with pytest.raises(ValueError, match='weights of its own'):
    evaluate.evaluate(policy, checkpoint='best', **_SETTINGS)
  assert loaded['step'] == 70
  assert video.stat().st_size > 100
  assert json.loads(output.read_text())['seed'] == 3


def test_a_checkpoint_is_chosen_by_name(run, tmp_path, capsys):
  network = acting_toys.make_network(
      _AGENT, run_directory.load_task(run).spec, seed=7)
  path = tmp_path / 'run'
  shutil.copytree(run, path)
  directory = checkpoint_files.directory_of(str(path))
  checkpoint = tf.train.Checkpoint(target=network)
  assert not checkpoint.save_counter  # Is part of it, once asked for.
  checkpoint.write(directory + '/best/ckpt-50')
  checkpoint_files.write_best(
      directory, checkpoint_files.Best(50, 'evaluation/mcts', 1.0))
  evaluate_ = lambda name: evaluate.evaluate(
      str(path) + '/', agent_fn=lambda: _AGENT, modes=_MODES[:1],
      checkpoint=name, **_SETTINGS)
  assert [evaluate_(name)['step'] for name in ('best', 70, 'last')] == [
      50, 70, 70]
  assert 'learner step 50, the best, action' in capsys.readouterr().out
  assert json.loads((path / 'evaluation.json').read_text())[
      'checkpoint'] == 'last'
  with pytest.raises(ValueError, match=r"got '60'; .* 70, last, best \(50\)"):
    evaluate_('60')


def test_outputs_are_tried_before_work(run, tmp_path, monkeypatch):
  monkeypatch.setattr(evaluation, 'evaluate_policy', None)
  (tmp_path / 'file').write_text('')
  for setting, name in (('output', 'x.json'), ('video', 'x.gif')):
    with pytest.raises(OSError, match=rf'\({setting}\) cannot be written'):
      evaluate.evaluate(
          run, agent_fn=lambda: _AGENT, modes=_MODES[:1],
          **{setting: str(tmp_path / 'file' / name)}, **_SETTINGS)


def test_what_cannot_be_written_is_printed(run, monkeypatch, capsys):
  monkeypatch.setattr(json, 'dumps', mock.Mock(side_effect=OSError('Full.')))
  with pytest.raises(OSError, match=r'\(output\) cannot be written: Full.'):
    evaluate.evaluate(
        run, agent_fn=lambda: _AGENT, modes=_MODES[:1], **_SETTINGS)
  assert 'learner step 70, action repeat 1' in capsys.readouterr().out


def test_run_needs_an_agent(run):
  with pytest.raises(ValueError, match='agent_fn and modes must be given'):
    evaluate.evaluate(run, **_SETTINGS)


def test_a_run_of_no_environment_tells_how_to_name_one(run, tmp_path):
  shutil.copytree(run, tmp_path / 'run')
  directory = str(tmp_path / 'run')
  run_directory.save_task(
      directory, run_directory.load_task(run)._replace(name=''))
  run_of = functools.partial(
      evaluate.evaluate, directory, agent_fn=lambda: _AGENT, modes=_MODES[:1],
      **_SETTINGS)
  with pytest.raises(ValueError, match='has no environment: .* --task'):
    run_of()
  assert run_of(task='catch')['task'] == 'catch'


def test_nothing_there(tmp_path):
  with pytest.raises(ValueError, match='is not a run directory'):
    evaluate.evaluate(str(tmp_path), agent_fn=lambda: _AGENT, modes=_MODES,
                      **_SETTINGS)


def test_bad_video_is_told_before_work(tmp_path):
  with pytest.raises(ValueError, match='must end in .gif or .mp4'):
    evaluate.evaluate(str(tmp_path), video='x.avi', **_SETTINGS)


def test_during_training_takes_new_weights_without_a_trace(monkeypatch):
  monkeypatch.setattr(evaluation, 'make_environment_fn',
                      lambda task, **settings: acting_toys.Countdown)
  dataset = types.SimpleNamespace(
      spec=acting_toys.CONTINUOUS, num_steps=100, task='toy', action_repeat=1)
  evaluate_fn = evaluate.during_training(
      modes=[modes.policy()], search_fn=None, num_episodes=3,
      num_environments=3, seed=0, random_start_steps=0, jit_compile=False)
  networks = [acting_toys.make_network(_AGENT, dataset.spec, seed)
              for seed in (0, 1)]
  planned = []

  def plan_with(*args):
    planned.append(args)
    return _AGENT.plan_with(*args)

  agent = types.SimpleNamespace(
      make_network=_AGENT.make_network, plan_with=plan_with,
      frame_stack=_AGENT.frame_stack)
  measure_fn = evaluate_fn(agent, dataset)
  go_on = lambda: None
  first = measure_fn(networks[0].variables, go_on)
  again = measure_fn(networks[0].variables, go_on)
  other = measure_fn(networks[1].variables, go_on)
  assert set(first) == {
      'evaluation/policy', 'evaluation/policy_standard_error'}
  assert first == again
  assert first['evaluation/policy'] != other['evaluation/policy']
  assert len(planned) == 1
  with pytest.raises(KeyboardInterrupt):  # It asks whether to go on.
    measure_fn(networks[0].variables, mock.Mock(
        side_effect=[None, KeyboardInterrupt]))


def test_during_training_films_what_can_be_drawn(monkeypatch, caplog):
  monkeypatch.setattr(evaluation, 'make_environment_fn',
                      lambda task, **settings: acting_toys.Countdown)
  dataset = types.SimpleNamespace(
      spec=acting_toys.CONTINUOUS, num_steps=100, task='toy', action_repeat=1)
  weights = acting_toys.make_network(_AGENT, dataset.spec, 0).variables
  fn = evaluate.during_training(
      modes=[modes.policy(), modes.sample()], search_fn=None, num_episodes=2,
      num_environments=2, seed=0, random_start_steps=0, jit_compile=False,
      film=True)
  # There are no pictures of it.
  assert 'film/sample' not in fn(_AGENT, dataset)(weights, lambda: None)
  assert 'no films of evaluations' in caplog.text
  monkeypatch.setattr(envs, 'render', lambda environment: np.zeros(
      [24, 480, 3], np.uint8))
  measured = fn(_AGENT, dataset)(weights, lambda: None)
  assert [name for name in measured if name.startswith('film/')] == [
      'film/sample']
  film = measured['film/sample']
  assert (film.width, film.height) == (240, 12)
  with Image.open(io.BytesIO(film.gif)) as image:
    assert image.size == (240, 12) and image.format == 'GIF'


def test_random_starts_are_environment_steps():
  environment = evaluation.make_environment_fn(
      'dm_control:cartpole/swingup', action_repeat=4, random_start_steps=30)(1)
  assert isinstance(environment, wrappers.ActionRepeat)
  assert isinstance(environment.environment, wrappers.RandomStart)
  plain = evaluation.make_environment_fn(
      'dm_control:cartpole/swingup', action_repeat=4, random_start_steps=0)(1)
  assert not np.allclose(environment.reset().observation['position'],
                         plain.reset().observation['position'])


def test_one_episode_has_no_standard_error():
  policy = evaluation.evaluate_policy(
      _Constant(), 'constant', acting_toys.Countdown, num_episodes=1,
      num_environments=1, seed=0)
  assert policy.standard_error == 0.0


class _Constant:

  def get_initial_state(self, batch_size):
    return types.SimpleNamespace(
        seed=batch_size, _replace=lambda seed: seed)

  def act(self, observation, is_first, state):
    del observation
    return tf.zeros([is_first.shape[0], 1]), state


def test_gin_file_is_complete():
  configuration = cli.configure(
      evaluate.evaluate, ['gin/evaluate.gin'], [],
      arguments={'directory': 'runs/1'})
  assert 'agent_fn = @agent.Agent' in configuration.text
