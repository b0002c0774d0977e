"""What of a dataset is read, and how."""

import dataclasses
from typing import Optional, Sequence, Union

from tf_muzero import ranges
from tf_muzero.data import adapters
from tf_muzero.data import entries
from tf_muzero.data import public

_ALIGNMENTS = {'realigned': adapters.realign, 'as_stored': adapters.as_stored}


@dataclasses.dataclass(frozen=True)
class Reading:
  """Settings of reading; by default all episodes, as they are meant.

  Attributes:
    data_dir: where the datasets of TFDS are that are given by name: a directory
      or `gs://...`; by default that of TFDS.
    prepare: whether TFDS prepares a dataset that is not there.
    split: of TFDS, such as `train[:10]`; by default `train`, or all splits
      where there is none of that name.
    percent: of each split, its first episodes as stored; as in the 1% and 10%
      subsets of `rlu_atari_checkpoints_ordered`.
    max_episodes: budget; episodes are drawn with `seed`.
    max_steps: budget of transitions; episodes are drawn with `seed` for as long
      as all of their transitions fit.
    held_out: share of these episodes that training leaves out, drawn with
      `seed`, for `validation.held_out`; at least one episode, if it is not 0.
    best: share of the remaining episodes that training reads: those with the
      highest sums of rewards, at least one. Cloning these is a baseline, called
      filtered or top-10% cloning.
    seed: of what is drawn.
    reward_alignment: 'realigned' or 'as_stored', see `adapters.realign`; by
      default realigned for the public `rlu_atari*`, and for nothing else.
    observation_entries: which entries of a dict of observations are used: paths
      such as `robot/pos`, or the start of some, such as `robot`; by default all
      of them.
    image_layout: how pictures that are stored as plain tensors lie:
      'channels_last' is [H, W, C] and 'channels_first' [C, H, W]; 'flattened'
      makes vectors of them. By default the first, unless it looks wrong.
    action_minimum: lower bound of vectors of actions, a number or one for each
      component; by default that of the dataset's metadata, else -1.
    action_maximum: upper bound, likewise; else 1.
    num_actions: how many there are of actions that are integers; by default
      what the dataset's metadata tell, else the largest one is looked for.
    action_start: the lowest of them; by default what the metadata tell, else 0.
    terminal_from: 'is_terminal' or 'discount': which of the two says that the
      last transition is terminal. By default is_terminal of the last record, if
      there is one and the dataset is not known for a spurious one (`rlu_rwrl`).
    on_bad_episode: 'error', or 'skip' to leave out what is damaged or has bad
      values, and to log it.
    memory_mib: training holds vectors of up to so many MiB in memory, decoded;
      0 to read the files in each pass.
  """
  data_dir: Optional[str] = None
  prepare: bool = False
  split: Optional[str] = None
  percent: float = 100.0
  max_episodes: Optional[int] = None
  max_steps: Optional[int] = None
  held_out: float = 0.0
  best: float = 1.0
  seed: int = 0
  reward_alignment: Optional[str] = None
  observation_entries: Optional[Sequence[str]] = None
  image_layout: Optional[str] = None
  action_minimum: Optional[Union[float, Sequence[float]]] = None
  action_maximum: Optional[Union[float, Sequence[float]]] = None
  num_actions: Optional[int] = None
  action_start: Optional[int] = None
  terminal_from: Optional[str] = None
  on_bad_episode: str = 'error'
  memory_mib: int = 2048

  def __post_init__(self):
    if not 0.0 < self.percent <= 100.0:
      raise ValueError(f'percent must be in (0, 100], got {self.percent}.')
    if self.percent < 100.0 and '[' in (self.split or ''):
      raise ValueError('percent is of whole splits, but split is '
                       f'{self.split!r}: give one of them.')
    for name in ('max_episodes', 'max_steps'):
      if getattr(self, name) is not None:
        ranges.at_least(1, **{name: getattr(self, name)})
    ranges.from_to(0.0, 1.0, held_out=self.held_out)
    if not 0.0 < self.best <= 1.0:
      raise ValueError(f'best must be in (0, 1], got {self.best}.')
    ranges.at_least(0, memory_mib=self.memory_mib)
    wanted = self.observation_entries
    if wanted is not None and (isinstance(wanted, str) or not wanted):
      raise ValueError('observation_entries must be a sequence of names, got '
                       f'{wanted!r}.')
    for name in ('num_actions', 'action_start'):
      number = getattr(self, name)
      if number is not None and not isinstance(number, int):
        raise ValueError(f'{name} must be an integer, got {number!r}.')
    if self.num_actions is not None:
      ranges.at_least(1, num_actions=self.num_actions)
    if (self.action_minimum is None) != (self.action_maximum is None):
      raise ValueError('action_minimum and action_maximum must be given '
                       f'together, got {self.action_minimum!r} and '
                       f'{self.action_maximum!r}.')
    for name, values in (('reward_alignment', (None, *_ALIGNMENTS)),
                         ('image_layout', (None, *entries.LAYOUTS)),
                         ('terminal_from', (None, 'is_terminal', 'discount')),
                         ('on_bad_episode', ('error', 'skip'))):
      if getattr(self, name) not in values:
        raise ValueError(f'{name} must be one of {values}, got '
                         f'{getattr(self, name)!r}.')

  @property
  def skips(self) -> bool:
    """Whether bad episodes are left out."""
    return self.on_bad_episode == 'skip'

  def adapter(self, known: public.Known, stored_alignment: str
              ) -> adapters.Adapter:
    """Returns what makes of stored steps what they mean.

    Args:
      known: of the dataset.
      stored_alignment: `reward_alignment` of its metadata, or empty.
    """
    if stored_alignment == 'aligned':
      if self.reward_alignment == 'realigned':
        raise ValueError("reward_alignment must not be 'realigned' for a "
                         'dataset that says its rewards are aligned.')
      return adapters.as_stored
    # What else is known to be wrong with a dataset is none of its affair.
    if self.reward_alignment is None or known.adapter not in (
        adapters.as_stored, adapters.realign):
      return known.adapter
    return _ALIGNMENTS[self.reward_alignment]
