"""What is known of public datasets beyond what they tell of themselves.

Sources: the builders of tensorflow-datasets 4.9.10, and what was found in
their data.
"""

import dataclasses
from typing import Mapping

from tf_muzero.data import adapters

# Game -> size of its minimal action set, which the actions are indices of.
NUM_ACTIONS = {
    'Alien': 18, 'Amidar': 10, 'Assault': 7, 'Asterix': 9, 'Atlantis': 4,
    'BankHeist': 18, 'BattleZone': 18, 'BeamRider': 9, 'Boxing': 18,
    'Breakout': 4, 'Carnival': 6, 'Centipede': 18, 'ChopperCommand': 18,
    'CrazyClimber': 9, 'DemonAttack': 6, 'DoubleDunk': 18, 'Enduro': 9,
    'FishingDerby': 18, 'Freeway': 3, 'Frostbite': 18, 'Gopher': 8,
    'Gravitar': 18, 'Hero': 18, 'IceHockey': 18, 'Jamesbond': 18,
    'Kangaroo': 18, 'Krull': 18, 'KungFuMaster': 14, 'MsPacman': 9,
    'NameThisGame': 6, 'Phoenix': 8, 'Pong': 6, 'Pooyan': 6, 'Qbert': 6,
    'Riverraid': 18, 'RoadRunner': 18, 'Robotank': 18, 'Seaquest': 18,
    'SpaceInvaders': 6, 'StarGunner': 18, 'TimePilot': 10, 'UpNDown': 6,
    'VideoPinball': 9, 'WizardOfWor': 10, 'YarsRevenge': 18, 'Zaxxon': 18}

_ATARI_ODDITIES = (
    'rewards are stored one step early and the last record is a transition; '
    "reward_alignment = 'realigned', the default, corrects both",
    'rewards and episode_return are clipped to [-1, 1]',
    'episodes that ran into the limit of 27,000 steps are stored as terminal')
_ORDERED = ('episodes lie in the order of time, so that a part of a split is '
            'its earliest part',)


@dataclasses.dataclass(frozen=True)
class Known:
  """What is known of a dataset.

  Attributes:
    task: id of the environment, or empty.
    metadata: what the dataset's own lacks.
    adapter: makes of what is stored what it means.
    steps_per_split: about how many transitions a split has, where counting
      them would mean reading for hours; 0 where it would not.
    oddities: sentences for who looks at the data.
    terminal_from: which field says that the last transition is terminal.
  """
  task: str = ''
  metadata: Mapping[str, int] = dataclasses.field(default_factory=dict)
  adapter: adapters.Adapter = adapters.as_stored
  steps_per_split: int = 0
  oddities: tuple[str, ...] = ()
  terminal_from: str = 'is_terminal'


def lookup(name: str, config: str) -> Known:
  """Returns what is known of a dataset, nothing for one that is not public.

  Args:
    name: of its builder in TFDS, such as `rlu_atari`.
    config: such as `Asterix_run_1`, or empty.
  """
  if name.startswith('rlu_atari'):
    game = config.partition('_run_')[0]
    return Known(
        f'atari:{game}',
        {'num_actions': NUM_ACTIONS[game]} if game in NUM_ACTIONS else {},
        adapters.realign,
        50_000_000 if name == 'rlu_atari' else 1_000_000,
        _ATARI_ODDITIES + (_ORDERED if name.endswith('_ordered') else ()))
  if name == 'rlu_control_suite':
    domain, _, task = config.partition('_')
    # The environment emits what a finger touches; the dataset has none of it.
    return Known(f'dm_control:{domain}/{task}', oddities=(
        ('the observation lacks the touch sensors of the environment',)
        if config == 'finger_turn_hard' else ()))
  if name == 'rlu_rwrl':
    return Known(terminal_from='discount', oddities=(
        'is_terminal is true at the end of every episode, though episodes end '
        'by time; the discount of the last transition counts',))
  if name.startswith('rlu_dmlab_'):
    return Known(metadata={'num_actions': 15})
  if name.startswith('d4rl_'):
    return Known(adapter=adapters.drop_foreign_end, oddities=(
        'episodes that were cut off may end with an observation of another '
        'episode; such a record is dropped',))
  return Known()
