"""An environment is shown as the agent knows it, or refused."""

from dm_env import specs
import numpy as np
import pytest

from tf_muzero import envs
from tf_muzero.envs import matching
from tf_muzero.types import EnvironmentSpec

_TASK = 'dm_control:finger/turn_hard'


@pytest.fixture(name='environment', scope='module')
def _environment():
  return envs.load(_TASK, seed=0)


def test_entries_that_are_not_known_are_dropped(environment):
  spec = envs.spec(environment)
  known = {name: x for name, x in spec.observation.items() if name != 'touch'}
  matched = matching.match(environment, spec._replace(observation=known))
  assert matched.observation_spec() == known
  full, time_step = environment.reset(), matched.reset()
  assert 'touch' in full.observation
  for _ in range(2):
    assert list(time_step.observation) == list(known)
    time_step = matched.step(np.float32([0.5, -0.5]))


def test_an_environment_as_expected_is_itself(environment):
  assert matching.match(environment, envs.spec(environment)) is environment
  catch = envs.load('catch', seed=0)
  assert matching.match(catch, envs.spec(catch)) is catch


def test_what_is_missing_is_named(environment):
  spec = envs.spec(environment)
  known = {**spec.observation, 'smell': specs.Array([2], np.float32, 'smell')}
  with pytest.raises(ValueError, match='must have smell.*it has dist_to'):
    matching.match(environment, spec._replace(observation=known))


def test_a_shape_that_differs_is_named(environment):
  spec = envs.spec(environment)
  known = {**spec.observation, 'touch': specs.Array([3], np.float32, 'touch')}
  with pytest.raises(ValueError, match=(
      r"observation 'touch' of the environment is float32\[2\], but the agent "
      r'was trained with float32\[3\]')):
    matching.match(environment, spec._replace(observation=known))


@pytest.mark.parametrize('known, words', [
    (specs.DiscreteArray(5), 'int32.* of 0 to 2.*of 0 to 4'),
    (specs.BoundedArray([1], np.float32, -1, 1), r'int32\[\].*float32\[1\]')])
def test_other_actions_are_refused(known, words):
  catch = envs.load('catch', seed=0)
  with pytest.raises(ValueError, match='action .*' + words):
    matching.match(catch, EnvironmentSpec(catch.observation_spec(), known))


def test_a_dict_is_not_an_array(environment):
  catch = envs.load('catch', seed=0)
  with pytest.raises(ValueError, match='got a single array'):
    matching.match(catch, EnvironmentSpec(
        environment.observation_spec(), catch.action_spec()))
  with pytest.raises(ValueError, match='is entries .*touch'):
    matching.match(environment, EnvironmentSpec(
        catch.observation_spec(), environment.action_spec()))


def test_actions_within_the_environments_bounds_are_what_the_agent_does(
    environment):
  narrow = specs.BoundedArray([2], np.float32, -0.5, 0.5)
  spec = envs.spec(environment)._replace(action=narrow)
  assert matching.match(environment, spec).action_spec() == narrow
  with pytest.raises(ValueError, match=r'Component 0 .*\[-1, 1\].*\[-1, 2\]'):
    matching.match(environment, spec._replace(
        action=specs.BoundedArray([2], np.float32, -1.0, 2.0)))
