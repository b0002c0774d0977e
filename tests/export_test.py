"""Tests of the command that exports."""

import dataclasses
import os
import re
import subprocess
import sys

import acting_toys
import pytest
import tensorflow as tf

from tf_muzero import envs
from tf_muzero import export
from tf_muzero.acting import fitting
from tf_muzero.acting import modes
from tf_muzero.acting import run_directory
from tf_muzero.acting import saved_model
from tf_muzero.acting import verification
from tf_muzero.search import mcts

pytestmark = pytest.mark.usefixtures('quick_graphs')

_AGENT = acting_toys.make_agent()


def _search(*args, **kwargs):
  return mcts.search(*args, num_simulations=2, **kwargs)


# What the README shows, but for the name of the directory.
_EXAMPLE = """
import numpy as np
import tensorflow as tf
from dm_control import suite

policy = tf.saved_model.load('runs/1/policy')
state = policy.get_initial_state(batch_size=1)
repeat = int(policy.get_metadata()['action_repeat'])
environment = suite.load('cartpole', 'swingup')
time_step, total = environment.reset(), 0.0
while not time_step.last():
  observation = {name: tf.constant(np.ravel(x)[np.newaxis], tf.float32)
                 for name, x in time_step.observation.items()}
  action, state = policy.act(observation, [time_step.first()], state)
  for _ in range(repeat):
    time_step = environment.step(action[0].numpy())
    total += time_step.reward
print(f'return: {total:.1f}')
"""


@pytest.fixture(scope='module', name='run')
def _run(tmp_path_factory):
  """Returns the directory of a run of cartpole that learned nothing."""
  directory = str(tmp_path_factory.mktemp('run'))
  task = 'dm_control:cartpole/swingup'
  spec = envs.spec(envs.load(task, seed=0))
  run_directory.save_task(
      directory, run_directory.Task(task, 4, spec, num_datapoints=100))
  fitting.save(directory, {
      'data': {'place': '/data/swings', 'split': 'train[:9]'},
      'num_datapoints': 100, 'stored': {
          'position': 'float64', 'velocity': 'int64'}, 'survey': {},
      'value_support': dataclasses.asdict(_AGENT.value_support),
      'reward_support': dataclasses.asdict(_AGENT.reward_support)})
  tf.train.CheckpointManager(
      tf.train.Checkpoint(target=acting_toys.make_network(_AGENT, spec)),
      directory + '/checkpoints', max_to_keep=1).save(checkpoint_number=70)
  return directory


def _export(run, **kwargs):
  return export.export(run, agent=_AGENT, **{
      'mode': modes.mcts(), 'search_fn': _search, **kwargs})


def test_exported_policy_plays_without_this_package(run, tmp_path, capsys):
  output = _export(run)
  assert output == os.path.join(run, 'policy')
  told = capsys.readouterr().out
  assert 'its actions are those of the run' in told
  assert re.search(
      r'act \(compiled by XLA\): [\d.]+ at batch size 1, [\d.]+ at batch size '
      r'64\n +act_plain \(plain graph\): [\d.]+ at', told)
  metadata = saved_model.read_metadata(output)
  assert metadata['mode'] == 'mcts'
  assert metadata['action_repeat'] == 4
  assert metadata['step'] == 70
  assert metadata['num_simulations'] == 2
  assert metadata['observation']['position'] == {
      'shape': [3], 'dtype': 'float32', 'name': 'position'}
  assert metadata['action']['maximum'] == [1.0]
  assert metadata['latency_ms']['act'].keys() == {'1', '64'}
  assert metadata['settings']['discount'] == 0.9
  assert metadata['settings']['network'] == (
      'tf_muzero.networks.state.StateNetwork(num_blocks=1, width=8)')
  assert (metadata['dataset'], metadata['split']) == (
      '/data/swings', 'train[:9]')
  assert metadata['act_dtypes'][-1] == {
      'position': 'float64', 'velocity': 'int64'}
  assert 'moves on' in metadata['seed']
  example = _EXAMPLE.replace("'runs/1/policy'", repr(output)) + (
      "import sys; print([name for name in sys.modules if name.split('.')[0]"
      " in ('tf_muzero', 'tf_agents', 'gin')])")
  environment = {name: value for name, value in os.environ.items()
                 if name != 'PYTHONPATH'}
  printed = subprocess.run(
      [sys.executable, '-c', example], cwd=tmp_path, env=environment,
      check=True, capture_output=True, text=True).stdout.splitlines()
  assert 0.0 <= float(printed[-2].removeprefix('return: ')) <= 1000.0
  assert printed[-1] == '[]'


