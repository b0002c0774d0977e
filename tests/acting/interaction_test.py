"""Fresh segments: what was played, in the shape of the offline pipeline."""

import dataclasses
import functools
import json

import numpy as np
import pytest
import tensorflow as tf

from tests import reanalyse_toys
from tf_muzero import envs
from tf_muzero.acting import actors
from tf_muzero.acting import episode_log
from tf_muzero.acting import exploration
from tf_muzero.acting import interaction as interaction_lib
from tf_muzero.acting import rounds
from tf_muzero.networks import agent as agent_lib
from tf_muzero.networks import state
from tf_muzero.networks import value_transform
from tf_muzero.reanalyse import improvement
from tf_muzero.reanalyse import pipeline
from tf_muzero.reanalyse import snapshots
from tf_muzero.reanalyse import store as store_lib
from tf_muzero.types import Segment

_CATCH, _CARTPOLE = 'catch', 'dm_control:cartpole/swingup'
_L, _K, _N_TD, _STEP = 4, 2, 3, 17
_S = _L + _K + _N_TD


class _Setting:
  """All that fresh windows of a task need, with a small random network."""

  def __init__(self, task, directory, action_repeat=1, injected_prior=0.25,
               num_environments=3):
    self.agent = agent_lib.Agent(
        functools.partial(state.StateNetwork, num_blocks=1, width=16),
        value_transform.Support(-5.0, 5.0, 21),
        value_transform.Support(-2.0, 2.0, 9), 0.9, 5)
    self.reanalyse = reanalyse_toys.reanalyse(
        num_simulations=4, injected_prior=injected_prior, td_steps=_N_TD,
        windows_per_segment=_L, parallel_searches=0)
    self.interaction = interaction_lib.Interaction(
        task, action_repeat, num_environments, temperature=1.0,
        root_noise_fraction=0.25, root_noise_alpha=0.5, sample_reuse=1,
        store_windows=1)
    self.spec = envs.spec(envs.load(task, seed=0))
    tf.keras.utils.set_random_seed(1)
    self.network = self.agent.make_network(self.spec)
    self.planning_model = self.agent.plan_with(self.network, self.spec)
    self.shapes = [v.shape for v in self.network.variables]
    self.directory = str(directory)
    self.log = f'{directory}/interaction.jsonl'
    snapshots.publish(self.directory, _STEP, self.network.variables)

  @functools.lru_cache
  def segments(self):
    """Returns the dataset of fresh segments; each iteration starts anew."""
    return interaction_lib.fresh_segments(
        self.interaction, self.reanalyse, self.agent, self.planning_model,
        self.spec, self.directory, self.shapes, unroll_steps=_K,
        num_segments=1, seed=0, deterministic=True,
        listeners=[episode_log.EpisodeLog(self.log).write])

  def windows(self, num):
    """Returns the windows of so many segments, NumPy."""
    return reanalyse_toys.one_by_one(
        self.segments().take(num),
        self.reanalyse.cutting(self.agent, _K, keep_observations=True))

  @functools.lru_cache
  def decide_fn(self):
    """Returns the decisions of `segments`."""
    return exploration.make_decide_fn(
        self.reanalyse, self.planning_model, self.spec, self.shapes,
        root_noise_fraction=self.interaction.root_noise_fraction, seed=0)

  def round(self, number=0, seed=0):
    """Returns the episodes of a round; of `segments` for seed 0."""
    return rounds.play(
        actors.InProcess(functools.partial(
            envs.load, self.interaction.task,
            action_repeat=self.interaction.action_repeat)), self.decide_fn(),
        snapshots.read(self.directory, tf.constant(0))[1], number,
        action_spec=self.spec.action, temperature=self.interaction.temperature,
        num_environments=self.interaction.num_environments, seed=seed,
        num_candidates=self.agent.make_head(self.spec).num_candidates,
        root_noise_alpha=self.interaction.root_noise_alpha, frame_stack=1)

  def reanalysed(self):
    """Returns the dataset of searched segments, which are arbitrary."""
    size = sum(int(np.prod(x.shape))
               for x in tf.nest.flatten(self.spec.observation))
    segment = Segment(
        tf.zeros([_S, size]),
        tf.zeros([_S, *self.spec.action.shape], self.spec.action.dtype),
        tf.zeros([_S]), tf.ones([_S]), tf.fill([_S], True), tf.fill([_S], True))
    return pipeline.searched_segments(
        tf.data.Dataset.from_tensors(segment).repeat(), self.reanalyse,
        self.planning_model, self.directory, self.shapes, seed=0,
        deterministic=True)


