"""Policy and value improvement of stored states: searched, cloned, regressed.

An improvement function takes (planning_model, search_fn, parameters, seed,
segments with leading [G, S]) and returns `Improved` with leading [G, S]; every
state is looked at exactly once.
"""

import functools
from typing import Callable

import numpy as np
import tensorflow as tf

from tf_muzero import ranges
from tf_muzero import rng
from tf_muzero.data import observations
from tf_muzero.networks.agent import PlanningModel
from tf_muzero.search import candidates as candidates_lib
from tf_muzero.search import one_step
from tf_muzero.types import Improved
from tf_muzero.types import Parameters
from tf_muzero.types import RootOutput
from tf_muzero.types import SearchFn
from tf_muzero.types import Segment

# (advantage [N], whether it counts [N]) -> weight of the stored action [N]
FilterFn = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


def search_improvement(
    planning_model: PlanningModel, search_fn: SearchFn, parameters: Parameters,
    seed: tf.Tensor, segments: Segment, *, injected_prior: float) -> Improved:
  """Returns what a search from each stored state says.

  The stored action is among the root's candidates where actions are sampled
  (MuZero Unplugged, section 4.2, "the prior of the injected action": 0.25).

  Args:
    planning_model: the network.
    search_fn: such as `mcts.search`, its settings bound.
    parameters: of the network.
    seed: [2] int32.
    segments: leading [G, S].
    injected_prior: prior mass of the stored action; 0 does not inject it.
  """
  ranges.from_to(0, 1, injected_prior=injected_prior)
  flat, unflatten = _flatten(segments)
  root_seed, search_seed = rng.split(seed)
  root = planning_model.root_fn(parameters, root_seed, flat.observation)
  injects = injected_prior > 0.0 and not _is_empty(root.candidates)
  if injects:
    injected = candidates_lib.inject(root, flat.action, injected_prior)
    root = root._replace(
        # The last state of an episode has no action to inject.
        candidates=candidates_lib.where(
            flat.is_transition, injected.candidates, root.candidates),
        prior_logits=candidates_lib.where(
            flat.is_transition, injected.prior_logits, root.prior_logits))
  output = search_fn(
      parameters, root, planning_model.recurrent_fn, search_seed,
      draw_fn=planning_model.draw_fn)
  diagnostics = {
      'depth': tf.cast(output.depth, tf.float32),
      'entropy': -tf.reduce_sum(
          tf.math.xlogy(output.weights, output.weights), axis=-1),
      'value_gap': output.value - output.network_value,
      'candidates_visited': tf.reduce_sum(
          tf.cast(output.visit_counts > 0, tf.float32), axis=-1),
  }
  if injects:
    diagnostics['injected_share'] = output.weights[:, 0]
  return unflatten(Improved(
      candidates=_explicit(output.candidates, output.weights),
      weights=output.weights, value=output.value,
      network_value=output.network_value, diagnostics=diagnostics))


def cloning_improvement(
    planning_model: PlanningModel, search_fn: SearchFn, parameters: Parameters,
    seed: tf.Tensor, segments: Segment) -> Improved:
  """Returns the stored action as the policy, the network's value as the value.

  Behaviour cloning: a baseline, and the first thing to reproduce on new data.
  """
  del search_fn
  flat, unflatten = _flatten(segments)
  value = planning_model.root_fn(parameters, seed, flat.observation).value
  return unflatten(Improved(
      candidates=flat.action[:, tf.newaxis],
      weights=tf.ones_like(value)[:, tf.newaxis],
      value=value, network_value=value, diagnostics={}))


def crr_improvement(
    planning_model: PlanningModel, search_fn: SearchFn, parameters: Parameters,
    seed: tf.Tensor, segments: Segment, *, filter_fn: FilterFn) -> Improved:
  """Returns the stored action, weighted by how much better it is than others.

  Critic Regularized Regression (CRR; Wang et al. 2020, recalled): cloning of
  the actions that the critic does not find bad. The advantage of the stored
  action is its value less the mean value of the policy's actions: of all of
  them by their probabilities where they are discrete, else of the K that were
  sampled.

  # Differs from that paper: its critic is a network for Q(s, a); here it is one
  # step of the learned model, r + gamma V(s').

  Args:
    planning_model: the network.
    search_fn: not used.
    parameters: of the network.
    seed: [2] int32.
    segments: leading [G, S].
    filter_fn: weight by advantage, such as `binary_filter`.
  """
  del search_fn
  flat, unflatten, root, values_fn = _look_ahead(
      planning_model, parameters, seed, segments)
  stored, mean = _advantage_parts(flat.action, root, values_fn)
  advantage = stored - mean
  weight = filter_fn(advantage, flat.is_transition)
  return unflatten(Improved(
      candidates=flat.action[:, tf.newaxis], weights=weight[:, tf.newaxis],
      value=root.value, network_value=root.value,
      diagnostics={'advantage': advantage, 'stored_weight': weight}))


