"""Where should searches run, and on how many hosts? Arithmetic for gin files.

  python -m tools.plan --gin_file=gin/experiment/atari.gin \\
      --observation=84x84x1 --num_actions=18 --machine=v4-8
  python -m tools.plan --gin_file=gin/experiment/rlu_control.gin \\
      --observation=67 --action_size=21 --num_datapoints=3000000

Counts the network's floating-point operations in its graph, and from them the
time of a train step and of its searches on the chips of one TPU host, and of
the searches on that host's CPUs; docs/planning.md says where the rates come
from, which of them were measured, and what is only assumed. Nothing is run.
"""

import math
import sys
from typing import Any, Mapping, NamedTuple, Optional

from absl import app
from absl import flags
import tensorflow as tf

from tf_muzero.networks import agent as agent_lib
from tf_muzero.networks import contract
from tf_muzero.reanalyse import pipeline
from tf_muzero.types import EnvironmentSpec
from tools import operations
from tools import run_flags

_MACHINE = flags.DEFINE_list('machine', ['v4-8', 'v5e-8'], 'TPU hosts.')


class Machine(NamedTuple):
  """A TPU host.

  Attributes:
    chips: TPU chips.
    teraflops: peak of a chip, bfloat16.
    cores: of the CPU; two vCPUs are one.
  """
  chips: int
  teraflops: float
  cores: int


# Google's pages on TPU v4 and v5e.
_MACHINES = {'v4-8': Machine(4, 275.0, 120), 'v5e-8': Machine(8, 197.0, 112)}


class Rates(NamedTuple):
  """How fast machines work; see the flags.

  Attributes:
    utilisation: share of their peak that chips reach.
    latency: milliseconds of a simulation on chips, at least.
    step_latency: milliseconds of a learner step on chips, at least.
    vector_gflops: of a core, in networks for vectors.
    frame_gflops: of a core, in networks for frames.
    tree: microseconds of a core that a tree takes per simulation.
  """
  utilisation: float = 0.3
  latency: float = 1.0
  step_latency: float = 2.0
  vector_gflops: float = 65.0
  frame_gflops: float = 95.0
  tree: float = 0.6


_RATES = {name: flags.DEFINE_float(name, getattr(Rates(), name), text)
          for name, text in {
    'utilisation': 'Share of the peak that chips reach. An assumption.',
    'latency': 'Milliseconds that a simulation takes on chips at least, for '
               'the walks through the trees. An assumption.',
    'step_latency': 'Milliseconds that a learner step takes on chips at least. '
                    'An assumption.',
    'vector_gflops': 'Of a core of the host, in networks for vectors.',
    'frame_gflops': 'Of a core of the host, in networks for frames.',
    'tree': 'Microseconds of a core that a tree takes per simulation.',
}.items()}


class Run(NamedTuple):
  """What a configuration asks for.

  Attributes:
    is_frames: whether the network is for frames.
    initial: operations of representation and prediction, of one state.
    recurrent: operations of dynamics and prediction, of one state.
    simulations: of a search.
    length: S states of a segment.
    reanalyse: how stored data becomes targets.
    batch_size: B.
    unroll_steps: K.
    num_steps: learner steps; None for passes over an unknown number of
      transitions.
    parameters: of the network.
    state_bytes: of one stored state.
    searched_bytes: of what a search adds to it.
    window_bytes: of one window.
    node_bytes: of one node of a tree.
  """
  is_frames: bool
  initial: float
  recurrent: float
  simulations: int
  length: int
  reanalyse: pipeline.Reanalyse
  batch_size: int
  unroll_steps: int
  num_steps: Optional[int]
  parameters: int
  state_bytes: int
  searched_bytes: int
  window_bytes: int
  node_bytes: int

  @property
  def search_size(self) -> int:
    """Returns the roots of a search."""
    return self.reanalyse.segments_per_search * self.length

  @property
  def searches(self) -> float:
    """Returns the states that are searched for one learner step."""
    return self.batch_size * self.reanalyse.searches_per_window(
        self.unroll_steps)

  @property
  def search_flops(self) -> float:
    """Returns the operations of the search of one state."""
    return self.initial + self.simulations * self.recurrent

  @property
  def step_flops(self) -> float:
    """Returns those of a learner step: forward once, backward twice that."""
    return 3.0 * self.batch_size * (
        self.initial + max(self.unroll_steps, 1) * self.recurrent)


