"""What rewards, returns and observations a dataset has; one pass over it."""

import dataclasses
from typing import Iterable, Iterator, NamedTuple, Optional, Sequence

from absl import logging
import numpy as np
import tensorflow as tf

from tf_muzero import progress
from tf_muzero.data import decoding
from tf_muzero.data import episodes as episodes_lib
from tf_muzero.data import files
from tf_muzero.data import layout
from tf_muzero.data import records

_SAMPLE = 64  # Episodes that are looked at where all of them would take hours.
_SECONDS = 2.0  # After which a bar shows how far it is.
_QUANTILES = np.linspace(0.0, 1.0, 21)


class Survey(NamedTuple):
  """What was found; rewards and returns are in the data's units.

  Attributes:
    num_episodes: that were looked at.
    num_steps: transitions of these.
    num_terminal: how many of these ended, and were not cut off.
    is_sample: whether there are more.
    discount: the agent's, per decision.
    reward: least and greatest.
    reward_sums: least and greatest sum of rewards of a few steps in a row, from
      one up to as many as was asked for.
    returns: least and greatest sum of discounted rewards from any state to its
      episode's end.
    values: likewise, where episodes that were cut off go on with their mean
      reward: what values are about.
    mean_reward: of all transitions.
    mean_value: of `values`, over all transitions.
    mean_return: of the episodes' sums of rewards.
    best_return: of these.
    lengths: 21 quantiles of the episodes' transitions, least to greatest.
    observation_mean: [D] of the model's input; empty for frames, whose range is
      known.
    observation_deviation: [D]; 1 where an input never changes.
  """
  num_episodes: int
  num_steps: int
  num_terminal: int
  is_sample: bool
  discount: float
  reward: Sequence[float]
  reward_sums: Sequence[float]
  returns: Sequence[float]
  values: Sequence[float]
  mean_reward: float
  mean_value: float
  mean_return: float
  best_return: float
  lengths: Sequence[float]
  observation_mean: Sequence[float]
  observation_deviation: Sequence[float]


class _Outline(NamedTuple):
  """What of an episode is kept.

  Attributes:
    length: transitions.
    is_terminal: whether it ended, and was not cut off.
    reward: least, greatest and sum.
    reward_sums: least and greatest.
    returns: least and greatest.
    values: least, greatest and sum.
  """
  length: int
  is_terminal: bool
  reward: Sequence[float]
  reward_sums: Sequence[float]
  returns: Sequence[float]
  values: Sequence[float]


class _Moments(NamedTuple):
  """Number, mean and sum of squared differences to it."""
  number: int
  mean: np.ndarray
  squares: np.ndarray


def survey(dataset: episodes_lib.Dataset, discount: float,
           sum_steps: int = 1) -> Survey:
  """Returns what is in a dataset.

  Vectors are all read, and so checked. Of frames only what stands beside them
  is read, and of datasets that take hours, a sample of episodes.

  Args:
    dataset: to look at.
    discount: the agent's, per decision.
    sum_steps: steps whose rewards are summed in `reward_sums`, at most.
  """
  is_sample = bool(
      dataset.approximate_steps) and dataset.num_episodes > _SAMPLE
  if is_sample:
    dataset = _sample(dataset)
    logging.info(
        '%s has about %d transitions: rewards and returns are of %d episodes.',
        dataset.name, dataset.approximate_steps, _SAMPLE)
  moments: Optional[_Moments] = None
  outlines: list[_Outline] = []
  if layout.is_image(dataset.spec.observation):
    outlines = [_outline(reward, factor, discount, sum_steps)
                for reward, factor in _shown(_parts(dataset), dataset)]
  else:
    for episode in _shown(episodes_lib.iterate(dataset), dataset):
      outlines.append(_outline(
          episode.reward[:-1], episode.discount[:-1], discount, sum_steps))
      moments = _add(moments, episode.observation.astype(np.float64))
  if not outlines:
    raise ValueError(f'{dataset.place!r} has not one good episode.')
  found = _summarise(outlines, is_sample, discount)
  if moments is None:
    return found
  deviation = np.sqrt(moments.squares / moments.number)
  return found._replace(
      observation_mean=moments.mean.tolist(),
      observation_deviation=np.where(
          deviation < 1e-6, 1.0, deviation).tolist())


