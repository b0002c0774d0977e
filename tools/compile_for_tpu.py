"""Compiles what a TPU is to run, on a machine without one.

  python -m tools.compile_for_tpu --name=Atari --observation=84x84x1 \\
      --num_actions=18 --gin_file=gin/experiment/atari.gin \\
      --gin_file=gin/hardware/tpu.gin

Traces the train step, what writes into the store, and the search under a real
TPUStrategy of made-up devices, says which operations a TPU does not have,
lowers one replica's program and compiles it with libtpu: the compiler that TPUs
use, which needs an environment of its own,

  python3.11 -m venv .venv_libtpu
  .venv_libtpu/bin/pip install -r tools/ahead_of_time/requirements.txt

(1.3 GB; under the terms of service of Google Cloud). Prints a table: memory
against the chip's, FLOPs, and a time by roofline. `--results` keeps what was
compiled: another call adds to it, and compiles only what is not in it.
"""

import json
import os
import subprocess
import sys
import tempfile

from absl import app
from absl import flags

from tools import run_flags
from tools.ahead_of_time import chips as chips_lib
from tools.ahead_of_time import lowering
from tools.ahead_of_time import made_up_tpu
from tools.ahead_of_time import op_table
from tools.ahead_of_time import programs

_NAME = flags.DEFINE_string('name', 'program', 'Of the rows of the table.')
_CHIPS = flags.DEFINE_list('chips', list(chips_lib.CHIPS), 'To compile for.')
_PROGRAMS = flags.DEFINE_list(
    'programs', ['train_step', 'write', 'search'], 'Which.')
_COMPILER = flags.DEFINE_string(
    'compiler', '.venv_libtpu/bin/python', 'Python that has libtpu.')
_RESULTS = flags.DEFINE_string(
    'results', None, 'File of JSON lines that results are added to.')

_HELP = """{compiler} is missing: a Python with libtpu. Make it with
  python3.11 -m venv .venv_libtpu
  .venv_libtpu/bin/pip install -r tools/ahead_of_time/requirements.txt
or name another by --compiler."""
_COLUMNS = ('program', 'machine', 'per replica', 'compiled in',
            'memory of HBM, GB', 'TFLOP', 'GB moved', 'roofline, ms',
            'not on TPU')


def compile_for(settings: programs.Settings, task: programs.Task, name: str,
                program: str, chips: list[str], compiler: str) -> list[dict]:
  """Returns a row of the table for each chip.

  Args:
    settings: arguments of `train.train`.
    task: what is learned from.
    name: of the rows.
    program: `train_step`, `write` or `search`.
    chips: see `chips.CHIPS`; all with the same number of devices.
    compiler: Python that has libtpu.
  """
  is_search = program == 'search'
  num_replicas = 1 if is_search else chips_lib.CHIPS[chips[0]].devices
  concrete = getattr(programs, program)(
      settings, task, made_up_tpu.strategy(num_replicas))
  unsupported = op_table.unsupported(concrete)
  results = _run_compiler(concrete, chips, compiler, not is_search)
  reanalyse = settings['reanalyse']
  size = {
      'train_step': settings['batch_size'],
      'write': reanalyse.segments_per_search * reanalyse.windows_per_segment,
      'search': reanalyse.segments_per_search * (
          reanalyse.windows_per_segment + settings['unroll_steps']
          + reanalyse.td_steps),
  }[program] // num_replicas
  if is_search:
    before = _run_compiler(
        programs.roots(settings, task, made_up_tpu.strategy(1)), chips[:1],
        compiler, False)[0]
  rows = []
  for result in results:
    row = {'name': name, 'program': program, 'unsupported': unsupported,
           'replicas': num_replicas, 'size': size, **result}
    if 'error' not in result:
      row['work'] = (result['flops'], result['bytes'])
    if is_search:
      if 'error' in before:  # Without it, nothing tells what a loop counts.
        row['error'] = before['error']
      elif 'error' not in result:
        row['work'] = chips_lib.work(
            result, before, run_flags.num_simulations(reanalyse.search_fn))
    rows.append(row)
  return rows


