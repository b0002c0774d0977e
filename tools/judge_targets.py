"""Compares ways to improve a policy, by the simulator's own next states.

  python -m tools.judge_targets runs/1 --num_states=160 --random_start_steps=50

Plays episodes by the run's sampled policy and takes states from them. At each,
every candidate action is judged by r + gamma V(s'): r and s' are the
simulator's, V is the run's network. Prints a line for each way:

- gain: how much of what the best candidate is better than the policy's mean the
  improved policy is better, all states together, with its standard error; 100%
  is the best candidate everywhere, 0% no improvement.
- good, worst: weight of an injected action that is the best, or the worst, by
  the judge of some uniform ones; where actions are discrete and nothing is
  injected, weight of the best and of the worst of all.
- sigma: of the actions in the improved policy, root of its mean variance over
  states and dimensions; where they are discrete its entropy in nats.
- bias, error: mean and root mean square of the root's value less the discounted
  return of the rest of the episode, which the sampled policy played; Q, of the
  weights times Q. That of the network alone comes below.
- calls, ms: of the model for each state; time for each state here.

Judged by V, a way is as good as V is: a tool to look with, not the measure.
"""

import dataclasses
import functools
import os
import time
from typing import Callable, NamedTuple, Sequence

from absl import app
from absl import flags
import numpy as np
import tensorflow as tf

from tf_muzero import cli
from tf_muzero import rng
from tf_muzero import train
from tf_muzero.acting import evaluation
from tf_muzero.acting import fitting
from tf_muzero.acting import run_directory
from tf_muzero.networks.agent import Agent
from tf_muzero.networks.agent import PlanningModel
from tf_muzero.networks.contract import Network
from tf_muzero.search import candidates as candidates_lib
from tf_muzero.search import execution
from tf_muzero.types import EnvironmentSpec
from tf_muzero.types import SearchOutput
from tools.target_judge import operators as operators_lib
from tools.target_judge import simulator
from tools.target_judge import table

_CHECKPOINT = flags.DEFINE_string('checkpoint', 'last', 'See evaluate.')
_STATES = flags.DEFINE_integer('num_states', 160, 'That are judged, at most.')
_EPISODES = flags.DEFINE_integer('num_episodes', 8, 'That they come from.')
_SHARE = flags.DEFINE_float('share', 0.1, 'Of decisions, to draw them from.')
_START = flags.DEFINE_integer('random_start_steps', 0, 'See evaluate.')
_PRIOR = flags.DEFINE_float('injected_prior', 0.25, 'Of the injected action.')
_POOL = flags.DEFINE_integer(
    'pool', 8, 'Uniform actions, of which the good and the worst are taken.')
_SEED = flags.DEFINE_integer('seed', 0, 'Of everything random.')
_REPEATS = 3  # Timed runs; the fastest counts.


class Judged(NamedTuple):
  """What a network and the simulator say of states.

  Attributes:
    states: N of them.
    plan_fn: number of candidates, 0 for the agent's -> planning functions.
    parameters: of the network.
    judge_fn: [N, A, ...] actions -> [N, A] r + gamma V(s').
    good: [N, ...] the best of some uniform actions; `()` if discrete.
    worst: [N, ...] the worst of them, likewise.
    injected_prior: of an injected action.
    seed: [2] of the candidates.
  """
  states: simulator.States
  plan_fn: Callable[[int], PlanningModel]
  parameters: Sequence[tf.Tensor]
  judge_fn: Callable[[np.ndarray], np.ndarray]
  good: np.ndarray
  worst: np.ndarray
  injected_prior: float
  seed: tf.Tensor


def look(agent: Agent, network: Network, spec: EnvironmentSpec,
         environment_fn: Callable, *, num_states: int, num_episodes: int,
         share: float, injected_prior: float, pool: int, seed: int) -> Judged:
  """Returns states of fresh episodes, and what judges actions there."""
  parameters = tuple(v.read_value() for v in network.variables)

  @functools.lru_cache(maxsize=None)
  def plan_fn(num_candidates):
    if num_candidates and not agent.make_head(spec).is_discrete:
      return dataclasses.replace(
          agent, num_candidates=num_candidates).plan_with(network, spec)
    return agent.plan_with(network, spec)

  model = plan_fn(0)
  function = functools.partial(tf.function, autograph=False)
  act_fn = function(functools.partial(model.sample_fn, parameters))
  value_fn = function(lambda x: model.root_fn(
      parameters, rng.seed(0), x).value, reduce_retracing=True)
  states = simulator.visit(
      environment_fn, act_fn, value_fn, spec, discount=agent.discount,
      frame_stack=agent.frame_stack, num_states=num_states,
      num_episodes=num_episodes, share=share, seed=seed)
  judge_fn = lambda actions: simulator.judge(
      states, actions, value_fn, spec, agent.discount)
  good = worst = np.zeros(0)
  if not agent.make_head(spec).is_discrete:
    uniform = np.random.default_rng(seed).uniform(-1.0, 1.0, [
        len(states.returns), pool, *states.action.shape[1:]]).astype(np.float32)
    q_values = judge_fn(uniform)
    rows = np.arange(len(uniform))
    good = uniform[rows, q_values.argmax(-1)]
    worst = uniform[rows, q_values.argmin(-1)]
  return Judged(states, plan_fn, parameters, judge_fn, good, worst,
                injected_prior, rng.seed(seed, 1))