def _sample(dataset: episodes_lib.Dataset) -> episodes_lib.Dataset:
  """Returns a part of a dataset: few first episodes of many files."""
  sizes = np.array([len(part.numbers) for part in dataset.parts])
  number, start = np.arange(sizes.sum()), np.repeat(
      np.cumsum(sizes) - sizes, sizes)
  # Those that come first in their files, files in an order of their own.
  order = np.lexsort((
      np.random.default_rng(0).permutation(len(number)), number - start))
  return dataclasses.replace(
      dataset, parts=files.choose(dataset.parts, order[:_SAMPLE]))


def _shown(episodes: Iterable, dataset: episodes_lib.Dataset) -> Iterator:
  """Yields the episodes, with a bar if it takes a while."""
  with progress.bar(desc='survey of the data', unit=' episodes', leave=False,
                    total=dataset.num_episodes, delay=_SECONDS) as bar:
    for episode in episodes:
      yield episode
      bar.update()


def _parts(dataset: episodes_lib.Dataset
           ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
  """Yields reward and discount, [transitions] each, of each episode.

  Nothing is checked: what cannot be read, or is not finite, is left out.
  """
  outline_fn = decoding.make_outline_fn(dataset.features, dataset.adapter)
  nothing = tf.zeros([0])
  found = decoding.each(
      records.read(dataset.parts, dataset.elements, skip=True), outline_fn,
      lambda where, spec: (nothing, nothing))
  for reward, factor in found.as_numpy_iterator():
    if len(reward) and np.isfinite(reward).all() and np.isfinite(factor).all():
      yield reward, factor


def _outline(reward: np.ndarray, factor: np.ndarray, discount: float,
             sum_steps: int) -> _Outline:
  """Returns what is kept of an episode.

  Args:
    reward: [transitions].
    factor: [transitions] 0 after a terminal transition, else 1.
    discount: the agent's.
    sum_steps: see `survey`.
  """
  reward = reward.astype(np.float64)
  factors = discount * factor.astype(np.float64)
  returns, reach = np.zeros(len(reward) + 1), np.ones(len(reward) + 1)
  for t in reversed(range(len(reward))):
    returns[t] = reward[t] + factors[t] * returns[t + 1]
    reach[t] = factors[t] * reach[t + 1]  # Discount from here to the end.
  # An episode shorter than the horizon goes on for as long again.
  horizon = 1.0 / (1.0 - discount) if discount < 1.0 else 0.0
  beyond = reward.sum() * horizon / max(len(reward), horizon, 1.0)
  values = returns[:-1] + reach[:-1] * beyond
  before = np.concatenate([[0.0], np.cumsum(reward)])
  sums = np.concatenate([before[num:] - before[:-num] for num in range(
      1, min(sum_steps, len(reward)) + 1)])
  return _Outline(
      len(reward), not factor[-1], (reward.min(), reward.max(), reward.sum()),
      (sums.min(), sums.max()), (returns[:-1].min(), returns[:-1].max()),
      (values.min(), values.max(), values.sum()))


def _add(moments: Optional[_Moments], x: np.ndarray) -> _Moments:
  """Returns the moments with [n, D] more, by Chan et al.'s update.

  It does not cancel, as sums of squares would.
  """
  more = _Moments(len(x), x.mean(axis=0), ((x - x.mean(axis=0))**2).sum(axis=0))
  if moments is None:
    return more
  difference, total = more.mean - moments.mean, moments.number + more.number
  return _Moments(
      total, moments.mean + difference * more.number / total,
      moments.squares + more.squares
      + difference**2 * moments.number * more.number / total)


def _summarise(outlines: Sequence[_Outline], is_sample: bool, discount: float
               ) -> Survey:
  """Returns the survey of episodes."""
  reward, sums, returns, values = (
      np.array([getattr(x, name) for x in outlines])
      for name in ('reward', 'reward_sums', 'returns', 'values'))
  lengths = np.array([x.length for x in outlines])
  total = int(lengths.sum())
  limits = lambda x: (float(x[:, 0].min()), float(x[:, 1].max()))
  return Survey(
      num_episodes=len(outlines), num_steps=total,
      num_terminal=sum(x.is_terminal for x in outlines), is_sample=is_sample,
      discount=discount, reward=limits(reward), reward_sums=limits(sums),
      returns=limits(returns), values=limits(values),
      mean_reward=float(reward[:, 2].sum() / total),
      mean_value=float(values[:, 2].sum() / total),
      mean_return=float(reward[:, 2].mean()),
      best_return=float(reward[:, 2].max()),
      lengths=np.quantile(lengths, _QUANTILES, method='nearest').tolist(),
      observation_mean=(), observation_deviation=())
