"""The conventions that a program can check."""

import ast
import os
import re

import pytest

from tf_muzero import cli
from tf_muzero import collect
from tf_muzero import train
from tf_muzero.envs import behaviours

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# A folder imports only those left of it, and what has no folder.
_PIPELINE = ['envs', 'data', 'conversion', 'networks', 'search', 'reanalyse',
             'learning', 'acting', 'reporting', 'studies']
_SHARED = {'types', 'actions', 'rng', 'ranges', 'devices', 'metrics',
           'json_lines', 'whole_files', 'progress', 'paths', 'pictures',
           'processes', 'cluster', 'quiet', 'keras2'}
_CONFIG = {'config'}  # For cli and the list of commands alone.


def _files(*folders, ending='.py'):
  found = [os.path.relpath(os.path.join(folder, name), _ROOT)
           for top in folders
           for folder, _, names in os.walk(os.path.join(_ROOT, top))
           for name in names if name.endswith(ending)]
  return sorted(found)


_PYTHON = _files('tf_muzero', 'tools', 'tests')


def _text(path):
  with open(os.path.join(_ROOT, path), encoding='utf-8') as file:
    return file.read()


def _tree(path):
  return ast.parse(_text(path), path, feature_version=(3, 9))


def _imports(tree):
  """Yields the full names of all modules that a file imports, anywhere."""
  for node in ast.walk(tree):
    if isinstance(node, ast.Import):
      yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
      yield from (f'{node.module}.{alias.name}' for alias in node.names)


def _own_imports(path):
  """Returns the parts of tf_muzero that a file imports, such as 'data'."""
  return {name.split('.')[1] for name in _imports(_tree(path))
          if name.startswith('tf_muzero.')}


def _allowed(path):
  """Returns what a file of tf_muzero may import of it; None for anything."""
  folder = path.split(os.sep)[1]
  if folder in _PIPELINE:
    return {*_PIPELINE[:_PIPELINE.index(folder) + 1], *_SHARED}
  if folder == 'config':
    return {*_CONFIG, 'whole_files'}
  if folder == '__main__.py':
    return _CONFIG
  if folder == 'cli.py':
    return {*_CONFIG}
  if folder.removesuffix('.py') in _SHARED or folder == '__init__.py':
    return _SHARED
  return None


def test_a_folder_imports_only_those_left_of_it():
  wrong = {}
  for path in _files('tf_muzero'):
    allowed, imported = _allowed(path), _own_imports(path)
    # None is a command, which may import all but how it is configured.
    extra = imported & _CONFIG if allowed is None else imported - allowed
    if extra:
      wrong[path] = extra
  assert not wrong


def test_every_folder_has_its_place():
  folders = {path.split(os.sep)[1] for path in _files('tf_muzero')
             if path.count(os.sep) > 1}
  assert folders == {*_PIPELINE, *_CONFIG}


def test_a_file_has_at_most_300_lines_and_says_what_it_is():
  lengths = {path: len(_text(path).splitlines()) for path in _PYTHON}
  assert not {path: n for path, n in lengths.items() if n > 300}
  assert not [path for path in _PYTHON if not ast.get_docstring(_tree(path))]


def _code_lines(function, lines):
  """Returns the number of lines without docstring, comments and blanks."""
  first = function.body[0]
  if ast.get_docstring(function) is not None and len(function.body) > 1:
    first = function.body[1]
  return sum(bool(line.strip()) and not line.strip().startswith('#')
             for line in lines[first.lineno - 1:function.end_lineno])


def test_a_function_has_at_most_60_lines_of_code():
  lengths = {}
  for path in _PYTHON:
    lines = _text(path).splitlines()
    for node in ast.walk(_tree(path)):
      if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        lengths[path, node.name] = _code_lines(node, lines)
  assert not {where: n for where, n in lengths.items() if n > 60}


def test_nothing_is_newer_than_python_3_9():
  """Beside the grammar, which `_tree` goes by."""
  assert not [path for path in _PYTHON for node in ast.walk(_tree(path))
              if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
              and node.func.id == 'zip' and node.keywords]


def test_only_cli_knows_gin():
  assert [path for path in _files('tf_muzero')
          if any(name.split('.')[0] == 'gin'
                 for name in _imports(_tree(path)))
          ] == [os.path.join('tf_muzero', 'cli.py')]


def test_only_the_public_interface_of_tensorflow_is_used():
  for path in _files('tf_muzero'):
    for name in _imports(_tree(path)):
      assert not name.startswith(('tensorflow.', 'keras.src', 'pickle')), path
    assert 'tf.compat.v1' not in _text(path), path


