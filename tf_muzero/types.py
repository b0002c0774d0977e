"""The containers that cross folders, in the order of the data flow.

Shape letters: B batch, T window steps (unroll steps + 1), S steps of a
segment, K unroll steps, N tree nodes, A candidate actions, D embedding width,
Z value bins; `...` is any trailing shape. "Nothing" in a structure is `()`.
"""

from typing import Any, Callable, NamedTuple

import tensorflow as tf

Nest = Any  # A nested structure of tensors, arrays or specs.
Parameters = Nest  # The explicit weights of a network, a flat tuple of tensors.


class EnvironmentSpec(NamedTuple):
  """What an agent sees and does.

  Attributes:
    observation: nest of `dm_env.specs.Array`; for state environments a dict
      from name to a flat float32 vector, for pixels one uint8 frame [H, W, C].
    action: `dm_env.specs.DiscreteArray` (scalar int32) or
      `dm_env.specs.BoundedArray` (float32 vector with finite bounds), both as
      the environment has them; networks have others, see `actions`.
  """
  observation: Nest
  action: Any


class Episode(NamedTuple):
  """One episode with R records, RLDS-aligned; numpy arrays or tensors.

  Record t holds observation_t, the action taken at it, and the reward and
  discount that FOLLOW that action. The last record holds only an observation.

  Attributes:
    observation: [R, ...] float32 vector (the observation's entries concatenated
      in sorted order of their names) or uint8 frame [H, W, C].
    action: [R] int32 from 0, or [R, n] float32 in [-1, 1], as networks have
      them (see `actions`); zero at the last record.
    reward: [R] float32; zero at the last record.
    discount: [R] float32; 0 after a terminal transition, else 1.
  """
  observation: Nest
  action: tf.Tensor
  reward: tf.Tensor
  discount: tf.Tensor


class Segment(NamedTuple):
  """S consecutive records of one episode, padded past its end.

  A model input is a stack of F observations (`observations.stack`); they are
  stacked late, so that each is held once.

  Attributes:
    observation: [S + F - 1, ...] observations, the first F - 1 from before the
      segment, zeros before the episode; the last one repeated as padding.
    action: [S] int32, or [S, n] float32; zeros as padding.
    reward: [S] float32 reward that follows the action; zeros as padding.
    discount: [S] float32; 0 after a terminal transition, else 1.
    is_state: [S] bool, true where the observation is a record of the episode
      and not padding.
    is_transition: [S] bool, true where action, reward and discount are of the
      episode: at all its records but the last.
    played_step: [] int64 learner step of the weights that played it, or -1 for
      data of somebody else; `()` where that does not matter.
  """
  observation: Nest
  action: tf.Tensor
  reward: tf.Tensor
  discount: tf.Tensor
  is_state: tf.Tensor
  is_transition: tf.Tensor
  played_step: Nest = ()


class RootOutput(NamedTuple):
  """What a network says of the states that a search starts from.

  Attributes:
    candidates: [B, A, ...] the actions to choose from, or `()` where candidate
      a is the discrete action a itself.
    prior_logits: [B, A] logits of the prior over the candidates.
    value: [B] scalar value of the state, in reward units.
    embedding: nest of [B, ...]; the model's state, and whatever else a
      `DrawFn` needs.
  """
  candidates: Nest
  prior_logits: tf.Tensor
  value: tf.Tensor
  embedding: Nest


class StepOutput(NamedTuple):
  """What a network says of one imagined step.

  Attributes:
    reward: [B] reward of the step.
    discount: [B] factor of the value after the step, discount included.
    prior_logits: [B, A] logits of the prior over the candidates after the step.
    value: [B] scalar value of the state after the step.
    embedding: nest of [B, ...], as of the root; after the step.
  """
  reward: tf.Tensor
  discount: tf.Tensor
  prior_logits: tf.Tensor
  value: tf.Tensor
  embedding: Nest


