"""Plays episodes and writes them as an RLDS dataset.

  tf-muzero collect datasets/catch --task=catch --num_episodes=500
  tf-muzero collect datasets/cartpole --gin_file=gin/collect.gin

Without a gin file that says otherwise, actions are drawn at random.
Interrupting it (Ctrl-C) keeps the episodes that are complete.
"""

import contextlib
import signal
import threading
import time
from typing import Any, Iterator, Mapping, NamedTuple, Optional, Sequence

from absl import logging
import dm_env
import numpy as np

from tf_muzero import cli
from tf_muzero import envs
from tf_muzero import progress
from tf_muzero import ranges
from tf_muzero.data import writing
from tf_muzero.envs import behaviours
from tf_muzero.envs import wrappers


class Collected(NamedTuple):
  """What was collected.

  Attributes:
    returns: sum of rewards of each episode.
    num_steps: actions in all of them.
  """
  returns: list[float]
  num_steps: int


def collect(*, task: str, directory: str, num_episodes: int,
            behaviour: behaviours.Behaviour, seed: int, action_repeat: int,
            clip_rewards: bool = False, max_steps: Optional[int] = None,
            episodes_per_file: int = 100) -> Collected:
  """Writes a dataset of episodes that a behaviour plays.

  Args:
    task: environment id: `catch`, `dm_control:cartpole/swingup`, `atari:Pong`,
      `gymnasium:Pendulum-v1`, or `module:function` or `file.py:function` of
      your own, which returns an environment of dm_env or of Gymnasium.
    directory: of the dataset, which `tfds.builder_from_directory` reads; must
      not exist.
    num_episodes: episodes to play.
    behaviour: who acts, such as `scripted.cartpole_segments()`.
    seed: of the environment and of the behaviour.
    action_repeat: environment steps that each action is held for.
    clip_rewards: whether rewards are clipped to [-1, 1], as in `rlu_atari`.
    max_steps: actions after which an episode is cut off, which is no terminal
      end; None for the task's own limit.
    episodes_per_file: of the dataset.
  """
  ranges.at_least(1, num_episodes=num_episodes, action_repeat=action_repeat,
                  episodes_per_file=episodes_per_file)
  ranges.at_least(0, seed=seed)
  if max_steps is not None:
    ranges.at_least(1, max_steps=max_steps)
  writing.check_is_free(directory)
  environment = envs.load(task, seed=seed, action_repeat=action_repeat,
                          clip_rewards=clip_rewards)
  if max_steps is not None:
    environment = wrappers.TimeLimit(environment, max_steps)
  setting = behaviours.Setting(envs.spec(environment), action_repeat)
  rng = np.random.default_rng(seed)
  returns: list[float] = []
  num_steps, start = 0, time.monotonic()
  failure: Optional[Exception] = None
  writer = writing.new_dataset(
      directory, name=writing.lower_snake(task), spec=setting.spec, metadata={
          'task': task, 'action_repeat': action_repeat, 'seed': seed,
          'clip_rewards': clip_rewards, 'behaviour': behaviour.name},
      episodes_per_file=episodes_per_file)
  with _deferred_signals() as received, writer as add, progress.bar(
      total=num_episodes, unit='episode') as shown:
    for _ in range(num_episodes):
      try:
        played = _play(
            environment, behaviour.start_fn(setting, rng), received)
        if played is None:
          break
        add(writing.played(*played, setting.spec))
      except Exception as error:  # pylint: disable=broad-exception-caught
        failure = error  # Whatever it is, episodes are not lost by it.
        if not returns:
          raise
        break
      returns.append(float(sum(t.reward for t in played[0][1:])))
      num_steps += len(played[1])
      shown.update()
      shown.set_postfix({
          'steps/s': f'{num_steps / (time.monotonic() - start):.0f}',
          'mean return': f'{np.mean(returns):.4g}'}, refresh=False)
  environment.close()
  if failure:
    logging.warning('%s has the %d episodes that were complete.', directory,
                    len(returns))
    raise failure
  if received:
    logging.warning('Stopped by %s: %s', signal.Signals(received[0]).name,
                    f'{directory} has the {len(returns)} episodes that were '
                    'complete.' if returns else 'nothing was written.')
    raise KeyboardInterrupt
  logging.info(
      '%s: %d episodes, %d steps; return: mean %.4g, lowest %.4g, highest %.4g',
      directory, len(returns), num_steps, np.mean(returns), min(returns),
      max(returns))
  return Collected(returns, num_steps)


def _play(environment: dm_env.Environment, act: behaviours.ActFn,
          received: list[int]
          ) -> Optional[tuple[list[dm_env.TimeStep], list[np.ndarray]]]:
  """Returns time steps and actions of an episode; None if it was stopped."""
  time_steps, actions = [environment.reset()], []
  while not time_steps[-1].last():
    if received:
      return None
    actions.append(act(time_steps[-1]))
    time_steps.append(environment.step(actions[-1]))
  return time_steps, actions


@contextlib.contextmanager
def _deferred_signals() -> Iterator[list[int]]:
  """Yields a list, to which the first SIGINT or SIGTERM is added.

  So the program goes on to where it can stop without a loss. A second signal
  does what it always does.
  """
  received: list[int] = []
  before: dict[int, Any] = {}

  def restore():
    while before:
      signal.signal(*before.popitem())

  def receive(number: int, frame: Any):
    del frame
    received.append(number)
    restore()

  if threading.current_thread() is threading.main_thread():
    for number in (signal.SIGINT, signal.SIGTERM):
      before[number] = signal.signal(number, receive)
  try:
    yield received
  finally:
    restore()


def default_files(
    arguments: Mapping[str, Any], gin_files: Sequence[str]) -> list[str]:
  """Returns the gin files that are read before those that are given."""
  del arguments, gin_files
  return ['gin/collect_uniform.gin']


if __name__ == '__main__':
  cli.run(collect, positional=('directory',), default_files_fn=default_files)