def make_run(settings: Mapping[str, Any], simulations: int,
             spec: EnvironmentSpec, num_datapoints: int) -> Run:
  """Returns what a configuration of training asks for.

  Args:
    settings: arguments of `train.train` by name.
    simulations: of a search.
    spec: what the agent sees and does.
    num_datapoints: stored states, for networks as wide as these are many, and
      for passes over them; 0 where it is not known.
  """
  agent: agent_lib.Agent = settings['agent']
  reanalyse = settings['reanalyse'].fitted((), settings['unroll_steps'])
  network = agent.make_network(spec, num_datapoints)
  one, head = agent.model_input(spec), agent.make_head(spec)
  frame_bytes = math.prod(spec.observation.shape) * one.dtype.itemsize

  def initial(observation):
    embedding = network.represent(observation)
    return embedding, network.predict_heads(embedding)

  def recurrent(embedding, action):
    step = agent.step(network, embedding, action, agent.no_memory(network, 1))
    return step, network.predict_heads(step[0])

  observation = tf.TensorSpec([1, *one.shape], one.dtype)
  embedding, _ = tf.function(initial, autograph=False).get_concrete_function(
      observation).structured_outputs
  unroll_steps = settings['unroll_steps']
  action_bytes = 4 * math.prod(spec.action.shape)
  return Run(
      is_frames=len(one.shape) > 1,
      initial=operations.count_flops(initial, observation),
      recurrent=operations.count_flops(
          recurrent, tf.TensorSpec(embedding.shape, embedding.dtype),
          tf.TensorSpec([1, *spec.action.shape], spec.action.dtype)),
      simulations=simulations,
      length=reanalyse.windows_per_segment + unroll_steps + reanalyse.td_steps,
      reanalyse=reanalyse, batch_size=settings['batch_size'],
      unroll_steps=unroll_steps,
      num_steps=run_flags.num_steps(settings, num_datapoints),
      parameters=contract.num_parameters(network),
      state_bytes=frame_bytes + action_bytes + 8,
      # Candidates and weights, two values, five diagnostics.
      searched_bytes=head.num_candidates * (action_bytes + 4) + 28,
      # Frames of the first state; candidates, weights, value, two masks and
      # action of each; reward and mask of each but the last.
      window_bytes=agent.frame_stack * frame_bytes
      + (unroll_steps + 1) * (
          head.num_candidates * (action_bytes + 4) + action_bytes + 12)
      + unroll_steps * 8,
      # The embedding with the policy's parameters, where these make candidates;
      # and four numbers of each candidate and of the node.
      node_bytes=4 * (math.prod(embedding.shape) + 4 * head.num_candidates + 4
                      + (0 if head.is_discrete else head.num_parameters)))


def plan(run: Run, machine: Machine, rates: Rates) -> dict[str, float]:
  """Returns seconds and rates of one host."""
  flops = 1e12 * machine.teraflops * machine.chips * rates.utilisation
  step = max(run.step_flops / flops, 1e-3 * rates.step_latency)
  # One chip's share of a search goes through its simulations in one go.
  batch = run.search_size
  search = max(run.search_flops * batch / flops,
               1e-3 * rates.latency * run.simulations) / batch
  core = 1e9 * (
      rates.frame_gflops if run.is_frames else rates.vector_gflops)
  host = (run.search_flops / core
          + 1e-6 * rates.tree * run.simulations) / machine.cores
  on_device = step + run.searches * search
  on_host = max(step, run.searches * host)
  return {
      'step': step, 'search': search, 'host': host,
      'on_device': on_device, 'on_host': on_host,
      # Hosts whose CPUs search as fast as one host's chips could train.
      'hosts': run.searches * host / step,
      'tree_bytes': batch / machine.chips * (run.simulations + 1)
      * run.node_bytes}


