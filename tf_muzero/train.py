"""Learns from logged episodes by planning with a learned model.

  tf-muzero train runs/1 datasets/cartpole \\
      --gin_file=gin/experiment/cartpole_swingup.gin
  tf-muzero train runs/2 datasets/mine --num_steps=20000 --seed=1
  tf-muzero train runs/3 datasets/mine --num_steps='200 passes'

Without a gin file, settings come from the run's own config.gin if it has one,
else from gin/experiment/own_data.gin. The same command resumes a run that was
interrupted, and so does `tf-muzero train runs/1`. SIGTERM and SIGINT save
first; the exit code is then 75.
"""

import contextlib
from typing import Any, Callable, Mapping, Optional, Sequence, Union

from absl import logging
import numpy as np
import tensorflow as tf

from tf_muzero import cli
from tf_muzero import devices
from tf_muzero import evaluate
from tf_muzero.keras2 import keras
from tf_muzero import paths
from tf_muzero.acting import batches
from tf_muzero.acting import fitting
from tf_muzero.acting import interaction as interaction_lib
from tf_muzero.acting import passes as passes_lib
from tf_muzero.acting import rehearsal
from tf_muzero.acting import run_directory as run_directory_lib
from tf_muzero.acting import sources
from tf_muzero.acting import starts
from tf_muzero.acting import watching
from tf_muzero.data import observations
from tf_muzero.data.reading import Reading
from tf_muzero.learning import best
from tf_muzero.learning import callbacks as callbacks_lib
from tf_muzero.learning import checkpoint_files
from tf_muzero.learning import checkpoints
from tf_muzero.learning import evaluations as evaluations_lib
from tf_muzero.learning import feeding
from tf_muzero.learning import interruption
from tf_muzero.learning import losses
from tf_muzero.learning import resuming
from tf_muzero.learning import run_lock
from tf_muzero.learning import trainer as trainer_lib
from tf_muzero.learning.terms import term
from tf_muzero.networks import contract
from tf_muzero.networks.agent import Agent
from tf_muzero.reanalyse import pipeline


