"""Searches on the accelerator, between train steps: `placement = 'device'`.

For networks that the host's CPUs cannot carry (docs/planning.md). The dataset
delivers segments that nobody searched; each replica searches its share of them
with the learner's present weights when the store takes them. All shapes are
static.
"""

import functools
from typing import Callable, Sequence

import tensorflow as tf

from tf_muzero import rng
from tf_muzero.data import segments as segments_lib
from tf_muzero.networks.agent import Agent
from tf_muzero.networks.contract import Network
from tf_muzero.reanalyse import pipeline
from tf_muzero.reanalyse import store
from tf_muzero.search import execution
from tf_muzero.types import EnvironmentSpec
from tf_muzero.types import Searched

# () -> (variables of the network that searches, the learner's step).
LearnerFn = Callable[[], tuple[Sequence[tf.Variable], tf.Variable]]


def make_search_fn(
    strategy: tf.distribute.Strategy, reanalyse: pipeline.Reanalyse,
    agent: Agent, spec: EnvironmentSpec, network: Network,
    learner_fn: LearnerFn, *, num_segments: int, unroll_steps: int, seed: int
    ) -> store.SearchFn:
  """Returns what searches segments in a replica.

  Args:
    strategy: where to search.
    reanalyse: how.
    agent: the network and what it means.
    spec: what it sees and does.
    network: of the agent, outside of any strategy: only its graph is used.
    learner_fn: says what to search with.
    num_segments: that a replica searches at once.
    unroll_steps: K.
    seed: of the searches.
  """
  compiles, suited = _compilation(strategy, reanalyse.host_jit)
  search_fn = functools.partial(reanalyse.search_fn, execution=suited)
  planning_model = agent.plan_with(network, spec)

  # A function of its own, traced once for all replicas: TensorFlow cannot
  # import graphs, which the planning functions are, among their operations.
  @tf.function(jit_compile=compiles, autograph=False)
  def improve(parameters, search_seed, segments):
    return reanalyse.improvement_fn(
        planning_model, search_fn, parameters, search_seed, segments)

  segments = tf.nest.map_structure(
      lambda x: tf.TensorSpec([num_segments, *x.shape], x.dtype),
      segments_lib.segment_spec(
          spec, reanalyse.segment_length(unroll_steps), agent.frame_stack
      )._replace(played_step=()))
  traced = improve.get_concrete_function(
      tuple(tf.TensorSpec(x.shape, x.dtype) for x in network.variables),
      tf.TensorSpec([2], tf.int32), segments)

  def search(unused_network, segments, number):
    variables, step = learner_fn()
    improved = traced(
        tuple(x.read_value() for x in variables),
        rng.fold_in(rng.seed(seed), number),
        segments._replace(played_step=()))  # It is not planned with.
    return Searched(
        segments, improved, tf.fill([num_segments], tf.identity(step)), {})

  # The network is kept: the variables of its graph must live on.
  return functools.partial(search, network)


def check(reanalyse: pipeline.Reanalyse, reanalyse_fraction: float) -> None:
  """Raises ValueError for devices that would have to search fresh data too."""
  if reanalyse.placement == 'device' and reanalyse_fraction < 1.0:
    raise ValueError(
        "placement must be 'host' for a reanalyse_fraction of "
        f'{reanalyse_fraction}: on devices only stored data is searched.')


def _compilation(strategy: tf.distribute.Strategy, jit: bool
                 ) -> tuple[bool, execution.Execution]:
  """Returns whether XLA is asked for, and what suits the devices."""
  if isinstance(strategy, tf.distribute.TPUStrategy):
    # The strategy compiles by itself.
    return False, execution.Execution.ANYWHERE
  return jit, execution.by_default(jit)
