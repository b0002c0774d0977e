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
  service.close()
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


def test_a_name_that_is_not_found_for_a_while_does_not_end_the_watch(
    service, tmp_path, monkeypatch, caplog):
  looks = iter([ValueError('There is no host'), True, StopIteration])

  def answers(_):
    look = next(looks)
    if look is StopIteration:
      service.close()
    if isinstance(look, Exception):
      raise look
    return True

  monkeypatch.setattr(service_watch, '_LOOK_EVERY', 0.01)
  monkeypatch.setattr(service_lib, 'answers', answers)
  with caplog.at_level('INFO', logger='absl'):
    callback = service_watch.WatchService(
        10, str(tmp_path), tensorboard.open_writer(str(tmp_path)), service,
        states_per_search=100)
    callback._look()  # pylint: disable=protected-access
  told = [x for x in caplog.messages if x.startswith('The dispatcher')]
  assert len(told) == 2
  assert 'does not answer' in told[0] and 'answers again' in told[1]