def train(
    *, run_directory: str, agent: Agent,
    reanalyse: pipeline.Reanalyse, loss_weights: losses.LossWeights,
    optimizer_fn: Callable[[int], keras.optimizers.Optimizer],
    num_steps: Union[int, str], batch_size: int, unroll_steps: int,
    reanalyse_fraction: float, target_period: int, target_decay: float,
    search_with_target: bool, snapshot_every: int, checkpoint_every: int,
    log_every: int, steps_per_execution: int, strategy: str, jit_compile: bool,
    seed: int, compute_dtype: str = 'float32', intra_op_threads: int = 0,
    deterministic: bool = False, clip_targets: bool = False,
    dataset: Optional[sources.Stored] = None, reading: Reading = Reading(),
    interaction: Optional[interaction_lib.Interaction] = None,
    evaluate_fn: Optional[evaluate.EvaluateFn] = None,
    evaluate_every: int = 0, best_by: str = '',
    resume_from: Union[str, int] = checkpoint_files.LAST, profile: str = ''
    ) -> trainer_lib.Trainer:
  """Returns the trainer after `num_steps`.

  Args:
    run_directory: everything about the run; an interrupted run in it resumes.
    agent: the network and what it means.
    reanalyse: how stored data becomes targets.
    loss_weights: of the terms of the loss, and which there are.
    optimizer_fn: total number of steps -> optimiser.
    num_steps: learner steps, or as many as make some passes over the stored
      transitions, such as '200 passes': see `passes`. A run that resumes makes
      passes over as many transitions as it began with.
    batch_size: windows per learner step, over all replicas.
    unroll_steps: steps that the model is unrolled in a window, K.
    reanalyse_fraction: share of the windows that come from stored data, the
      rest from fresh interaction; 1 is offline, 0 online only. Exact in each
      batch.
    target_period: learner steps between updates of the target network.
    target_decay: share of the old target network that an update keeps.
    search_with_target: whether searches use the target network's weights, not
      the latest ones.
    snapshot_every: learner steps between snapshots for the searches on the
      host; those on devices always have the present weights.
    checkpoint_every: learner steps; a multiple of `snapshot_every`.
    log_every: learner steps between progress lines.
    steps_per_execution: learner steps per call of the compiled function.
    strategy: `cpu` (also one GPU), `mirrored` (all GPUs), `multi_worker` or
      `tpu`; see `devices.make_strategy`.
    jit_compile: whether XLA compiles loss and gradients.
    seed: of everything random.
    compute_dtype: of the network that learns: `float32`, or `bfloat16` on TPU.
      Weights and losses are float32 anyway, and so are searches on the host.
    intra_op_threads: threads of one operation, see `devices.limit_threads`; 0
      leaves it to TensorFlow.
    deterministic: two runs, and a run that was killed and resumed, agree bit
      for bit; slower.
    clip_targets: whether rewards and values that a support does not hold are
      clipped; else stored ones that it does not hold are an error.
    dataset: directory of an RLDS dataset, a name of TFDS, or a
      `tf.data.Dataset` of RLDS episodes, see `episodes.open_dataset`; needed
      where the fraction is not 0.
    reading: what of the dataset is read, and how.
    interaction: how fresh episodes are played; needed where it is not 1.
    evaluate_fn: such as `evaluate.during_training`.
    evaluate_every: learner steps, and once at the end; 0 for never.
    best_by: metric of the evaluations that tells which checkpoint is the best,
      such as `evaluation/mcts`; by default the return of the last mode, or else
      the held-out error of the reward, see `best.choose`.
    resume_from: `last`, `best`, or the learner step of a checkpoint. What is
      newer is set aside, see `resuming`.
    profile: START:END, learner steps whose trace TensorBoard shows; see
      `profiling`. Empty for none.
  """
  rehearsal.arguments(locals())
  run_directory = run_directory_lib.checked(run_directory)
  devices.limit_threads(intra_op_threads)
  strategy_ = devices.make_strategy(strategy)
  is_chief = devices.is_chief(strategy)
  rehearsal.functions(reanalyse, agent, optimizer_fn, num_steps)
  opened, interaction = sources.open_source(
      reanalyse_fraction, dataset, reading, interaction)
  fit = fitting.fit(run_directory, opened, agent, clip_targets)
  source, agent = fit.source, fit.agent
  num_steps = rehearsal.length(locals(), fit.content)
  reanalyse = reanalyse.fitted(
      fit.lengths, unroll_steps, feeding.local_replicas(strategy_))
  on_signal = interruption.StopOnSignal()
  measure_fn = best.checked(best_by, evaluate_fn(agent, source) if (
      evaluate_fn and evaluate_every) else None)
  feed = batches.Feed(
      source, agent, reanalyse, interaction, reanalyse_fraction, batch_size,
      unroll_steps, loss_weights.needs_observations, deterministic, seed)
  with run_lock.hold(run_directory, is_chief), contextlib.ExitStack() as stack:
    # Evaluated or not, the run is the same.
    tf.keras.utils.set_random_seed(seed)
    start = resuming.begin(
        run_directory, resume_from, strategy_, is_chief=is_chief,
        has_position=feed.has_position(strategy_),
        settings=feed.order(strategy_))
    # A run that is done waits for no service.
    service = stack.enter_context(feed.served(start.step < num_steps))
    with strategy_.scope():
      trainer = make_trainer(
          source, agent, loss_weights, batch_size, compute_dtype,
          fit.statistics, target_period=target_period,
          target_decay=target_decay, jit_compile=jit_compile, seed=seed)
      trainer.compile(optimizer_fn(num_steps), steps_per_execution)
    searched = trainer.target_network if search_with_target else trainer.network
    saver = checkpoints.Saver(
        checkpoints.restore(trainer, start), run_directory, start,
        has_position=feed.has_position(strategy_), is_chief=is_chief)
    writer = watching.writer_of(run_directory, is_chief)
    evaluations = watching.evaluations(
        evaluate_every, run_directory, writer, measure_fn, on_signal.poll,
        saver, best_by)
    if start.step >= num_steps:
      evaluations_lib.complete(evaluations, trainer)
      return trainer
    store = feed.store(
        strategy_, run_directory, service, start, compute_dtype,
        lambda: (searched.variables, trainer.optimizer.iterations))
    callbacks = feed.publishing(
        snapshot_every, run_directory, searched, is_chief)
    if is_chief:
      _record_start(trainer, fit, run_directory, writer, feed.passes(num_steps))
      callbacks += watching.reports(
          run_directory, writer, feed, service, log_every=log_every,
          num_steps=num_steps, skips=reading.skips, profile=profile)
    # The checkpoint of a step comes after all else that is written of it.
    with interruption.exiting(on_signal):
      trainer.fit(
          store, steps_per_epoch=num_steps - start.step, verbose=0,
          callbacks=[
              callbacks_lib.StopOnNan(), on_signal, *callbacks, *evaluations,
              checkpoints.SaveCheckpoints(checkpoint_every, saver)])
  return trainer


