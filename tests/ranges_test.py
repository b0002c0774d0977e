"""Numbers out of range are refused before anything starts."""

import functools

import pytest

from tests import acting_toys
from tests import reanalyse_toys
from tests import train_runs
from tf_muzero import collect
from tf_muzero import evaluate
from tf_muzero import ranges
from tf_muzero.acting import modes
from tf_muzero.acting import rehearsal
from tf_muzero.data.reading import Reading
from tf_muzero.envs import behaviours
from tf_muzero.envs import scripted
from tf_muzero.envs import scripted_breakout
from tf_muzero.learning import losses
from tf_muzero.learning import optimizers
from tf_muzero.learning import validation
from tf_muzero.reanalyse import improvement
from tf_muzero.reanalyse import value_targets
from tf_muzero.search import gumbel
from tf_muzero.search import mcts

_NAN = float('nan')
_ADAMW = {'learning_rate': 1e-3, 'warmup_steps': 0, 'weight_decay': 0.0,
          'gradient_clip': 5.0}


@pytest.mark.parametrize('check, low, good, bad', [
    (ranges.at_least, (1,), 1, 0), (ranges.at_least, (0,), 0.0, _NAN),
    (ranges.above, (0,), 1e-9, 0.0), (ranges.within, (0, 1), 1, 1.5),
    (ranges.from_to, (0, 1), 0, 1)])
def test_checks(check, low, good, bad):
  check(*low, x=good)
  with pytest.raises(ValueError, match=f'^x must be .*, got {bad}'):
    check(*low, x=bad)


@pytest.mark.parametrize('changes', [
    {'num_steps': -1}, {'num_steps': 0}, {'batch_size': 0},
    {'unroll_steps': -1}, {'target_period': 0}, {'target_decay': 1.0},
    {'snapshot_every': 0}, {'checkpoint_every': 0}, {'log_every': 0},
    {'steps_per_execution': 0}, {'evaluate_every': -1}, {'seed': -1},
    {'reanalyse_fraction': 1.5}])
def test_training(tmp_path, changes):
  name, = changes
  with pytest.raises(ValueError, match=f'{name} must be '):
    train_runs.run('no dataset', str(tmp_path / 'run'), **{
        'num_steps': 2, **changes})
  assert not (tmp_path / 'run').exists()


@pytest.mark.parametrize('changes', [
    {'learning_rate': -1.0}, {'learning_rate': 0.0}, {'warmup_steps': -1},
    {'weight_decay': -1.0}, {'gradient_clip': 0.0}, {'gradient_clip': _NAN}])
def test_an_optimiser_is_tried_before_data_is_read(tmp_path, changes):
  name, = changes
  with pytest.raises(ValueError, match=f'{name} must be '):
    train_runs.run('no dataset', str(tmp_path / 'run'), 2,
                   optimizer_fn=functools.partial(
                       optimizers.adamw, **{**_ADAMW, **changes}))


def _lambda(decay):
  return {'value_target_fn': functools.partial(
      value_targets.lambda_search, decay=decay)}


def _search(search_fn=mcts.search, **settings):
  return {'search_fn': functools.partial(
      search_fn, **{'num_simulations': 2, **settings})}


@pytest.mark.parametrize('name, changes', [
    ('num_simulations', _search(num_simulations=0)),
    ('temperature', _search(temperature=-1.0)),
    ('min_root_visits', _search(min_root_visits=-1)),
    ('pb_c_base', _search(pb_c_base=0.0)),
    ('num_simulations', _search(gumbel.search, num_simulations=0)),
    ('max_considered', _search(gumbel.search, max_considered=0)),
    ('value_scale', _search(gumbel.search, value_scale=-1.0)),
    ('injected_prior', {'improvement_fn': functools.partial(
        improvement.search_improvement, injected_prior=1.5)}),
    ('decay', _lambda(1.5)), ('decay', _lambda(-0.1))])
def test_targets_are_tried_before_data_is_read(name, changes):
  with pytest.raises(ValueError, match=f'{name} must be '):
    rehearsal.targets(reanalyse_toys.reanalyse(
        num_simulations=2, **changes), 3)


@pytest.mark.parametrize('changes', [
    {}, _lambda(0.9), _search(gumbel.search),
    {'improvement_fn': improvement.cloning_improvement}])
