"""Times the search against the network alone, and against mctx; prints JSON.

  python tools/benchmark_search.py --mctx_python=/path/to/venv/bin/python

The competitors run in turns within one run, so that what else the machine does
hits them alike: compare the ratios, not the milliseconds of two runs. Where the
machine is shared, processor time is the steadier measure: it does not count
waiting, but does count what a second thread does. mctx
(`pip install mctx`) lives in an environment of its own.
"""

import json
import os
import subprocess
import tempfile
import time

from absl import app
from absl import flags
import numpy as np
import tensorflow as tf

from tf_muzero import rng
from tf_muzero.search import mcts
from tf_muzero.search.execution import Execution
from tf_muzero.types import RootOutput, StepOutput

_MCTX_PYTHON = flags.DEFINE_string(
    'mctx_python', None, 'Python that has mctx; none to leave mctx out.')
_SIZES = flags.DEFINE_multi_string(
    'size',
    ['256,50,6,64,128', '256,50,18,256,512', '256,50,20,256,512',
     '2000,32,8,64,64'],
    'Batch, simulations, actions, embedding, hidden units.')
_ONLY = flags.DEFINE_list('only', None, 'Names of what to run; default all.')
_REPEATS = flags.DEFINE_integer('repeats', 15, 'Timed runs of each.')
_ACTION_SIZE = 6  # Dimensions of the sampled search's actions.


def _weights(num_actions, embedding, hidden):
  """Returns the model's weights: the same for TensorFlow and JAX."""
  random = np.random.RandomState(0)
  shapes = {
      'hidden': ((embedding + num_actions, hidden), 0.05),
      'embedding': ((hidden, embedding), 0.05),
      'policy': ((embedding, num_actions), 0.3),
      'value': ((embedding, 1), 0.3),
      'reward': ((embedding, 1), 0.3),
  }
  return {name: (random.normal(size=shape) * scale).astype(np.float32)
          for name, (shape, scale) in shapes.items()}


def _model(batch, num_actions, sampled):
  """Returns (root_fn, recurrent_fn, draw_fn) of a small MLP."""

  def predict(p, s):
    value = tf.matmul(s, p['value'])[:, 0]
    logits = tf.matmul(s, p['policy'])
    if not sampled:
      return logits, value, (s, ())
    return tf.zeros_like(logits), value, (s, logits[:, :_ACTION_SIZE])

  def root_fn(p, s, seed):
    logits, value, embedding = predict(p, s)
    candidates = tf.tanh(embedding[1][:, tf.newaxis] + rng.normal(
        seed, [batch, num_actions, _ACTION_SIZE])) if sampled else ()
    return RootOutput(candidates, logits, value, embedding)

  def draw_fn(seed, embedding, number):
    if not sampled:
      return number
    return tf.tanh(embedding[1] + rng.normal(seed, [batch, _ACTION_SIZE]))

  def recurrent_fn(p, seed, action, embedding):
    del seed
    if sampled:
      action = tf.pad(action, [[0, 0], [0, num_actions - _ACTION_SIZE]])
    else:
      action = tf.one_hot(action, num_actions)
    x = tf.concat([embedding[0], action], axis=-1)
    hidden = tf.nn.relu(tf.matmul(x, p['hidden']))
    s = tf.tanh(tf.matmul(hidden, p['embedding']))
    reward = tf.matmul(s, p['reward'])[:, 0]
    return StepOutput(reward, tf.fill([batch], 0.997), *predict(p, s))

  return root_fn, recurrent_fn, draw_fn


def _functions(batch, num_simulations, num_actions):
  """Returns the competitors, by name: functions of (weights, root, seed)."""

  def search(sampled, jit, batch=batch, **kwargs):
    root_fn, recurrent_fn, draw_fn = _model(batch, num_actions, sampled)

    @tf.function(jit_compile=jit, autograph=False)
    def run(p, s, seed):
      seeds = rng.split(seed)
      return mcts.search(
          p, root_fn(p, s, seeds[0]), recurrent_fn, seeds[1],
          num_simulations=num_simulations, draw_fn=draw_fn, **kwargs).value

    return run

  def network(jit, sampled=False):
    root_fn, recurrent_fn, draw_fn = _model(batch, num_actions, sampled)
    number = tf.zeros([batch], tf.int32)

    @tf.function(jit_compile=jit, autograph=False)
    def run(p, s, seed):

      def step(i, embedding, total):
        seeds = rng.split(rng.fold_in(seed, i))
        action = draw_fn(seeds[0], embedding, number)
        step = recurrent_fn(p, seeds[1], action, embedding)
        # All outputs are used, as in a search; none is optimised away.
        total += step.reward + step.value + tf.reduce_sum(
            step.prior_logits, axis=-1)
        return i + 1, step.embedding, total

      return tf.while_loop(
          lambda i, *_: i < num_simulations, step,
          (0, root_fn(p, s, seed).embedding, tf.zeros([batch])))[2]

    return run

  functions = {
      'search_halves': _in_halves(search, batch),
      'search': search(False, True, execution=Execution.XLA_CPU),
      'search_anywhere': search(False, True),
      'network': network(True),
      'search_plain': search(False, False, execution=Execution.PLAIN_GRAPH),
      'network_plain': network(False),
  }
  if num_actions >= _ACTION_SIZE:
    functions['sampled'] = search(True, True, execution=Execution.XLA_CPU)
    functions['sampled_network'] = network(True, sampled=True)
  return functions


