"""What a policy is worth, by stored episodes alone: fitted Q evaluation.

Without an environment nothing shows what a policy gains. But a function Q of
states and actions can be fitted to what is stored,

  Q(s, a) = r + discount * Q(s', a'), where a' is the policy's mode at s',

and what it says of the policy's mode at the episodes' first states, in the
mean, is what the policy is worth (Le et al. 2019). Paine et al. 2020 choose
among policies by it; docs/learning.md tells how well that went here. Both are
recalled.
"""

from typing import Any, Callable, Iterator, NamedTuple, Sequence

from dm_env import specs
import numpy as np
import tensorflow as tf

from tf_muzero import ranges
from tf_muzero import rng
from tf_muzero.data import episodes as episodes_lib
from tf_muzero.data import observations
from tf_muzero.keras2 import keras
from tf_muzero.learning import best
from tf_muzero.networks import functional
from tf_muzero.networks import heads
from tf_muzero.networks.agent import Agent
from tf_muzero.networks.value_transform import Support
from tf_muzero.types import Episode
from tf_muzero.types import Parameters

_UNITS = 128  # Of both hidden layers.
_LEARNING_RATE = 1e-3
_AT_ONCE = 1024  # Records that the network sees together, at most.
_FOLLOWING = 1.0 / 20.0  # Of the slow copy, per step.
_NAMES = 'validation/fitted_value', 'validation/own_value'


class Records(NamedTuple):
  """R stored states as a network sees them, one episode after the other.

  Attributes:
    embedding: [R, D] flat.
    action: [R, n] the stored one; discrete ones are one-hot.
    chosen: [R, n] the policy's mode.
    value: [R] what the network's value head says.
    reward: [R] what followed the stored action.
    factor: [R] discount of what follows the next state; 0 where the episode
      ended there.
    starts: [M] int32 numbers of those that another one follows.
    first: [E] int32 numbers of the first one of each episode.
  """
  embedding: tf.Tensor
  action: tf.Tensor
  chosen: tf.Tensor
  value: tf.Tensor
  reward: tf.Tensor
  factor: tf.Tensor
  starts: tf.Tensor
  first: tf.Tensor


class FittedQ:
  """Q of embeddings and actions: a categorical one, over the value's bins."""

  def __init__(self, support: Support, embedding_size: int, action_size: int,
               seed: int):
    """Creates it with all its variables.

    Args:
      support: of the value; Q never leaves it.
      embedding_size: D.
      action_size: n.
      seed: of its first weights.
    """
    self._support = support
    self._network, self._slow = (
        _mlp(embedding_size + action_size, support, seed) for _ in range(2))
    self._optimizer = keras.optimizers.Adam(_LEARNING_RATE)
    self._optimizer.build(self._network.trainable_variables)
    self._variables = [*self._network.variables, *self._slow.variables,
                       *self._optimizer.variables]
    self._first = [variable.numpy() for variable in self._variables]

  def reset(self) -> None:
    """Forgets what was fitted."""
    functional.assign(self._variables, self._first)

  def __call__(self, embedding: tf.Tensor, action: tf.Tensor) -> tf.Tensor:
    """Returns Q [B] in reward units of embeddings [B, D], actions [B, n]."""
    return self._support.decode(
        self._network(tf.concat([embedding, action], axis=-1)))

  @tf.function(autograph=False)
  def fit(self, records: Records, num_steps: tf.Tensor, batch_size: tf.Tensor,
          seed: tf.Tensor) -> None:
    """Fits it to transitions that are drawn at random.

    Args:
      records: where they start and end.
      num_steps: [] int32 steps of the optimiser.
      batch_size: [] int32 transitions of each.
      seed: [2].
    """
    def body(step):
      num = tf.size(records.starts)
      drawn = rng.uniform(
          rng.fold_in(seed, step), [batch_size]) * tf.cast(num, tf.float32)
      at = tf.gather(records.starts, tf.minimum(
          tf.cast(drawn, tf.int32), num - 1))
      self._step(*(tf.gather(x, at) for x in (
          records.embedding, records.action, records.reward, records.factor)),
                 *(tf.gather(x, at + 1) for x in (
                     records.embedding, records.chosen)))
      return [step + 1]

    tf.while_loop(lambda step: step < num_steps, body, [tf.constant(0)],
                  parallel_iterations=1)

  def _step(self, embedding, action, reward, factor, next_embedding,
            next_action):
    """Makes a step towards what a batch of transitions says."""
    following = self._support.decode(
        self._slow(tf.concat([next_embedding, next_action], axis=-1)))
    target = self._support.encode(reward + factor * following)
    with tf.GradientTape() as tape:
      loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(
          target, self._network(tf.concat([embedding, action], axis=-1))))
    variables = self._network.trainable_variables
    self._optimizer.apply_gradients(zip(tape.gradient(loss, variables),
                                        variables))
    for slow, fast in zip(self._slow.variables, self._network.variables):
      slow.assign_add(_FOLLOWING * (fast - slow))


