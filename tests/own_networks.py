"""Networks of users: the least that one can be, and some that are wrong."""

import tensorflow as tf

from tf_muzero.keras2 import keras


class Linear(tf.Module):
  """The least that a network can be."""

  def __init__(self, observation, action, head, *, num_value_bins,
               num_reward_bins, **unused):
    super().__init__()
    del unused
    self.num_actions = getattr(action, 'num_values', 0)
    size = observation.shape[0]
    matrix = lambda rows, columns: tf.Variable(tf.zeros([rows, columns]))
    self.inputs = matrix(size, 4)
    self.dynamics = matrix(4 + (self.num_actions or action.shape[0]), 4)
    self.reward = matrix(4, num_reward_bins)
    self.policy = matrix(4, head.num_parameters)
    self.value = matrix(4, num_value_bins)

  def represent(self, observation):
    """Returns the embedding."""
    return observation @ self.inputs

  def step(self, embedding, action):
    """Returns the next embedding and the reward's logits."""
    if self.num_actions:
      action = tf.one_hot(action, self.num_actions)
    embedding = tf.concat([embedding, action], axis=-1) @ self.dynamics
    return embedding, embedding @ self.reward

  def predict_heads(self, embedding):
    """Returns the policy's parameters and the value's logits."""
    return embedding @ self.policy, embedding @ self.value


def without_step(*args, **kwargs):
  """Returns a network that has no `step`."""
  network = Linear(*args, **kwargs)
  return type('Shy', (), {name: getattr(network, name) for name in (
      'variables', 'trainable_variables', 'represent', 'predict_heads')})()


class Untracked:
  """Has all functions, but nothing that a checkpoint could save."""

  def __init__(self, *args, **kwargs):
    network = Linear(*args, **kwargs)
    self.variables = self.trainable_variables = network.variables
    self.represent, self.step = network.represent, network.step
    self.predict_heads = network.predict_heads


class Narrow(Linear):
  """Has too few value logits."""

  def predict_heads(self, embedding):
    policy, value = super().predict_heads(embedding)
    return policy, value[:, :-1]


class Growing(Linear):
  """Its embeddings grow with every step."""

  def step(self, embedding, action):
    embedding, reward = super().step(embedding, action)
    return tf.concat([embedding, embedding], axis=-1), reward


class Dict(Linear):
  """Its embedding is a dict."""

  def represent(self, observation):
    return {'memory': super().represent(observation)}


class Single(Linear):
  """Forgets the reward."""

  def step(self, embedding, action):
    return super().step(embedding, action)[0]


class Late(Linear):
  """Makes its first variable when it is called first."""
  scale = None

  def represent(self, observation):
    if self.scale is None:
      self.scale = tf.Variable(1.0)
    return self.scale * super().represent(observation)


class Inside(Linear):
  """Reads a variable where a tensor decides."""

  def represent(self, observation):
    return tf.cond(tf.reduce_sum(observation) > 0.0,
                   lambda: observation @ self.inputs,
                   lambda: tf.zeros([tf.shape(observation)[0], 4]))


class Still(Linear):
  """Imagines nothing: actions do not count, and one variable is for nothing."""

  def step(self, embedding, action):
    tf.convert_to_tensor(self.dynamics)
    return embedding, embedding @ self.reward


class Unbuilt(keras.Model):
  """Builds its layers when it is called."""

  def __init__(self, *args, **kwargs):
    super().__init__()
    del args, kwargs

  def build(self, input_shape):
    """Builds them."""


def without_sizes(observation, action, head):
  """Knows nothing of the bins."""
  del observation, action, head


def with_more(observation, action, head, *, width, **kwargs):
  """Needs what nobody gives."""
  del observation, action, head, width, kwargs


class Double(Linear):
  """Counts in integers."""

  def __init__(self, *args, **kwargs):
    super().__init__(*args, **kwargs)
    self.count = tf.Variable(0, name='count')
