"""What a run plays, kept as a dataset in its directory."""

from typing import Sequence

from tf_muzero import actions
from tf_muzero.data import growing
from tf_muzero.data import observations
from tf_muzero.data import writing
from tf_muzero.types import EnvironmentSpec
from tf_muzero.types import Episode


class Kept:
  """The newest episodes that were played."""

  def __init__(self, directory: str, spec: EnvironmentSpec, *, task: str,
               action_repeat: int, clip_rewards: bool, max_episodes: int):
    """Opens the dataset of a resumed run, or prepares for a new one.

    Args:
      directory: of the dataset.
      spec: of the environment.
      task: its id.
      action_repeat: environment steps per decision.
      clip_rewards: whether rewards are clipped.
      max_episodes: see `growing.GrowingDataset`.
    """
    self._spec = spec
    self._dataset = growing.GrowingDataset(
        directory, name=writing.lower_snake(task), spec=spec, metadata={
            'task': task, 'action_repeat': action_repeat,
            'clip_rewards': clip_rewards,
            'behaviour': 'the search of a run while it learned'},
        max_episodes=max_episodes)

  def write(self, number: int, step: int, episodes: Sequence[Episode]) -> None:
    """Keeps the episodes of a round, NumPy, as a network sees them."""
    self._dataset.write(number, step, [writing.records(
        observations.unflatten(x.observation, self._spec.observation),
        actions.to_environment(x.action[:-1], self._spec.action),
        x.reward[:-1], x.discount[:-1], self._spec) for x in episodes])

  def episodes(self) -> list[growing.Played]:
    """Returns them, the oldest first; see `GrowingDataset.episodes`."""
    return self._dataset.episodes()
