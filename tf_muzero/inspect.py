"""Prints what is in a dataset, and what is wrong with it.

  tf-muzero inspect datasets/cartpole
  tf-muzero inspect rlu_control_suite/cheetah_run \\
      --gin_bindings='reading.Reading.split = "train[:100]"'

Ends with exit status 1 if something makes the dataset unusable.
"""

from typing import Any, Iterator, Mapping, NamedTuple, Sequence

from dm_env import specs
import numpy as np

from tf_muzero import actions
from tf_muzero import cli
from tf_muzero.data import action_values
from tf_muzero.data import checks
from tf_muzero.data import entries
from tf_muzero.data import episodes as episodes_lib
from tf_muzero.data import layout
from tf_muzero.data import observations
from tf_muzero.data import subsets
from tf_muzero.data import tellings
from tf_muzero.data.reading import Reading
from tf_muzero.types import Episode

_NUM_BINS = 10
_BAR_WIDTH = 40
_NUM_PROBLEMS = 10  # That are printed.
_AT_BOUND = 1e-3  # What is so near to a bound counts as at it.


class Summary(NamedTuple):
  """What good episodes have; leading [N], or not for one episode.

  Attributes:
    total: sum of the rewards.
    length: number of transitions.
    reward: [2] lowest and highest.
    action: [3, n] lowest, highest and mean, as the environment has them; or
      [number of actions] how often each of them was taken.
    at_bounds: [2, n] share of the actions at the lower and the upper bound.
    pixel: [2] lowest and highest of the frames; zeros where there are none.
    is_terminal: whether the last transition is terminal.
    told: [number of tellings] what was settled, see `tellings`.
  """
  total: np.ndarray
  length: np.ndarray
  reward: np.ndarray
  action: np.ndarray
  at_bounds: np.ndarray
  pixel: np.ndarray
  is_terminal: np.ndarray
  told: np.ndarray


def inspect(directory: str, reading: Reading = Reading()) -> Summary:
  """Returns a summary of each good episode, and prints what is in a dataset.

  Raises ValueError at the end if there is something that training would not
  take.

  Args:
    directory: see `episodes.open_dataset`.
    reading: what of it, and how.
  """
  dataset = episodes_lib.open_dataset(directory, reading)
  summary, problems, advice = summarise(dataset)
  for line in _describe(dataset):
    print(line)
  if summary.total.size:
    for line in _describe_episodes(summary, dataset):
      print(line)
  for line in _describe_problems(problems, advice):
    print(line)
  if problems and not reading.skips:
    raise ValueError(f'{directory!r} cannot be trained on as it is.')
  return summary


def summarise(dataset: episodes_lib.Dataset
              ) -> tuple[Summary, list[str], str]:
  """Returns summaries of the good episodes, what is wrong with others, and what
  to do about that, which may be empty.
  """
  summaries: list[Summary] = []
  problems: list[str] = []
  advice = ''
  for checked in episodes_lib.read(
      dataset, on_damage=lambda problem, _: problems.append(problem)):
    if checked.finding.problem:
      problems.append(checks.describe(
          checked.finding, checked.where, dataset.spec))
      if checked.finding.problem == checks.OUT_OF_BOUNDS:
        advice = advice or action_values.advise(dataset)
    else:
      summaries.append(_summarise(
          checked.episode, checked.told, dataset.spec.action))
  if not summaries:
    return Summary(*[np.zeros([0])] * len(Summary._fields)), problems, advice
  return Summary(*map(np.stack, zip(*summaries))), problems, advice


def _summarise(episode: Episode, told: np.ndarray, spec: specs.Array
               ) -> Summary:
  """Returns the summary of one episode."""
  action, reward = episode.action[:-1], episode.reward[:-1]
  frames = episode.observation
  if isinstance(spec, specs.DiscreteArray):
    found = np.bincount(action, minlength=spec.num_values)
    at_bounds = np.zeros([2, 0])
  else:
    own = actions.to_environment(action, spec)
    found = np.stack([own.min(0), own.max(0), own.mean(0)])
    # Shares of the range, as networks see it: [-1, 1] for each component.
    at_bounds = np.stack([(action <= -1.0 + _AT_BOUND).mean(0),
                          (action >= 1.0 - _AT_BOUND).mean(0)])
  return Summary(
      reward.sum(dtype=np.float64), np.asarray(len(reward)),
      np.stack([reward.min(), reward.max()]), found, at_bounds,
      np.stack([frames.min(), frames.max()]) if frames.dtype == np.uint8
      else np.zeros([2]),
      episode.discount[-2] == 0.0, told)


