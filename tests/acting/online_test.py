"""Learning online: nothing but episodes played with the newest weights."""

import functools
import json

import dm_env
from dm_env import specs
import numpy as np
import tensorflow as tf

from tests import reanalyse_toys
from tf_muzero import envs
from tf_muzero.acting import episode_log
from tf_muzero.acting import interaction as interaction_lib
from tf_muzero.keras2 import keras
from tf_muzero.learning import callbacks
from tf_muzero.learning import losses
from tf_muzero.learning import trainer as trainer_lib
from tf_muzero.networks import agent as agent_lib
from tf_muzero.networks import state
from tf_muzero.networks import value_transform
from tf_muzero.reanalyse import store as store_lib
from tf_muzero.reanalyse import value_targets

_SYMBOLS, _LENGTH, _BATCH = 3, 4, 64


class _Match(dm_env.Environment):
  """Four times: see one of three symbols, name it, get 1 if it was right."""

  def __init__(self, seed):
    self._rng = np.random.default_rng(seed)
    self._symbol = self._step = 0

  def _observe(self):
    self._symbol = self._rng.integers(_SYMBOLS)
    return np.eye(_SYMBOLS, dtype=np.float32)[self._symbol]

  def reset(self):
    self._step = 0
    return dm_env.restart(self._observe())

  def step(self, action):
    reward = float(action == self._symbol)
    self._step += 1
    end = dm_env.termination if self._step == _LENGTH else dm_env.transition
    return end(reward, self._observe())

  def observation_spec(self):
    return specs.Array([_SYMBOLS], np.float32, 'symbol')

  def action_spec(self):
    return specs.DiscreteArray(_SYMBOLS, np.int32)


def test_play_gets_better_with_learning(tmp_path, monkeypatch):
  monkeypatch.setattr(
      envs, 'load', lambda task, *, seed, **unused_kwargs: _Match(seed))
  support = value_transform.Support(-0.5, 1.5, 9)
  agent = agent_lib.Agent(
      functools.partial(state.StateNetwork, num_blocks=1, width=32),
      support, support, discount=0.9, num_candidates=1)
  reanalyse = reanalyse_toys.reanalyse(
      num_simulations=6, injected_prior=0.0, value_target_fn=value_targets.td,
      windows_per_segment=_LENGTH, segments_per_search=1, parallel_searches=0)
  interaction = interaction_lib.Interaction(
      'match', 1, num_environments=8, temperature=1.0, root_noise_fraction=0.25,
      root_noise_alpha=0.5, sample_reuse=4, store_windows=100)
  spec = envs.spec(_Match(0))
  tf.keras.utils.set_random_seed(0)
  network = agent.make_network(spec)
  directory, log = str(tmp_path), str(tmp_path / 'interaction.jsonl')
  fresh = interaction_lib.fresh_segments(
      interaction, reanalyse, agent, agent.plan_with(network, spec), spec,
      directory, [v.shape for v in network.variables], unroll_steps=2,
      num_segments=1, seed=0, deterministic=True,
      listeners=[episode_log.EpisodeLog(log).write])

  weights = losses.LossWeights(1.0, 0.25, 1.0, 0.0, 0.0)
  def loss_fn(network, window, seed):
    del seed
    return losses.muzero_loss(
        network, agent, agent.make_head(spec), weights, window, _BATCH)

  trainer = trainer_lib.Trainer(
      network, trainer_lib.make_target_network(
          lambda: agent.make_network(spec)), loss_fn,
      target_period=1, target_decay=0.0, global_batch_size=_BATCH,
      jit_compile=False)
  trainer.compile(keras.optimizers.Adam(5e-3), steps_per_execution=5)
  trainer.fit(
      store_lib.Store(
          [store_lib.Source(
              fresh, fresh.element_spec, _BATCH, interaction.store_windows,
              interaction.sample_reuse)],
          reanalyse.cutting(agent, 2, keep_observations=False), seed=0),
      steps_per_epoch=100, verbose=0, callbacks=[callbacks.PublishSnapshots(
          5, directory, lambda: trainer.network)])
  with open(log, encoding='utf-8') as file:
    returns = [json.loads(line)['return'] for line in file]
  first, last = np.mean(returns[:40]), np.mean(returns[-40:])
  assert first < 2.2  # Guessing gives 4/3.
  assert last > 3.4  # 4 is all right.
