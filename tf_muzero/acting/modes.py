"""Ways to choose an action: a mode makes the function that chooses.

Source: MuZero Unplugged, section 5.2 and table 2: act by the policy, by the
value of one imagined step, or by a whole search.
"""

import re
from typing import Callable, NamedTuple, Optional, Sequence

from dm_env import specs
import numpy as np
import tensorflow as tf

from tf_muzero import ranges
from tf_muzero import rng
from tf_muzero.networks.agent import PlanningModel
from tf_muzero.search import candidates
from tf_muzero.search import one_step
from tf_muzero.types import EnvironmentSpec
from tf_muzero.types import Nest
from tf_muzero.types import Parameters
from tf_muzero.types import RootOutput
from tf_muzero.types import SearchFn
from tf_muzero.types import SearchOutput

# (max_scale) -> the network as planning functions whose Gaussian is capped.
PlanFn = Callable[[float], PlanningModel]

# (parameters, seed [2] int32, observation [B, ...]) -> action [B, ...]
ActFn = Callable[[Parameters, tf.Tensor, tf.Tensor], tf.Tensor]

_PAPER_SCALE = 0.05  # "min(sigma, 0.05)", evaluation of continuous actions.


class Mode(NamedTuple):
  """A way to choose actions.

  Attributes:
    name: for tables and metadata.
    make_fn: (plan_fn, search_fn) -> ActFn.
    needs_search: whether there must be a search_fn.
    continuous_fn: its own search of continuous actions, in place of the one
      that modes share.
  """
  name: str
  make_fn: Callable[[PlanFn, Optional[SearchFn]], ActFn]
  needs_search: bool = False
  continuous_fn: Optional[SearchFn] = None

  def search(self, shared_fn: Optional[SearchFn], spec: EnvironmentSpec
             ) -> Optional[SearchFn]:
    """Returns what it searches by in an environment, if it does."""
    if not self.needs_search:
      return None
    if isinstance(spec.action, specs.DiscreteArray):
      return shared_fn
    return self.continuous_fn or shared_fn


def by_name(modes: Sequence[Mode]) -> dict[str, Mode]:
  """Returns modes by their names; raises ValueError for names that clash.

  They are parts of metrics' and files' names.
  """
  names = [mode.name for mode in modes]
  for name in names:
    if names.count(name) > 1 or not re.fullmatch(r'[\w-]+', name):
      raise ValueError(
          'Each mode must have a name of its own, of letters, digits, "-" and '
          f'"_"; got {names}. Set, for example, modes.mcts.name.')
  return dict(zip(names, modes))


def searches(modes: Sequence[Mode], shared_fn: Optional[SearchFn],
             spec: EnvironmentSpec) -> list[SearchFn]:
  """Returns the searches of the modes that need one, in an environment."""
  return [x for x in {mode.search(shared_fn, spec) for mode in modes} if x]


def policy(*, name: str = 'policy') -> Mode:
  """Returns the mode that takes the policy's most probable action.

  Of continuous actions it is the median of each component: see
  `heads.PolicyHead`.
  """

  def make(plan_fn: PlanFn, search_fn: Optional[SearchFn]) -> ActFn:
    del search_fn
    model = plan_fn(np.inf)
    return lambda parameters, seed, observation: model.mode_fn(
        parameters, observation)

  return Mode(name, make)


def sample(*, max_scale: float = np.inf, name: str = 'sample') -> Mode:
  """Returns the mode that draws from the policy.

  Args:
    max_scale: cap of the Gaussian's scale.
    name: of the mode.
  """
  ranges.above(0, max_scale=max_scale)

  def make(plan_fn: PlanFn, search_fn: Optional[SearchFn]) -> ActFn:
    del search_fn
    return plan_fn(max_scale).sample_fn

  return Mode(name, make)


