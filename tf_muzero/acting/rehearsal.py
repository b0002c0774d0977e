"""Settings of a training, tried before any work starts.

Those of a search, of an improvement and of a value target are bound to
functions, which check them when they are called: hours later, maybe. Here they
are called on made-up states, in a graph that nothing runs.
"""

from typing import Any, Callable, Mapping, Optional

from absl import logging
import tensorflow as tf

from tf_muzero.keras2 import keras
from tf_muzero import ranges
from tf_muzero.acting import interaction as interaction_lib
from tf_muzero.acting import passes
from tf_muzero.learning import losses
from tf_muzero.learning import profiling
from tf_muzero.networks import precision
from tf_muzero.networks.agent import Agent
from tf_muzero.networks.agent import PlanningModel
from tf_muzero.reanalyse import on_device
from tf_muzero.reanalyse import pipeline
from tf_muzero.types import RootOutput
from tf_muzero.types import SearchFn
from tf_muzero.types import Segment
from tf_muzero.types import StepOutput

_SEED = (0, 0)
_STATES = 2
# The least that arguments of `train.train` can be.
_LOWEST = {
    'batch_size': 1, 'unroll_steps': 0, 'target_period': 1, 'snapshot_every': 1,
    'checkpoint_every': 1, 'log_every': 1, 'evaluate_every': 0,
    'steps_per_execution': 1, 'seed': 0, 'intra_op_threads': 0}
MANY_STEPS = 50  # To unroll: more than so many take minutes to compile.


def arguments(given: Mapping[str, Any]) -> None:
  """Raises ValueError where what `train` is given cannot be done.

  Args:
    given: all arguments of `train.train` by name.
  """
  on_device.check(given['reanalyse'], given['reanalyse_fraction'])
  if given['reanalyse'].service and not given['reanalyse_fraction']:
    logging.warning('%s is not used: with a reanalyse_fraction of 0 no stored '
                    'state is searched.', given['reanalyse'].service)
  for name, low in _LOWEST.items():
    ranges.at_least(low, **{name: given[name]})
  ranges.within(0, 1, reanalyse_fraction=given['reanalyse_fraction'])
  passes.check(given['num_steps'], given['reanalyse_fraction'],
               given['interaction'])
  _check_sources(
      given['interaction'], given['deterministic'], given['num_steps'])
  ranges.from_to(0, 1, target_decay=given['target_decay'])
  precision.policy(given['compute_dtype'])
  if given['checkpoint_every'] % given['snapshot_every']:
    raise ValueError(
        'checkpoint_every must be a multiple of snapshot_every, so that a '
        'resumed run starts from the snapshot that it had; got '
        f'{given["checkpoint_every"]} and {given["snapshot_every"]}.')
  losses.check_action_values(
      given['agent'], given['loss_weights'], given['unroll_steps'])
  if not given['unroll_steps'] and not given['agent'].action_values:
    logging.warning('unroll_steps is 0: rewards and what follows an action are '
                    'not learned. A search imagines them untrained, and the '
                    'best checkpoint must not go by them: set best_by. '
                    'gin/algorithm/action_values.gin needs no model.')
  if given['unroll_steps'] > MANY_STEPS:
    logging.warning(
        'unroll_steps is %d: a learner step holds as many states of each of '
        'the %d windows in memory, and minutes pass before the first one, '
        'while its graph is made.', given['unroll_steps'], given['batch_size'])
  profiling.parse(given['profile'], None if isinstance(
      given['num_steps'], str) else given['num_steps'])


def length(given: Mapping[str, Any], content: Mapping[str, Any]) -> int:
  """Returns the learner steps, if what depends on their number can be done.

  Args:
    given: all arguments of `train.train` by name.
    content: of the run's `fitted.json`.
  """
  num_steps = passes.settle(given['num_steps'], content,
                            given['reanalyse_fraction'], given['batch_size'])
  profiling.parse(given['profile'], num_steps)
  return num_steps


