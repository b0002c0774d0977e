"""Variants beside each other: scores by acting mode, and which is better."""

import itertools
import math
import os
from typing import NamedTuple, Sequence

import numpy as np

from tf_muzero.reporting import aggregates
from tf_muzero.reporting import groups as groups_lib
from tf_muzero.reporting import plots
from tf_muzero.reporting import sums
from tf_muzero.reporting import words
from tf_muzero.reporting.document import Block
from tf_muzero.reporting.document import Heading
from tf_muzero.reporting.document import Pictures
from tf_muzero.reporting.document import Table
from tf_muzero.reporting.document import Text
from tf_muzero.reporting.groups import Group
from tf_muzero.reporting.provenance import NONE


class Case(NamedTuple):
  """What variants are compared on: a task, with its data.

  Attributes:
    title: of the task and its data.
    groups: a variant each.
  """
  title: str
  groups: Sequence[Group]


def blocks(cases: Sequence[Case], directory: str, *, seed: int) -> list[Block]:
  """Returns the comparison of variants, and writes its pictures.

  Args:
    cases: one or more, with scores or without.
    directory: of the pictures.
    seed: of the confidence intervals.
  """
  found: list[Block] = []
  for number, case in enumerate(cases):
    modes = _modes(case.groups)
    if not modes:
      continue
    found += [Heading(2, f'Variants: {case.title}'),
              Text('Mean returns at the end of training; "±" is the standard '
                   'error over seeds, whose number is in brackets.'),
              _table(case.groups, modes)]
    found += _intervals(case.groups, modes, os.path.join(
        directory, f'variants_{number}'), seed)
    found += _pairs([case], modes, seed)
  if len(cases) > 1:
    modes = _modes([group for case in cases for group in case.groups])
    pairs = _pairs(cases, modes, seed)
    if pairs:
      found += [Heading(2, 'Variants: all cases together'), *pairs]
  return found


def _modes(groups: Sequence[Group]) -> list[str]:
  return list(dict.fromkeys(mode for group in groups for mode in group.modes))


def _table(groups: Sequence[Group], modes: Sequence[str]) -> Table:
  """Returns scores, variant x acting mode."""

  def cell(group, mode):
    summary = groups_lib.final(group, mode)
    if not summary:
      return NONE
    error = (words.number(summary.error) if len(summary.means) > 1 else '?')
    return f'{words.number(summary.mean)} ± {error} ({len(summary.means)})'

  return Table(['variant', *map(words.mode, modes)], [
      [group.method, *(cell(group, mode) for mode in modes)]
      for group in groups])


def _intervals(groups: Sequence[Group], modes: Sequence[str], stem: str,
               seed: int) -> list[Block]:
  """Returns rliable's aggregates of one task, over its seeds."""
  if max(len(group.runs) for group in groups) < 2:
    return [Text('There is one seed of each variant: nothing is known of how '
                 'much others would differ, and so of which one is better.')]
  found = {
      name: {f'{group.method}: {words.mode(mode)}': aggregates.interval(
          fn, [scores], seed=seed)
             for group in groups for mode in modes
             for scores in [_scores(group, mode)] if len(scores)}
      for name, fn in aggregates.AGGREGATES.items() if name != 'median'}
  rows = [[key, *(sums.interval(values[key]) for values in found.values())]
          for key in next(iter(found.values()))]
  return [
      Table(['variant and acting mode', *found], rows),
      Pictures(plots.intervals(stem, found, 'return'),
               'Aggregates over the seeds at the end of training, with 95% '
               'confidence intervals by a bootstrap over them.')]


def _pairs(cases: Sequence[Case], modes: Sequence[str], seed: int
           ) -> list[Block]:
  """Returns how probable it is that one variant is better than another."""
  names = list(dict.fromkeys(
      group.method for case in cases for group in case.groups))
  rows, sizes = [], []  # The latter of those that have a p.
  # The baselines come first: what comes later is to be better than they are.
  for other, one in itertools.combinations(names, 2):
    cells = []
    for mode in modes:
      both = [(_scores(x, mode), _scores(y, mode))
              for case in cases for x in case.groups if x.method == one
              for y in case.groups if y.method == other]
      both = [(x, y) for x, y in both if len(x) and len(y)]
      if max((len(x) + len(y) for x, y in both), default=0) < 3:
        cells.append(NONE)
        continue
      sizes += [(len(x), len(y)) for x, y in both if min(len(x), len(y)) > 1]
      cells.append(_chance(*zip(*both), seed=seed))
    if set(cells) != {NONE}:
      rows.append([f'{one} over {other}', *cells])
  if not rows:
    return []
  text = ('How probable it is that a run of one variant has a higher return '
          'than one of the other, with a 95% bootstrap interval over seeds: '
          '0.50 is no difference.')
  if len(cases) == 1 and sizes:
    least = min(_least_p_value(*x) for x in sizes)
    text += (' p is the chance of a difference of means as large, were the two '
             f'alike (permutation test, two-sided). With {_sizes(sizes)} seeds '
             f'it cannot be lower than {least:.2g}, whatever was measured; an '
             'interval of few seeds is too narrow. No correction is made for '
             'the number of comparisons.')
  return [Text(text), Table(['better', *map(words.mode, modes)], rows)]


def _chance(scores: Sequence[np.ndarray], rivals: Sequence[np.ndarray], *,
            seed: int) -> str:
  """Returns the probability of improvement, of one task also how sure.

  With one run of either, nothing is known of how much such runs differ.
  """
  chance = aggregates.probability_of_improvement(scores, rivals, seed=seed)
  text = f'{chance.value:.2f} [{chance.low:.2f}, {chance.high:.2f}]'
  if len(scores) > 1 or min(len(scores[0]), len(rivals[0])) < 2:
    return text
  return f'{text}, p {aggregates.p_value(scores[0], rivals[0], seed=seed):.2g}'


def _least_p_value(num_scores: int, num_rivals: int) -> float:
  """Returns the p-value of scores that are all above those of the rival."""
  return min(1.0, 2.0 * max(
      1.0 / math.comb(num_scores + num_rivals, num_scores),
      1.0 / (aggregates.NUM_DRAWS + 1)))


def _sizes(sizes: Sequence[tuple[int, int]]) -> str:
  return ' or '.join(dict.fromkeys(f'{x} and {y}' for x, y in sizes))


def _scores(group: Group, mode: str) -> np.ndarray:
  """Returns the final scores of a mode, [runs]."""
  summary = groups_lib.final(group, mode)
  return np.array(summary.means if summary else ())
