"""A command and its parts, for the tests of `cli`: no learning in it."""

import dataclasses
from typing import Callable, NamedTuple, Optional, Sequence

import tensorflow as tf

from tf_muzero import cli

BASE = """from __gin__ import dynamic_registration

from tests import cli_fakes
DIRECTORY = %gin.REQUIRED
STEPS = 5
cli_fakes.command:
  directory = %DIRECTORY
  num_steps = %STEPS
  part = @small/cli_fakes.Part()
  scale_fn = @cli_fakes.scaled
small/cli_fakes.Part.size = 3
cli_fakes.scaled.factor = 10
"""
CALLS = []  # The arguments of every call of `command`.


class Part(NamedTuple):
  """Something that a command is given."""
  size: int
  rate: float = 0.5


@dataclasses.dataclass(frozen=True)
class Validated:
  """A part that checks itself."""
  size: int

  def __post_init__(self):
    if self.size < 1:
      raise ValueError(f'size must be >= 1, got {self.size}.')


def double(number: float) -> float:
  """Returns twice the number."""
  return 2 * number


def scaled(number: float, factor: float) -> float:
  """Returns the number times a factor that is bound."""
  return factor * number


def never_used(number: int) -> int:
  """Returns the number."""
  return number


def cli_fakes(number: int, part: Optional[Part] = None) -> int:
  """Returns the number; a command too, since it is named as the module."""
  del part
  return number


@tf.function
def fail_in_a_graph(number: tf.Tensor) -> tf.Tensor:
  """Raises what TensorFlow does."""
  tf.debugging.Assert(number != 15, ['Bad episode: the 15th.'])
  return number


def command(
    directory: str,
    *,
    num_steps: int,
    rate: float = 1.0,
    is_fast: bool = False,
    part: Optional[Part] = None,
    validated: Optional[Validated] = None,
    sizes: Sequence[int] = (),
    scale_fn: Callable[[float], float] = double,
) -> float:
  """Returns a number made of all its arguments.

  Args:
    directory: of the run.
    num_steps: a number.
    rate: another, which
      is explained at length.
    is_fast: whether it is.
    part: of it.
    validated: another part.
    sizes: of parts.
    scale_fn: what is done to the number.
  """
  CALLS.append(dict(
      directory=directory, num_steps=num_steps, rate=rate, is_fast=is_fast,
      part=part, validated=validated, sizes=sizes))
  if num_steps == 13:
    raise FileNotFoundError('There is no 13.')
  if num_steps == 15:
    fail_in_a_graph(tf.constant(num_steps))
  if num_steps == 14:
    return {}['missing']
  return scale_fn(num_steps * rate)


def configure(base: str, *lines: str) -> cli.Configuration:
  """Returns a configuration by a file that begins with BASE, and by lines."""
  return cli.configure(command, [base], ['DIRECTORY = "runs/x"', *lines])


if __name__ == '__main__':
  cli.run(command, positional=('directory',), record_in='directory')
