"""Tasks of Gymnasium and of a user's own are played, learned and exported."""

import sys

import acting_toys
import own_toys
import pytest
import tensorflow as tf

from tf_muzero import collect
from tf_muzero import envs
from tf_muzero import export
from tf_muzero.acting import actors
from tf_muzero.acting import interaction as interaction_lib
from tf_muzero.acting import modes
from tf_muzero.acting import rounds
from tf_muzero.acting import run_directory
from tf_muzero.acting import saved_model
from tf_muzero.data import episodes
from tf_muzero.data import reading
from tf_muzero.envs import behaviours
from tf_muzero.envs import matching
from tf_muzero.types import Improved

pytestmark = pytest.mark.usefixtures('quick_graphs')

_AGENT = acting_toys.make_agent()


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


def test_a_missing_environment_does_not_keep_a_policy_from_export(
    folder, caplog):
  run = str(folder / 'run')
  _untrained(run, 'push_task:make')
  (folder / 'push_task.py').write_text('raise OSError("no licence")')
  del sys.modules['push_task']
  output = export.export(
      run, agent=_AGENT, mode=modes.policy(), jit_compile=False)
  assert saved_model.is_saved_model(output)
  assert 'no licence' in caplog.text


def test_fresh_episodes_are_played_in_the_range_of_the_task(folder):
  del folder
  interaction = interaction_lib.Interaction(
      'push_task:make', 2, num_environments=2, temperature=1.0,
      root_noise_fraction=0.25, root_noise_alpha=0.5, sample_reuse=2,
      store_windows=4)
  source = interaction_lib.open_task(interaction)
  assert source.spec.action.minimum == [-3.0]
  chosen = tf.constant([[-1.0], [1.0]])

  def decide(vector, observation, *others):
    del vector, others
    nothing = tf.zeros([2])
    assert observation.shape == (2, 1, 2)
    return chosen, Improved(
        chosen, tf.ones([2, 1]), nothing, nothing, diagnostics={})

  # pylint: disable-next=protected-access
  make = interaction_lib._environment_fn(interaction, source.spec)
  played = rounds.play(
      actors.InProcess(make), decide, tf.constant(0.0), 0,
      action_spec=source.spec.action, num_environments=2, num_candidates=1,
      temperature=1.0, root_noise_alpha=0.5, frame_stack=1, seed=1)
  for (episode, _), action in zip(played, (-1.0, 1.0)):
    assert (episode.action[:-1] == action).all()  # As networks have it.
  assert set(sys.modules['push_task'].TAKEN) == {-3.0, 5.0}


_CAMERA = '''
import gymnasium
from gymnasium import spaces


class Camera(gymnasium.Env):
  observation_space = spaces.Dict(
      eye=spaces.Box(0, 255, (8, 8, 3), 'uint8'),
      arm=spaces.Dict(pos=spaces.Box(-1, 1, (3,)), held=spaces.Discrete(2)))
  action_space = spaces.Discrete(3, start=1)

  def reset(self, *, seed=None, options=None):
    self.observation_space.seed(seed)
    return self.observation_space.sample(), {}

  def step(self, action):
    assert action in (1, 2, 3)
    return self.observation_space.sample(), 0.5, False, True, {}
'''


def test_pictures_beside_vectors_are_written_and_chosen_from(folder):
  (folder / 'camera.py').write_text(_CAMERA)
  task, directory = 'camera.py:Camera', str(folder / 'data')
  collect.collect(
      task=task, directory=directory, num_episodes=3, seed=1,
      behaviour=behaviours.uniform(), action_repeat=1)
  with pytest.raises(ValueError, match='observation_entries'):
    episodes.open_dataset(directory)
  for entries, shapes in ((['eye'], [(8, 8, 3)]), (['arm'], [(1,), (3,)])):
    dataset = episodes.open_dataset(
        directory, reading.Reading(observation_entries=entries))
    assert (dataset.spec.action.start, dataset.spec.action.num_values) == (1, 3)
    assert len(episodes.load_episodes(dataset)) == 3
    environment = matching.match(envs.load(task, seed=0), dataset.spec)
    seen = tf.nest.flatten(environment.reset().observation)
    assert [x.shape for x in seen] == shapes
  interaction = interaction_lib.Interaction(
      task, 1, num_environments=1, temperature=1.0, root_noise_fraction=0.25,
      root_noise_alpha=0.5, sample_reuse=1, store_windows=1)
  with pytest.raises(ValueError, match="'eye' .*picture must be all that"):
    _AGENT.make_network(interaction_lib.open_task(interaction).spec)
