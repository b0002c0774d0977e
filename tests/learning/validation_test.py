"""What is measured on held-out episodes, by hand and in a training."""

import dataclasses
import functools
import json
import os
import types

from dm_env import specs
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from tests import acting_toys
from tests import train_runs
from tf_muzero import cli
from tf_muzero import collect
from tf_muzero import evaluate
from tf_muzero import train
from tf_muzero.acting import modes
from tf_muzero.data import episodes as episodes_lib
from tf_muzero.data.reading import Reading
from tf_muzero.envs import behaviours
from tf_muzero.learning import best
from tf_muzero.learning import checkpoint_files
from tf_muzero.learning import fitted_q
from tf_muzero.learning import validation
from tf_muzero.search import mcts
from tf_muzero.types import Episode

pytestmark = pytest.mark.usefixtures('quick_graphs')


class _Agent(types.SimpleNamespace):
  """Tells each reward by itself."""

  def no_memory(self, network, batch_size):
    del network, batch_size
    return ()

  def step(self, network, embedding, action, memory):
    embedding, logits = network.step(embedding, action)
    return embedding, logits, self.reward_support.decode(logits), memory


class _Network:
  """Says that states count up, rewards are 10 and values 100."""

  def represent(self, observation):
    return observation

  def step(self, embedding, action):
    assert action.shape[0] == embedding.shape[0]
    return embedding + 1.0, tf.fill([embedding.shape[0]], 10.0)

  def predict_heads(self, embedding):
    # The most probable action is 2; the value is 100 and the state.
    policy = tf.tile([[0.0, 1.0, 2.0]], [embedding.shape[0], 1])
    return policy, 100.0 + embedding[:, 0]


_IDENTITY = types.SimpleNamespace(decode=lambda logits: logits)
_AGENT = _Agent(
    frame_stack=1, value_support=_IDENTITY, reward_support=_IDENTITY,
    action_values=False)


def _episode(discount_at_end):
  """Returns four records, whose observation is their number."""
  return Episode(
      np.float32([[0], [1], [2], [3]]), np.int32([2, 0, 2, 0]),
      np.float32([1, 2, 4, 0]), np.float32([1, 1, discount_at_end, 1]))


def test_windows_by_hand():
  windows = validation.cut(
      [_episode(1.0)], windows_per_episode=1, unroll_steps=3, frame_stack=2,
      discount=0.5, seed=0)
  assert windows.observation.tolist() == [[[0.0], [0.0]]]  # Zeros before it.
  assert windows.last.tolist() == [[[2.0], [3.0]]]
  assert windows.action.tolist() == [[2, 0, 2, 0]]
  assert windows.reward.tolist() == [[1.0, 2.0, 4.0]]
  assert windows.returns.tolist() == [[3.0, 4.0, 4.0, 0.0]]
  assert windows.last_factor.tolist() == [[0.125, 0.25, 0.5, 1.0]]


def test_no_value_follows_a_terminal_end():
  windows = validation.cut(
      [_episode(0.0)], windows_per_episode=1, unroll_steps=3, frame_stack=1,
      discount=0.5, seed=0)
  assert windows.last_factor.tolist() == [[0.0, 0.0, 0.0, 0.0]]


def test_places_are_drawn_by_the_seed():
  episode = _episode(1.0)
  cut = lambda seed: validation.cut(
      [episode], windows_per_episode=40, unroll_steps=1, frame_stack=1,
      discount=0.5, seed=seed).observation[:, 0, 0].tolist()
  assert set(cut(0)) == {0.0, 1.0, 2.0}
  assert cut(0) == cut(0) != cut(1)


def test_measures_by_hand():
  windows = validation.cut(
      [_episode(1.0)], windows_per_episode=1, unroll_steps=3, frame_stack=1,
      discount=0.5, seed=0)
  metrics = validation.measure(
      _Network(), _AGENT, specs.DiscreteArray(3), windows)
  # The last state has the value 103; returns are 3, 4, 4, 0 and what is left.
  returns = [3 + 103 / 8, 4 + 103 / 4, 4 + 103 / 2, 103.0]
  assert metrics == pytest.approx({
      'validation/reward_error_1': 9.0, 'validation/reward_error_2': 8.0,
      'validation/reward_error_3': 6.0,
      **{f'validation/value_error_{k}': abs(100.0 + k - returns[k])
         for k in range(4)},
      'validation/agreement_0': 1.0, 'validation/agreement_1': 0.0,
      'validation/agreement_2': 1.0,
      'validation/reward_spread': np.mean(np.abs(np.array([1, 2, 4]) - 7 / 3)),
      'validation/value_spread': np.mean(np.abs(
          np.array(returns) - np.mean(returns)))})


