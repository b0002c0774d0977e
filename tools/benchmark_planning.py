"""Times planning with this package's own networks; prints JSON, a line each.

  python tools/benchmark_planning.py --what=networks,scaling,parallel,memory

- networks: searched states per second, and the search's time over that of the
  same calls of the network alone, for networks of given sizes.
- scaling: time per root and simulation over simulations, and over batches.
- parallel: searched states per second in `Dataset.map`, one call at a time
  against two. Wants an idle machine with two cores.
- memory: growth of the process with the batch, against the formula of
  docs/search.md.

Times are medians of runs that take turns, by the clock and of the processor.
"""

import functools
import json
import resource
import subprocess
import sys
import time

from absl import app
from absl import flags
from dm_env import specs
import numpy as np
import tensorflow as tf

from tf_muzero import devices
from tf_muzero import rng
from tf_muzero.networks import agent as agent_lib
from tf_muzero.networks import state
from tf_muzero.networks.value_transform import Support
from tf_muzero.search import mcts
from tf_muzero.search.execution import Execution
from tf_muzero.types import EnvironmentSpec

_WHAT = flags.DEFINE_list('what', ['networks', 'scaling'], 'What to measure.')
_REPEATS = flags.DEFINE_integer('repeats', 10, 'Timed runs of each.')
_BATCH = flags.DEFINE_integer('batch', 256, 'Roots of a search.')
_SIMULATIONS = flags.DEFINE_integer('simulations', 50, 'Of a search.')
_CHILD = flags.DEFINE_list(
    'child', None, 'Internal: what a process of its own measures, with what.')
_OBSERVATION = 17
_DISCRETE, _CONTINUOUS = 6, 6
_CANDIDATES = 20
# Name -> (continuous, blocks, width). The first two have the parameters of
# LightZero's MLP models for discrete and for sampled actions: 172k and 530k.
_NETWORKS = {
    'discrete_172k': (False, 1, 80),
    'sampled_530k': (True, 1, 174),
    'paper_10x512': (True, 10, 512),
}


def _planning(continuous, num_blocks, width):
  """Returns a PlanningModel, and fresh parameters of its network."""
  action = (specs.BoundedArray([_CONTINUOUS], np.float32, -1.0, 1.0)
            if continuous else specs.DiscreteArray(_DISCRETE))
  spec = EnvironmentSpec(specs.Array([_OBSERVATION], np.float32), action)

  def make_network(*args, **kwargs):
    return state.StateNetwork(
        *args, num_blocks=num_blocks, width=width, **kwargs)

  support = Support(-300.0, 300.0, 601)
  agent = agent_lib.Agent(make_network, support, support, 0.99, _CANDIDATES)
  tf.keras.utils.set_random_seed(0)
  network = agent.make_network(spec)
  # The heads are zero at first, and then all trees alike.
  parameters = tuple(
      v + 0.05 * rng.normal(rng.seed(1, i), v.shape)
      for i, v in enumerate(network.variables))
  return agent.plan_with(network, spec), parameters


def _search(model, num_simulations, jit=True):
  """Returns a compiled search: (parameters, observation, seed) -> value."""

  @tf.function(jit_compile=jit, autograph=False)
  def run(parameters, observation, seed):
    seeds = rng.split(seed)
    root = model.root_fn(parameters, seeds[0], observation)
    return mcts.search(
        parameters, root, model.recurrent_fn, seeds[1],
        num_simulations=num_simulations, draw_fn=model.draw_fn,
        execution=Execution.XLA_CPU if jit else Execution.PLAIN_GRAPH).value

  return run


def _network(model, num_simulations):
  """Returns the same calls of the network, one after the other."""

  @tf.function(jit_compile=True, autograph=False)
  def run(parameters, observation, seed):
    root = model.root_fn(parameters, seed, observation)
    number = tf.zeros_like(root.value, tf.int32)

    def step(i, embedding, total):
      seeds = rng.split(rng.fold_in(seed, i))
      step = model.recurrent_fn(
          parameters, seeds[1], model.draw_fn(seeds[0], embedding, number),
          embedding)
      total += step.reward + step.value + tf.reduce_sum(step.prior_logits, -1)
      return i + 1, step.embedding, total

    return tf.while_loop(lambda i, *_: i < num_simulations, step,
                         (0, root.embedding, root.value))[2]

  return run


def _observations(batch):
  return rng.normal(rng.seed(2), [batch, _OBSERVATION])


def _medians(functions):
  """Returns medians of {name: () -> tensor}: {name: (clock, processor)} s."""
  times = {name: [] for name in functions}
  for i in range(_REPEATS.value + 2):
    for name, function in functions.items():
      clock, processor = time.perf_counter(), time.process_time()
      function().numpy()
      if i >= 2:  # The first run compiles, the second may still allocate.
        times[name].append((time.perf_counter() - clock,
                            time.process_time() - processor))
  return {name: np.median(x, axis=0) for name, x in times.items()}


def _print(**kwargs):
  print(json.dumps({k: round(v, 4) if isinstance(v, float) else v
                    for k, v in kwargs.items()}), flush=True)


