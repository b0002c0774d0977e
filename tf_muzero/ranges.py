"""Checks of the numbers in a configuration; all raise ValueError.

They say which number it is, what is allowed, and what was given. What is not a
number (NaN) is in no range.
"""

from typing import Sequence


def at_least(low: float, **numbers: float) -> None:
  """Checks that numbers are `low` or more; `name=value` each."""
  for name, value in numbers.items():
    if not value >= low:
      raise ValueError(f'{name} must be >= {low}, got {value}.')


def above(low: float, **numbers: float) -> None:
  """Checks that numbers are more than `low`; `name=value` each."""
  for name, value in numbers.items():
    if not value > low:
      raise ValueError(f'{name} must be > {low}, got {value}.')


def within(low: float, high: float, **numbers: float) -> None:
  """Checks that numbers are in [low, high]; `name=value` each."""
  for name, value in numbers.items():
    if not low <= value <= high:
      raise ValueError(f'{name} must be in [{low}, {high}], got {value}.')


def from_to(low: float, high: float, **numbers: float) -> None:
  """Checks that numbers are in [low, high); `name=value` each."""
  for name, value in numbers.items():
    if not low <= value < high:
      raise ValueError(f'{name} must be in [{low}, {high}), got {value}.')


def some(**sequences: Sequence) -> None:
  """Checks that sequences have an element; `name=value` each."""
  for name, value in sequences.items():
    if not value:
      raise ValueError(f'{name} must have at least one element, got {value}.')


def ascending(**limits: Sequence[float]) -> None:
  """Checks that pairs are a range, (low, high); `name=value` each."""
  for name, value in limits.items():
    if len(value) != 2 or not value[0] <= value[1]:
      raise ValueError(f'{name} must be (low, high) with low <= high, got '
                       f'{tuple(value)}.')