def test_export_that_differs_is_removed(run, tmp_path, monkeypatch):

  def differ(directory, policy, plain):
    del policy, plain
    assert saved_model.is_saved_model(directory)
    raise RuntimeError('differs')

  monkeypatch.setattr(verification, 'verify', differ)
  with pytest.raises(RuntimeError, match='differs'):
    _export(run, output=str(tmp_path / 'policy'), mode=modes.policy(),
            jit_compile=False)
  assert not os.listdir(tmp_path)


def test_a_full_disk_is_not_taken_for_a_policy_that_fails(
    run, tmp_path, monkeypatch):
  def fail(*_, **__):
    raise tf.errors.ResourceExhaustedError(None, None, 'No space left.')

  monkeypatch.setattr(saved_model, 'save', fail)
  with pytest.raises(OSError, match='policy.*cannot be written: No space left'):
    _export(run, output=str(tmp_path / 'policy'), mode=modes.policy())
  assert not os.listdir(tmp_path)


def test_where_there_is_no_xla(run, tmp_path, monkeypatch):

  def fail(*args):
    raise tf.errors.UnimplementedError(None, None, 'no compiler for CPU')

  monkeypatch.setattr(saved_model, 'save', lambda *args, **kwargs: None)
  monkeypatch.setattr(verification, 'verify', fail)
  with pytest.raises(ValueError, match=(
      'set jit_compile = False .* no compiler for CPU')):
    _export(run, output=str(tmp_path / 'policy'), mode=modes.policy())
  with pytest.raises(tf.errors.UnimplementedError):
    _export(run, output=str(tmp_path / 'policy'), mode=modes.policy(),
            jit_compile=False)


def test_overwrites_only_exports_and_only_if_told(run, tmp_path, monkeypatch):

  def save(directory, policy, model, metadata, step, **kwargs):
    del policy, model, step, kwargs
    os.makedirs(directory)
    with open(os.path.join(directory, 'saved_model.pb'), 'wb'):
      saved_model.write_metadata(directory, metadata)

  monkeypatch.setattr(saved_model, 'save', save)
  monkeypatch.setattr(verification, 'verify', lambda *args: None)
  monkeypatch.setattr(verification, 'latency', lambda *args: {
      'act': {'1': 1.0}, 'act_plain': {'1': 2.0}})
  output = str(tmp_path / 'policy')
  (tmp_path / 'policy.partial').mkdir()  # Of an export that was killed.
  _export(run, output=output, mode=modes.policy())
  assert not (tmp_path / 'policy.partial').exists()
  with pytest.raises(ValueError, match='exists; set overwrite = True'):
    _export(run, output=output)
  with pytest.raises(ValueError, match=r"got '77'; in .* are 70, last\."):
    _export(run, output=output, checkpoint=77)
  _export(run, output=output, mode=modes.sample(), overwrite=True)
  assert saved_model.read_metadata(output)['mode'] == 'sample'
  with pytest.raises(ValueError, match='exists and is no SavedModel'):
    _export(run, output=run, overwrite=True)


def test_a_plain_graph_alone(run, tmp_path, capsys):
  output = _export(run, output=str(tmp_path / 'policy'), mode=modes.sample(),
                   jit_compile=False)
  assert 'act (plain graph)' in capsys.readouterr().out
  loaded = tf.saved_model.load(output)
  assert not saved_model.read_metadata(output)['settings']['jit_compile']
  for function in (loaded.act, loaded.act_plain):
    assert not any(x.attr['_XlaMustCompile'].b for concrete in (
        function.concrete_functions)
                   for x in concrete.graph.as_graph_def().library.function)


def test_no_run(tmp_path):
  with pytest.raises(ValueError, match='is not a run directory'):
    _export(str(tmp_path))