def evaluation(
    *, num_transitions: int, num_steps: int, batch_size: int, seed: int
    ) -> Callable[[Agent, Any], Callable[..., dict[str, float]]]:
  """Returns what evaluates the weights of a running training without playing.

  It is an `evaluate.EvaluateFn`, and gives `validation/fitted_value`, what the
  policy's mode is worth by fitted Q evaluation, and `validation/own_value`,
  what the network's value says itself: both the mean over the first states of
  the stored episodes, discounted. Q sees the network's embeddings, so that it
  is as cheap for frames as for vectors.

  Args:
    num_transitions: of the episodes that it is fitted to, drawn at random from
      those that are trained on; they and their embeddings are held in memory.
    num_steps: of the fit. A slow copy follows by 1/20 a step, so that some 20
      steps look a decision further.
    batch_size: transitions of each.
    seed: of the episodes, and of the fit.
  """
  ranges.at_least(1, num_transitions=num_transitions, num_steps=num_steps,
                  batch_size=batch_size)

  def evaluate_fn(agent: Agent, source: Any):
    if not isinstance(source, episodes_lib.Dataset):
      raise ValueError('Fitted Q evaluation needs stored episodes; this '
                       'training has an environment alone.')
    episodes = _draw(source, num_transitions, seed)
    network = agent.make_network(source.spec, source.num_steps)
    look = lambda: see(network, agent, source.spec.action, episodes)
    records = look()
    q = FittedQ(agent.supports[0], records.embedding.shape[1],
                records.action.shape[1], seed)
    fit = lambda records, num_steps: q.fit(
        records, tf.constant(num_steps), tf.constant(batch_size),
        rng.seed(seed))
    # Here, since Keras's optimisers are not traced in a strategy's callbacks.
    fit(records, 0)

    def evaluate(parameters: Parameters, poll_fn: Callable[[], None]
                 ) -> dict[str, float]:
      poll_fn()
      functional.assign(network.variables, parameters)
      records = look()
      q.reset()
      fit(records, num_steps)
      of_first = lambda x: tf.gather(x, records.first)
      return dict(zip(_NAMES, (
          float(tf.reduce_mean(x)) for x in (
              q(of_first(records.embedding), of_first(records.chosen)),
              of_first(records.value)))))

    return best.Measure(evaluate, _NAMES)

  return evaluate_fn


def see(network: Any, agent: Agent, action_spec: specs.Array,
        episodes: Sequence[Episode]) -> Records:
  """Returns the states of episodes as a network sees them.

  Args:
    network: of the agent, with its weights.
    agent: what its outputs mean.
    action_spec: what it does.
    episodes: stored ones.
  """
  head = heads.make_head(action_spec, num_candidates=1)
  features = lambda action: (
      tf.one_hot(action, head.num_candidates) if head.is_discrete
      else tf.cast(action, tf.float32))
  seen = []
  for inputs in _inputs(episodes, agent.frame_stack):
    embedding = network.represent(inputs)
    policy, value_logits = network.predict_heads(embedding)
    seen.append((tf.reshape(embedding, [len(inputs), -1]),
                 features(head.mode_fn(policy)),
                 agent.value_support.decode(value_logits)))
  embedding, chosen, value = (tf.concat(x, axis=0) for x in zip(*seen))
  action, reward, discount = (np.concatenate(x) for x in zip(*(
      episode[1:] for episode in episodes)))
  lengths = np.array([len(episode.reward) for episode in episodes])
  last = np.cumsum(lengths) - 1
  return Records(
      embedding, features(action), chosen, value,
      tf.constant(reward, tf.float32),
      tf.constant(agent.discount * discount, tf.float32),
      tf.constant(np.setdiff1d(np.arange(lengths.sum()), last), tf.int32),
      tf.constant(last - lengths + 1, tf.int32))


def _draw(source: episodes_lib.Dataset, num_transitions: int, seed: int
          ) -> list[Episode]:
  """Returns episodes, drawn at random until they have enough transitions."""
  episodes, num = [], 0
  for episode in episodes_lib.episodes(source, seed=seed).as_numpy_iterator():
    episodes.append(episode)
    num += len(episode.reward) - 1
    if num >= num_transitions:
      break
  return episodes


def _inputs(episodes: Sequence[Episode], frame_stack: int
            ) -> Iterator[tf.Tensor]:
  """Yields what a network sees of the records of episodes, [_AT_ONCE, ...]."""
  waiting: list[tf.Tensor] = []
  for number, episode in enumerate(episodes, 1):
    past = np.zeros_like(episode.observation[:1])
    waiting.append(observations.stack(tf.constant(np.concatenate(
        [*[past] * (frame_stack - 1), episode.observation]))[tf.newaxis],
                                      frame_stack)[0])
    if number < len(episodes) and sum(map(len, waiting)) < _AT_ONCE:
      continue
    together, waiting = tf.concat(waiting, axis=0), []
    for start in range(0, len(together), _AT_ONCE):
      yield together[start:start + _AT_ONCE]


def _mlp(num_inputs: int, support: Support, seed: int) -> keras.Model:
  """Returns logits [B, Z] of inputs; they begin with the support's start."""
  layers: list[keras.layers.Layer] = [keras.layers.LayerNormalization()]
  for number in range(2):
    layers.append(keras.layers.Dense(
        _UNITS, 'relu', kernel_initializer=keras.initializers.HeNormal(
            rng.derive(seed, number + 1))))
  layers.append(keras.layers.Dense(
      support.num_bins, kernel_initializer='zeros',
      bias_initializer=keras.initializers.Constant(support.start_logits())))
  model = keras.Sequential(layers)
  model.build([None, num_inputs])
  return model
