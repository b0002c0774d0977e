"""What a dataset tells of itself in, how its steps are to be read out."""

from typing import Any, Mapping, NamedTuple

import tensorflow_datasets as tfds

from tf_muzero.data import adapters
from tf_muzero.data import ends
from tf_muzero.data import entries
from tf_muzero.data import layout
from tf_muzero.data import public
from tf_muzero.data import stored_actions
from tf_muzero.data.reading import Reading
from tf_muzero.types import EnvironmentSpec


class Understood(NamedTuple):
  """How steps are to be read.

  Attributes:
    spec: what an agent sees and does. Of integers nobody tells the number of,
      it is `stored_actions.UNKNOWN`, see `action_values.complete`.
    features: of TFDS, of what is used alone.
    adapter: makes of what is stored what it means.
    terminal_from: which field says that the last transition is terminal.
    tellings: sentences about what was settled.
  """
  spec: EnvironmentSpec
  features: tfds.features.FeaturesDict
  adapter: adapters.Adapter
  terminal_from: str
  tellings: tuple[str, ...]


def understand(features: tfds.features.FeaturesDict,
               metadata: Mapping[str, Any], known: public.Known,
               reading: Reading) -> Understood:
  """Returns how the steps of a dataset are to be read; checks its layout.

  Args:
    features: the dataset's.
    metadata: the dataset's.
    known: what is known of it besides.
    reading: settings.
  """
  fields = layout.check_fields(features)
  used = layout.with_entries(features, reading.observation_entries)
  steps = layout.steps_of(used)
  observation, told = entries.spec_of(
      steps['observation'], reading.image_layout)
  action = stored_actions.spec_of(
      steps['action'], {**known.metadata, **metadata}, reading)
  terminal_from = ends.source_of_terminals(
      fields, reading.terminal_from or '', known.terminal_from)
  adapter = reading.adapter(known, metadata.get('reward_alignment', ''))
  return Understood(
      EnvironmentSpec(observation, action), used,
      ends.make_adapter(adapter, terminal_from), terminal_from,
      (*ends.describe_missing(fields), *told))
