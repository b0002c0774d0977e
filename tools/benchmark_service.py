"""Searched states a second over the reanalyse service; prints JSON.

  python tools/benchmark_service.py

Three ways, in turns: the search in the trainer's process, pinned to one core;
one worker and the trainer on that core; two workers, pinned to a core each, and
the trainer on both. The trainer only cuts and takes windows. Efficiency is the
rate on two cores over twice that on one: so it has the trainer's work in it,
where twice one worker with a core for the trainer besides would hide it.
Numbers are medians over rounds, ratios of the same round, with lowest and
highest; processor times count all processes.
"""

import argparse
import functools
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

from absl import logging
from dm_env import specs
import numpy as np
import tensorflow as tf

from tf_muzero.data import orders
from tf_muzero.networks import agent as agent_lib
from tf_muzero.networks import state
from tf_muzero.networks.value_transform import Support
from tf_muzero.reanalyse import improvement
from tf_muzero.reanalyse import pipeline
from tf_muzero.reanalyse import service as service_lib
from tf_muzero.reanalyse import snapshots
from tf_muzero.reanalyse import value_targets
from tf_muzero.search import mcts
from tf_muzero.types import EnvironmentSpec
from tf_muzero.types import Segment

# Sizes near those of gin/experiment/cartpole_swingup.gin.
_OBSERVATION, _CANDIDATES, _SIMULATIONS = 5, 8, 32
_STRIDE, _UNROLL, _TD_STEPS, _SEGMENTS, _REUSE = 125, 5, 20, 2, 4
_LENGTH = _STRIDE + _UNROLL + _TD_STEPS
_STORED = 16  # Segments.
_WARM_UP = 3.0  # Seconds in which what was made ahead is used up.


def main():
  """Runs the benchmark, or one of the processes that it starts."""
  parser = argparse.ArgumentParser()
  parser.add_argument('--rounds', type=int, default=3)
  parser.add_argument('--seconds', type=float, default=8.0)
  parser.add_argument('--puller', nargs=2, help='Internal: directory, service.')
  options = parser.parse_args()
  logging.set_verbosity(logging.INFO)
  if options.puller:
    _pull(*options.puller)
    return
  with tempfile.TemporaryDirectory() as directory:
    print(json.dumps(_measure(
        directory, options.rounds, options.seconds), indent=2))


def _measure(directory: str, num_rounds: int, seconds: float) -> dict:
  """Returns what is printed."""
  cores = sorted(os.sched_getaffinity(0))
  if len(cores) < 2:
    raise RuntimeError(f'Two cores are needed, there are {len(cores)}.')
  with socket.socket() as free:
    free.bind(('localhost', 0))
    address = f'grpc://localhost:{free.getsockname()[1]}'
  serve = ['-m', 'tf_muzero.reanalyse_service']
  worker = [*serve, '--role=worker', f'--dispatcher={address}',
            f'--parent={os.getpid()}']
  pull = [__file__, '--puller', directory]
  processes = {
      'dispatcher': _start([*serve, '--role=dispatcher',
                            f'--port={address.rpartition(":")[2]}',
                            f'--parent={os.getpid()}'], cores[0]),
      'first': _start(worker, cores[0]),
      'second': _start(worker, cores[1]),
      'here': _start([*pull, ''], cores[0]),
      'trainer': _start([*pull, address], cores[0])}
  ways = {'in process': ('here',), '1 worker': ('trainer', 'first'),
          '2 workers': ('trainer', 'first', 'second')}
  try:
    _time(processes, ways['2 workers'], 1.0)  # Compiles.
    _time(processes, ways['in process'], 1.0)
    rounds: list[dict] = []
    for _ in range(num_rounds):
      rounds.append({})
      for name, way in ways.items():
        _pin(processes['trainer'].pid, cores[:2 if 'second' in way else 1])
        rounds[-1][name] = _time(processes, way, seconds)
  finally:
    for process in processes.values():
      process.kill()
      process.wait()
  return _summarise(rounds, len(cores))


def _start(arguments: list[str], core: int) -> subprocess.Popen:
  """Starts a Python process on one core."""
  root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
  return subprocess.Popen(
      ['taskset', '--cpu-list', str(core), sys.executable, *arguments],
      stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
      env={**os.environ, 'PYTHONPATH': root, 'TF_CPP_MIN_LOG_LEVEL': '2'})


def _pin(process: int, cores: list[int]) -> None:
  """Lets all threads of a process run on these cores only."""
  for thread in os.listdir(f'/proc/{process}/task'):
    os.sched_setaffinity(int(thread), cores)


