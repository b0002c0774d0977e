"""Two processes train as one."""

import contextlib
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from tests import ports
from tests import trainer_toys
from tf_muzero import collect
from tf_muzero import devices
from tf_muzero.envs import behaviours
from tf_muzero.learning import checkpoint_files
from tf_muzero.learning import interruption


def _set_config(monkeypatch, kind, index, **cluster):
  monkeypatch.setenv('TF_CONFIG', json.dumps(
      {'cluster': cluster, 'task': {'type': kind, 'index': index}}))


def test_the_chief_writes(monkeypatch):
  is_chief = lambda: devices.is_chief('multi_worker')
  _set_config(monkeypatch, 'worker', 0, worker=['a:1', 'b:1'])
  assert is_chief()
  _set_config(monkeypatch, 'worker', 1, worker=['a:1', 'b:1'])
  assert not is_chief()
  _set_config(monkeypatch, 'worker', 0, chief=['c:1'], worker=['a:1'])
  assert not is_chief()
  _set_config(monkeypatch, 'chief', 0, chief=['c:1'], worker=['a:1'])
  assert is_chief()


@pytest.mark.slow
def test_two_workers_learn_what_one_learns_and_stop_together(tmp_path):
  dataset, run = str(tmp_path / 'data'), str(tmp_path / 'run')
  collect.collect(
      task='catch', directory=dataset, num_episodes=12, seed=1,
      behaviour=behaviours.uniform(), action_repeat=1)
  addresses = [f'localhost:{port}' for port in ports.free(2)]
  with contextlib.ExitStack() as stack:
    workers = [stack.enter_context(subprocess.Popen(
        [sys.executable, '-m', 'tests.worker_runs', dataset, run,
         str(tmp_path / f'{i}.npz')], stderr=subprocess.PIPE, text=True,
        env={**os.environ, 'TF_CONFIG': json.dumps(
            {'cluster': {'worker': addresses},
             'task': {'type': 'worker', 'index': i}})})) for i in range(2)]
    logs = [worker.communicate()[1] for worker in workers]
  for worker, log in zip(workers, logs):  # The chief was told, both stopped.
    assert worker.returncode == interruption.EXIT_CODE, log

  trainer = trainer_toys.make_clipped_trainer()
  history = trainer_toys.fit(trainer, trainer_toys.make_windows(), 6)
  for i in range(2):
    with np.load(tmp_path / f'{i}.npz') as learned:
      np.testing.assert_allclose(
          learned['weights'], trainer_toys.weights(trainer.network),
          rtol=1e-5, atol=1e-6)
      for name, value in history.items():
        np.testing.assert_allclose(
            learned[name.replace('/', ':')], value, rtol=1e-5, atol=1e-6,
            err_msg=name)

  # Told after step 6, by the evaluation; an execution has two steps.
  saved = {name.split('.')[0] for name in os.listdir(f'{run}/checkpoints')}
  assert saved == {'best', 'checkpoint', 'ckpt-4', 'ckpt-8'}
  assert checkpoint_files.read_best(f'{run}/checkpoints').step == 6
  with open(f'{run}/metrics.jsonl', encoding='utf8') as file:
    assert [json.loads(line)['step'] for line in file] == [2, 4, 6, 8]
  with open(f'{run}/evaluations.jsonl', encoding='utf8') as file:
    line, = map(json.loads, file)
  assert line['step'] == 6 and -1.0 <= line['evaluation/policy'] <= 1.0
