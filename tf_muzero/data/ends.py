"""Where episodes begin and end: fields that RLDS leaves out, or that disagree.

The discount and three flags say it, and files lack some of them, never set
them, or let one contradict the other. Here they are made to agree; where
something had to be settled, the steps tell, see `tellings`.
"""

from typing import Any, Mapping, Sequence

import tensorflow as tf

from tf_muzero.data import adapters
from tf_muzero.data import tellings

_OPTIONAL = ('discount', 'is_first', 'is_last', 'is_terminal')


def source_of_terminals(fields: Sequence[str], wanted: str, usual: str) -> str:
  """Returns which field says that the last transition is terminal.

  Args:
    fields: of the steps.
    wanted: of the settings, or empty.
    usual: of datasets of this kind.
  """
  if wanted and wanted not in fields:
    raise ValueError(f'terminal_from must name a field of the steps, and there '
                     f'is no {wanted}, only {", ".join(fields)}.')
  other = 'discount' if usual == 'is_terminal' else 'is_terminal'
  return wanted or (other if usual not in fields and other in fields else usual)


def describe_missing(fields: Sequence[str]) -> tuple[str, ...]:
  """Returns sentences about the fields that steps lack."""
  lacks = lambda *names: not any(name in fields for name in names)
  found = []
  if lacks('discount', 'is_terminal'):
    found.append('steps have neither discount nor is_terminal: no episode ends '
                 'in a terminal state, all are cut off')
  elif lacks('discount'):
    found.append('steps have no discount: it is 0 at the last transition where '
                 'is_terminal says that it is terminal, else 1')
  elif lacks('is_terminal'):
    found.append('steps have no is_terminal: the last transition is terminal '
                 'where its discount is 0')
  for field, end in (('is_first', 'first'), ('is_last', 'last')):
    if lacks(field):
      found.append(f'steps have no {field}: the {end} record counts as the '
                   f'{end}')
  return tuple(found)


def make_adapter(adapter: adapters.Adapter, terminal_from: str
                 ) -> adapters.Adapter:
  """Returns an adapter after which all fields are there, and agree.

  It adds `told`, [number of tellings] bool.

  Args:
    adapter: of the dataset.
    terminal_from: 'is_terminal' or 'discount'.
  """
  def adapt(steps: adapters.Steps) -> adapters.Steps:
    has_both = 'discount' in steps and 'is_terminal' in steps
    complete, told = _complete(steps)
    adapted = dict(adapter(complete))
    adapted['discount'], more = _agree(adapted, terminal_from)
    if has_both:
      told |= more
    return {**adapted, 'told': tellings.flags(told)}

  return adapt


def _complete(steps: adapters.Steps
              ) -> tuple[adapters.Steps, dict[str, tf.Tensor]]:
  """Returns the steps with all fields and set ends, and what to tell."""
  flat = lambda x: tf.reshape(x, [-1])
  num_records = tf.shape(steps['reward'])[0]
  record = tf.range(num_records)
  complete: dict[str, Any] = dict(steps)
  complete['reward'] = flat(tf.cast(steps['reward'], tf.float64 if (
      steps['reward'].dtype == tf.float64) else tf.float32))
  complete['discount'] = (
      flat(tf.cast(steps['discount'], tf.float32)) if 'discount' in steps
      else tf.ones([num_records]))
  for name in _OPTIONAL[1:]:
    complete[name] = (flat(tf.cast(steps[name], tf.bool)) if name in steps
                      else tf.zeros([num_records], tf.bool))
  told = {}
  for name, at_end in (('is_first', record == 0),
                       ('is_last', record == num_records - 1)):
    is_never = ~tf.reduce_any(complete[name])
    if name in steps:
      told[f'no {name}'] = is_never
    complete[name] |= is_never & at_end
  return complete, told


def _agree(steps: Mapping[str, tf.Tensor], terminal_from: str
           ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
  """Returns discounts that say what counts, and what to tell."""
  discount, is_terminal = steps['discount'], steps['is_terminal']
  num_records = tf.shape(discount)[0]
  is_last_transition = tf.range(num_records) == num_records - 2
  says_terminal = tf.reduce_any(is_terminal[-1:])
  stops = tf.reduce_any(is_last_transition & (discount == 0.0))
  exists = num_records > 1
  told = {'only is_terminal': says_terminal & ~stops & exists,
          'only discount': stops & ~says_terminal & exists,
          'early is_terminal': tf.reduce_any(is_terminal[:-1])}
  if terminal_from == 'discount':
    return discount, told
  agreed = tf.where(says_terminal, tf.zeros_like(discount), tf.where(
      discount == 0.0, tf.ones_like(discount), discount))
  # What is no discount at all is left to the checks.
  is_good = (discount >= 0.0) & (discount <= 1.0)
  return tf.where(is_last_transition & is_good, agreed, discount), told
