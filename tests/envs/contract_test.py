"""Every environment keeps the contract of `dm_env`, wrapped or not."""

# pylint: disable=arguments-differ,abstract-method,no-member
# pylint: disable=missing-class-docstring

import importlib.util
import os
import tempfile

from absl.testing import absltest
from dm_env import test_utils
import numpy as np
import pytest
import own_toys
import tree

from tf_muzero import envs
from tf_muzero.envs import behaviours
from tf_muzero.envs import wrappers


class _Contract(test_utils.EnvironmentTestMixin):
  """What holds for all environments."""

  def test_observations_are_float32_vectors_or_one_frame(self):
    spec = envs.spec(self.environment)
    if getattr(spec.observation, 'dtype', None) == np.uint8:
      self.assertLen(spec.observation.shape, 3)
      return
    for part in tree.flatten(spec.observation):
      self.assertEqual(part.dtype, np.float32)
      self.assertLen(part.shape, 1)

  def test_same_seed_same_episode(self):
    first, second = self.make_object_under_test(), self.make_object_under_test()
    action = first.action_spec().generate_value()
    for _ in range(12):
      one, other = first.step(action), second.step(action)
      np.testing.assert_equal(one.observation, other.observation)
      self.assertEqual(one.reward, other.reward)


class CatchTest(_Contract, absltest.TestCase):

  def make_object_under_test(self):
    return envs.load('catch', seed=3)


class CatchRepeatTest(_Contract, absltest.TestCase):

  def make_object_under_test(self):
    return envs.load('catch', seed=3, action_repeat=2)


class CatchRandomStartTest(_Contract, absltest.TestCase):

  def make_object_under_test(self):
    return wrappers.RandomStart(envs.load('catch', seed=3), 20, seed=1)


class DeepSeaTest(_Contract, absltest.TestCase):

  def make_object_under_test(self):
    return envs.load('deep_sea:5', seed=3)


class CartpoleTest(_Contract, absltest.TestCase):

  def make_object_under_test(self):
    return envs.load('dm_control:cartpole/swingup', seed=3)


class CartpoleRepeatTest(_Contract, absltest.TestCase):

  def make_object_under_test(self):
    return envs.load('dm_control:cartpole/swingup', seed=3, action_repeat=100)

  def make_action_sequence(self):  # Past the end of the episode.
    for _ in range(12):
      yield self.make_action()


class CartpoleRandomStartTest(_Contract, absltest.TestCase):

  def make_object_under_test(self):
    return wrappers.RandomStart(
        envs.load('dm_control:cartpole/swingup', seed=3), 50, seed=1)


class ScalarObservationTest(_Contract, absltest.TestCase):
  """A task with scalars, and with matrices of its own, in its observation."""

  def make_object_under_test(self):
    return envs.load('dm_control:fish/swim', seed=3, action_repeat=2)


class CatchLimitedTest(_Contract, absltest.TestCase):

  def make_object_under_test(self):
    return wrappers.TimeLimit(envs.load('catch', seed=3), 4)


class AtariTest(_Contract, absltest.TestCase):

  def make_object_under_test(self):
    return envs.load('atari:Breakout', seed=3)


class AtariClippedTest(_Contract, absltest.TestCase):

  def make_object_under_test(self):
    return envs.load(
        'atari:Breakout', seed=3, action_repeat=40, clip_rewards=True)


class _Random:
  """Actions that bring an episode to its end, and the next one to a start."""

  def make_action_sequence(self):
    rng = np.random.default_rng(0)
    for _ in range(60):
      yield behaviours.random_action(self.environment.action_spec(), rng)


class GymnasiumCartPoleTest(_Random, _Contract, absltest.TestCase):

  def make_object_under_test(self):
    return envs.load('gymnasium:CartPole-v1', seed=3)


class GymnasiumPendulumTest(_Random, _Contract, absltest.TestCase):

  def make_object_under_test(self):
    return envs.load('gymnasium:Pendulum-v1', seed=3, action_repeat=4)


class GymnasiumMountainCarTest(_Random, _Contract, absltest.TestCase):

  def make_object_under_test(self):
    return wrappers.RandomStart(envs.load(
        'gymnasium:MountainCarContinuous-v0', seed=3, action_repeat=20),
                                20, seed=1)


@pytest.mark.skipif(not importlib.util.find_spec('imageio'), reason=(
    'imageio, of the extra [gymnasium], is missing'))
class GymnasiumMujocoTest(_Random, _Contract, absltest.TestCase):

  def make_object_under_test(self):
    return envs.load('gymnasium:InvertedPendulum-v5', seed=3)

  def test_pictures(self):
    self.environment.reset()
    self.assertEqual(envs.render(self.environment).shape, (240, 320, 3))


class OwnTest(_Random, _Contract, absltest.TestCase):

  def make_object_under_test(self):
    folder = tempfile.TemporaryDirectory()  # pylint: disable=consider-using-with
    self.addCleanup(folder.cleanup)
    path = os.path.join(folder.name, 'push.py')
    with open(path, 'w', encoding='utf-8') as file:
      file.write(own_toys.PUSH)
    return envs.load(f'{path}:make', seed=3)


if __name__ == '__main__':
  absltest.main()
