"""What is published of TPU chips, and what it says of a compiled program."""

from typing import NamedTuple


class Chip(NamedTuple):
  """One chip, as it appears to TensorFlow on a machine of one host.

  Source: Google Cloud's pages of TPU v4, v5e, v5p and v6e, "system
  architecture". The two cores of a v4 or v5p chip work as one there.

  Attributes:
    devices: of a host, each of them a replica.
    memory: bytes of HBM.
    flops: peak, per second, in bfloat16; float32 products are made of
      bfloat16 ones too, by default of one.
    bandwidth: bytes per second of the HBM.
  """
  devices: int
  memory: float
  flops: float
  bandwidth: float


CHIPS = {
    'v4-8': Chip(4, 32 * 2**30, 275e12, 1228e9),
    'v5e-8': Chip(8, 16e9, 197e12, 819e9),
    'v5p-8': Chip(4, 95e9, 459e12, 2765e9),
    # For information: TensorFlow 2.15 does not run there.
    'v6e-8': Chip(8, 32e9, 918e12, 1640e9),
}


def memory(result: dict) -> int:
  """Returns the bytes of HBM that a program needs at once."""
  return (result['arguments'] + result['outputs'] - result['aliased']
          + result['temporary'] + result['code'])


def work(result: dict, before_loop: dict, iterations: int
         ) -> tuple[float, float]:
  """Returns the FLOPs and the bytes of HBM of a program with one outer loop.

  The compiler counts the body of a loop once, so all but what comes before the
  loop counts as often as the loop goes round. Loops inside it, which walk down
  and up the trees, are still counted as one step each.

  Args:
    result: of the program.
    before_loop: of what of it precedes the loop.
    iterations: of the loop.
  """
  return tuple(
      before_loop[key] + iterations * max(result[key] - before_loop[key], 0.0)
      for key in ('flops', 'bytes'))


def seconds(flops: float, num_bytes: float, chip: Chip) -> float:
  """Returns the roofline: the time at the peak of the products or the memory.

  An estimate of no program's time, and below most: nothing reaches its peak,
  and the sums over replicas are left out.
  """
  return max(flops / chip.flops, num_bytes / chip.bandwidth)
