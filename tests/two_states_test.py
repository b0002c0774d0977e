"""A problem of two states that needs planning, learned from random actions.

Action a leads to state a. Leaving state 0 for state 1 costs 0.2, leaving state
1 for state 0 pays 1, and staying pays nothing: the best policy goes back and
forth, though its first step out of state 0 costs.

The states are seen as vectors; or as frames, of which two are needed: the state
is whether they differ.
"""

import functools
from typing import Any, Callable, NamedTuple

from dm_env import specs
import numpy as np
import pytest
import tensorflow as tf

from tf_muzero.keras2 import keras
from tf_muzero.learning import callbacks
from tf_muzero.learning import feeding
from tf_muzero.learning import losses
from tf_muzero.learning import trainer as trainer_lib
from tf_muzero.learning.terms import action_value
from tf_muzero.networks import agent as agent_lib
from tf_muzero.networks import pixels
from tf_muzero.networks import state
from tf_muzero.networks import value_prefix as value_prefix_lib
from tf_muzero.networks import value_transform
from tf_muzero.reanalyse import improvement
from tf_muzero.reanalyse import on_device
from tf_muzero.reanalyse import pipeline
from tf_muzero.reanalyse import store as store_lib
from tf_muzero.reanalyse import value_targets
from tf_muzero.search import mcts
from tf_muzero.types import EnvironmentSpec
from tf_muzero.types import Segment

_DISCOUNT = 0.8
_B, _K, _L, _N = 32, 2, 8, 3
# v0 = -0.2 + 0.8 v1 and v1 = 1 + 0.8 v0.
_VALUES = np.array([0.6 / 0.36, 1.0 + 0.8 * 0.6 / 0.36])


class _View(NamedTuple):
  """How states are seen.

  Attributes:
    observation: spec of one observation.
    network_fn: of the agent.
    frame_stack: F.
    observe_fn: states [G, S] -> observations [G, S + F - 1, ...].
    model_input: of state 0 and of state 1.
  """
  observation: specs.Array
  network_fn: Callable[..., keras.Model]
  frame_stack: int
  observe_fn: Callable[[np.ndarray], np.ndarray]
  model_input: Any


def _frames(sides):
  """Returns frames [..., 8, 8, 1] that are bright at the left or the right."""
  frames = np.zeros([2, 8, 8, 1], np.uint8)
  frames[0, :, :4] = frames[1, :, 4:] = 255
  return frames[sides]


def _watch(where):
  """Returns frames that change sides before each state 1."""
  before = np.arange(len(where))[:, np.newaxis] % 2
  return _frames(np.cumsum(np.concatenate([before, where], 1), axis=1) % 2)


_VECTORS = _View(
    specs.Array([2], np.float32),
    functools.partial(state.StateNetwork, num_blocks=0, width=16), 1,
    lambda where: np.eye(2, dtype=np.float32)[where], np.eye(2, dtype='f'))
_FRAMES = _View(
    specs.Array([8, 8, 1], np.uint8),
    functools.partial(
        pixels.PixelNetwork, num_blocks=1, planes=8, head_planes=4,
        downsampling=[('convolution', 8, 0), ('pool', 8, 0)]), 2, _watch,
    np.concatenate([_frames([1, 0]), _frames([1, 1])], axis=-1))


def _segments(view, unroll_steps, num=200):
  """Returns segments of endless random behaviour."""
  generator = np.random.default_rng(0)
  length = _L + unroll_steps + _N
  action = generator.integers(2, size=[num, length]).astype(np.int32)
  first = generator.integers(2, size=[num, 1])
  where = np.concatenate([first, action[:, :-1]], axis=1)
  reward = np.where(
      where == 0, np.where(action == 1, -0.2, 0.0),
      np.where(action == 0, 1.0, 0.0)).astype(np.float32)
  always = np.ones([num, length], bool)
  return tf.data.Dataset.from_tensor_slices(Segment(
      view.observe_fn(where), action, reward,
      np.ones([num, length], np.float32), always, always)
                                            ).shuffle(num, seed=1).repeat()


