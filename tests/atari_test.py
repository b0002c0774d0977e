"""Atari as a user has it: collect, inspect, train, evaluate, export, play."""

import json

import numpy as np
from PIL import Image
import pytest
import tensorflow as tf

from tf_muzero import cli
from tf_muzero import collect
from tf_muzero import envs
from tf_muzero import evaluate
from tf_muzero import export
from tf_muzero import inspect
from tf_muzero import train
from tf_muzero.acting import evaluation

pytest.importorskip('ale_py', reason='ale-py, the extra [atari], is missing')


@pytest.fixture(scope='module', name='directory')
def _directory(tmp_path_factory, quick_graphs):
  """Returns a directory with a dataset, and a run that learned two steps."""
  del quick_graphs  # Is used.
  directory = tmp_path_factory.mktemp('atari')
  data, run = str(directory / 'data'), str(directory / 'run')
  cli.call(cli.configure(
      collect.collect, ['gin/collect_atari.gin'],
      [f'collect.collect.directory = "{data}"',
       'collect.collect.num_episodes = 2', 'collect.collect.max_steps = 25']))
  cli.call(cli.configure(
      train.train,
      ['gin/experiment/atari_small.gin', 'gin/hardware/smoke_pixels.gin'],
      [f'RUN_DIRECTORY = "{run}"', f'DATASET = "{data}"'],
      record_in='run_directory'))
  return directory


def test_inspect_says_what_it_is(directory, capsys):
  inspect.inspect(str(directory / 'data'))
  text = capsys.readouterr().out
  for words in ('atari:Pong', 'one of 6', '[84, 84, 1] uint8', 'aligned',
                '25 to 25 an episode', '2 cut off'):
    assert words in text


def test_evaluate_and_film(directory):
  run, video = str(directory / 'run'), str(directory / 'pong.gif')
  cli.call(cli.configure(
      evaluate.evaluate, [
          'gin/evaluate.gin', run + '/config.gin',
          'gin/evaluate_benchmark.gin'],
      [f'evaluate.evaluate.directory = "{run}"',
       f'evaluate.evaluate.video = "{video}"',
       'evaluate.evaluate.modes = [@modes.policy(), @modes.sample()]',
       'evaluate.evaluate.num_episodes = 2', 'evaluate.evaluate.max_steps = 9',
       'evaluate.evaluate.jit_compile = False',
       'evaluate.evaluate.search_fn = None']))
  with open(run + '/evaluation.json', encoding='utf-8') as file:
    result = json.load(file)
  assert result['max_steps'] == 9
  assert [x['lengths'] for x in result['evaluations']] == [[9, 9]] * 2
  with Image.open(video) as film:
    assert film.size == (160, 210) and film.n_frames > 2


def test_the_exported_policy_stacks_frames_by_itself(directory):
  run = str(directory / 'run')
  cli.call(cli.configure(
      export.export, [run + '/config.gin', 'gin/export.gin'],
      [f'export.export.directory = "{run}"',
       'export.export.jit_compile = False',
       'acting/mcts.search.num_simulations = 3']))
  policy = tf.saved_model.load(run + '/policy')
  environment = envs.load('atari:Pong', seed=3)
  state, time_step = policy.get_initial_state(batch_size=1), None
  seen = [np.zeros([84, 84, 1], np.uint8)] * 3
  for _ in range(5):
    time_step = (environment.step(action[0].numpy()) if time_step else
                 environment.reset())
    action, state = policy.act(
        time_step.observation[np.newaxis], [time_step.first()], state)
    seen.append(time_step.observation)
    np.testing.assert_array_equal(state.frames[0], np.stack(seen[-3:]))
    assert 0 <= action[0] < 6
  assert int(policy.get_metadata()['frame_stack']) == 4


def test_scores_are_evaluated_raw():
  environment = evaluation.make_environment_fn(
      'atari:SpaceInvaders', action_repeat=1, random_start_steps=0,
      max_steps=150)(1)
  time_step, rewards = environment.reset(), []
  while not time_step.last():
    time_step = environment.step(1)  # Fire.
    rewards.append(time_step.reward)
  assert max(rewards) > 1.0 and len(rewards) == 150