def measure(judged: Judged, operator: operators_lib.Operator) -> table.Row:
  """Returns what an operator makes of the states."""
  states = judged.states
  search_fn = _compiled(judged, operator)
  prior_logits, output = search_fn(states.action)
  weights = output.weights.numpy()
  is_discrete = not tf.is_tensor(output.candidates)
  actions = (np.tile(np.arange(weights.shape[1], dtype=np.int32),
                     [len(weights), 1])
             if is_discrete else output.candidates.numpy())
  q_values = judged.judge_fn(actions)
  policy = table.policy(prior_logits.numpy(), not is_discrete)
  mean = (policy * q_values).sum(-1)
  if is_discrete:
    rows = np.arange(len(weights))
    good, worst = (weights[rows, x(q_values, axis=-1)]
                   for x in (np.argmax, np.argmin))
    sigma = -(weights * np.log(np.maximum(weights, table.TINY))).sum(-1).mean()
  else:
    good, worst = (search_fn(x)[1].weights.numpy()[:, 0]
                   for x in (judged.good, judged.worst))
    sigma = table.sigma(actions, weights)
  gap = output.value.numpy() - states.returns
  q_gap = (weights * output.q_values.numpy()).sum(-1) - states.returns
  return table.Row(
      operator.name, *table.gain(weights, q_values, mean), good.mean(),
      worst.mean(), sigma, gap.mean(), table.size(gap), table.size(q_gap),
      float(output.visit_counts.numpy().sum(-1).mean()),
      _milliseconds(lambda: search_fn(states.action)) / len(weights))


def network_errors(judged: Judged) -> tuple[float, float]:
  """Returns mean and root mean square of the network's own value's error."""
  value = judged.plan_fn(0).root_fn(
      judged.parameters, judged.seed, judged.states.model_input).value.numpy()
  gap = value - judged.states.returns
  return float(gap.mean()), table.size(gap)


def _compiled(judged: Judged, operator: operators_lib.Operator) -> Callable:
  """Returns [N, ...] injected actions -> (prior logits, SearchOutput)."""
  model = judged.plan_fn(operator.num_candidates)
  root_seed, search_seed = rng.split(judged.seed)

  @tf.function(jit_compile=True, autograph=False)
  def search(action: tf.Tensor) -> tuple[tf.Tensor, SearchOutput]:
    root = model.root_fn(
        judged.parameters, root_seed, judged.states.model_input)
    if tf.is_tensor(root.candidates):
      root = candidates_lib.inject(root, action, judged.injected_prior)
    return root.prior_logits, operator.search_fn(
        judged.parameters, root, model.recurrent_fn, search_seed,
        draw_fn=model.draw_fn, execution=execution.by_default(True))

  return search


def _milliseconds(run_fn: Callable) -> float:
  """Returns the time of the fastest of some runs."""
  times = []
  for _ in range(_REPEATS):
    start = time.perf_counter()
    run_fn()[0].numpy()
    times.append(time.perf_counter() - start)
  return 1e3 * min(times)


def main(argv: Sequence[str]) -> None:
  """Prints the table of a run."""
  if len(argv) != 2:
    raise app.UsageError('Give a run directory.')
  directory = argv[1]
  settings = cli.settings(
      train.train, [os.path.join(directory, 'config.gin')])
  task = run_directory.load_task(directory)
  agent = fitting.load(directory, settings['agent'])
  network = agent.make_network(task.spec, task.num_datapoints)
  step = run_directory.restore_network(directory, network, _CHECKPOINT.value)
  judged = look(
      agent, network, task.spec, evaluation.make_environment_fn(
          task.name, action_repeat=task.action_repeat,
          random_start_steps=_START.value, spec=task.spec),
      num_states=_STATES.value, num_episodes=_EPISODES.value,
      share=_SHARE.value, injected_prior=_PRIOR.value, pool=_POOL.value,
      seed=_SEED.value)
  print(f'{directory}, step {step}: {len(judged.states.returns)} states of '
        f'{_EPISODES.value} episodes of {task.name}, mean discounted return '
        f'{judged.states.returns.mean():.3f}')
  rows = [measure(judged, operator) for operator in operators_lib.every(
      settings['reanalyse'].search_fn)]
  print(table.format_table(rows, network_errors(judged)))


if __name__ == '__main__':
  app.run(main)
