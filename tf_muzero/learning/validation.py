"""How good the learned model is on episodes that it was not trained on.

From stored states the network is unrolled with the stored actions, as in
training, and what it says is compared with what the data says. The policy and
the values are not meant to be the data's: planning is to improve on it. But an
error of rewards, or one that grows with each unrolled step, is the model's.
"""

import dataclasses
import itertools
from typing import Any, Callable, NamedTuple, Optional, Sequence, Union

from absl import logging
from dm_env import specs
import numpy as np
import tensorflow as tf

from tf_muzero import actions
from tf_muzero import ranges
from tf_muzero.data import episodes as episodes_lib
from tf_muzero.data import observations
from tf_muzero.data.reading import Reading
from tf_muzero.learning import best
from tf_muzero.networks import functional
from tf_muzero.networks import heads
from tf_muzero.networks.agent import Agent
from tf_muzero.types import Episode
from tf_muzero.types import Parameters


class HeldOut(NamedTuple):
  """B windows of K transitions.

  Attributes:
    observation: [B, F, ...] the first state's observation and those before it.
    action: [B, K + 1, ...] stored actions.
    reward: [B, K] what followed them.
    returns: [B, K + 1] discounted rewards from each state to the last record.
    last: [B, F, ...] as `observation`, of the episode's last record.
    last_factor: [B, K + 1] discount from each state to the last record; 0 where
      the episode ended there and was not cut off.
  """
  observation: np.ndarray
  action: np.ndarray
  reward: np.ndarray
  returns: np.ndarray
  last: np.ndarray
  last_factor: np.ndarray


def held_out(
    *, num_episodes: int, windows_per_episode: int, unroll_steps: int,
    seed: int, reading: Optional[Reading] = None,
    dataset: Optional[Union[str, episodes_lib.Dataset, tf.data.Dataset]] = None
    ) -> Callable[[Agent, Any], Callable[..., dict[str, float]]]:
  """Returns what validates the weights of a running training.

  It is an `evaluate.EvaluateFn`, and gives, for each k unrolled steps:
  `validation/reward_error_k`, mean absolute error of the k-th reward;
  `validation/value_error_k`, mean absolute difference to the data's discounted
  return, which ends in the network's own value where an episode was cut off;
  and of the policy `validation/agreement_k`, how often its most probable action
  is the stored one, or `validation/action_distance_k`, the mean absolute
  difference. `validation/reward_spread` and `validation/value_spread` are the
  errors of saying the mean.

  Args:
    num_episodes: that are looked at, at most.
    windows_per_episode: at random places.
    unroll_steps: K.
    seed: of the places.
    reading: which episodes of the training's dataset it is not trained on, by
      default what the training's own reading holds out; how they are read, the
      training's reading says. Or how `dataset` is read.
    dataset: what is held out, see `episodes.open_dataset`; by default of the
      training's own, all that `reading` says. Nothing tells whether two that
      are `tf.data.Dataset`s have episodes in common.
  """
  ranges.at_least(1, num_episodes=num_episodes, unroll_steps=unroll_steps,
                  windows_per_episode=windows_per_episode)

  def evaluate_fn(agent: Agent, source: Any):
    if not isinstance(source, episodes_lib.Dataset):
      raise ValueError('Validation needs a dataset to hold episodes out of; '
                       'this training has an environment alone.')
    other = _held_out_of(source, dataset, reading)
    if not other.num_episodes:
      logging.warning('%s has a single episode: nothing is held out to compare '
                      'the model with.', source.place)
      return best.NOTHING
    windows = cut(
        list(itertools.islice(episodes_lib.iterate(other), num_episodes)),
        windows_per_episode=windows_per_episode, unroll_steps=unroll_steps,
        frame_stack=agent.frame_stack, discount=agent.discount, seed=seed)
    network = agent.make_network(source.spec, source.num_steps)

    def validate(parameters: Parameters, _) -> dict[str, float]:
      functional.assign(network.variables, parameters)
      return measure(network, agent, source.spec.action, windows)

    return best.Measure(validate, tuple(
        measure(network, agent, source.spec.action, windows)))

  return evaluate_fn


def _held_out_of(
    source: episodes_lib.Dataset,
    dataset: Optional[Union[str, episodes_lib.Dataset, tf.data.Dataset]],
    reading: Optional[Reading]) -> episodes_lib.Dataset:
  """Returns the episodes that are not trained on; for arguments `held_out`."""
  if dataset is None and reading is None:
    if source.reading.held_out:
      return dataclasses.replace(
          source, parts=source.held_out_parts, held_out_parts=())
    raise ValueError('Nothing is held out to validate with: set '
                     'reading.Reading.held_out, such as 0.1, or give '
                     'validation.held_out a reading or a dataset.')
  if dataset is None and not source.directory:
    raise ValueError(
        'What is trained on is a tf.data.Dataset: give held_out another one, '
        'of the episodes to hold out, as its argument dataset.')
  reading = reading or Reading()
  if dataset is None:
    dataset, reading = source.directory, _of_the_same(source, reading)
  other = episodes_lib.open_dataset(dataset, reading)
  check_apart(source, other)
  return other


