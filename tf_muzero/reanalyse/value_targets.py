"""Value targets along a segment. All are functions of the same arguments.

  reward: [G, S] reward that follows each state's action.
  discount: [G, S] its discount, the agent's discount included.
  is_transition: [G, S] bool, whether reward and discount are of the episode.
  search_value: [G, S] mean value of the search at each state.
  network_value: [G, S] value of the network that searched.
  num_steps: n, what a target looks ahead, or [G] int32, of each segment. The
    last n states of a segment get shorter returns and start no window.

Values are zero at absorbing states. A return ends in the value of the last
state of a truncated episode. MuZero Unplugged used `td` on Atari, with a target
network for the search, and `search` on DM Control (section 4.2).
"""

from typing import Union

import tensorflow as tf

from tf_muzero import ranges

Steps = Union[int, tf.Tensor]


def td(reward: tf.Tensor, discount: tf.Tensor, is_transition: tf.Tensor,
       search_value: tf.Tensor, network_value: tf.Tensor, num_steps: Steps
       ) -> tf.Tensor:
  """Returns n-step returns that end in the network's value."""
  del search_value
  return _lambda_return(
      reward, discount, is_transition, network_value, num_steps, 1.0)


def td_search(reward: tf.Tensor, discount: tf.Tensor, is_transition: tf.Tensor,
              search_value: tf.Tensor, network_value: tf.Tensor,
              num_steps: Steps) -> tf.Tensor:
  """Returns n-step returns that end in the search's value."""
  del network_value
  return _lambda_return(
      reward, discount, is_transition, search_value, num_steps, 1.0)


def search(reward: tf.Tensor, discount: tf.Tensor, is_transition: tf.Tensor,
           search_value: tf.Tensor, network_value: tf.Tensor,
           num_steps: Steps) -> tf.Tensor:
  """Returns the search's values themselves."""
  del reward, discount, is_transition, network_value, num_steps
  return search_value


def lambda_search(
    reward: tf.Tensor, discount: tf.Tensor, is_transition: tf.Tensor,
    search_value: tf.Tensor, network_value: tf.Tensor, num_steps: Steps, *,
    decay: float) -> tf.Tensor:
  """Returns lambda-returns over search values, cut after n steps.

  # Differs from the paper: it has n-step returns or search values alone; this
  # mixes all lengths up to n with weights `decay ** length`.
  """
  del network_value
  ranges.within(0, 1, decay=decay)
  return _lambda_return(
      reward, discount, is_transition, search_value, num_steps, decay)


def _lambda_return(reward, discount, is_transition, value, num_steps, decay):
  """Returns x_n, x_m(t) = r_t + d_t ((1 - w) v_t+1 + w x_m-1(t+1)), x_0 = v."""
  # There is nothing to look ahead to from the segment's last state.
  has_next = is_transition & (
      tf.range(reward.shape[1]) < reward.shape[1] - 1)
  next_value = tf.roll(value, -1, axis=1)
  limit = tf.reshape(num_steps, [-1, 1])

  def longer(i, target):
    ahead = (1.0 - decay) * next_value + decay * tf.roll(target, -1, axis=1)
    return i + 1, tf.where(
        has_next & (i < limit), reward + discount * ahead, target)

  return tf.while_loop(
      lambda i, _: i < tf.reduce_max(limit), longer, (0, value))[1]
