"""Tasks of Gymnasium and of a user's own are played, learned and exported."""

import json
import sys

import acting_toys
import numpy as np
import own_toys
from PIL import Image
import pytest
import tensorflow as tf

from tests import train_runs
from tf_muzero import envs
from tf_muzero import evaluate
from tf_muzero import export
from tf_muzero.acting import interaction as interaction_lib
from tf_muzero.acting import modes
from tf_muzero.acting import run_directory
from tf_muzero.acting import saved_model

_AGENT = acting_toys.make_agent()
_SETTINGS = {'num_episodes': 2, 'num_environments': 2, 'seed': 3,
             'random_start_steps': 4, 'jit_compile': False, 'max_steps': 6}


@pytest.fixture(name='folder')
def _folder(tmp_path, monkeypatch):
  with own_toys.folder(tmp_path, monkeypatch):
    yield tmp_path


def _untrained(directory, task):
  """Makes the run of a task, with weights that are random."""
  spec = envs.spec(envs.load(task, seed=0))
  run_directory.save_task(
      directory, run_directory.Task(task, 1, spec, num_datapoints=100))
  tf.train.CheckpointManager(
      tf.train.Checkpoint(target=acting_toys.make_network(_AGENT, spec)),
      directory + '/checkpoints', max_to_keep=1).save(checkpoint_number=70)
  return spec.action


@pytest.mark.parametrize('task, num_lines', [
    ('gymnasium:Pendulum-v1', 500), ('push_task:make', 16)])
def test_a_run_is_evaluated_filmed_and_exported(folder, task, num_lines):
  run = str(folder / 'run')
  action_spec = _untrained(run, task)
  result = evaluate.evaluate(
      run, agent_fn=lambda: _AGENT, modes=[modes.sample()],
      video=str(folder / 'film.gif'), **_SETTINGS)
  assert max(result['evaluations'][0]['lengths']) == 6
  with Image.open(folder / 'film.gif') as film:
    assert film.height == num_lines
  output = export.export(run, agent=_AGENT, mode=modes.sample())
  assert saved_model.read_metadata(output)['task'] == task
  policy = tf.saved_model.load(output)
  observation = acting_toys.make_observation(
      run_directory.load_task(run).spec, 64)
  actions, _ = policy.act(observation, tf.ones([64], tf.bool),
                          policy.get_initial_state(64))
  low, high = action_spec.minimum[0], action_spec.maximum[0]
  assert low <= np.min(actions) < -1.0 and 1.0 < np.max(actions) <= high
  again = evaluate.evaluate(output, **_SETTINGS)['evaluations'][0]
  assert again['returns'] == pytest.approx(result['evaluations'][0]['returns'])


def test_a_missing_environment_does_not_keep_a_policy_from_export(
    folder, caplog):
  run = str(folder / 'run')
  _untrained(run, 'push_task:make')
  (folder / 'push_task.py').write_text('raise OSError("no licence")')
  del sys.modules['push_task']
  output = export.export(run, agent=_AGENT, mode=modes.policy())
  assert saved_model.is_saved_model(output)
  assert 'no licence' in caplog.text


def test_fresh_episodes_are_played_in_the_range_of_the_task(folder):
  interaction = interaction_lib.Interaction(
      'push_task:make', 2, num_environments=3, temperature=1.0,
      root_noise_fraction=0.25, root_noise_alpha=0.5, sample_reuse=2,
      shuffle_windows=4)
  run = str(folder / 'run')
  train_runs.run(None, run, 2, reanalyse_fraction=0.0, interaction=interaction)
  taken = sys.modules['push_task'].TAKEN
  assert -3.0 <= min(taken) < -1.0 and 2.0 < max(taken) <= 5.0
  with open(run + '/interaction.jsonl', encoding='utf-8') as file:
    assert all(json.loads(line)['length'] <= 5 for line in file)
  task = run_directory.load_task(run)
  assert task.name == 'push_task:make'
  assert task.spec.action == envs.load('push_task:make', seed=0).action_spec()
