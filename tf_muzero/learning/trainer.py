"""The Keras model that learns a network from windows."""

from typing import Callable, Iterable, Mapping, Optional, TypeVar, Union

import tensorflow as tf

from tf_muzero import rng
from tf_muzero.keras2 import keras
from tf_muzero.networks import replicated
from tf_muzero.networks.contract import Network
from tf_muzero.reanalyse import store as store_lib
from tf_muzero.reanalyse import timing
from tf_muzero.types import Window

# (network, window, seed [2]) -> (this replica's loss, its named terms); see
# `losses.muzero_loss`. Terms that are no scalars are samples, which only
# histograms are made of.
LossFn = Callable[[Network, Window, tf.Tensor],
                  tuple[tf.Tensor, dict[str, tf.Tensor]]]

# (window, learner steps before this one) -> None; see `contract.Follower`.
FollowFn = Callable[[Window, tf.Tensor], None]

Made = TypeVar('Made')  # A network, or heads.


class Trainer(keras.Model):
  """Holds the network, its target network, and the compiled train step.

  `fit` takes a store of segments, or a dataset of `Window` batches. Metrics are
  of the global batch, as is the gradient, averaged over the steps of an
  execution.

  Attributes:
    network: what learns.
    target_network: follows it; what searches and acts.
    heads: what the loss has beside the network to learn, by the terms' names.
    target_heads: follow them.
    execute: the compiled function of an iterator that runs one execution.
    store: that `fit` was given.
    samples: of the last execution's last step, on the first replica: name ->
      numbers for a histogram. They stay on the device until they are read.
  """

  def __init__(self, network: Network, target_network: Network,
               loss_fn: LossFn, *, target_period: int, target_decay: float,
               global_batch_size: int, jit_compile: bool,
               heads: Optional[Mapping[str, tf.Module]] = None,
               target_heads: Optional[Mapping[str, tf.Module]] = None,
               follow_fn: Optional[FollowFn] = None, seed: int = 0):
    """Creates a trainer; call under the strategy's scope.

    Args:
      network: what learns.
      target_network: a second one of the same kind.
      loss_fn: what is minimised.
      target_period: learner steps between updates of the target network.
      target_decay: share of the target network that stays at an update; 0 is
        the paper's copy, 0.99 with period 1 an average over 100 steps.
      global_batch_size: windows over all replicas.
      jit_compile: whether XLA compiles loss and gradients.
      heads: what the loss has beside the network to learn.
      target_heads: second ones of the same kind.
      follow_fn: is told what each step has learned from; None for nobody.
      seed: of what the loss draws; it draws anew at each step and replica.
    """
    super().__init__()
    if target_period < 1:
      raise ValueError(f'target_period must be >= 1, got {target_period}.')
    if not 0.0 <= target_decay < 1.0:
      raise ValueError(f'target_decay must be in [0, 1), got {target_decay}.')
    self.train_function: Optional[Callable] = None
    self.network = network
    self.target_network = target_network
    self.heads, self.target_heads = dict(heads or {}), dict(target_heads or {})
    self.execute: Optional[Callable] = None
    self.store: Optional[store_lib.Store] = None
    self.samples: dict[str, tf.Tensor] = {}
    self._loss_fn = loss_fn
    self._follow_fn = follow_fn
    self._target_period = target_period
    self._target_decay = target_decay
    self._global_batch_size = global_batch_size
    self._loss_and_gradients = tf.function(
        self._loss_and_gradients_fn, jit_compile=jit_compile, autograph=False)
    self._seed = seed
    self._has_loop = False
    for source, target in self._followed():
      target.assign(source)

  def compile(self, optimizer: keras.optimizers.Optimizer,
              steps_per_execution: int = 1) -> None:
    """Sets what `fit` needs; call under the strategy's scope."""
    super().compile(optimizer, steps_per_execution=steps_per_execution)
    self._has_loop = steps_per_execution > 1
    # Its variables are there before the first step, as checkpoints need them.
    self.optimizer.build(self.learned)

  @property
  def learned(self) -> list[tf.Variable]:
    """All that is learned, of the network and of the heads."""
    return [*self.network.trainable_variables, *_variables(self.heads)]

  @property
  def step(self) -> int:
    """Learner steps so far."""
    return int(self.optimizer.iterations.numpy())

  def fit(self, x: Union[store_lib.Store, tf.data.Dataset], **kwargs
          ) -> keras.callbacks.History:
    """Learns, as Keras does; what a store is filled from is its own affair."""
    if isinstance(x, store_lib.Store):
      self.store = x
      x = _nothing(self.distribute_strategy.num_replicas_in_sync)
    return super().fit(x, **kwargs)

  def train_step(self, data: Window) -> dict[str, tf.Tensor]:
    """Returns the metrics of one step, for which this replica has windows.

    Among them are the samples of this replica alone.
    """
    replica = tf.distribute.get_replica_context()
    seed = rng.fold_in(rng.fold_in(
        rng.seed(self._seed), self.optimizer.iterations),
                       replica.replica_id_in_sync_group)
    terms, gradients = self._loss_and_gradients(data, seed)
    metrics, samples = _split(terms)
    samples['distribution/value_target'] = data.value[:, 0]
    share = tf.cast(tf.shape(data.value)[0], tf.float32
                    ) / self._global_batch_size
    metrics['search/age'] = share * tf.reduce_mean(tf.cast(
        self.optimizer.iterations + 1 - data.snapshot_step, tf.float32))
    metrics['target/value'] = share * tf.reduce_mean(data.value[:, 0])
    for name, diagnostic in data.diagnostics.items():
      metrics[f'search/{name}'] = share * tf.reduce_mean(diagnostic)
    # All at once. The gradient of the whole batch is what is clipped.
    sums, gradients = replicated.all_reduce(
        tf.distribute.ReduceOp.SUM,
        (tf.stack(list(metrics.values())), gradients))
    self.optimizer.apply_gradients(
        zip(gradients, self.learned),
        skip_gradients_aggregation=True)
    if self._follow_fn:
      self._follow_fn(data, self.optimizer.iterations - 1)
    self._update_target()
    return {**dict(zip(metrics, tf.unstack(sums))),
            'gradient/norm': tf.linalg.global_norm(gradients), **samples}

  def make_train_function(self, force: bool = False):
    """Returns the function of an iterator that runs one execution."""
    if self.train_function is not None and not force:
      return self.train_function

    def next_windows(iterator, ended):
      if self.store:
        return self.store.next_windows(ended)
      windows = next(iterator)
      # They may have been there before the last step ended.
      waited = tf.maximum(timing.now(windows) - ended, 0.0)
      return windows, {'waited': tf.cast(waited, tf.float32)}

    def one_step(iterator, ended):
      windows, seconds = next_windows(iterator, ended)
      metrics = self.distribute_strategy.run(self.train_step, (windows,))
      # Every replica has the same metrics.
      metrics, samples = _split({
          name: self.distribute_strategy.experimental_local_results(x)[0]
          for name, x in metrics.items()})
      return timing.now(metrics), {
          **{f'time/{name}': x for name, x in seconds.items()},
          **metrics}, samples

    @tf.function(autograph=False)
    def execute(iterator):

      def add_step(ended, totals, unused_samples):
        ended, metrics, samples = one_step(iterator, ended)
        return ended, tf.nest.map_structure(tf.add, totals, metrics), samples

      first = one_step(iterator, tf.timestamp())
      if not self._has_loop:  # Which would trace the step once more.
        return first[1:]
      # The last execution of a run may have fewer steps.
      num_steps = tf.convert_to_tensor(self._steps_per_execution)
      _, totals, samples = tf.while_loop(
          lambda *_: True, add_step, first,
          maximum_iterations=tf.cast(num_steps - 1, tf.int32))
      num_steps = tf.cast(num_steps, tf.float32)
      return {name: x / num_steps for name, x in totals.items()}, samples

    self.execute = execute

    def train_function(iterator):
      metrics, self.samples = self.execute(iterator)
      return metrics

    self.train_function = train_function
    return train_function

  def _loss_and_gradients_fn(self, window: Window, seed: tf.Tensor):
    with tf.GradientTape() as tape:
      loss, metrics = self._loss_fn(self.network, window, seed)
    return metrics, tape.gradient(
        loss, self.learned,
        unconnected_gradients=tf.UnconnectedGradients.ZERO)

  def _update_target(self):
    # Always assigned, to itself between updates: a conditional update cannot
    # cross replicas.
    is_due = tf.equal(self.optimizer.iterations % self._target_period, 0)
    for source, target in self._followed():
      target.assign(tf.where(
          is_due, source + self._target_decay * (target - source), target))

  def _followed(self) -> Iterable[tuple[tf.Variable, tf.Variable]]:
    """Returns the variables that others follow, and those others."""
    return zip([*self.network.variables, *_variables(self.heads)],
               [*self.target_network.variables,
                *_variables(self.target_heads)])


