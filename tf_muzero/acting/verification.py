"""An exported policy, loaded again: is it the same, and how fast is it?"""

import time
from typing import Any, Callable, Sequence

import numpy as np
import tensorflow as tf
from tf_agents.policies import py_tf_eager_policy
from tf_agents.trajectories import time_step as time_steps

from tf_muzero.acting.policy import MuZeroPolicy
from tf_muzero.types import Nest

_TOLERANCE = 1e-4  # Of actions; the same graph, optimised apart.
_CALLS = 15  # Whose median is a latency, or fewer:
_SECONDS = 1.0  # as many as begin within these.


def verify(directory: str, policy: MuZeroPolicy, plain: MuZeroPolicy,
           batch_sizes: Sequence[int] = (1, 3)) -> Any:
  """Returns the loaded policy; raises RuntimeError if it acts otherwise.

  Args:
    directory: where `saved_model.save` wrote.
    policy: what was saved.
    plain: its twin that XLA does not compile, or itself.
    batch_sizes: of random observations, two decisions each; what XLA compiles
      decides for the first one only, since each takes seconds to compile.
  """
  # Loads with `tf.saved_model.load`, to which it passes on `act`.
  loaded = py_tf_eager_policy.SavedModelPyTFEagerPolicy(
      directory, load_specs_from_pbtxt=True, batch_time_steps=False)

  def action(observation, is_first, state):
    step = loaded.action(_time_step(observation, is_first), state)
    return step.action, step.state

  for name, act_fn, live in (
      ('act', loaded.act, policy), ('action', action, policy),
      ('act_plain', loaded.act_plain, plain)):
    for batch_size in batch_sizes if live is plain else batch_sizes[:1]:
      _compare(name, act_fn, live, batch_size)
  return loaded


def _compare(name: str, act_fn: Callable, live: MuZeroPolicy, batch_size: int
             ) -> None:
  """Raises RuntimeError unless two decisions are alike."""
  live_state = state = live.get_initial_state(batch_size)
  for i in range(2):
    observation = _random_observation(live, batch_size, seed=i)
    is_first = tf.fill([batch_size], i == 0)
    expected, live_state = live.any_batch_act()(
        observation, is_first, live_state)
    action, state = act_fn(observation, is_first, state)
    difference = np.max(np.abs(
        np.asarray(action, np.float64) - np.asarray(expected, np.float64)))
    if np.isnan(difference) or difference > _TOLERANCE:
      raise RuntimeError(
          f'{name} of the loaded policy differs from the live one at batch '
          f'size {batch_size}, decision {i}, by {difference}.')


def latency(loaded: Any, policy: MuZeroPolicy,
            batch_sizes: Sequence[int] = (1, 64)
            ) -> dict[str, dict[str, float]]:
  """Returns milliseconds per decision by function and by batch size.

  Medians of some calls after a first one, which compiles.

  Args:
    loaded: what `verify` returned.
    policy: what was saved.
    batch_sizes: of random observations.
  """
  return {name: {str(size): _time(getattr(loaded, name), policy, size)
                 for size in batch_sizes} for name in ('act', 'act_plain')}


def _time(act_fn: Callable, policy: MuZeroPolicy, batch_size: int) -> float:
  """Returns the median of milliseconds of a call."""
  state = policy.get_initial_state(batch_size)
  observation = _random_observation(policy, batch_size, seed=0)
  is_first = tf.zeros([batch_size], tf.bool)
  act_fn(observation, is_first, state)[0].numpy()
  seconds: list[float] = []
  while len(seconds) < _CALLS and sum(seconds) < _SECONDS:
    begun = time.perf_counter()
    action, state = act_fn(observation, is_first, state)
    action.numpy()
    seconds.append(time.perf_counter() - begun)
  return round(1e3 * float(np.median(seconds)), 3)


def _random_observation(policy: MuZeroPolicy, batch_size: int, seed: int
                        ) -> Nest:
  generator = np.random.default_rng(seed)

  def draw(spec):
    shape = (batch_size,) + tuple(spec.shape)
    if spec.dtype.is_integer:
      return tf.constant(generator.integers(0, 256, shape), spec.dtype)
    return tf.constant(generator.normal(size=shape), spec.dtype)

  return tf.nest.map_structure(draw, policy.time_step_spec.observation)


def _time_step(observation: Nest, is_first: tf.Tensor) -> time_steps.TimeStep:
  """Returns the arrays of TF-Agents' time step, batched."""
  return time_steps.TimeStep(
      np.where(is_first, time_steps.StepType.FIRST, time_steps.StepType.MID
               ).astype(np.int32),
      np.zeros(is_first.shape, np.float32), np.ones(is_first.shape, np.float32),
      tf.nest.map_structure(lambda x: x.numpy(), observation))