# (parameters, seed [2] int32, action [B, ...], embedding) -> StepOutput
RecurrentFn = Callable[[Parameters, tf.Tensor, tf.Tensor, Nest], StepOutput]
# (seed [2] int32, embedding, number of a candidate [B] int32) -> its action
# [B, ...]. A search asks once for each candidate that it tries.
DrawFn = Callable[[tf.Tensor, Nest, tf.Tensor], tf.Tensor]


class SearchOutput(NamedTuple):
  """What a search says of its roots.

  Attributes:
    candidates: [B, A, ...] the root's candidates, or `()`.
    visit_counts: [B, A] int32 visits of each candidate.
    weights: [B, A] float32 improved policy over the candidates, sums to one.
    q_values: [B, A] mean return of each candidate; the root's value where it
      was not visited.
    value: [B] mean of the network's value of the root and of all returns that
      were backed up to it.
    network_value: [B] the network's own value of the root.
    depth: [B] int32 depth of the deepest node; 1 is a child of the root.
    choice: [B] int32 candidate that the search itself would act by, or `()`
      where that is the most visited one.
  """
  candidates: Nest
  visit_counts: tf.Tensor
  weights: tf.Tensor
  q_values: tf.Tensor
  value: tf.Tensor
  network_value: tf.Tensor
  depth: tf.Tensor
  choice: Nest = ()


# (parameters, root, recurrent_fn, seed, *, draw_fn, execution) -> SearchOutput
SearchFn = Callable[..., SearchOutput]


class Improved(NamedTuple):
  """What planning says of each state of a segment; leading shape [S].

  Attributes:
    candidates: [S, A, ...] actions that the search considered.
    weights: [S, A] their improved probabilities.
    value: [S] value of the state that value targets are bootstrapped from.
    network_value: [S] the searching network's own value of the state.
    diagnostics: dict from name to [S], what the search was like.
  """
  candidates: tf.Tensor
  weights: tf.Tensor
  value: tf.Tensor
  network_value: tf.Tensor
  diagnostics: dict[str, tf.Tensor]


class Searched(NamedTuple):
  """Segments and what planning says of them; leading [G].

  Attributes:
    segment: what was searched.
    improved: what was found.
    snapshot_step: [G] int64 learner step of the weights that searched.
    seconds: dict from name to [G], each segment's share of what it took to make
      them; see `timing`.
  """
  segment: Segment
  improved: Improved
  snapshot_step: tf.Tensor
  seconds: dict[str, tf.Tensor]


class Window(NamedTuple):
  """What the trainer learns from: T = K + 1 consecutive states; leading [B].

  Attributes:
    observation: [B, T + F - 1, ...] observations of stacks of F, or [B, F, ...]
      where only the first state's stack is needed.
    action: [B, T] int32 or [B, T, n] float32, the stored actions; the K first
      ones are unrolled along.
    reward: [B, K] reward that follows each action.
    candidates: [B, T, A, ...] actions that the search considered.
    weights: [B, T, A] their improved probabilities.
    value: [B, T] value target, in reward units.
    policy_mask: [B, T] 1 where the policy is trained.
    value_mask: [B, T] 1 where the value is trained.
    reward_mask: [B, K] 1 where the reward is trained.
    snapshot_step: [B] int64 learner step of the weights that searched it.
    importance: [B] what its loss is multiplied by: 1, but where windows are
      drawn by priority.
    diagnostics: dict from name to [B], of the search of the first state.
  """
  observation: Nest
  action: tf.Tensor
  reward: tf.Tensor
  candidates: tf.Tensor
  weights: tf.Tensor
  value: tf.Tensor
  policy_mask: tf.Tensor
  value_mask: tf.Tensor
  reward_mask: tf.Tensor
  snapshot_step: tf.Tensor
  importance: tf.Tensor
  diagnostics: dict[str, tf.Tensor]