def _check_sources(interaction: Optional[interaction_lib.Interaction],
                   deterministic: bool, num_steps: passes.Length) -> None:
  if not interaction or not interaction.sources:
    return
  if deterministic:
    raise ValueError(
        'deterministic needs interaction.sources = None: what was played after '
        'a checkpoint is not forgotten by a run that resumes from it.')
  if not isinstance(num_steps, str):  # Weights may fall to 0 in the end.
    interaction.sources.at(num_steps - 1)


def functions(
    reanalyse: pipeline.Reanalyse, agent: Agent,
    optimizer_fn: Callable[[int], keras.optimizers.Optimizer],
    num_steps: passes.Length) -> None:
  """Raises ValueError where what training calls has wrong settings.

  To be called when the strategy is there, which has to come first.
  """
  optimizer_fn(passes.imagined(num_steps))
  targets(reanalyse, agent.num_candidates)
  _check_values(reanalyse)
  if agent.action_values:
    returns(reanalyse)


def _check_values(reanalyse: pipeline.Reanalyse) -> None:
  """Raises ValueError where value targets are the network's own values."""
  zero = tf.zeros([1, _STATES])
  target = reanalyse.value_target_fn(
      zero, zero, zero < 1.0, zero, tf.ones_like(zero), reanalyse.td_steps)
  if target[0, 0] == 1.0:
    raise ValueError(
        "Value targets are the network's own values, so rewards would teach it "
        'nothing: set pipeline.Reanalyse.td_steps to 1 or more, such as 5.')


def returns(reanalyse: pipeline.Reanalyse) -> None:
  """Raises ValueError where value targets do not tell actions apart."""
  zero = tf.zeros([1, _STATES])
  one = tf.ones_like(zero)
  target = reanalyse.value_target_fn(
      one, zero, one > 0.0, zero, zero, reanalyse.td_steps)
  if target[0, 0] != 1.0:
    raise ValueError(
        'Values of actions are learned from returns, which begin with the '
        "action's reward: with agent.Agent.action_values, set "
        'pipeline.Reanalyse.value_target_fn to value_targets.td or another of '
        'them, and td_steps to 1 or more.')


def targets(reanalyse: pipeline.Reanalyse, num_candidates: int) -> None:
  """Raises ValueError where targets could not be made as the settings say.

  Args:
    reanalyse: the settings.
    num_candidates: K, as of the agent.
  """
  with tf.Graph().as_default():
    each = lambda value: tf.fill([1, _STATES], value)
    segments = Segment(
        tf.zeros([1, _STATES, 1]), tf.zeros([1, _STATES, 1]), each(0.0),
        each(1.0), each(True), each(True))
    improved = reanalyse.improvement_fn(
        _model(num_candidates), reanalyse.host_search_fn(), (),
        tf.constant(_SEED), segments)
    reanalyse.value_target_fn(
        segments.reward, segments.discount, segments.is_transition,
        improved.value, improved.network_value, reanalyse.td_steps)


def search(search_fn: SearchFn, num_candidates: int) -> None:
  """Raises ValueError where a search could not be made as its settings say.

  Args:
    search_fn: such as `mcts.search`, its settings bound.
    num_candidates: K, as of the agent.
  """
  with tf.Graph().as_default():
    model = _model(num_candidates)
    seed = tf.constant(_SEED)
    search_fn((), model.root_fn((), seed, tf.zeros([1, 1])),
              model.recurrent_fn, seed, draw_fn=model.draw_fn)


def _model(num_candidates: int) -> PlanningModel:
  """Returns a model of actions of one number that says zero of everything."""

  def root(parameters, seed, observation):
    del parameters, seed
    batch = observation.shape[0]
    return RootOutput(
        tf.zeros([batch, num_candidates, 1]),
        tf.zeros([batch, num_candidates]), tf.zeros([batch]),
        tf.zeros([batch, 1]))

  def step(parameters, seed, action, embedding):
    del parameters, seed, action
    zero = embedding[:, 0]
    return StepOutput(zero, zero, tf.tile(
        embedding, [1, num_candidates]), zero, embedding)

  return PlanningModel(
      root, step, lambda seed, embedding, number: embedding,
      lambda parameters, observation: tf.zeros([observation.shape[0], 1]),
      lambda parameters, seed, observation: tf.zeros([observation.shape[0], 1]))