def test_only_the_commands_print():
  for path in _files('tf_muzero'):
    prints = [node for node in ast.walk(_tree(path))
              if isinstance(node, ast.Call)
              and isinstance(node.func, ast.Name) and node.func.id == 'print']
    assert not prints or path.count(os.sep) == 1, path


def test_nothing_speaks_of_the_machine_it_was_written_on():
  paths = [*_PYTHON, *_files('tpu'), *_files('gin', ending='.gin'),
           *_files('tools', 'tpu', ending='.sh'),
           *_files('docs', 'tpu', ending='.md'), 'README.md', 'CHANGELOG.md',
           'setup.cfg', 'constraints.txt', 'constraints-3.12.txt']
  assert not [path for path in paths
              if re.search(r'/(work|home|root|opt|Users)/\w', _text(path))]


def test_the_folder_of_configurations_has_nothing_else():
  assert not [path for path in _files('gin', ending='')
              if not path.endswith('.gin')]


@pytest.mark.parametrize('path', _files('gin', ending='.gin'))
def test_a_gin_file_parses_and_says_what_it_is(path):
  assert _text(path).startswith('# ')
  # pylint: disable-next=protected-access
  assert cli._read_file(path, 'test', cli._Seen({}, []), ())


@pytest.fixture(scope='module', name='datasets')
def _datasets(tmp_path_factory):
  """Returns a function from an experiment's name to a dataset of its task."""
  made = {}

  def get(name):
    is_cartpole = 'cartpole' in name or 'control' in name
    is_car = name == 'demonstrations.gin'
    repeat = 4 if is_car or (
        is_cartpole and 'every_step' not in name) else 1
    task = ('dm_control:cartpole/swingup' if is_cartpole else
            'gymnasium:MountainCar-v0' if is_car else
            'deep_sea:20' if 'deep_sea' in name else
            'atari:Breakout/42' if 'breakout' in name or 'pixels' in name else
            'atari:Pong' if 'atari' in name else 'catch')
    if (task, repeat) not in made:
      directory = str(tmp_path_factory.mktemp('data') / 'dataset')
      collect.collect(
          task=task, directory=directory, num_episodes=2, seed=1,
          behaviour=behaviours.uniform(), action_repeat=repeat,
          max_steps=40 if task.startswith('atari') else None)
      made[task, repeat] = directory
    return made[task, repeat]

  return get


# Experiments that another test trains at smoke size.
_ELSEWHERE = {
    'gin/experiment/atari_small.gin': 'tests/atari_test.py',
    'gin/experiment/catch.gin': 'tests/catch_test.py',
    'gin/experiment/own_data.gin': 'tests/own_chain_test.py',
    'gin/experiment/rlu_control.gin': 'tests/rlu_control_test.py'}
# Those that put together what others train: they are configured and checked.
_NOT_TRAINED = [f'gin/experiment/{name}.gin' for name in (
    'breakout_laptop_cloning', 'cartpole_swingup_cloning',
    'cartpole_swingup_every_step', 'cartpole_swingup_every_step_cloning',
    'cartpole_swingup_filtered_cloning', 'catch_mixed', 'deep_sea_recent',
    'rlu_control_cloning')]


def test_an_experiment_that_is_trained_elsewhere_is():
  for path, test in _ELSEWHERE.items():
    assert f"train.train, ['{path}', " in ' '.join(_text(test).split())


@pytest.mark.parametrize('path', [
    path for path in _files('gin/experiment', ending='.gin')
    if path not in _ELSEWHERE])
@pytest.mark.usefixtures('quick_graphs')
def test_an_experiment_learns_two_steps_at_smoke_size(
    path, datasets, tmp_path):
  is_game = any(word in path for word in ('atari', 'breakout', 'pixels'))
  smoke = 'smoke_pixels' if is_game else 'smoke'
  bindings = [f'RUN_DIRECTORY = {str(tmp_path / "run")!r}']
  name = os.path.basename(path)
  if name == 'cartpole_swingup.gin':
    bindings.append('pipeline.Reanalyse.host_jit = True')
  if name == 'online.gin':
    bindings.append("interaction.Interaction.task = 'gymnasium:CartPole-v1'")
  elif name not in ('catch_online.gin', 'deep_sea_best.gin',
                    'deep_sea_recent.gin'):
    bindings.append(f'DATASET = {datasets(name)!r}')
  configuration = cli.configure(
      train.train, [path, f'gin/hardware/{smoke}.gin'], bindings,
      record_in='run_directory')
  if path in _NOT_TRAINED:
    return
  trainer = cli.call(configuration)
  assert int(trainer.optimizer.iterations) == 2
  assert os.path.exists(tmp_path / 'run' / 'operative_config.gin')
