"""Tasks of Gymnasium and of a user's own are played, learned and exported."""

import sys

import acting_toys
import numpy as np
import own_toys
from PIL import Image
import pytest
import tensorflow as tf

from tf_muzero import envs
from tf_muzero import evaluate
from tf_muzero import export
from tf_muzero.acting import interaction as interaction_lib
from tf_muzero.acting import modes
from tf_muzero.acting import rounds
from tf_muzero.acting import run_directory
from tf_muzero.acting import saved_model
from tf_muzero.types import Improved

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
  del folder
  interaction = interaction_lib.Interaction(
      'push_task:make', 2, num_environments=2, temperature=1.0,
      root_noise_fraction=0.25, root_noise_alpha=0.5, sample_reuse=2,
      shuffle_windows=4)
  source = interaction_lib.open_task(interaction)
  assert source.spec.action.minimum == [-3.0]
  chosen = tf.constant([[-1.0], [1.0]])

  def decide(vector, observation, noise, numbers):
    del vector, noise, numbers
    nothing = tf.zeros([2])
    assert observation.shape == (2, 1, 2)
    return chosen, Improved(
        chosen, tf.ones([2, 1]), nothing, nothing, diagnostics={})

  played = rounds.play(
      # pylint: disable-next=protected-access
      interaction_lib._environment_fn(interaction, source.spec), decide,
      tf.constant(0.0), 0, num_environments=2, num_candidates=1,
      root_noise_alpha=0.5, frame_stack=1, seed=1)
  for (episode, _), action in zip(played, (-1.0, 1.0)):
    assert (episode.action[:-1] == action).all()  # As networks have it.
  assert set(sys.modules['push_task'].TAKEN) == {-3.0, 5.0}
