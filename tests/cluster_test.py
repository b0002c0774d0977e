"""TF_CONFIG, and the wait for those that it names."""

import json
import socket
import threading
import time

import pytest

from tests import ports
from tf_muzero import cluster
from tf_muzero import devices

_CLUSTER = {'cluster': {'worker': ['a:1', 'b:2']},
            'task': {'type': 'worker', 'index': 1}}


def _changed(task=None, **jobs):
  return json.dumps({'cluster': jobs or _CLUSTER['cluster'],
                     'task': task or _CLUSTER['task']})


def test_a_cluster(monkeypatch):
  monkeypatch.setenv('TF_CONFIG', json.dumps(_CLUSTER))
  assert cluster.read() == (('a:1', 'b:2'), 1)
  monkeypatch.setenv('TF_CONFIG', _changed(chief=['c:3'], worker=['a:1']))
  with pytest.raises(ValueError, match='index 1, and there are 1 of type work'):
    cluster.read()
  monkeypatch.setenv('TF_CONFIG', _changed(
      {'type': 'worker', 'index': '0'}, chief=['c:3'], worker=['a:1']))
  assert cluster.read() == (('c:3', 'a:1'), 1)


@pytest.mark.parametrize('text, said', [
    ('', "it is ''"), ('{}', "it is '{}'"), ('[1]', r"it is '\[1\]'"),
    ('{"cluster": ', 'it is no JSON .*: \'{"cluster": \''),
    (_changed(worker=['a']), r"""worker must be .*"host:port", not \['a'\]"""),
    (_changed(worker='a:1'), "worker must be a list of .*, not 'a:1'"),
    (_changed(master=['a:1'], worker=['b:1']), r"its cluster has \['master'\]"),
    (_changed({'type': 'master', 'index': 0}), "its task is of type 'master'"),
    (_changed({'type': 'worker', 'index': -1}), 'its task has index -1'),
])
def test_what_is_wrong_with_it_is_told(monkeypatch, text, said):
  monkeypatch.setenv('TF_CONFIG', text)
  with pytest.raises(ValueError, match=(
      f"'multi_worker' needs .* variable TF_CONFIG: .*host:port.*; {said}")):
    devices.make_strategy('multi_worker')
  # Nobody else looks at it.
  assert devices.is_chief('cpu') and devices.is_chief('mirrored')


def test_those_that_are_missing_are_named(monkeypatch, caplog):
  monkeypatch.setattr(cluster, '_TELL_EVERY', 0.2)
  monkeypatch.setattr(cluster, '_LOOK_EVERY', 0.05)
  numbers = ports.free(3)
  addresses = tuple(f'localhost:{port}' for port in numbers)

  def run(i):
    cluster.wait(cluster.Cluster(addresses, i))
    # As TensorFlow's follows.
    servers.append(socket.create_server(('', numbers[i])))

  servers = []
  workers = [threading.Thread(target=run, args=(i,), daemon=True)
             for i in range(3)]
  caplog.set_level('INFO', logger='absl')
  workers[0].start()
  workers[1].start()
  told = lambda: caplog.text.count('Waiting for 1 of 3 workers') >= 3
  deadline = time.monotonic() + 30
  while not told() and time.monotonic() < deadline:
    assert workers[0].is_alive() and workers[1].is_alive()
    time.sleep(0.05)
  assert told()
  assert f'Not there: {addresses[2]}.' in caplog.text
  workers[2].start()
  for worker in workers:
    worker.join(30)
  assert len(servers) == 3
  for server in servers:
    server.close()


def test_an_address_of_another_process_is_told():
  with socket.create_server(('', 0)) as other:
    address = f'localhost:{other.getsockname()[1]}'
    with pytest.raises(OSError, match=f'{address}, which is this process in'):
      cluster.wait(cluster.Cluster((address, 'localhost:1'), 0))
