"""A real `TPUStrategy` whose TPU is made up.

Programs can be traced under it as on a TPU: variables of every replica,
`strategy.run`, reductions between the replicas. They cannot be run.
"""

from typing import NamedTuple

import tensorflow as tf


class _Device(NamedTuple):
  """As TensorFlow describes a device."""
  name: str
  device_type: str
  memory_limit_bytes: int = 0
  incarnation: int = 0


class _System(NamedTuple):
  """As TensorFlow describes a TPU system."""
  num_cores: int
  num_hosts: int
  num_of_cores_per_host: int
  topology: None
  devices: list


class _Resolver(tf.distribute.cluster_resolver.ClusterResolver):
  """Finds a TPU of one host with as many cores as it is told."""

  def __init__(self, num_cores: int):
    prefix = '/job:localhost/replica:0/task:0/device:'
    devices = [_Device(f'{prefix}CPU:0', 'CPU'),
               _Device(f'{prefix}TPU_SYSTEM:0', 'TPU_SYSTEM')]
    devices += [_Device(f'{prefix}TPU:{i}', 'TPU') for i in range(num_cores)]
    self._system = _System(num_cores, 1, num_cores, None, devices)

  def get_tpu_system_metadata(self):
    """Returns what is asked of a TPU system."""
    return self._system

  def get_job_name(self):
    """Returns the job of the hosts."""
    return 'localhost'

  def get_coordinator_name(self):
    """Returns the job of the coordinator: there is none."""
    return None

  def master(self, task_type=None, task_id=None, rpc_layer=None):
    """Returns the address of the coordinator: this process."""
    del task_type, task_id, rpc_layer
    return ''

  def cluster_spec(self):
    """Returns the cluster: this process alone."""
    return tf.train.ClusterSpec({})

  def num_accelerators(self, task_type=None, task_id=None,
                       config_proto=None):
    """Returns the number of cores of each host."""
    del task_type, task_id, config_proto
    return {'TPU': self._system.num_of_cores_per_host}


def strategy(num_replicas: int) -> tf.distribute.TPUStrategy:
  """Returns a TPUStrategy of made-up cores, for tracing."""
  # So that variables of devices that there are not lie on the CPU.
  tf.config.set_soft_device_placement(True)
  made_up = tf.distribute.TPUStrategy(_Resolver(num_replicas))
  # Packed variables need the devices.
  # pylint: disable-next=protected-access
  made_up._enable_packed_variable_in_eager_mode = False
  return made_up