def test_of_values_of_actions_nothing_is_imagined():
  windows = validation.cut(
      [_episode(1.0)], windows_per_episode=1, unroll_steps=3, frame_stack=1,
      discount=0.5, seed=0)
  metrics = validation.measure(
      _Network(), _Agent(**{**vars(_AGENT), 'action_values': True}),
      specs.DiscreteArray(3), windows)
  assert {name for name in metrics if not name.endswith('spread')} == {
      'validation/value_error_0', 'validation/action_value_error_0',
      'validation/agreement_0'}
  # The action's value is said to be 10, and 3 + 103 / 8 followed.
  assert metrics['validation/action_value_error_0'] == 3 + 103 / 8 - 10.0


def test_episodes_that_are_too_short_are_left_out():
  with pytest.raises(ValueError, match='No held-out episode of 1 has 4'):
    validation.cut([_episode(1.0)], windows_per_episode=1, unroll_steps=4,
                   frame_stack=1, discount=0.5, seed=0)


@pytest.fixture(scope='module', name='dataset')
def _dataset(tmp_path_factory):
  directory = str(tmp_path_factory.mktemp('data') / 'catch')
  collect.collect(
      task='catch', directory=directory, num_episodes=10,
      behaviour=behaviours.uniform(), seed=1, action_repeat=1,
      episodes_per_file=4)
  return directory


def test_what_is_trained_on_is_not_held_out(dataset):
  open_split = lambda split: episodes_lib.open_dataset(
      dataset, Reading(split=split))
  validation.check_apart(open_split('train[:90%]'), open_split('train[90%:]'))
  with pytest.raises(ValueError, match="2 of 3 held-out.*'train\\[7:\\]'"):
    validation.check_apart(open_split('train[:9]'), open_split('train[7:]'))


def test_episodes_in_common_are_seen_by_whatever_path(dataset, monkeypatch):
  monkeypatch.chdir(os.path.dirname(dataset))
  with pytest.raises(ValueError, match='10 of 10 held-out'):
    validation.check_apart(*map(episodes_lib.open_dataset, (
        dataset, os.path.basename(dataset))))


def test_what_is_held_out_is_read_as_the_training_reads(dataset, monkeypatch):
  """Its own reading chooses episodes alone; that of another set is its own."""
  opened = []
  open_dataset = episodes_lib.open_dataset
  monkeypatch.setattr(
      episodes_lib, 'open_dataset', lambda *args: opened.append(args) or
      open_dataset(*args))
  source = open_dataset(dataset, Reading(
      split='train[:80%]', on_bad_episode='skip', terminal_from='discount'))
  agent, other = train_runs.make_agent(), Reading(split='train[80%:]', seed=3)
  for place, name in ((None, dataset), (dataset, dataset)):
    _held_out(reading=other, dataset=place)(agent, source)
    assert opened[-1][0] == name
  assert opened[0][1] == dataclasses.replace(
      source.reading, split='train[80%:]', seed=3, num_actions=3,
      action_start=0)
  assert opened[1][1] == other


def _held_out(**changes):
  return validation.held_out(**{
      'reading': Reading(split='train[80%:]'), 'num_episodes': 2,
      'windows_per_episode': 3, 'unroll_steps': 2, 'seed': 0, **changes})


def test_what_python_has_is_held_out_by_another_dataset(dataset):
  """Its episodes are chosen with the means of `tf.data`."""
  builder = tfds.builder_from_directory(dataset)
  open_split = lambda split: episodes_lib.from_rlds(
      builder.as_dataset(split=split), metadata=builder.info.metadata)
  source, other = open_split('train[:80%]'), open_split('train[80%:]')
  agent = train_runs.make_agent()
  with pytest.raises(ValueError, match='give held_out another one'):
    _held_out(reading=Reading())(agent, source)
  with pytest.raises(ValueError, match='8 of 8 held-out episodes'):
    _held_out(reading=Reading(), dataset=source)(agent, source)
  validate = _held_out(reading=Reading(), dataset=other)(agent, source)
  of_files = _held_out()(agent, episodes_lib.open_dataset(
      dataset, Reading(split='train[:80%]')))
  weights = [v.numpy() for v in agent.make_network(
      source.spec, source.num_steps).variables]
  assert validate(weights, None) == of_files(weights, None)


