"""The nine DM Control tasks of RL Unplugged, from data to evaluation."""

import json
import os

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from tf_muzero import cli
from tf_muzero import envs
from tf_muzero import evaluate
from tf_muzero import export
from tf_muzero import train
from tf_muzero.data import public
from tf_muzero.data import understanding
from tf_muzero.data import writing
from tf_muzero.data.reading import Reading
from tf_muzero.envs import behaviours
from tf_muzero.envs import matching
from tf_muzero.envs import wrappers
from tf_muzero.networks import state

_ACTIONS = {  # Dimensions; MuZero Unplugged, table 3.
    'cartpole_swingup': 1, 'finger_turn_hard': 2, 'fish_swim': 5,
    'manipulator_insert_ball': 5, 'manipulator_insert_peg': 5,
    'walker_stand': 6, 'walker_walk': 6, 'cheetah_run': 6, 'humanoid_run': 21}
# An entry to drop, matrices, many dimensions; the others are like them, or as
# simple as the tasks that other tests learn, and are played alone.
_LEARNED = ('finger_turn_hard', 'manipulator_insert_ball', 'humanoid_run')
_LENGTH = 12  # Of an episode.
_SMOKE = ['gin/hardware/smoke.gin']
_SMALL = ['acting/mcts.search.num_simulations = 2']


@pytest.fixture(name='run', scope='module')
def _run(tmp_path_factory, quick_graphs):
  """Returns a function from a task's name to a run that learned of it."""
  del quick_graphs  # Is used.
  suites = envs._SUITES  # pylint: disable=protected-access
  load, made = suites['dm_control'], {}

  def get(name):
    if name not in made:
      made[name] = _learn(name, tmp_path_factory.mktemp(name))
    return made[name]

  with pytest.MonkeyPatch.context() as patch:
    patch.setitem(suites, 'dm_control', lambda *args: wrappers.TimeLimit(
        load(*args), _LENGTH))
    yield get


def _task(name):
  domain, _, task = name.partition('_')
  return f'dm_control:{domain}/{task}'


def _official_spec(name):
  """Returns what TFDS's own builder says is in the dataset."""
  builder = tfds.builder(f'rlu_control_suite/{name}', data_dir='nowhere')
  return understanding.understand(
      builder.info.features, {}, public.Known(), Reading()).spec


def _play(environment, rng):
  time_steps, actions = [environment.reset()], []
  while not time_steps[-1].last():
    actions.append(
        behaviours.random_action(environment.action_spec(), rng))
    time_steps.append(environment.step(actions[-1]))
  return time_steps, actions


def _learn(name, directory):
  """Returns the run directory of two steps on random episodes of a task."""
  spec = _official_spec(name)
  environment = matching.match(envs.load(_task(name), seed=1), spec)
  rng, dataset = np.random.default_rng(1), str(directory / 'dataset')
  with writing.new_dataset(
      dataset, name='rlu_control_suite', spec=spec,
      metadata={'task': _task(name), 'action_repeat': 1},
      episodes_per_file=10) as add:
    for _ in range(2):
      add(writing.played(*_play(environment, rng), spec))
  run = str(directory / 'run')
  tf.config.run_functions_eagerly(True)
  cli.call(cli.configure(
      train.train, ['gin/experiment/rlu_control.gin', *_SMOKE],
      [f'RUN_DIRECTORY = {run!r}', f'DATASET = {dataset!r}',
       'train.train.unroll_steps = 1'],
      record_in='run_directory'))
  tf.config.run_functions_eagerly(False)
  return run


def _files(run, own, *more):
  """Returns the files of a command, its own first, as it finds them."""
  return [own, os.path.join(run, 'config.gin'), *more]


@pytest.mark.parametrize('name', sorted(set(_ACTIONS) - set(_LEARNED)))
def test_a_task_is_played_as_in_the_data(name):
  spec = _official_spec(name)
  assert spec.action.shape == (_ACTIONS[name],)
  assert 'touch' not in spec.observation or 'manipulator' in name
  environment = matching.match(wrappers.TimeLimit(
      envs.load(_task(name), seed=1), _LENGTH), spec)
  time_steps, actions = _play(environment, np.random.default_rng(1))
  assert len(actions) == _LENGTH
  assert time_steps[-1].observation.keys() == spec.observation.keys()


@pytest.mark.parametrize('name', _LEARNED)
def test_a_task_is_learned_and_evaluated(name, run):
  directory = run(name)
  with open(os.path.join(directory, 'task.json'), encoding='utf8') as file:
    task = json.load(file)
  assert task['action']['shape'] == [_ACTIONS[name]]
  assert 'touch' not in task['observation'] or 'manipulator' in name
  result = cli.call(cli.configure(
      evaluate.evaluate, _files(
          directory, 'gin/evaluate.gin', 'gin/evaluate_benchmark.gin'),
      [*_SMALL, 'evaluate.evaluate.num_episodes = 2',
       'evaluate.evaluate.jit_compile = False',
       'evaluate.evaluate.modes = [@modes.mcts()]'],
      arguments={'directory': directory}))
  assert result['task'] == _task(name) and result['random_start_steps'] == 0
  (evaluation,) = result['evaluations']
  assert evaluation['lengths'] == [_LENGTH] * 2
  assert all(0.0 <= total <= _LENGTH for total in evaluation['returns'])


def test_what_the_data_lacks_is_dropped_by_the_exported_policy_too(run):
  run_directory = run('finger_turn_hard')
  directory = cli.call(cli.configure(
      export.export, _files(run_directory, 'gin/export.gin'),
      # Traced for many inputs, and a search is not what is looked at.
      ['export.export.mode = @modes.sample()',
       'export.export.jit_compile = False'],
      arguments={'directory': run_directory}))
  policy = tf.saved_model.load(directory)
  full = envs.load('dm_control:finger/turn_hard', seed=1)
  shown = {key: tf.constant(x[np.newaxis])
           for key, x in full.reset().observation.items()}
  state_ = policy.get_initial_state(batch_size=1)
  action, _ = policy.act(shown, tf.constant([True]), state_)
  touch = shown.pop('touch')
  assert touch.shape == [1, 2]
  without, _ = policy.act(shown, tf.constant([True]), state_)
  np.testing.assert_array_equal(action, without)
  result = cli.call(cli.configure(
      evaluate.evaluate, ['gin/evaluate.gin', 'gin/evaluate_benchmark.gin'],
      ['evaluate.evaluate.num_episodes = 1'],
      arguments={'directory': directory}))
  assert result['evaluations'][0]['lengths'] == [_LENGTH]


@pytest.mark.parametrize('num_episodes, width', [(40, 63), (200, 141),
                                                 (3000, 548)])
def test_the_width_follows_the_number_of_datapoints(num_episodes, width):
  assert state.datapoints_width(1000 * num_episodes, 10) == width


def test_the_paper_s_settings():
  text = cli.configure(
      train.train, ['gin/experiment/rlu_control.gin'],
      ['RUN_DIRECTORY = "run"', 'DATASET = "data"']).text
  for line in (
      'agent.Agent.discount = 0.99', 'agent.Agent.num_candidates = 20',
      'pipeline.Reanalyse.value_target_fn = @value_targets.search',
      'improvement.search_improvement.injected_prior = 0.25',
      'state.StateNetwork.num_blocks = 10', 'train.train.unroll_steps = 5',
      'train.train.batch_size = 1024', 'train.train.num_steps = 1000000',
      'evaluate.during_training.random_start_steps = 0'):
    assert line in text.splitlines()
  assert 'StateNetwork.width' not in text
