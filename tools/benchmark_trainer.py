"""Times the trainer, alone and fed by reanalysis; prints JSON, a line each.

  python tools/benchmark_trainer.py --what=step,end_to_end

- step: a train step as `Trainer` runs it, over loss and gradients of the same
  unrolled network alone; and what the optimiser and the target network cost.
- end_to_end: training windows per second where all are reanalysed on the same
  cores, by segments, as here, and by the scheme of most others, who search anew
  for every window: its K + 1 states, or its K + n + 1 where value targets
  end in the search's value ("td"). The same network, simulations, roots per
  search and trainer; each window is trained on once. Segments are random and in
  memory.

The network has 168 thousand parameters, about as many as LightZero's for such
tasks. Times are of the processor, which other work on the machine changes
little, and by the clock, which wants an idle machine.
"""

import functools
import json
import os
import tempfile
import time

from absl import app
from absl import flags
from dm_env import specs
import numpy as np
import tensorflow as tf

from tf_muzero import devices
from tf_muzero import rng
from tf_muzero.keras2 import keras
from tf_muzero.learning import callbacks
from tf_muzero.learning import losses
from tf_muzero.learning import optimizers
from tf_muzero.learning import trainer as trainer_lib
from tf_muzero.networks import agent as agent_lib
from tf_muzero.networks import contract
from tf_muzero.networks import state
from tf_muzero.networks.value_transform import Support
from tf_muzero.reanalyse import improvement
from tf_muzero.reanalyse import pipeline
from tf_muzero.reanalyse import snapshots
from tf_muzero.reanalyse import store as store_lib
from tf_muzero.reanalyse import value_targets
from tf_muzero.search import mcts
from tf_muzero.types import EnvironmentSpec
from tf_muzero.types import Segment
from tf_muzero.types import Window

_WHAT = flags.DEFINE_list('what', ['step', 'end_to_end'], 'What to measure.')
_SECONDS = flags.DEFINE_float(
    'seconds', 10.0, 'Of the processor, for each measurement.')
_SIMULATIONS = flags.DEFINE_integer('simulations', 50, 'Of a search.')
_BATCH = flags.DEFINE_integer('batch', 256, 'Windows of a train step.')
_JIT = flags.DEFINE_boolean('jit', False, 'XLA for loss and gradients.')
_OBSERVATION, _ACTIONS, _UNROLL_STEPS = 17, 6, 5
_STEPS_PER_EXECUTION = 10
_ROOTS = 552  # Of a search, in all schemes.
_SPEC = EnvironmentSpec(specs.Array([_OBSERVATION], np.float32),
                        specs.DiscreteArray(_ACTIONS))
# Scheme -> (windows per segment, td_steps).
_SCHEMES = {'segments of 64': (64, 0), 'windows': (1, 0),
            'segments of 64, td 5': (64, 5),
            'segments of 125, td 5': (125, 5),
            'windows, td 5': (1, 5)}


def _make_agent():
  support = Support(-300.0, 300.0, 601)
  return agent_lib.Agent(
      functools.partial(state.StateNetwork, num_blocks=1, width=80),
      support, support, 0.997, 1)


def _make_trainer():
  agent = _make_agent()
  head = agent.make_head(_SPEC)
  tf.keras.utils.set_random_seed(0)
  make_network = functools.partial(agent.make_network, _SPEC)

  def loss_fn(network, window, seed):
    del seed
    return losses.muzero_loss(
        network, agent, head, losses.LossWeights(1.0, 0.25, 1.0, 5e-3, 0.0),
        window, _BATCH.value)

  trainer = trainer_lib.Trainer(
      make_network(), trainer_lib.make_target_network(make_network), loss_fn,
      target_period=100, target_decay=0.0, global_batch_size=_BATCH.value,
      jit_compile=_JIT.value)
  trainer.compile(
      optimizers.adamw(1_000_000, learning_rate=1e-4, warmup_steps=0,
                       weight_decay=1e-4, gradient_clip=5.0),
      steps_per_execution=_STEPS_PER_EXECUTION)
  return trainer


def _random_window():
  """Returns a batch whose numbers do not matter."""
  num_states = _UNROLL_STEPS + 1
  batch = _BATCH.value
  normal = lambda *shape: rng.normal(rng.seed(len(shape)), [batch, *shape])
  return Window(
      observation=normal(1, _OBSERVATION),
      action=tf.zeros([batch, num_states], tf.int32),
      reward=normal(_UNROLL_STEPS),
      candidates=tf.broadcast_to(
          tf.range(_ACTIONS), [batch, num_states, _ACTIONS]),
      weights=tf.nn.softmax(normal(num_states, _ACTIONS)),
      value=normal(num_states), policy_mask=tf.ones([batch, num_states]),
      value_mask=tf.ones([batch, num_states]),
      reward_mask=tf.ones([batch, _UNROLL_STEPS]),
      snapshot_step=tf.zeros([batch], tf.int64), importance=tf.ones([batch]),
      diagnostics={})


def _repeated(step_fn):
  """Returns a function of so many steps as an execution has.

  One comes after the other, as training must have it; nothing else would keep
  TensorFlow from running gradients of the same weights side by side.
  """

  @tf.function
  def execute():
    kept = step_fn()
    for _ in tf.range(_STEPS_PER_EXECUTION - 1):
      tf.autograph.experimental.set_loop_options(parallel_iterations=1)
      kept = step_fn()
    return kept

  return execute