def test_a_wrong_split_is_refused_before_work_starts(dataset, tmp_path):
  with pytest.raises(ValueError, match='2 of 2 held-out episodes'):
    train_runs.run(
        dataset, str(tmp_path / 'run'), 4, evaluate_every=2,
        evaluate_fn=evaluate.together(evaluate_fns=[_held_out()]))
  assert not (tmp_path / 'run').exists()


def test_replicas_are_evaluated_and_validated_at_the_end_too(
    dataset, tmp_path, monkeypatch):
  listed = tf.config.list_logical_devices
  monkeypatch.setattr(  # Two of them, which compile sooner than four.
      tf.config, 'list_logical_devices', lambda kind=None: listed(kind)[:2])
  played = evaluate.during_training(
      modes=[modes.policy(), modes.mcts()], search_fn=functools.partial(
          mcts.search, num_simulations=2), num_episodes=2, num_environments=2,
      seed=0, random_start_steps=0, jit_compile=False)
  train_runs.run(
      dataset, str(tmp_path), 5, reading=Reading(split='train[:80%]'),
      strategy='mirrored', evaluate_every=2, evaluate_fn=evaluate.together(
          evaluate_fns=[_held_out(), played]))
  with open(os.path.join(tmp_path, 'evaluations.jsonl'),
            encoding='utf8') as file:
    lines = [json.loads(line) for line in file]
  assert [line['step'] for line in lines] == [2, 4, 5]
  kept = checkpoint_files.read_best(str(tmp_path / 'checkpoints'))
  assert kept.metric == 'evaluation/mcts' and kept.value == max(
      line['evaluation/mcts'] for line in lines)
  for line in lines:
    for mode in ('policy', 'mcts'):
      assert -1.0 <= line[f'evaluation/{mode}'] <= 1.0
    for name in ('reward_error_1', 'reward_error_2', 'value_error_0',
                 'value_error_2', 'agreement_1'):
      assert np.isfinite(line[f'validation/{name}'])
  assert (lines[0]['validation/value_error_0']
          != lines[1]['validation/value_error_0'])


def test_the_gin_file_holds_a_tenth_out():
  text = cli.configure(
      train.train, ['gin/experiment/catch.gin', 'gin/validation.gin'],
      ['RUN_DIRECTORY = "run"', 'DATASET = "data"']).text
  assert "validation/reading.Reading.split = 'train[90%:]'" in text
  assert "\nreading.Reading.split = 'train[:90%]'" in text


def test_own_data_without_an_environment_is_judged_by_itself(dataset):
  source = dataclasses.replace(episodes_lib.open_dataset(
      dataset, Reading(held_out=0.2)), task='')
  evaluate_fn = evaluate.together(evaluate_fns=[
      evaluate.during_training(
          modes=[modes.policy()], search_fn=None, num_episodes=1,
          num_environments=1, seed=0, random_start_steps=0),
      validation.held_out(num_episodes=2, windows_per_episode=3,
                          unroll_steps=2, seed=0)])
  agent = acting_toys.make_agent()
  measure = evaluate_fn(agent, source)
  metrics = measure(agent.make_network(source.spec).variables, lambda: None)
  assert set(measure.names) == set(metrics)
  assert not any(name.startswith('evaluation/') for name in metrics)
  assert best.choose(metrics) == 'validation/reward_error_1'
  with pytest.raises(ValueError, match='best_by must be'):
    best.checked('evaluation/mcts', measure)


def test_a_fit_begins_anew_at_each_measurement(dataset):
  source = episodes_lib.open_dataset(dataset)
  agent = acting_toys.make_agent()
  measure = fitted_q.evaluation(
      num_transitions=20, num_steps=30, batch_size=8, seed=0)(agent, source)
  networks = [agent.make_network(source.spec).variables for _ in range(2)]
  first, other, again = (
      measure(networks[i], lambda: None) for i in (0, 1, 0))
  assert first == again != other


def test_nothing_held_out_is_told(dataset):
  source = episodes_lib.open_dataset(dataset)
  with pytest.raises(ValueError, match='reading.Reading.held_out'):
    validation.held_out(num_episodes=2, windows_per_episode=3, unroll_steps=2,
                        seed=0)(None, source)
