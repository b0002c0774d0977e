"""What of a run was fitted to its data, and whether the rest suits it.

`fitted.json` in the run directory is written before training starts. A run that
goes on, its evaluation and its export have what stands there, whatever became
of the data.
"""

import dataclasses
import json
import math
import os
from typing import Any, NamedTuple, Optional, Sequence

from absl import logging
import numpy as np
import tensorflow as tf

from tf_muzero import whole_files
from tf_muzero.acting import sources
from tf_muzero.data import episodes as episodes_lib
from tf_muzero.data import stored
from tf_muzero.data import survey as survey_lib
from tf_muzero.networks import agent as agent_lib
from tf_muzero.networks.agent import Agent
from tf_muzero.networks.value_transform import FittedSupport
from tf_muzero.networks.value_transform import Support
from tf_muzero.networks.value_transform import scaled

_FILE = 'fitted.json'


class Fit(NamedTuple):
  """What training starts with.

  Attributes:
    source: what it learns from; of a dataset, its transitions are counted.
    agent: with supports that have limits.
    statistics: mean and deviation of the model's input, [D] each; `()` for
      frames, and where there are no stored ones.
    lengths: quantiles of the stored episodes' transitions; `()` for none.
    content: of `fitted.json`; `stored` in it are the dtypes that the entries
      of stored observations have, which agents see as others.
  """
  source: sources.Source
  agent: Agent
  statistics: Sequence[np.ndarray]
  lengths: Sequence[float]
  content: dict[str, Any]


def fit(run_directory: str, source: sources.Source, agent: Agent,
        clip_targets: bool = False) -> Fit:
  """Returns what a run starts or goes on with; `save` writes it down.

  Raises ValueError where a support that was given does not hold the rewards or
  the returns of the data, and where the network is not what it has to be.

  Args:
    run_directory: of the run.
    source: what it learns from.
    agent: as it was configured.
    clip_targets: whether what a support does not hold is clipped, and told.
  """
  content = read(run_directory)
  data = _identity(source)
  if content is None:
    survey = _survey(source, agent)
    fitted = _fit_agent(agent, survey, source)
    if survey:
      _check(fitted, survey, data['place'], clip_targets)
      _tell(fitted, survey)
    value, reward = fitted.supports
    content = {
        'data': data, 'num_datapoints': fitted.num_datapoints,
        'value_support': dataclasses.asdict(value),
        'reward_support': dataclasses.asdict(reward),
        'action_values': agent.action_values,
        'stored': (stored.dtypes(source.features, source.spec.observation)
                   if isinstance(source, episodes_lib.Dataset) else ()),
        'survey': survey}
  elif content['data'] != data:
    logging.warning(
        'The data is not what this run began with: %s then, %s now. Supports, '
        'width, normalisation and the number of transitions that a pass is of '
        'stay as they were fitted to that.',
        content['data'], data)
  survey = content['survey']
  if isinstance(source, episodes_lib.Dataset) and content['data'] == data:
    source = dataclasses.replace(source, counted_steps=(
        0 if survey['is_sample'] else survey['num_steps']))
  statistics = [np.array(survey[name], np.float32) for name in (
      'observation_mean', 'observation_deviation')] if survey else []
  agent = _with(agent, content, run_directory)
  agent.check_network(source.spec)
  return Fit(source, agent,
             statistics if survey and statistics[0].size else (),
             survey['lengths'] if survey else (), content)


def save(run_directory: str, content: dict[str, Any]) -> None:
  """Writes `fitted.json`, if the run has none yet."""
  if read(run_directory) is not None:
    return
  tf.io.gfile.makedirs(run_directory)
  whole_files.write_json(os.path.join(run_directory, _FILE), content)


def load(run_directory: str, agent: Agent) -> Agent:
  """Returns the agent as `fit` gave it to a run's training.

  Args:
    run_directory: of the run.
    agent: as it was configured.
  """
  content = read(run_directory)
  if content is None:
    if not agent.is_fitted:
      raise ValueError(f'{run_directory!r} has no {_FILE}, and so no limits of '
                       'the supports that were to be fitted to the data.')
    return agent
  return _with(agent, content, run_directory)


def _survey(source: sources.Source, agent: Agent) -> dict[str, Any]:
  """Returns what is found in a dataset; nothing of an environment."""
  if not isinstance(source, episodes_lib.Dataset):
    return {}
  return survey_lib.survey(
      source, agent.discount, _num_summed(agent))._asdict()


def _identity(source: sources.Source) -> dict[str, Any]:
  """Returns what tells one dataset from another."""
  if not isinstance(source, episodes_lib.Dataset):
    return {}
  return {'place': source.absolute_place, 'split': source.split,
          'num_episodes': source.num_episodes}


def _with(agent: Agent, content: dict[str, Any], run_directory: str) -> Agent:
  """Returns the agent with what `fitted.json` says, if that is its own."""
  if agent.action_values != content.get('action_values', False):
    raise ValueError(
        f'agent.Agent.action_values must be {not agent.action_values}, with '
        f'which {run_directory!r} was trained.')
  recorded = {name: Support(**content[name])
              for name in ('value_support', 'reward_support')}
  for name, support in recorded.items():
    given = getattr(agent, name)
    if given != support and isinstance(given, Support):
      raise ValueError(
          f'{name} must be {support}, with which {run_directory!r} was '
          f'trained, got {given}.')
  return agent.fitted(agent_lib.Fitted(
      **recorded, num_datapoints=content['num_datapoints']))


