"""The programs that a TPU is to run, traced under a TPUStrategy."""

import functools
from typing import Any, Mapping, NamedTuple

from dm_env import specs
import numpy as np
import tensorflow as tf

from tf_muzero import train
from tf_muzero.acting import interaction
from tf_muzero.acting import passes
from tf_muzero.data import segments as segments_lib
from tf_muzero.learning import trainer as trainer_lib
from tf_muzero.reanalyse import pipeline
from tf_muzero.reanalyse import store as store_lib
from tf_muzero.search import execution
from tf_muzero.types import Episode
from tf_muzero.types import EnvironmentSpec

# Arguments of `train.train` by name.
Settings = Mapping[str, Any]


class Task(NamedTuple):
  """What is learned from.

  Attributes:
    spec: what the agent sees and does.
    num_datapoints: stored states, for networks as wide as these are many.
  """
  spec: EnvironmentSpec
  num_datapoints: int


def make_trainer(settings: Settings, task: Task) -> trainer_lib.Trainer:
  """Returns the trainer of `train.train`; call under the strategy's scope."""
  trainer = train.make_trainer(
      interaction.Source(task.spec, 'made up', 1, 0, task.num_datapoints),
      settings['agent'], settings['loss_weights'], settings['batch_size'],
      jit_compile=False, **{name: settings[name] for name in (
          'target_period', 'target_decay', 'compute_dtype')})
  trainer.compile(
      settings['optimizer_fn'](passes.imagined(settings['num_steps'])),
      steps_per_execution=settings['steps_per_execution'])
  return trainer


def make_store(settings: Settings, task: Task,
               strategy: tf.distribute.Strategy
               ) -> tuple[store_lib.Store, Any]:
  """Returns the store of what a host searches, and the spec of G segments."""
  agent, reanalyse = settings['agent'], settings['reanalyse']
  network = agent.make_network(task.spec, task.num_datapoints)
  searched = pipeline.searched_segments(
      _segments(settings, task), reanalyse,
      agent.plan_with(network, task.spec), 'nowhere',
      [v.shape for v in network.variables], seed=0, deterministic=True)
  num_replicas = strategy.num_replicas_in_sync
  of_a_replica = tf.nest.map_structure(
      lambda x: tf.TensorSpec([x.shape[0] // num_replicas, *x.shape[1:]],
                              x.dtype), searched.element_spec)
  store = store_lib.Store(
      [store_lib.Source(
          searched, of_a_replica, settings['batch_size'],
          reanalyse.store_windows, reanalyse.sample_reuse)],
      reanalyse.cutting(agent, settings['unroll_steps'],
                        settings['loss_weights'].needs_observations),
      seed=0, strategy=strategy)
  return store, searched.element_spec


def train_step(settings: Settings, task: Task,
               strategy: tf.distribute.Strategy
               ) -> tf.types.experimental.ConcreteFunction:
  """Returns one learner step of all replicas: windows drawn, and learned from.

  Args:
    settings: how it learns.
    task: what from.
    strategy: of the replicas.
  """
  with strategy.scope():
    trainer = make_trainer(settings, task)
  store, _ = make_store(settings, task, strategy)

  @tf.function(autograph=False)
  def step(number):
    return strategy.run(
        lambda number: trainer.train_step(store.draw(number)), (number,))

  return step.get_concrete_function(tf.TensorSpec([], tf.int64))


def write(settings: Settings, task: Task, strategy: tf.distribute.Strategy
          ) -> tf.types.experimental.ConcreteFunction:
  """Returns what puts G searched segments into the store of all replicas."""
  store, spec = make_store(settings, task, strategy)

  @tf.function(autograph=False)
  def step(element, added):
    strategy.run(functools.partial(store.insert, 0), (element, added))

  return step.get_concrete_function(spec, tf.TensorSpec([], tf.int64))


def search(settings: Settings, task: Task, strategy: tf.distribute.Strategy
           ) -> tf.types.experimental.ConcreteFunction:
  """Returns one search of G (L + K + n) stored states, on each replica."""
  return _plan(settings, task, strategy, settings['reanalyse'].improvement_fn)


def roots(settings: Settings, task: Task, strategy: tf.distribute.Strategy
          ) -> tf.types.experimental.ConcreteFunction:
  """Returns what of a search is before its first simulation."""

  def root_only(planning_model, search_fn, parameters, seed, segments):
    def no_search(parameters, root, *unused_args, **unused_kwargs):
      del parameters
      found.append(root)
      raise StopIteration
    del search_fn
    found = []
    try:
      settings['reanalyse'].improvement_fn(
          planning_model, no_search, parameters, seed, segments)
    except StopIteration:
      pass
    return found[0]

  return _plan(settings, task, strategy, root_only)


def _plan(settings, task, strategy, improvement_fn):
  """Returns `improvement_fn` of a batch of segments on each replica."""
  agent, reanalyse = settings['agent'], settings['reanalyse']
  network = agent.make_network(
      task.spec, task.num_datapoints, settings['compute_dtype'])
  planning_model = agent.plan_with(network, task.spec)
  search_fn = functools.partial(
      reanalyse.search_fn, execution=execution.Execution.ANYWHERE)

  # A function of its own, as in the pipeline: TensorFlow cannot import graphs,
  # which the planning functions are, among the operations of a replica.
  @tf.function(autograph=False)
  def improve(parameters, seed, segments):
    return improvement_fn(
        planning_model, search_fn, parameters, seed, segments)

  @tf.function(autograph=False)
  def search_step(*arguments):
    return strategy.run(improve, arguments)

  segments = _segments(settings, task).batch(
      reanalyse.segments_per_search, drop_remainder=True)
  return search_step.get_concrete_function(
      tuple(tf.TensorSpec(v.shape, v.dtype) for v in network.variables),
      tf.TensorSpec([2], tf.int32), segments.element_spec)


def _segments(settings: Settings, task: Task) -> tf.data.Dataset:
  """Returns segments of an episode of two records."""
  observation, action = task.spec.observation, task.spec.action
  if isinstance(action, specs.DiscreteArray):
    actions = np.zeros([2], np.int32)
  else:
    actions = np.zeros([2, *action.shape], np.float32)
  episode = Episode(
      np.zeros([2, *observation.shape], observation.dtype), actions,
      np.zeros([2], np.float32), np.ones([2], np.float32))
  reanalyse = settings['reanalyse']
  return segments_lib.segments(
      tf.data.Dataset.from_tensors(episode),
      windows_per_segment=reanalyse.windows_per_segment,
      unroll_steps=settings['unroll_steps'], td_steps=reanalyse.td_steps,
      frame_stack=settings['agent'].frame_stack)
