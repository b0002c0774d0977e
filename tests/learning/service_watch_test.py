"""What is told of the reanalyse service."""

import json
import types

import pytest

from tf_muzero.learning import service_watch
from tf_muzero.learning import tensorboard
from tf_muzero.reanalyse import service as service_lib


@pytest.fixture(name='service')
def _service():
  return service_lib.Service('grpc://localhost:1')


def _watch(service, directory):
  callback = service_watch.WatchService(
      10, str(directory), tensorboard.open_writer(str(directory)), service,
      states_per_search=100)
  callback.set_model(types.SimpleNamespace(step=20))
  callback.on_train_begin()
  callback.run(30, {})
  callback.on_train_end()
  path = directory / 'service.jsonl'
  return [json.loads(line) for line in path.read_text().splitlines()
          ] if path.exists() else []


def test_a_resumed_run_writes_each_step_once(service, tmp_path):
  (tmp_path / 'service.jsonl').write_text(
      '{"step": 10}\n{"step": 20}\n{"step": 30}\n{"st')
  lines = _watch(service, tmp_path)
  assert [line['step'] for line in lines] == [10, 20, 30]
  assert lines[-1]['service/searches_per_second'] == 0


def test_there_are_no_rates_of_what_is_not_counted(service, tmp_path):
  service.stop_counting()
  assert not _watch(service, tmp_path)