def _in_halves(search, batch):
  """Returns two searches side by side, as parallel calls of a map run them."""
  half = search(False, True, batch=batch // 2, execution=Execution.XLA_CPU)

  @tf.function(autograph=False)
  def run(p, s, seed):
    first, second = tf.split(s, 2)
    return tf.concat([half(p, first, seed), half(p, second, seed)], axis=0)

  return run


class _Mctx:
  """mctx in a process of its own, asked for one run at a time."""

  def __init__(self, python, sizes, weights):
    worker = os.path.join(os.path.dirname(__file__), 'mctx_worker.py')
    # It lives as long as this object.
    self._process = subprocess.Popen(  # pylint: disable=consider-using-with
        [python, worker], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        text=True)
    with tempfile.NamedTemporaryFile(suffix='.npz', delete=False) as file:
      np.savez(file, **weights)
    self._weights = file.name
    self._tell(json.dumps(dict(sizes, weights=file.name)))

  def _tell(self, line):
    self._process.stdin.write(line + '\n')
    self._process.stdin.flush()

  def seconds(self, name):
    self._tell(name)
    return [float(x) for x in self._process.stdout.readline().split()]

  def close(self):
    self._process.stdin.close()
    self._process.wait()
    os.remove(self._weights)


def _measure(size):
  """Returns a dictionary of medians in milliseconds, and ratios."""
  batch, num_simulations, num_actions, embedding, hidden = size
  weights = _weights(num_actions, embedding, hidden)
  root = np.random.RandomState(1).normal(size=[batch, embedding])
  root = root.astype(np.float32)
  p = {k: tf.constant(v) for k, v in weights.items()}
  s = tf.constant(root)

  def timer(function):
    def seconds():
      wall, cpu = time.perf_counter(), time.process_time()
      function(p, s, rng.seed(0)).numpy()
      return time.perf_counter() - wall, time.process_time() - cpu
    return seconds

  timers = {name: timer(f) for name, f in
            _functions(batch, num_simulations, num_actions).items()}
  sizes = dict(batch=batch, num_simulations=num_simulations,
               num_actions=num_actions, embedding=embedding, hidden=hidden)
  mctx = None
  if _MCTX_PYTHON.value:
    mctx = _Mctx(_MCTX_PYTHON.value, sizes, dict(weights, root=root))
    timers['mctx'] = lambda: mctx.seconds('search')
    timers['mctx_network'] = lambda: mctx.seconds('network')
  if _ONLY.value:
    timers = {k: v for k, v in timers.items() if k in _ONLY.value}
  first = {name: seconds() for name, seconds in timers.items()}
  times = {name: [] for name in timers}
  for _ in range(_REPEATS.value):
    for name, seconds in timers.items():
      times[name].append(seconds())
  if mctx:
    mctx.close()
  medians, cpu = (
      {name: float(np.median(np.array(x)[:, i])) for name, x in times.items()}
      for i in range(2))
  return dict(
      sizes,
      milliseconds={k: round(1e3 * v, 2) for k, v in medians.items()},
      cpu_milliseconds={k: round(1e3 * v, 2) for k, v in cpu.items()},
      first_call_seconds={k: round(v[0], 2) for k, v in first.items()},
      simulations_per_second={
          k: round(batch * num_simulations / v) for k, v in medians.items()},
      ratios=_ratios(medians), cpu_ratios=_ratios(cpu))


def _ratios(medians):
  pairs = {
      'speed_against_mctx': ('mctx', 'search'),
      'halves_speed_against_mctx': ('mctx', 'search_halves'),
      'anywhere_speed_against_mctx': ('mctx', 'search_anywhere'),
      'plain_speed_against_mctx': ('mctx', 'search_plain'),
      'overhead_over_network': ('search', 'network'),
      'plain_overhead_over_network': ('search_plain', 'network_plain'),
      'sampled_against_discrete': ('sampled', 'search'),
      'sampled_overhead_over_network': ('sampled', 'sampled_network'),
      'mctx_overhead_over_network': ('mctx', 'mctx_network'),
  }
  return {name: round(medians[a] / medians[b], 3)
          for name, (a, b) in pairs.items() if a in medians and b in medians}


def main(argv):
  if len(argv) > 1:
    raise app.UsageError(f'Unknown arguments {argv[1:]}.')
  for size in _SIZES.value:
    print(json.dumps(_measure([int(x) for x in size.split(',')])), flush=True)


if __name__ == '__main__':
  app.run(main)
