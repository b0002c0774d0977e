"""Decisions that explore: root noise, and actions drawn from the search."""

from typing import Callable, Sequence

from absl import logging
import numpy as np
import tensorflow as tf

from tf_muzero import rng
from tf_muzero.networks.agent import PlanningModel
from tf_muzero.reanalyse import pipeline
from tf_muzero.reanalyse import snapshots
from tf_muzero.search import candidates as candidates_lib
from tf_muzero.search import execution
from tf_muzero.types import EnvironmentSpec
from tf_muzero.types import Improved
from tf_muzero.types import Segment

# (parameter vector, the last F observations [N, F, ...], root noise [N, A],
# numbers [2] int32 of round and decision, temperature []) ->
# (action [N, ...], Improved with leading [N]).
DecideFn = Callable[[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor],
                    tuple[tf.Tensor, Improved]]


def root_noise(generator: np.random.Generator, num_roots: int,
               num_candidates: int, alpha: float) -> np.ndarray:
  """Returns Dirichlet noise [N, A] of concentration `alpha`.

  By NumPy, since a Gamma distribution does not compile with XLA.
  """
  return generator.dirichlet(
      np.full(num_candidates, alpha), num_roots).astype(np.float32)


def draw(weights: tf.Tensor, temperature: tf.Tensor, seed: tf.Tensor
         ) -> tf.Tensor:
  """Returns an index [N] int32 with probability ~ weights^(1 / T).

  Source: MuZero, appendix D.

  Args:
    weights: [N, A], such as the shares of a search's visits.
    temperature: T, []; 0 takes the first of the largest.
    seed: [2] int32.
  """
  is_drawn = temperature > 0.0
  noisy = tf.math.log(weights) / tf.where(
      is_drawn, temperature, 1.0) + rng.gumbel(seed, tf.shape(weights))
  return tf.argmax(tf.where(is_drawn, noisy, weights), axis=-1,
                   output_type=tf.int32)


def make_decide_fn(
    reanalyse: pipeline.Reanalyse, planning_model: PlanningModel,
    spec: EnvironmentSpec, parameter_shapes: Sequence[tf.TensorShape], *,
    root_noise_fraction: float, seed: int) -> DecideFn:
  """Returns the function that decides for N environments; compiled once.

  It is the improvement of stored states, with noise at the roots of the search
  and with no stored action to inject.

  Args:
    reanalyse: search and improvement.
    planning_model: the network.
    spec: what it sees and does.
    parameter_shapes: of a snapshot.
    root_noise_fraction: share of the noise in the prior.
    seed: of searches and actions.
  """

  # Called from Python, it runs where a policy does; `tf.data` is on the host.
  suited = execution.by_default(reanalyse.host_jit)

  @tf.function(jit_compile=reanalyse.host_jit, autograph=False)
  def decide(vector, observation, noise, numbers, temperature):

    searches = []

    def noisy_search(parameters, root, *args, **kwargs):
      searches.append(root)
      if root_noise_fraction > 0.0:
        root = candidates_lib.add_root_noise(root, noise, root_noise_fraction)
      return reanalyse.search_fn(
          parameters, root, *args, execution=suited, **kwargs)

    search_seed, draw_seed = rng.split(rng.fold_in(
        rng.fold_in(rng.seed(seed, 1), numbers[0]), numbers[1]))
    improved = reanalyse.improvement_fn(
        planning_model, noisy_search,
        snapshots.unpack(vector, parameter_shapes), search_seed,
        _as_segments(observation, spec))
    improved = tf.nest.map_structure(lambda x: x[:, 0], improved)
    if improved.weights.shape != noise.shape:
      raise ValueError(
          'improvement_fn must search where windows are fresh; it gave weights '
          f'{improved.weights.shape} over candidates {noise.shape}.')
    if root_noise_fraction and not searches:
      logging.warning('improvement_fn does not search: there is no root for '
                      'root_noise_fraction=%g.', root_noise_fraction)
    index = draw(improved.weights, temperature, draw_seed)
    if 'injected_share' in improved.diagnostics:
      improved.diagnostics['injected_share'] = tf.gather(
          improved.weights, index, batch_dims=1)
    return tf.gather(improved.candidates, index, batch_dims=1), improved

  return decide


def _as_segments(observation: tf.Tensor, spec: EnvironmentSpec) -> Segment:
  """Returns N segments of one state whose action is not known, S = 1."""
  shape = [observation.shape[0], 1]
  return Segment(
      observation=observation,
      action=tf.zeros([*shape, *spec.action.shape], spec.action.dtype),
      reward=tf.zeros(shape), discount=tf.ones(shape),
      is_state=tf.fill(shape, True), is_transition=tf.fill(shape, False))