def test_what_is_right_is_let_through(changes):
  rehearsal.targets(
      reanalyse_toys.reanalyse(num_simulations=2, **changes), 3)


@pytest.mark.parametrize('value_target_fn, td_steps, is_right', [
    (value_targets.td, 1, True), (value_targets.td_search, 3, True),
    (value_targets.td, 0, False), (value_targets.search, 5, False),
    (functools.partial(value_targets.lambda_search, decay=0.9), 5, True)])
def test_values_of_actions_need_returns(value_target_fn, td_steps, is_right):
  reanalyse = reanalyse_toys.reanalyse(
      num_simulations=2, value_target_fn=value_target_fn, td_steps=td_steps)
  if is_right:
    rehearsal.returns(reanalyse)
  else:
    with pytest.raises(ValueError, match='begin with the action'):
      rehearsal.returns(reanalyse)


@pytest.mark.parametrize('value_target_fn, td_steps, is_right', [
    (value_targets.td, 0, False), (value_targets.td, 1, True),
    (value_targets.search, 0, True), (value_targets.td_search, 0, True)])
def test_values_do_not_learn_from_themselves(
    value_target_fn, td_steps, is_right):
  functions = functools.partial(
      rehearsal.functions, reanalyse_toys.reanalyse(
          num_simulations=2, value_target_fn=value_target_fn,
          td_steps=td_steps), acting_toys.make_agent(), lambda num_steps: None,
      1)
  if is_right:
    functions()
  else:
    with pytest.raises(ValueError, match='td_steps to 1 or more'):
      functions()


def test_the_search_of_an_evaluation_is_tried():
  with pytest.raises(ValueError, match='num_simulations must be '):
    rehearsal.search(functools.partial(mcts.search, num_simulations=0), 3)


@pytest.mark.parametrize('changes', [
    {'modes': []}, {'num_episodes': 0}, {'num_environments': 0}, {'seed': -1},
    {'random_start_steps': -1}, {'max_steps': 0}])
def test_evaluation(tmp_path, changes):
  name, = changes
  settings = {'modes': [modes.policy()], 'search_fn': None, 'num_episodes': 1,
              'num_environments': 1, 'seed': 0, 'random_start_steps': 0,
              **changes}
  with pytest.raises(ValueError, match=f'{name} must '):
    evaluate.during_training(**settings)
  if name != 'modes':
    with pytest.raises(ValueError, match=f'{name} must '):
      evaluate.evaluate(str(tmp_path), **settings)


@pytest.mark.parametrize('changes', [
    {'num_episodes': 0}, {'action_repeat': 0}, {'max_steps': 0},
    {'episodes_per_file': 0}, {'seed': -1}])
def test_collection(tmp_path, changes):
  name, = changes
  with pytest.raises(ValueError, match=f'{name} must be '):
    collect.collect(**{
        'task': 'no task', 'directory': str(tmp_path / 'data'),
        'num_episodes': 1, 'behaviour': behaviours.uniform(), 'seed': 0,
        'action_repeat': 1, **changes})


@pytest.mark.parametrize('name, make', [
    ('max_scale', lambda: modes.sample(max_scale=0.0)),
    ('max_scale', lambda: modes.value(max_scale=-1.0)),
    ('max_scale', lambda: modes.mcts(max_scale=_NAN)),
    ('noise', lambda: behaviours.noisy(behaviours.uniform(), -1.0)),
    ('pump', lambda: scripted.cartpole_noisy(pump=(1.0, 0.0))),
    ('good_share', lambda: scripted.cartpole_segments(good_share=(0.0, 2.0))),
    ('noise', lambda: scripted_breakout.breakout_segments(noise=2.0)),
    ('policy', lambda: losses.LossWeights(-1.0, 0.0, 0.0, 0.0, 0.0)),
    ('held_out', lambda: Reading(held_out=1.0)),
    ('max_steps', lambda: Reading(max_steps=0)),
    ('num_episodes', lambda: validation.held_out(
        num_episodes=0, windows_per_episode=1, unroll_steps=1, seed=0)),
    ('windows_per_segment', lambda: reanalyse_toys.reanalyse(
        num_simulations=1, windows_per_segment=-1))])
def test_what_is_made_by_gin(name, make):
  with pytest.raises(ValueError, match=f'{name} must be '):
    make()