def _measure_step():
  trainer, window = _make_trainer(), _random_window()
  iterator = iter(tf.data.Dataset.from_tensors(window).repeat().prefetch(4))
  variables = trainer.network.trainable_variables
  # pylint: disable=protected-access
  seed = rng.seed(0)
  _, gradients = trainer._loss_and_gradients(window, seed)

  def update_target():
    trainer._update_target()
    return trainer.target_network.variables[0].read_value()

  train_function = trainer.make_train_function()
  times = {'train_step': [], 'loss_and_gradients': [], 'optimizer': [],
           'target_network': []}
  functions = dict(zip(times, [
      lambda: train_function(iterator),
      _repeated(lambda: trainer._loss_and_gradients(window, seed)[1]),
      _repeated(lambda: trainer.optimizer.apply_gradients(
          zip(gradients, variables))),
      _repeated(update_target)]))
  for function in functions.values():  # The first run compiles.
    function()
  end = time.process_time() + _SECONDS.value
  while time.process_time() < end:  # In turns, for what else the machine does.
    for name, function in functions.items():
      start = time.process_time(), time.perf_counter()
      tf.nest.map_structure(lambda x: x.numpy(), function())
      times[name].append((time.process_time() - start[0],
                          time.perf_counter() - start[1]))
  medians = {
      name: 1e3 * np.median(x, axis=0) / _STEPS_PER_EXECUTION
      for name, x in times.items()}
  ratio = medians['train_step'] / medians['loss_and_gradients']
  _print(what='step', batch=_BATCH.value, unroll_steps=_UNROLL_STEPS,
         parameters=contract.num_parameters(trainer.network), jit=_JIT.value,
         processor_milliseconds={k: v[0] for k, v in medians.items()},
         clock_milliseconds={k: v[1] for k, v in medians.items()},
         processor_ratio=ratio[0], clock_ratio=ratio[1])


def _segments(length, num=64):
  """Returns endless segments whose numbers do not matter."""
  generator = np.random.default_rng(0)
  ones = np.ones([num, length], bool)
  return tf.data.Dataset.from_tensor_slices(Segment(
      observation=generator.normal(
          size=[num, length, _OBSERVATION]).astype(np.float32),
      action=generator.integers(_ACTIONS, size=[num, length]).astype(np.int32),
      reward=generator.normal(size=[num, length]).astype(np.float32),
      discount=np.ones([num, length], np.float32), is_state=ones,
      is_transition=ones)).repeat()


def _store(directory, windows_per_segment, td_steps):
  """Returns what windows are drawn from, and the states searched for each."""
  length = windows_per_segment + _UNROLL_STEPS + td_steps
  agent = _make_agent()
  network = agent.make_network(_SPEC)
  reanalyse = pipeline.Reanalyse(
      improvement_fn=functools.partial(
          improvement.search_improvement, injected_prior=0.0),
      value_target_fn=(
          value_targets.td_search if td_steps else value_targets.search),
      search_fn=functools.partial(
          mcts.search, num_simulations=_SIMULATIONS.value),
      td_steps=td_steps, windows_per_segment=windows_per_segment,
      segments_per_search=_ROOTS // length, sample_reuse=1,
      store_windows=2048, parallel_searches=2, host_jit=True)
  searched = pipeline.on_demand(pipeline.searched_segments(
      _segments(length), reanalyse, agent.plan_with(network, _SPEC), directory,
      [v.shape for v in network.variables], seed=0, deterministic=False), False)
  return store_lib.Store(
      [store_lib.Source(searched, searched.element_spec, _BATCH.value,
                        reanalyse.store_windows, reanalyse.sample_reuse)],
      reanalyse.cutting(agent, _UNROLL_STEPS, keep_observations=False), seed=0
  ), length / windows_per_segment


class _Clock(keras.callbacks.Callback):
  """Stops after so many seconds; the first executions do not count."""

  def __init__(self, seconds, skipped=3):
    super().__init__()
    self._seconds, self._skipped = seconds, skipped
    self._begun = (0.0, 0.0)
    self.steps = self.waited = self.processor = self.elapsed = 0.0

  def on_train_batch_end(self, batch, logs=None):
    """Looks at the clocks."""
    now = time.process_time(), time.perf_counter()
    if batch < self._skipped * _STEPS_PER_EXECUTION:
      self._begun = now
      self.steps = -self.model.step
      return
    self.waited += logs['time/waited'] * _STEPS_PER_EXECUTION
    if now[0] - self._begun[0] > self._seconds:
      self.processor, self.elapsed = (
          now[0] - self._begun[0], now[1] - self._begun[1])
      self.steps += self.model.step
      self.model.stop_training = True


def _measure_end_to_end(scheme):
  with tempfile.TemporaryDirectory() as directory:
    directory = os.path.join(directory, 'snapshots')
    trainer, clock = _make_trainer(), _Clock(_SECONDS.value)
    snapshots.publish(directory, 0, trainer.network.variables)
    store, searches = _store(directory, *_SCHEMES[scheme])
    trainer.fit(store, steps_per_epoch=1_000_000, verbose=0, callbacks=[
        callbacks.PublishSnapshots(100, directory, lambda: trainer.network),
        clock])
  num_windows = clock.steps * _BATCH.value
  _print(what='end_to_end', scheme=scheme, simulations=_SIMULATIONS.value,
         windows_per_processor_second=num_windows / clock.processor,
         searches_per_window=searches,
         windows_per_second=num_windows / clock.elapsed,
         cores_used=clock.processor / clock.elapsed,
         waited_share=clock.waited / clock.elapsed)


def _print(**values):
  print(json.dumps(values, default=float), flush=True)


def main(_):
  devices.limit_threads(1)  # As gin/hardware/laptop.gin has it.
  if 'step' in _WHAT.value:
    _measure_step()
  if 'end_to_end' in _WHAT.value:
    for scheme in _SCHEMES:
      _measure_end_to_end(scheme)


if __name__ == '__main__':
  app.run(main)