def _of_the_same(source: episodes_lib.Dataset, reading: Reading) -> Reading:
  """Returns what reads other episodes of a dataset as the training does."""
  chosen = {name: getattr(reading, name) for name in (
      'split', 'percent', 'max_episodes', 'max_steps', 'held_out', 'best',
      'seed')}
  if isinstance(source.spec.action, specs.DiscreteArray):
    # Where nothing tells them, each split would count its own.
    chosen.update(num_actions=source.spec.action.num_values,
                  action_start=actions.start_of(source.spec.action))
  return dataclasses.replace(source.reading, **chosen)


def check_apart(source: episodes_lib.Dataset, other: episodes_lib.Dataset
                ) -> None:
  """Raises ValueError where two datasets have episodes in common."""
  if source.spec != other.spec:
    raise ValueError(
        f'{other.place!r} has other observations or actions than what is '
        f'trained on: {other.spec}, not {source.spec}.')
  def episodes(dataset):
    return {(part.path, id(dataset.elements), number) for part in dataset.parts
            for number in part.numbers}
  common = episodes(source) & episodes(other)
  if common:
    raise ValueError(
        f'{len(common)} of {other.num_episodes} held-out episodes '
        f'({other.split!r}) are trained on ({source.split!r}); keep them apart '
        "with reading.split, such as 'train[:90%]' and 'train[90%:]'.")


def cut(episodes: Sequence[Episode], *, windows_per_episode: int,
        unroll_steps: int, frame_stack: int, discount: float, seed: int
        ) -> HeldOut:
  """Returns windows at random places of episodes.

  Args:
    episodes: those with fewer transitions than K are left out.
    windows_per_episode: their number.
    unroll_steps: K.
    frame_stack: F.
    discount: per decision.
    seed: of the places.
  """
  rng, windows = np.random.default_rng(seed), []
  for episode in episodes:
    num_transitions = len(episode.reward) - 1
    if num_transitions < unroll_steps:
      continue
    past = np.zeros_like(episode.observation[:1])
    stacked = np.concatenate(
        [*[past] * (frame_stack - 1), episode.observation])
    returns, factors = _returns(episode, discount)
    for start in rng.integers(
        num_transitions - unroll_steps + 1, size=windows_per_episode):
      states = slice(start, start + unroll_steps + 1)
      windows.append(HeldOut(
          stacked[start:start + frame_stack], episode.action[states],
          episode.reward[states][:-1], returns[states], stacked[-frame_stack:],
          factors[states]))
  if not windows:
    raise ValueError(f'No held-out episode of {len(episodes)} has '
                     f'{unroll_steps} transitions: validation.held_out.'
                     'unroll_steps must be fewer.')
  return HeldOut(*(np.stack(x) for x in zip(*windows)))


def measure(network: Any, agent: Agent, action_spec: specs.Array,
            windows: HeldOut) -> dict[str, float]:
  """Returns the metrics of `held_out`.

  Args:
    network: such as `state.StateNetwork`, with its weights.
    agent: what its outputs mean.
    action_spec: what it does.
    windows: stored ones.
  """
  stack = lambda x: observations.stack(tf.constant(x), agent.frame_stack)[:, 0]
  value = lambda embedding: agent.value_support.decode(
      network.predict_heads(embedding)[1])
  embedding = network.represent(stack(windows.observation))
  last = value(network.represent(stack(windows.last))).numpy()
  returns = windows.returns + windows.last_factor * last[:, np.newaxis]
  metrics = {
      'validation/reward_spread': _distance(
          windows.reward, windows.reward.mean()),
      'validation/value_spread': _distance(returns, returns.mean())}
  head = heads.make_head(action_spec, num_candidates=1)
  memory = agent.no_memory(network, len(last))
  for k in range(windows.action.shape[1]):
    if k and agent.action_values:
      break  # Nothing is imagined.
    if k:
      embedding, _, reward, memory = agent.step(
          network, embedding, tf.constant(windows.action[:, k - 1]), memory)
      metrics[f'validation/reward_error_{k}'] = _distance(
          reward.numpy(), windows.reward[:, k - 1])
    metrics[f'validation/value_error_{k}'] = _distance(
        value(embedding).numpy(), returns[:, k])
    if agent.action_values:
      _, _, told, _ = agent.step(
          network, embedding, tf.constant(windows.action[:, k]), memory)
      metrics[f'validation/action_value_error_{k}'] = _distance(
          told.numpy(), returns[:, k])
    if k + 1 == windows.action.shape[1]:
      break  # Its action may be after the episode.
    action = head.mode_fn(network.predict_heads(embedding)[0]).numpy()
    if head.is_discrete:
      metrics[f'validation/agreement_{k}'] = float(
          np.mean(action == windows.action[:, k]))
    else:
      metrics[f'validation/action_distance_{k}'] = _distance(
          action, windows.action[:, k])
  return metrics


def _returns(episode: Episode, discount: float
             ) -> tuple[np.ndarray, np.ndarray]:
  """Returns [R] of what follows each record, and of the last one's factor."""
  returns = np.zeros(len(episode.reward), np.float32)
  factors = np.ones(len(episode.reward), np.float32)
  factors[-1] = episode.discount[-2] > 0.0  # Of what ended, all are 0.
  for t in reversed(range(len(returns) - 1)):
    factor = discount * episode.discount[t]
    returns[t] = episode.reward[t] + factor * returns[t + 1]
    factors[t] = factor * factors[t + 1]
  return returns, factors


def _distance(x: np.ndarray, y: Any) -> float:
  return float(np.mean(np.abs(x - y)))