def _measure_networks():
  for name, sizes in _NETWORKS.items():
    model, parameters = _planning(*sizes)
    x, seed = _observations(_BATCH.value), rng.seed(3)
    functions = {
        'search': _search(model, _SIMULATIONS.value),
        'network': _network(model, _SIMULATIONS.value)}
    medians = _medians({k: functools.partial(f, parameters, x, seed)
                        for k, f in functions.items()})
    clock, processor = zip(medians['search'], medians['network'])
    _print(what='networks', name=name, batch=_BATCH.value,
           simulations=_SIMULATIONS.value,
           parameters=sum(int(np.prod(p.shape)) for p in parameters),
           states_per_second=float(_BATCH.value / clock[0]),
           states_per_processor_second=float(_BATCH.value / processor[0]),
           overhead=float(clock[0] / clock[1]),
           processor_overhead=float(processor[0] / processor[1]))


def _measure_scaling():
  model, parameters = _planning(*_NETWORKS['discrete_172k'])
  seed = rng.seed(3)
  sizes = [(_BATCH.value, n) for n in (12, 25, 50, 100, 200)]
  sizes += [(b, _SIMULATIONS.value) for b in (16, 64, 256, 1024)]
  searches = {n: _search(model, n) for _, n in sizes}
  medians = _medians({
      (b, n): functools.partial(
          searches[n], parameters, _observations(b), seed) for b, n in sizes})
  for b, n in sizes:
    clock, processor = medians[b, n]
    _print(what='scaling', batch=b, simulations=n, milliseconds=1e3 * clock,
           microseconds_per_root_and_simulation=1e6 * clock / (b * n),
           processor_microseconds=1e6 * processor / (b * n))


def _in_process(*child):
  """Returns what a process of its own prints."""
  output = subprocess.run(
      [sys.executable, __file__, f'--child={",".join(map(str, child))}',
       f'--batch={_BATCH.value}', f'--simulations={_SIMULATIONS.value}',
       f'--repeats={_REPEATS.value}'],
      stdout=subprocess.PIPE, check=True, text=True).stdout
  return float(output.splitlines()[-1])


def _measure_parallel():
  for name, jit in (('discrete_172k', 1), ('sampled_530k', 1),
                    ('discrete_172k', 0)):
    # In turns: what else the machine does hits both.
    rates = np.array([[_in_process('rate', name, n, jit) for n in (1, 2)]
                      for _ in range(3)])
    one, two = np.median(rates, axis=0)
    _print(what='parallel', name=name, xla=bool(jit), one_call=float(one),
           two_calls=float(two),
           efficiency=float(np.median(rates[:, 1] / rates[:, 0] / 2)))


def _rate(name, num_calls, jit):
  """Prints searched states per second of a map with `num_calls` at a time."""
  num_calls = int(num_calls)
  devices.limit_threads(devices.search_threads())
  model, parameters = _planning(*_NETWORKS[name])
  search = _search(model, _SIMULATIONS.value, jit == '1')
  dataset = tf.data.Dataset.counter().map(
      lambda i: search(parameters, _observations(_BATCH.value),
                       rng.fold_in(rng.seed(3), i)),
      num_parallel_calls=num_calls, deterministic=False).prefetch(num_calls)
  iterator = iter(dataset)
  for _ in range(2 * num_calls):
    next(iterator)
  num = 2 * num_calls * _REPEATS.value
  start = time.perf_counter()
  for _ in range(num):
    next(iterator)
  print(num * _BATCH.value / (time.perf_counter() - start))


def _measure_memory():
  batches, simulations = (1024, 8192), (50, 150)
  for name in ('discrete_172k', 'sampled_530k'):
    peaks = np.array([[_in_process('peak', name, b, n) for n in simulations]
                      for b in batches])
    # What grows with both is the nodes; the rest is the network's.
    per_node = (np.diff(np.diff(peaks, axis=0), axis=1)[0, 0]
                / (np.diff(batches) * np.diff(simulations)))[0]
    continuous, _, width = _NETWORKS[name]
    num_candidates = _CANDIDATES if continuous else _DISCRETE
    width += 2 * _CONTINUOUS if continuous else 0
    _print(what='memory', name=name,
           measured_bytes_per_node=float(per_node),
           formula_bytes_per_node=4 * (4 * num_candidates + 4 + width))


def _peak(name, batch, num_simulations):
  """Prints the bytes that the process had at most."""
  model, parameters = _planning(*_NETWORKS[name])
  _search(model, int(num_simulations))(
      parameters, _observations(int(batch)), rng.seed(3)).numpy()
  print(1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def main(argv):
  if len(argv) > 1:
    raise app.UsageError(f'Unknown arguments {argv[1:]}.')
  if _CHILD.value:
    {'rate': _rate, 'peak': _peak}[_CHILD.value[0]](*_CHILD.value[1:])
    return
  measure = {'networks': _measure_networks, 'scaling': _measure_scaling,
             'parallel': _measure_parallel, 'memory': _measure_memory}
  unknown = set(_WHAT.value) - set(measure)
  if unknown:
    raise app.UsageError(f'--what must be of {", ".join(measure)}; got '
                         f'{", ".join(sorted(unknown))}.')
  for name in _WHAT.value:
    measure[name]()


if __name__ == '__main__':
  app.run(main)