def table(rows: list[dict]) -> str:
  """Returns rows as Markdown."""
  lines = [f'| {" | ".join(_COLUMNS)} |', '|---' * len(_COLUMNS) + '|']
  for row in rows:
    what = 'states' if row['program'] == 'search' else 'windows'
    chip = chips_lib.CHIPS[row['chip']]
    machine = f'{row["chip"]}, {row["replicas"]} of {chip.devices}'
    unsupported = ', '.join(row['unsupported']) or 'none'
    if 'error' in row:
      numbers = f'no: {row["error"][:200]} | | | | '
    else:
      flops, moved = row['work']
      time = chips_lib.seconds(flops, moved, chip)
      numbers = (
          f'{row["seconds"]:.0f} s | {chips_lib.memory(row) / 1e9:.2f} of '
          f'{chip.memory / 1e9:.0f} | {flops / 1e12:.3g} | {moved / 1e9:.3g} '
          f'| {1e3 * time:.3g}')
    lines.append(f'| {row["name"]}, {row["program"]} | {machine} '
                 f'| {row["size"]} {what} | {numbers} | {unsupported} |')
  return '\n'.join(lines)


def _run_compiler(concrete, chips: list[str], compiler: str,
                  is_replicated: bool) -> list[dict]:
  """Returns what the compiler says for each chip."""
  with tempfile.TemporaryDirectory() as directory:
    path = os.path.join(directory, 'program.hlo')
    with open(path, 'wb') as file:
      file.write(lowering.lower(concrete))
    del concrete
    script = os.path.join(
        os.path.dirname(__file__), 'ahead_of_time', 'libtpu_compiler.py')
    output = subprocess.run(
        [compiler, script, path, f'--chips={",".join(chips)}',
         *(['--replicated'] if is_replicated else [])],
        check=True, stdout=subprocess.PIPE, text=True).stdout
  return [json.loads(line) for line in output.splitlines()]


def _groups(program: str, chips: list[str]) -> list[list[str]]:
  """Returns chips that the same program is for together."""
  groups: dict[int, list[str]] = {}
  for chip in chips:
    devices = 1 if program == 'search' else chips_lib.CHIPS[chip].devices
    groups.setdefault(devices, []).append(chip)
  return list(groups.values())


def main(argv):
  """Compiles what is not in the results yet and prints the table."""
  del argv
  unknown = {*_CHIPS.value} - {*chips_lib.CHIPS}
  if unknown:
    raise app.UsageError(f'--chips must be of {list(chips_lib.CHIPS)}, got '
                         f'{sorted(unknown)}.')
  if not os.path.exists(_COMPILER.value):
    sys.exit(_HELP.format(compiler=_COMPILER.value))
  task = programs.Task(
      run_flags.environment_spec(), run_flags.num_datapoints())
  settings = {**run_flags.settings()}
  if not settings['agent'].is_fitted:
    sys.exit('The supports fit themselves to data, and there is none: give '
             'agent.Agent.value_support and reward_support, as '
             'gin/network/state_small.gin has them.')
  settings['reanalyse'] = settings['reanalyse'].fitted(
      (), settings['unroll_steps'])
  rows = []
  if _RESULTS.value and os.path.exists(_RESULTS.value):
    with open(_RESULTS.value, encoding='utf-8') as file:
      rows = [json.loads(line) for line in file]
  done = {(row['name'], row['program'], row['chip']) for row in rows
          if 'error' not in row}
  for program in _PROGRAMS.value:
    wanted = [chip for chip in _CHIPS.value
              if (_NAME.value, program, chip) not in done]
    for chips in _groups(program, wanted):
      new = compile_for(settings, task, _NAME.value, program, chips,
                        _COMPILER.value)
      rows += new
      print(table(new), flush=True)
      if _RESULTS.value:
        with open(_RESULTS.value, 'a', encoding='utf-8') as file:
          file.writelines(json.dumps(row) + '\n' for row in new)
  print(table(rows))


if __name__ == '__main__':
  app.run(main)