def _time(processes: dict[str, subprocess.Popen], way: tuple[str, ...],
          seconds: float) -> dict[str, float]:
  """Returns searched states per second, and per second of all processors."""
  for name in ('first', 'second'):
    processes[name].send_signal(
        signal.SIGCONT if name in way else signal.SIGSTOP)
  puller = processes[way[0]]
  if not (puller.stdin and puller.stdout):
    raise RuntimeError(f'The process that measures {way[0]} has no pipes.')
  puller.stdin.write(f'{seconds}\n')
  puller.stdin.flush()
  lines = []
  for _ in range(2):  # The time begins, the time is over.
    line = puller.stdout.readline()
    if not line:
      raise RuntimeError(f'The process that measures {way[0]} has ended.')
    lines.append((json.loads(line), sum(
        _processor_seconds(processes[name].pid) for name in way)))
  states, wall = lines[1][0]
  logging.info('%s: %.0f states/s', ' and '.join(way), states / wall)
  return {'rate': states / wall,
          'rate of processor': states / (lines[1][1] - lines[0][1])}


def _processor_seconds(process: int) -> float:
  with open(f'/proc/{process}/stat', encoding='utf8') as file:
    user, system = file.read().rpartition(')')[2].split()[11:13]
  return (int(user) + int(system)) / os.sysconf('SC_CLK_TCK')


def _summarise(rounds: list[dict], num_cores: int) -> dict:
  """Returns medians, and ratios with their range."""
  def of(function):
    values = [function(x) for x in rounds]
    return {'median': round(statistics.median(values), 3),
            'lowest': round(min(values), 3), 'highest': round(max(values), 3)}

  result = {'cores': num_cores, 'rounds': len(rounds),
            'states in a search': _SEGMENTS * _LENGTH,
            'simulations': _SIMULATIONS, 'tensorflow': tf.__version__}
  for name in rounds[0]:
    result[f'{name}, states/s'] = of(lambda x, name=name: x[name]['rate'])
    result[f'{name}, states per second of all processors'] = of(
        lambda x, name=name: x[name]['rate of processor'])
  result['efficiency of two cores'] = of(
      lambda x: x['2 workers']['rate'] / (2 * x['1 worker']['rate']))
  result['processor time of a state, 1 worker over in process'] = of(
      lambda x: x['in process']['rate of processor']
      / x['1 worker']['rate of processor'])
  result['rate, 1 worker over in process'] = of(
      lambda x: x['1 worker']['rate'] / x['in process']['rate'])
  return result


def _pull(directory: str, address: str) -> None:
  """Takes searches for as many seconds as a line of the input says."""
  tf.config.threading.set_intra_op_parallelism_threads(1)
  service = service_lib.Service(address) if address else None
  if service:
    service.wait()
  iterator = iter(_searched(directory, service))
  for line in sys.stdin:
    until = time.perf_counter() + _WARM_UP
    while time.perf_counter() < until:
      next(iterator)
    print('[0, 0]', flush=True)
    begun, num_searches = time.perf_counter(), 0
    while time.perf_counter() < begun + float(line):
      next(iterator)
      num_searches += 1
    print(json.dumps([num_searches * _SEGMENTS * _LENGTH,
                      time.perf_counter() - begun]), flush=True)


def _searched(directory: str, service) -> tf.data.Dataset:
  """Returns searched segments, whose numbers do not matter."""
  support = Support(-10.0, 10.0, 51)
  agent = agent_lib.Agent(
      functools.partial(state.StateNetwork, num_blocks=1, width=128),
      support, support, 0.99, _CANDIDATES)
  spec = EnvironmentSpec(
      specs.Array([_OBSERVATION], np.float32),
      specs.BoundedArray([1], np.float32, -1.0, 1.0))
  network = agent.make_network(spec)
  if not tf.io.gfile.exists(os.path.join(directory, 'latest')):
    snapshots.publish(directory, 0, [v.read_value() for v in network.variables])
  generator = np.random.default_rng(0)
  draw = lambda *shape: generator.normal(
      size=[_STORED, _LENGTH, *shape]).astype(np.float32)
  always = np.ones([_STORED, _LENGTH], bool)
  stored = Segment(
      observation=draw(_OBSERVATION), action=np.tanh(draw(1)), reward=draw(),
      discount=always.astype(np.float32), is_state=always, is_transition=always)
  segments = orders.passes(_STORED, 0).map(
      lambda i: tf.nest.map_structure(lambda x: tf.gather(x, i), stored))
  reanalyse = pipeline.Reanalyse(
      functools.partial(improvement.search_improvement, injected_prior=0.25),
      functools.partial(value_targets.lambda_search, decay=0.9),
      functools.partial(mcts.search, num_simulations=_SIMULATIONS),
      td_steps=_TD_STEPS, windows_per_segment=_STRIDE,
      segments_per_search=_SEGMENTS, sample_reuse=_REUSE, store_windows=1,
      parallel_searches=1, host_jit=True)
  return pipeline.searched_segments(
      segments, reanalyse, agent.plan_with(network, spec), directory,
      [v.shape for v in network.variables], seed=0, deterministic=False,
      service=service)


if __name__ == '__main__':
  main()
