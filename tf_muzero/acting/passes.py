"""How long a training is: learner steps, or passes over the stored data.

A window starts at each stored transition, so a pass over N transitions is as
many learner steps as train on N windows of stored data. A run keeps the N that
`fitted.json` has of it, whatever becomes of its dataset.
"""

import fractions
import math
import re
from typing import Any, Mapping, Optional, Union

from absl import logging

from tf_muzero import ranges
from tf_muzero.acting import fitting
from tf_muzero.acting import interaction as interaction_lib
from tf_muzero.reanalyse import mixing

Length = Union[int, str]  # Learner steps, or a text such as '200 passes'.

_PASSES = re.compile(r'([-+]?(?:\d+\.?\d*|\.\d+)) passes')
_MANY = 1_000_000


def check(num_steps: Length, fraction: float,
          interaction: Optional[interaction_lib.Interaction]) -> None:
  """Raises ValueError where a training cannot be so long.

  Args:
    num_steps: as it was given.
    fraction: share of the windows that come from stored data.
    interaction: how fresh episodes are played, if they are.
  """
  if not isinstance(num_steps, str):
    ranges.at_least(1, num_steps=num_steps)
    return
  parse(num_steps)
  if not fraction:
    raise _no_passes(num_steps, 'a reanalyse_fraction of 0 learns from no '
                     'stored data')
  if fraction < 1.0 and interaction and interaction.sources:
    raise _no_passes(num_steps, 'interaction.sources mix what is played into '
                     'the stored windows')


def parse(text: str) -> fractions.Fraction:
  """Returns the number in a text such as '200 passes' or '0.5 passes'."""
  match = _PASSES.fullmatch(text)
  if not match:
    raise ValueError(
        'num_steps must be learner steps, such as 20000, or passes over the '
        f"stored data, such as '200 passes'; got {text!r}.")
  number = fractions.Fraction(match[1])
  if number <= 0:
    raise ValueError(f'num_steps must be > 0 passes, got {text!r}.')
  return number


def steps(num_steps: Length, transitions: int, fraction: float,
          batch_size: int) -> int:
  """Returns learner steps: passes x transitions / stored windows of a batch.

  Rounded up.

  Args:
    num_steps: as it was given.
    transitions: that are stored.
    fraction: share of the windows that come from stored data.
    batch_size: windows per learner step.
  """
  if not isinstance(num_steps, str):
    return num_steps
  number = parse(num_steps)
  if not transitions:
    raise _no_passes(num_steps, 'there are no stored transitions')
  windows = mixing.count_reanalysed(fraction, batch_size)
  if not windows:
    raise _no_passes(num_steps, f'a reanalyse_fraction of {fraction} leaves no '
                     'stored windows in a batch')
  return math.ceil(number * transitions / windows)


def settle(num_steps: Length, content: Mapping[str, Any], fraction: float,
           batch_size: int) -> int:
  """Returns the learner steps of a run, and logs what passes became.

  Args:
    num_steps: as it was given.
    content: of the run's `fitted.json`.
    fraction: share of the windows that come from stored data.
    batch_size: windows per learner step.
  """
  found = steps(num_steps, _transitions(content), fraction, batch_size)
  if isinstance(num_steps, str):
    is_sample = content['survey']['is_sample']
    logging.info(
        '%s over %s%s transitions%s: %s learner steps', num_steps,
        'about ' * is_sample, f'{_transitions(content):,}',
        ' (estimated, not counted)' * is_sample, f'{found:,}')
  return found


def of_run(run_directory: str, num_steps: Length, fraction: float,
           batch_size: int) -> Optional[int]:
  """Returns the learner steps of a run; None where its data is yet to tell.

  The dataset is not opened. For the other arguments see `settle`.

  Args:
    run_directory: of the run.
  """
  if not isinstance(num_steps, str):
    return num_steps
  parse(num_steps)
  content = fitting.read(run_directory)
  return None if content is None else steps(
      num_steps, _transitions(content), fraction, batch_size)


def imagined(num_steps: Length) -> int:
  """Returns learner steps, made up for passes: to try what asks for them."""
  return _MANY if isinstance(num_steps, str) else num_steps


def _transitions(content: Mapping[str, Any]) -> int:
  """Returns how many a run's dataset had when it began, 0 without one."""
  return content['num_datapoints'] if content['survey'] else 0


def _no_passes(num_steps: str, reason: str) -> ValueError:
  return ValueError(f'num_steps must be a number of learner steps, such as '
                    f'20000, got {num_steps!r}: {reason}.')