def crossing(run: Run, machine: Machine, rates: Rates) -> float:
  """Returns the operations of an imagined step where placements are equal."""
  low, high = 1e-6, 1e6  # Of this network's.
  while high / low > 1.01:
    scale = math.sqrt(low * high)
    found = plan(run._replace(initial=scale * run.initial,
                              recurrent=scale * run.recurrent), machine, rates)
    if found['on_host'] <= found['on_device']:
      low = scale
    else:
      high = scale
  return low * run.recurrent


def _print_run(run: Run) -> None:
  print(f'{run.parameters:,} parameters; {run.initial / 1e6:,.1f} MFLOP for a '
        f'state, {run.recurrent / 1e6:,.1f} for an imagined step, '
        f'{run.search_flops / 1e9:,.2f} G for a search of {run.simulations} '
        f'simulations, {run.step_flops / 1e12:,.2f} T for a learner step')
  print(f'{run.searches:,.0f} searches for a step of {run.batch_size} windows; '
        f'{run.state_bytes:,} bytes a stored state, {run.window_bytes:,} a '
        f'window, {4 * run.parameters / 1e6:,.1f} MB a snapshot')
  if run.num_steps is None:
    print('How many learner steps the passes are is not known without '
          '--num_datapoints, nor the hours.')


def _hours(num_steps: Optional[int], rate: float) -> str:
  return '?' if num_steps is None else f'{num_steps / rate / 3600:,.1f}'


def _print_plan(name: str, run: Run, rates: Rates) -> None:
  """Prints what one host does, in both placements."""
  found = plan(run, _MACHINES[name], rates)
  print(f'\n{name}: the chips train a step in {1e3 * found["step"]:,.1f} ms or '
        f'search {1 / found["search"]:,.0f} states/s, the CPUs search '
        f'{1 / found["host"]:,.0f} states/s')
  print('placement   steps/s  windows/s  searches/s  hours, all steps   MB/s '
        'of: states  searched  snapshots')
  for placement in ('host', 'device'):
    rate = 1.0 / found[f'on_{placement}']
    searches = rate * run.searches
    # From a service, searched states travel, and each search reads a snapshot.
    is_host = placement == 'host'
    searched = is_host * searches * (run.state_bytes + run.searched_bytes)
    snapshots = is_host * 4.0 * run.parameters * searches / run.search_size
    print(f'{placement:9} {rate:9,.2f}  {rate * run.batch_size:9,.0f}  '
          f'{searches:10,.0f}  {_hours(run.num_steps, rate):>16}'
          f'  {1e-6 * searches * run.state_bytes:17,.1f}'
          f'  {1e-6 * searched:8,.1f}  {1e-6 * snapshots:9,.1f}')
  better = 'host' if found['on_host'] <= found['on_device'] else 'device'
  equal = crossing(run, _MACHINES[name], rates) / 1e6
  print(f'{better} is faster; the placements are equal at {equal:,.1f} MFLOP '
        'an imagined step. For chips that never wait: the CPUs of '
        f'{found["hosts"]:,.1f} such hosts. Trees on a device: '
        f'{found["tree_bytes"] / 1e9:,.2f} GB a chip')


def main(argv):
  if len(argv) > 1:
    raise app.UsageError(f'Unknown arguments {argv[1:]}.')
  unknown = set(_MACHINE.value) - set(_MACHINES)
  if unknown:
    raise app.UsageError(f'--machine must be of {", ".join(_MACHINES)}; got '
                         f'{", ".join(sorted(unknown))}.')
  try:
    settings = run_flags.settings()
    run = make_run(
        settings, run_flags.num_simulations(settings['reanalyse'].search_fn),
        run_flags.environment_spec(), run_flags.num_datapoints())
  except ValueError as error:
    sys.exit(f'Error: {error}')
  _print_run(run)
  for name in _MACHINE.value:
    _print_plan(name, run, Rates(
        **{key: flag.value for key, flag in _RATES.items()}))


if __name__ == '__main__':
  app.run(main)