def q_improvement(
    planning_model: PlanningModel, search_fn: SearchFn, parameters: Parameters,
    seed: tf.Tensor, segments: Segment, *, epsilon: float) -> Improved:
  """Returns the best action by Q(s, a) = r + gamma V(s'), and its value.

  Q-learning, the model-free control of Anand et al. (2021, recalled): one step
  of the model stands for Q. Where actions are sampled, the stored one takes the
  place of the first sample.

  Args:
    planning_model: the network.
    search_fn: not used.
    parameters: of the network.
    seed: [2] int32.
    segments: leading [G, S].
    epsilon: probability of an action at random, one of the candidates.
  """
  del search_fn
  ranges.within(0, 1, epsilon=epsilon)
  flat, unflatten, root, values_fn = _look_ahead(
      planning_model, parameters, seed, segments)
  if not _is_empty(root.candidates):
    root = root._replace(candidates=tf.concat([
        candidates_lib.where(flat.is_transition, flat.action[:, tf.newaxis],
                             root.candidates[:, :1]),
        root.candidates[:, 1:]], axis=1))
  q_values = values_fn(root)
  number = q_values.shape[1]
  weights = epsilon / number + (1.0 - epsilon) * tf.one_hot(
      tf.argmax(q_values, axis=-1), number)
  best = tf.reduce_max(q_values, axis=-1)
  return unflatten(Improved(
      candidates=_explicit(root.candidates, weights), weights=weights,
      value=best, network_value=root.value,
      diagnostics={'value_gap': best - root.value}))


def binary_filter(advantage: tf.Tensor, counts: tf.Tensor) -> tf.Tensor:
  """Returns 1 for actions that are better than the policy's mean, else 0."""
  del counts
  return tf.cast(advantage > 0.0, tf.float32)


def exponential_filter(advantage: tf.Tensor, counts: tf.Tensor, *,
                       temperature: float, max_weight: float) -> tf.Tensor:
  """Returns exp(advantage / temperature), at most `max_weight`.

  Args:
    advantage: [N] in units of discounted return.
    counts: not used.
    temperature: in the same units.
    max_weight: of an action; 20 in CRR (recalled).
  """
  del counts
  ranges.above(0, temperature=temperature, max_weight=max_weight)
  return tf.exp(tf.minimum(advantage / temperature, np.log(max_weight)))


def softmax_filter(advantage: tf.Tensor, counts: tf.Tensor, *,
                   temperature: float) -> tf.Tensor:
  """Returns a softmax over the states searched together, with a mean of 1.

  So the weights do not depend on the level of the advantages.

  Args:
    advantage: [N] in units of discounted return.
    counts: [N] bool, the states that the mean is over.
    temperature: in the same units.
  """
  ranges.above(0, temperature=temperature)
  share = tf.nn.softmax(tf.where(counts, advantage / temperature, -np.inf))
  number = tf.reduce_sum(tf.cast(counts, tf.float32))
  return tf.where(counts, share * number, 0.0)


def _look_ahead(planning_model: PlanningModel, parameters: Parameters,
                seed: tf.Tensor, segments: Segment):
  """Returns flat segments, the way back, their roots, and root -> values."""
  flat, unflatten = _flatten(segments)
  root_seed, step_seed = rng.split(seed)
  root = planning_model.root_fn(parameters, root_seed, flat.observation)
  return flat, unflatten, root, functools.partial(
      one_step.values, planning_model.recurrent_fn, parameters, step_seed)


def _advantage_parts(action: tf.Tensor, root: RootOutput, values_fn: Callable[
    [RootOutput], tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
  """Returns the stored actions' values and the policy's mean values, [N]."""
  if _is_empty(root.candidates):
    q_values = values_fn(root)
    policy = tf.nn.softmax(root.prior_logits)
    return (tf.gather(q_values, action, batch_dims=1),
            tf.reduce_sum(policy * q_values, axis=-1))
  q_values = values_fn(root._replace(
      candidates=tf.concat([action[:, tf.newaxis], root.candidates], axis=1),
      prior_logits=tf.pad(root.prior_logits, [[0, 0], [1, 0]])))
  return q_values[:, 0], tf.reduce_mean(q_values[:, 1:], axis=-1)


def _flatten(segments: Segment):
  """Returns the segments with leading [G * S], stacked, and the way back."""
  num_segments, length = segments.reward.shape
  num_frames = segments.observation.shape[1] - length + 1
  segments = segments._replace(
      observation=observations.stack(segments.observation, num_frames),
      played_step=())  # Of a segment, not of a state.
  flat = tf.nest.map_structure(
      lambda x: tf.reshape(x, [num_segments * length, *x.shape[2:]]), segments)
  return flat, lambda nest: tf.nest.map_structure(
      lambda x: tf.reshape(x, [num_segments, length, *x.shape[1:]]), nest)


def _explicit(candidates, weights: tf.Tensor) -> tf.Tensor:
  """Returns candidates as a tensor: where they are `()`, action a is a."""
  if _is_empty(candidates):
    return tf.broadcast_to(tf.range(weights.shape[1]), weights.shape)
  return candidates


def _is_empty(nest) -> bool:
  return not tf.nest.flatten(nest)