@pytest.fixture(name='catch', scope='module')
def _catch(tmp_path_factory):
  return _Setting(_CATCH, tmp_path_factory.mktemp('catch'))


@pytest.fixture(name='cartpole', scope='module')
def _cartpole(tmp_path_factory):
  # 1,000 environment steps: 20 decisions.
  return _Setting(_CARTPOLE, tmp_path_factory.mktemp('cartpole'),
                  action_repeat=50, num_environments=2)


def _lines(path):
  with open(path, encoding='utf-8') as file:
    return list(map(json.loads, file))


def _n_step(episode, value, t, discount):
  """Returns the n-step return from t, by definition."""
  total, factor, last = 0.0, 1.0, len(episode.reward) - 1
  for _ in range(_N_TD):
    if t == last:
      break
    total += factor * episode.reward[t]
    factor *= discount * episode.discount[t]
    t += 1
  return total + factor * value[t]


@pytest.mark.parametrize('name', ['catch', 'cartpole'])
def test_windows_are_slices_of_what_was_played(name, request):
  setting = request.getfixturevalue(name)
  played = setting.round()
  num_segments = sum(-(-(len(x.episode.reward) - 1) // _L) for x in played)
  windows = iter(setting.windows(num_segments))
  for episode, improved in played:
    last = len(episode.reward) - 1
    for t in range(last):
      window = next(windows)
      states = slice(t, min(t + _K, last) + 1)
      steps = slice(t, min(t + _K, last))
      for name_, source, part in (
          ('observation', episode.observation, states),
          ('action', episode.action, steps), ('reward', episode.reward, steps),
          ('candidates', improved.candidates, states),
          ('weights', improved.weights, states)):
        expected = source[part]
        np.testing.assert_array_equal(
            getattr(window, name_)[:len(expected)], expected, name_)
      known = [_n_step(episode, improved.value, i, setting.agent.discount)
               for i in range(t, states.stop)]
      if episode.discount[last - 1] == 0.0 and states.stop == last + 1:
        known[-1] = 0.0  # The value of a terminal state.
      np.testing.assert_allclose(
          window.value[:len(known)], known, rtol=1e-4, atol=1e-5)
      np.testing.assert_array_equal(
          window.policy_mask, np.arange(t, t + _K + 1) < last)
      assert window.snapshot_step == _STEP
      for key, value in window.diagnostics.items():
        assert value == improved.diagnostics[key][t]


@pytest.mark.parametrize('name', ['catch', 'cartpole'])
def test_segments_go_into_a_store_with_reanalysed_ones(name, request):
  setting = request.getfixturevalue(name)
  fresh, reanalysed = setting.segments(), setting.reanalysed()
  store = store_lib.Store(
      [store_lib.Source(x, x.element_spec, 2, 8, 1)
       for x in (reanalysed, fresh)],
      setting.reanalyse.cutting(setting.agent, _K, True), seed=0)
  windows, _ = tf.function(store.next_windows)(tf.constant(0.0, tf.float64))
  assert np.isfinite(windows.value).all() and len(windows.value) == 4


def test_catch_is_played_by_its_rules(catch):
  for episode, _ in catch.round():
    assert len(episode.reward) == 10
    np.testing.assert_array_equal(episode.discount, [1.0] * 8 + [0.0, 1.0])
    np.testing.assert_array_equal(episode.reward[:8], np.zeros(8))
    assert abs(episode.reward[8]) == 1.0 and episode.reward[9] == 0.0
    # The paddle is where the actions put it.
    paddle, boards = 2, episode.observation.reshape([10, 10, 5])
    for t in range(9):
      paddle = np.clip(paddle + episode.action[t] - 1, 0, 4)
      assert boards[t + 1, 9, paddle] == 1.0


def test_a_truncated_episode_bootstraps_from_its_last_state(cartpole):
  episode, improved = cartpole.round()[0]
  assert len(episode.reward) == 21 and episode.discount.all()
  assert np.abs(episode.action).max() <= 1.0
  window = cartpole.windows(5)[19]
  assert window.value[1] == improved.value[-1]


def test_the_played_action_is_a_candidate_and_its_share_is_told(cartpole):
  for episode, improved in cartpole.round():
    for t in range(len(episode.reward) - 1):
      is_played = (improved.candidates[t] == episode.action[t]).all(axis=-1)
      assert is_played.any()
      np.testing.assert_allclose(
          improved.diagnostics['injected_share'][t],
          improved.weights[t, is_played.argmax()])


def test_a_round_depends_on_seed_and_number_alone(catch):
  first, again, *others = (
      tf.nest.flatten(catch.round(number, seed))
      for number, seed in ((0, 0), (0, 0), (1, 0), (0, 1)))
  for x, y in zip(first, again):
    np.testing.assert_array_equal(x, y)
  for other in others:
    assert not np.array_equal(other[0], first[0])


def test_a_resumed_dataset_goes_on_where_it_was(catch, tmp_path):
  path = str(tmp_path / 'position')
  batches = pipeline.on_demand(catch.segments(), True)
  iterator = iter(batches)
  for _ in range(13):  # In the second round of nine segments.
    next(iterator)
  tf.train.Checkpoint(iterator=iterator).write(path)
  expected = [next(iterator) for _ in range(3)]
  lines = _lines(catch.log)
  resumed = iter(batches)
  tf.train.Checkpoint(iterator=resumed).read(path).assert_consumed()
  for batch in expected:
    for x, y in zip(tf.nest.flatten(batch), tf.nest.flatten(next(resumed))):
      np.testing.assert_array_equal(x, y)
  assert _lines(catch.log) == lines


def test_the_log_has_every_episode(catch):
  next(iter(catch.segments()))
  assert _lines(catch.log)[:3] == [
      {'round': 0, 'step': _STEP, 'return': float(x.episode.reward.sum()),
       'length': 9} for x in catch.round()]


def test_new_weights_play_the_next_round(catch):
  segments = iter(pipeline.on_demand(catch.segments(), True))
  steps = [int(next(segments).snapshot_step[0]) for _ in range(7)]
  snapshots.publish(catch.directory, 99, catch.network.variables)
  try:
    steps += [int(next(segments).snapshot_step[0]) for _ in range(4)]
  finally:
    snapshots.publish(catch.directory, _STEP, catch.network.variables)
  # A round has nine segments.
  assert steps == [_STEP] * 9 + [99] * 2


def test_an_environment_of_another_task_is_refused(catch, cartpole):
  with pytest.raises(ValueError, match='action of the environment'):
    interaction_lib.fresh_segments(
        cartpole.interaction, catch.reanalyse, catch.agent,
        catch.planning_model, catch.spec, catch.directory, catch.shapes,
        unroll_steps=_K, num_segments=1, seed=0, deterministic=True)


def test_cloning_cannot_play(tmp_path):
  setting = _Setting(_CATCH, tmp_path)
  setting.reanalyse = dataclasses.replace(
      setting.reanalyse, improvement_fn=improvement.cloning_improvement)
  with pytest.raises(ValueError, match='improvement_fn must search'):
    setting.segments()


def test_root_noise_changes_what_the_search_prefers(tmp_path):
  """All noise on one action and no prior but noise: the action is played."""
  setting = _Setting(_CATCH, tmp_path)
  decide = exploration.make_decide_fn(
      setting.reanalyse, setting.planning_model, setting.spec, setting.shapes,
      root_noise_fraction=0.999, seed=0)
  vector = snapshots.read(str(tmp_path), tf.constant(0))[1]
  for action in range(3):
    played, improved = decide(vector, tf.zeros([3, 1, 50]), tf.one_hot(
        [action] * 3, 3), [0, 0], tf.constant(0.0))
    np.testing.assert_array_equal(played, [action] * 3)
    assert (improved.weights.numpy()[:, action] > 0.5).all()


def test_one_trace_for_all_decisions(catch):
  decide = catch.decide_fn()
  vector = snapshots.read(catch.directory, tf.constant(0))[1]
  for numbers in ((0, 0), (0, 1), (1, 0)):
    decide(vector, tf.zeros([3, 1, 50]), tf.fill([3, 3], 1 / 3),
           tf.constant(numbers), tf.constant(float(numbers[1])))
  assert decide.experimental_get_tracing_count() == 1


@pytest.mark.parametrize('name, value', [
    ('num_environments', 0), ('temperature', -1.0), ('root_noise_alpha', 0.0),
    ('root_noise_fraction', 1.5), ('store_windows', 0), ('num_processes', 4)])
def test_bad_settings_are_refused(name, value, catch):
  with pytest.raises(ValueError, match=f'{name} must be'):
    interaction_lib.Interaction(**{**vars(catch.interaction), name: value})