def _fit_agent(agent: Agent, survey: dict[str, Any], source: sources.Source
               ) -> Agent:
  """Returns the agent with supports that hold what was found."""
  if not survey:
    if not agent.is_fitted:
      raise ValueError(
          'value_support and reward_support must have limits where there is no '
          'dataset to fit them to: bind a value_transform.Support for each.')
    return dataclasses.replace(agent, num_datapoints=source.num_steps)
  num_datapoints = survey['num_steps'] if not (
      survey['is_sample']) else source.num_steps
  num, (least, greatest) = _num_summed(agent), survey['reward']
  # The best reward may come again and again.
  sums = min(least, num * least), max(greatest, num * greatest)
  horizon = (1.0 / (1.0 - agent.discount) if agent.discount < 1.0
             else math.inf)
  # Nothing is better than the best reward for ever.
  possible = tuple(horizon * x if x else 0.0 for x in (
      min(survey['reward'][0], 0.0), max(survey['reward'][1], 0.0)))
  return agent.fitted(agent_lib.Fitted(
      _fit_support(agent.value_support, survey['values'], possible,
                   survey['mean_value']),
      _fit_support(agent.reward_support, sums, sums,
                   survey['mean_reward']), num_datapoints))


def _num_summed(agent: Agent) -> int:
  """Returns the rewards that are told together: see `Agent.step`."""
  return agent.value_prefix.num_steps if agent.value_prefix else 1


def _told(agent: Agent) -> str:
  num = _num_summed(agent)
  return 'rewards' if num == 1 else f'sums of up to {num} rewards'


def _fit_support(support: Any, found: Sequence[float],
                 possible: Sequence[float], start: float) -> Support:
  if not isinstance(support, FittedSupport):
    return support
  return support.fit(
      (found[0], found[1]), (possible[0], possible[1]), start)


def _check(agent: Agent, survey: dict[str, Any],
           place: str, clip_targets: bool) -> None:
  """Raises ValueError, or tells, where a support clips what is stored."""
  # The two may be one and the same in the configuration.
  scopes = (('', '') if agent.value_support == agent.reward_support
            else ('value/', 'reward/'))
  problems: list[str] = []
  bindings: dict[str, float] = {}
  for what, name, found, scope in (
      ('discounted returns', 'value_support', survey['returns'], scopes[0]),
      (_told(agent), 'reward_support', survey['reward_sums'], scopes[1])):
    if agent.action_values and name == 'reward_support':
      continue  # Rewards are not told.
    support = getattr(agent, name)
    if not support.clips(tf.constant(found, tf.float32)).numpy().any():
      continue
    problems.append(
        f'{what} are from {found[0]:g} to {found[1]:g}, and {name} holds '
        f'{support.lowest:g} to {support.highest:g}')
    for side, limit, outward in (
        ('minimum', found[0], math.floor), ('maximum', found[1], math.ceil)):
      key = f'{scope}value_transform.Support.{side}'
      limits = [bindings.get(key, getattr(support, side)),
                outward(10.0 * scaled(limit)) / 10.0]
      bindings[key] = min(limits) if side == 'minimum' else max(limits)
      if bindings[key] == getattr(support, side):
        del bindings[key]
  if not problems:
    return
  message = f'In {place!r}, {"; ".join(problems)}.'
  if clip_targets:
    logging.warning('%s What is beyond is clipped (clip_targets).', message)
    return
  flags = ' '.join(f"--gin_bindings='{key} = {value}'"
                   for key, value in bindings.items())
  raise ValueError(
      f'{message} What is beyond would be clipped, and not learned. Give '
      f'{flags} (scaled: h(x) = sign(x) (sqrt(|x| + 1) - 1) + 0.001 x), or '
      '--gin_file=gin/network/fitted_supports.gin after the other files, or '
      "--gin_bindings='train.train.clip_targets = True' to have it clipped.")


def _tell(agent: Agent, survey: dict[str, Any]) -> None:
  """Logs what was found, and what was made of it."""
  value, reward = agent.supports
  logging.info(
      'Data: %d episodes, %d of them to a terminal end, %d transitions; return '
      '%.4g in the mean, %.4g at best; rewards %.4g to %.4g, discounted '
      'returns %.4g to %.4g. Held: %s %.4g to %.4g, values %.4g to %.4g.',
      survey['num_episodes'], survey['num_terminal'], survey['num_steps'],
      survey['mean_return'], survey['best_return'], *survey['reward'],
      *survey['returns'], _told(agent), reward.lowest, reward.highest,
      value.lowest, value.highest)
  if survey['reward'][0] == survey['reward'][1] and (
      not survey['num_terminal'] or not survey['reward'][0]):
    logging.warning('All rewards of the data are %g, and nothing tells good '
                    'from bad: are they stored?', survey['reward'][0])


def read(run_directory: str) -> Optional[dict[str, Any]]:
  """Returns the content of a run's `fitted.json`, None if there is none."""
  path = os.path.join(run_directory, _FILE)
  if not tf.io.gfile.exists(path):
    return None
  with tf.io.gfile.GFile(path) as file:
    return json.load(file)