def value(*, max_scale: float = _PAPER_SCALE, include_mode: bool = True,
          name: str = 'value') -> Mode:
  """Returns the mode that takes argmax_a r(s, a) + gamma V(s').

  All candidates of the state are imagined one step ahead in one call.

  Args:
    max_scale: cap of the Gaussian's scale.
    include_mode: whether the policy's mode is among continuous candidates.
    name: of the mode.
  """
  ranges.above(0, max_scale=max_scale)

  def make(plan_fn: PlanFn, search_fn: Optional[SearchFn]) -> ActFn:
    del search_fn
    model = plan_fn(max_scale)

    def act(parameters, seed, observation):
      root_seed, step_seed = rng.split(seed)
      root = _root(model, parameters, root_seed, observation, include_mode)
      q_values = one_step.values(
          model.recurrent_fn, parameters, step_seed, root)
      return _choose(root.candidates, tf.argmax(
          q_values, axis=-1, output_type=tf.int32))

    return act

  return Mode(name, make)


def mcts(*, max_scale: float = _PAPER_SCALE, include_mode: bool = True,
         continuous_fn: Optional[SearchFn] = None, averages: bool = False,
         name: str = 'mcts') -> Mode:
  """Returns the mode that takes the candidate that a search chooses.

  That is the most visited one, equal visits being decided by the mean return of
  the search, without noise at the root; or what the search says it chooses, as
  Gumbel's does. Its noise is its own: `gumbel_scale` 0 leaves it out.

  # Differs from the paper with `continuous_fn` or `averages`: the best of
  # uncertain values is often not the best action. A soft search, as Gumbel's,
  # goes less by errors of single candidates, and a mean still less.

  Args:
    max_scale: cap of the Gaussian's scale, at all nodes of the search.
    include_mode: whether the policy's mode is among continuous candidates.
    continuous_fn: its own search of continuous actions, in place of the one
      that modes share.
    averages: whether it acts by the mean of all continuous candidates, by the
      search's weights, and not by one of them.
    name: of the mode.
  """
  ranges.above(0, max_scale=max_scale)

  def make(plan_fn: PlanFn, search_fn: Optional[SearchFn]) -> ActFn:
    if search_fn is None:
      raise ValueError('search_fn must be given for acting by mcts, got None.')
    model = plan_fn(max_scale)

    def act(parameters, seed, observation):
      root_seed, search_seed = rng.split(seed)
      root = _root(model, parameters, root_seed, observation, include_mode)
      output = search_fn(parameters, root, model.recurrent_fn, search_seed,
                         draw_fn=model.draw_fn)
      if averages and tf.is_tensor(output.candidates):
        return tf.reduce_sum(
            output.weights[..., tf.newaxis] * output.candidates, axis=1)
      return _choose(output.candidates, chosen(output))

    return act

  return Mode(name, make, needs_search=True, continuous_fn=continuous_fn)


def chosen(output: SearchOutput) -> tf.Tensor:
  """Returns [B] int32, the candidate that a search would act by."""
  return (output.choice if tf.is_tensor(output.choice)
          else most_visited(output))


def most_visited(output: SearchOutput) -> tf.Tensor:
  """Returns [B] int32, the most visited candidate, of those the best by Q."""
  most = tf.reduce_max(output.visit_counts, axis=-1, keepdims=True)
  q_values = tf.where(
      tf.equal(output.visit_counts, most), output.q_values, -np.inf)
  return tf.argmax(q_values, axis=-1, output_type=tf.int32)


def _root(model: PlanningModel, parameters: Parameters, seed: tf.Tensor,
          observation: tf.Tensor, include_mode: bool) -> RootOutput:
  """Returns the root, with the policy's mode as its candidate 0."""
  root = model.root_fn(parameters, seed, observation)
  if not include_mode or not tf.is_tensor(root.candidates):
    return root  # All discrete actions are candidates anyway.
  # Mass 1 / K: the mode is one more sample and not preferred to others.
  return candidates.inject(
      root, model.mode_fn(parameters, observation),
      1.0 / max(root.prior_logits.shape[1], 2))  # One candidate has all anyway.


def _choose(candidate_actions: Nest, index: tf.Tensor) -> tf.Tensor:
  """Returns the action [B, ...] of each row's candidate `index` [B]."""
  if not tf.is_tensor(candidate_actions):
    return index
  return tf.gather(candidate_actions, index, batch_dims=1)