def _describe(dataset: episodes_lib.Dataset) -> Iterator[str]:
  """Yields what a dataset tells of itself."""
  yield f'{dataset.directory}: {dataset.name}'
  splits = subsets.names_of(dataset.split)
  yield '  split        ' + (
      dataset.split if len(splits) == 1 else
      f'{len(splits)}, from {splits[0]} to {splits[-1]}')
  subset = subsets.describe(dataset.reading)
  if subset:
    yield f'  subset       {subset}'
  for oddity in dataset.oddities:
    yield f'  known oddity {oddity}'
  for telling in dataset.tellings:
    yield f'  settled      {telling}'
  if dataset.task:
    yield f'  task         {dataset.task}'
  yield f'  action       {_describe_spec(dataset.spec.action)}'
  yield f'  repeat       {dataset.action_repeat} environment steps per action'
  observation = dataset.spec.observation
  if isinstance(observation, dict):
    parts = (f'{path} {_shape(entry)}'
             for path, entry in entries.walk(observation))
    yield f'  observation  {", ".join(parts)}'
  else:
    yield f'  observation  {_shape(observation)}'
  if layout.is_image(observation):
    yield f'  stored as    {layout.describe_image(dataset.features)}'
  else:
    yield f'  model input  [{observations.width(observation)}] float32'
  for name, value in sorted(dataset.metadata.items()):
    if name not in ('task', 'action_repeat', 'num_steps', 'num_episodes',
                    'num_actions', 'action_start', 'action_minimum',
                    'action_maximum'):
      yield f'  {name:<12} {value}'


def _describe_episodes(summary: Summary, dataset: episodes_lib.Dataset
                       ) -> Iterator[str]:
  """Yields numbers of the good episodes."""
  length, total = summary.length, summary.total
  yield f'  episodes     {len(length)}'
  yield (f'  steps        {length.sum()}; {length.min()} to {length.max()} an '
         'episode')
  yield (f'  end          {summary.is_terminal.sum()} terminal, '
         f'{(~summary.is_terminal).sum()} cut off')
  for line in tellings.describe(
      summary.told.sum(axis=0), len(length), dataset.terminal_from):
    yield f'  settled      {line}'
  yield (f'  reward       {summary.reward[:, 0].min():.4g} to '
         f'{summary.reward[:, 1].max():.4g}')
  yield (f'  return       mean {total.mean():.4g}, deviation '
         f'{total.std():.4g}, lowest {total.min():.4g}, '
         f'highest {total.max():.4g}')
  if total.min() < total.max():
    yield from _histogram(total)
  if layout.is_image(dataset.spec.observation):
    yield (f'  pixels       {summary.pixel[:, 0].min():.0f} to '
           f'{summary.pixel[:, 1].max():.0f}')
  if isinstance(dataset.spec.action, specs.DiscreteArray):
    counts = summary.action.sum(axis=0)
    for i, count in enumerate(counts, actions.start_of(dataset.spec.action)):
      yield f'  action {i:<5} {count / counts.sum():7.1%}'
    return
  weights = length / length.sum()
  yield ('  action          lowest  highest     mean'
         '  at lower bound  at upper bound')
  low, high = summary.action[:, 0].min(0), summary.action[:, 1].max(0)
  mean = np.tensordot(weights, summary.action[:, 2], 1)
  at_bounds = np.tensordot(weights, summary.at_bounds, 1)
  for i, row in enumerate(zip(low, high, mean, *at_bounds)):
    yield (f'  {i:>6}        ' + ' '.join(f'{x:8.4g}' for x in row[:3])
           + ''.join(f'  {x:14.1%}' for x in row[3:]))


def _describe_problems(problems: list[str], advice: str) -> Iterator[str]:
  yield f'  problems     {len(problems) or "none"}'
  for problem in problems[:_NUM_PROBLEMS]:
    yield f'    {problem}'
  if len(problems) > _NUM_PROBLEMS:
    yield f'    and {len(problems) - _NUM_PROBLEMS} more'
  if advice:
    yield f'  advice       {advice}'


def _histogram(values: np.ndarray) -> Iterator[str]:
  """Yields a line with a bar for each of some equal ranges."""
  counts, edges = np.histogram(values, bins=_NUM_BINS)
  for count, low, high in zip(counts, edges, edges[1:]):
    bar = '#' * int(np.ceil(_BAR_WIDTH * count / counts.max()))
    yield f'  {low:11.4g} to {high:9.4g} {count:6} {bar}'.rstrip()


def _describe_spec(spec: specs.Array) -> str:
  if isinstance(spec, specs.DiscreteArray):
    start = actions.start_of(spec)
    return f'one of {spec.num_values}' + (
        f', from {start} to {start + spec.num_values - 1}' if start else '')
  bounds = [np.broadcast_to(x, spec.shape) for x in (
      spec.minimum, spec.maximum)]
  if all((x == x[0]).all() for x in bounds):
    return f'{_shape(spec)} in [{bounds[0][0]:g}, {bounds[1][0]:g}]'
  return f'{_shape(spec)} in ' + ' x '.join(
      f'[{low:g}, {high:g}]' for low, high in zip(*bounds))


def _shape(spec: specs.Array) -> str:
  return f'[{", ".join(map(str, spec.shape))}] {np.dtype(spec.dtype).name}'


def default_files(
    arguments: Mapping[str, Any], gin_files: Sequence[str]) -> list[str]:
  """Returns the gin files that are read before those that are given."""
  del arguments, gin_files
  return ['gin/inspect.gin']


if __name__ == '__main__':
  cli.run(inspect, positional=('directory',), default_files_fn=default_files)