def _learn(view, improvement_fn, num_steps, directory, placement='host',
           value_target_fn=value_targets.search,  # The data is off the policy.
           value_prefix=None, unroll_steps=_K, terms=()):
  tf.keras.utils.set_random_seed(3)
  support = value_transform.Support(-2.0, 3.0, 41)
  agent = agent_lib.Agent(
      view.network_fn, support, support, _DISCOUNT, 2, view.frame_stack,
      value_prefix=value_prefix, action_values=bool(terms))
  spec = EnvironmentSpec(view.observation, specs.DiscreteArray(2, np.int32))
  make_network = lambda: agent.make_network(spec)
  planned = make_network()
  reanalyse = pipeline.Reanalyse(
      improvement_fn, value_target_fn,
      # A visit for each action: else a policy that collapses before the values
      # are learned leaves the better action unseen for ever.
      functools.partial(mcts.search, num_simulations=30, min_root_visits=1),
      td_steps=_N, windows_per_segment=_L, segments_per_search=8,
      sample_reuse=2, store_windows=200, parallel_searches=1, host_jit=True,
      placement=placement)
  trainer = trainer_lib.Trainer(
      make_network(), trainer_lib.make_target_network(make_network),
      lambda network, window, seed: losses.muzero_loss(
          network, agent, agent.make_head(spec),
          losses.LossWeights(1.0, 1.0, 1.0, 1e-3, 0.0, terms), window, _B),
      target_period=10, target_decay=0.0, global_batch_size=_B,
      jit_compile=False)
  trainer.compile(keras.optimizers.Adam(5e-3), steps_per_execution=10)
  strategy = trainer.distribute_strategy
  if placement == 'device':
    segments = _segments(view, unroll_steps).batch(8, drop_remainder=True)
    search_fn = on_device.make_search_fn(
        strategy, reanalyse, agent, spec, planned, lambda: (
            trainer.target_network.variables, trainer.optimizer.iterations),
        num_segments=8, unroll_steps=unroll_steps, seed=1)
  else:
    segments, search_fn = pipeline.searched_segments(
        _segments(view, unroll_steps), reanalyse,
        agent.plan_with(planned, spec), directory,
        [v.shape for v in planned.variables], seed=1, deterministic=True), None
  fed = feeding.distribute(
      strategy, lambda _: pipeline.on_demand(segments, True), 0)
  store = store_lib.Store([store_lib.Source(
      *fed, _B, reanalyse.store_windows, reanalyse.sample_reuse, search_fn)],
                          reanalyse.cutting(agent, unroll_steps, False), seed=1)
  trainer.fit(
      store, steps_per_epoch=num_steps, verbose=0, callbacks=[
          callbacks.StopOnNan(), callbacks.PublishSnapshots(
              10, directory, lambda: trainer.target_network)])
  policy, value_logits = trainer.network.predict_heads(
      trainer.network.represent(tf.constant(view.model_input)))
  return tf.nn.softmax(policy).numpy(), support.decode(value_logits).numpy()


@pytest.mark.parametrize('view, placement', [
    (_VECTORS, 'host'), (_FRAMES, 'host'),
    pytest.param(_VECTORS, 'device', marks=pytest.mark.slow)],
                         ids=['vectors', 'frames', 'vectors_on_device'])
def test_muzero_finds_the_best_policy_and_its_values(
    view, placement, tmp_path):
  policy, values = _learn(
      view, functools.partial(
          improvement.search_improvement, injected_prior=0.25),
      500, str(tmp_path), placement)
  assert policy[0, 1] > 0.8 and policy[1, 0] > 0.8, policy
  np.testing.assert_allclose(values, _VALUES, rtol=0.15)


def test_rewards_may_be_told_by_their_sum(tmp_path):
  policy, values = _learn(
      _VECTORS, functools.partial(
          improvement.search_improvement, injected_prior=0.25),
      600, str(tmp_path), value_prefix=value_prefix_lib.ValuePrefix(
          num_steps=2, num_features=8, units=16),
      unroll_steps=4)  # Else nothing teaches what follows a reset.
  assert policy[0, 1] > 0.8 and policy[1, 0] > 0.8, policy
  np.testing.assert_allclose(values, _VALUES, rtol=0.15)


def test_q_learning_finds_them_without_a_tree(tmp_path):
  policy, values = _learn(
      _VECTORS, functools.partial(improvement.q_improvement, epsilon=0.05),
      300, str(tmp_path))
  assert policy[0, 1] > 0.8 and policy[1, 0] > 0.8, policy
  np.testing.assert_allclose(values, _VALUES, rtol=0.15)


def test_values_of_actions_need_no_model(tmp_path):
  policy, _ = _learn(
      _VECTORS, functools.partial(improvement.q_improvement, epsilon=0.05),
      300, str(tmp_path), value_target_fn=value_targets.td_search,
      unroll_steps=0,
      terms=[action_value.action_value(weight=1.0)])
  assert policy[0, 1] > 0.8 and policy[1, 0] > 0.8, policy


def test_cloning_learns_the_random_behaviour_instead(tmp_path):
  policy, _ = _learn(
      _VECTORS, improvement.cloning_improvement, 200, str(tmp_path))
  np.testing.assert_allclose(policy, np.full([2, 2], 0.5), atol=0.12)


def test_regression_learns_the_better_actions(tmp_path):
  policy, _ = _learn(
      _VECTORS, functools.partial(
          improvement.crr_improvement, filter_fn=improvement.binary_filter),
      300, str(tmp_path), value_target_fn=value_targets.td)
  assert policy[0, 1] > 0.8 and policy[1, 0] > 0.8, policy


@pytest.mark.parametrize('wrong', [{'td_steps': -1}, {'sample_reuse': 0}])
def test_bad_reanalyse_is_refused(wrong):
  with pytest.raises(ValueError, match=next(iter(wrong))):
    pipeline.Reanalyse(**{
        'improvement_fn': improvement.cloning_improvement,
        'value_target_fn': value_targets.td, 'search_fn': mcts.search,
        'td_steps': 1, 'windows_per_segment': 1, 'segments_per_search': 1,
        'sample_reuse': 1, 'store_windows': 1, 'parallel_searches': 1,
        'host_jit': False, **wrong})