def _variables(heads: Mapping[str, tf.Module]) -> list[tf.Variable]:
  """Returns all that is learned of heads, always in the same order."""
  return [variable for name in sorted(heads)
          for variable in heads[name].trainable_variables]


def _split(terms: dict[str, tf.Tensor]
           ) -> tuple[dict[str, tf.Tensor], dict[str, tf.Tensor]]:
  """Returns scalars, and what is none."""
  return ({name: x for name, x in terms.items() if x.shape.rank == 0},
          {name: x for name, x in terms.items() if x.shape.rank != 0})


def _nothing(num_replicas: int) -> tf.data.Dataset:
  """Returns what `fit` takes under any strategy and nobody looks at."""
  options = tf.data.Options()
  options.experimental_distribute.auto_shard_policy = (
      tf.data.experimental.AutoShardPolicy.OFF)
  return tf.data.Dataset.from_tensors(
      tf.zeros([num_replicas])).repeat().with_options(options)


def make_target_network(network_fn: Callable[[], Made]) -> Made:
  """Returns `network_fn()` with variables that replicas may assign to."""
  def creator(next_creator, **kwargs):
    return next_creator(**{
        **kwargs, 'aggregation': replicated.aggregation()})

  with tf.variable_creator_scope(creator):
    return network_fn()