def default_files(
    arguments: Mapping[str, Any], gin_files: Sequence[str]) -> Sequence[str]:
  """Returns the gin files that are read before those that are given."""
  return cli.files_of_training(
      arguments.get('run_directory'), 'gin/experiment/own_data.gin', gin_files)


def _record_start(trainer: trainer_lib.Trainer, fit: fitting.Fit,
                  run_directory: str, writer: tf.summary.SummaryWriter,
                  passes: Optional[float]) -> None:
  """Writes down what is learned, what was fitted to it, and with what."""
  source = fit.source
  run_directory_lib.save_task(run_directory, run_directory_lib.Task(
      source.task, source.action_repeat, source.spec, source.num_steps))
  fitting.save(run_directory, fit.content)
  starts.add(
      run_directory, writer, trainer.step, task=source.task,
      stored_episodes=source.num_episodes, passes_over_them=passes,
      parameters=contract.num_parameters(trainer.network),
      strategy=trainer.distribute_strategy.__class__.__name__)


def make_trainer(
    source: sources.Source, agent: Agent, loss_weights: losses.LossWeights,
    batch_size: int, compute_dtype: str,
    statistics: Sequence[np.ndarray] = (), **settings) -> trainer_lib.Trainer:
  """Returns a trainer of fresh networks, under the present strategy."""
  head = agent.make_head(source.spec)

  def make_network():
    network = agent.make_network(
        source.spec, source.num_steps, compute_dtype)
    if statistics and isinstance(network, contract.Normalizer):
      network.set_observation_statistics(
          *(np.tile(x, agent.frame_stack) for x in statistics))
    agent.start_heads(network)
    return network

  def make_heads():
    return losses.make_heads(
        network, loss_weights, agent.model_input(source.spec))

  network = make_network()
  target_network = trainer_lib.make_target_network(make_network)
  auxiliary = term.Auxiliary(
      target_network, make_heads(),
      trainer_lib.make_target_network(make_heads))

  def loss_fn(network, window, seed):
    return losses.muzero_loss(
        network, agent, head, loss_weights, window, batch_size,
        auxiliary=auxiliary, seed=seed)

  def follow(window, step):
    network.follow_observations(observations.stack(
        window.observation, agent.frame_stack)[:, 0], step)

  name = type(network).__name__
  if statistics and not isinstance(network, contract.Normalizer):
    logging.warning('%s has no set_observation_statistics: it sees '
                    'observations as they are, not normalised.', name)
  if agent.has_start and not isinstance(network, contract.Starter):
    logging.warning('%s has no start_heads: what it says at first is not '
                    'fitted to the data.', name)
  if loss_weights.augment_fn and len(
      agent.model_input(source.spec).shape) != 3:
    logging.info('augment_fn is for frames: vectors are learned as they are.')
  return trainer_lib.Trainer(
      network, target_network, loss_fn,
      global_batch_size=batch_size, heads=auxiliary.heads,
      target_heads=auxiliary.target_heads,
      follow_fn=follow if isinstance(network, contract.Follower) else None,
      **settings)


def _is_done(directory: str, value_fn: Callable[[str], Any]) -> bool:
  """Returns whether this process writes nothing about the run."""
  if not devices.is_chief(value_fn('strategy')):
    return True
  directory = run_directory_lib.checked(directory)
  run_lock.check(directory)
  num_steps = passes_lib.of_run(
      directory, value_fn('num_steps'), value_fn('reanalyse_fraction'),
      value_fn('batch_size'))
  # What is not known yet has not begun.
  if num_steps is not None and resuming.has_all_steps(
      directory, num_steps, value_fn('resume_from')):
    return True
  paths.check_writable(directory + '/', 'run_directory')
  return False


if __name__ == '__main__':
  cli.run(
      train, positional=('run_directory', 'dataset'),
      default_files_fn=default_files, record_in='run_directory',
      is_done_fn=_is_done, hold_fn=run_lock.reserve)
