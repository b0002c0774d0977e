"""Writes what EfficientZero's own code says of seeded numbers.

  git clone https://github.com/YeWR/EfficientZero CHECKOUT
  git -C CHECKOUT checkout 468bb0309f6d5a632a53da9c7d329f88fc9ebf8e
  pip install torch==1.12.1 numpy==1.23.5 cython==0.29.37 setuptools==65.5.0
  python tools/make_efficientzero_golden.py CHECKOUT \
      tests/learning/goldens/efficientzero.json

In an environment of its own, of Python 3.10; those versions made the file that
is stored. A C++ compiler must be there: the checkout's search tree is built in
place. No GPU is used.

None of that code is copied here, since its licence is the GPL: single classes
and functions are taken out of the checkout's files, so that what these import
(ray, gym, OpenCV) need not be there, and run with the small stand-ins below.
"""

import ast
import copy
import dataclasses
import importlib
import json
import os
import subprocess
import sys
import types
from typing import Any

import numpy as np
# pylint: disable-next=import-error
import torch

_HORIZONS = (1, 2, 3, 5)
_UNROLL_STEPS = 5
_DISCOUNT = 0.97


def _take(checkout: str, path: str, *names: str, **others: Any
          ) -> types.SimpleNamespace:
  """Returns classes and functions of a file, without their decorators.

  Args:
    checkout: folder of the repository.
    path: of the file in it.
    *names: what is taken.
    **others: what that needs beside NumPy and PyTorch.
  """
  with open(os.path.join(checkout, path), encoding='utf8') as file:
    tree = ast.parse(file.read())
  found = [node for node in tree.body
           if isinstance(node, (ast.ClassDef, ast.FunctionDef))
           and node.name in names]
  if len(found) != len(names):
    raise ValueError(f'{path} does not have all of {names}.')
  for node in found:
    node.decorator_list = []
  space = {'np': np, 'torch': torch, **others}
  code = compile(ast.Module(found, type_ignores=[]), path, 'exec')
  exec(code, space)  # pylint: disable=exec-used
  return types.SimpleNamespace(**{name: space[name] for name in names})


def _blank(cls: Any, **attributes: Any) -> Any:
  """Returns an instance that only has these attributes."""
  instance = object.__new__(cls)
  instance.__dict__.update(attributes)
  return instance


def _plain(x: Any) -> Any:
  """Returns numbers as lists of Python's, of eight digits."""
  if isinstance(x, dict):
    return {key: _plain(value) for key, value in x.items()}
  if isinstance(x, (list, tuple)):
    return [_plain(value) for value in x]
  if hasattr(x, 'tolist'):  # NumPy's and PyTorch's.
    return _plain(x.tolist())
  return float(f'{x:.8g}') if isinstance(x, float) else x


def _consistency(checkout: str, random: np.random.Generator) -> dict[str, Any]:
  """Returns the loss of vectors, and its gradient by the first of each two."""
  loss_fn = _take(checkout, 'core/train.py', 'consist_loss_func',
                  F=torch.nn.functional).consist_loss_func
  first, second = np.round(random.normal(size=[2, 15, 6]), 3)
  first[1], second[2], first[3], second[3] = 0.0, 0.0, 0.0, 0.0
  first[4], second[5] = 1e-6 * first[4], 3e-6 * second[5]  # Shorter than 1e-5.
  first[6], second[7] = 1e4 * first[6], 1e-3 * second[7]
  second[8], second[9] = 2 * first[8], -first[9]
  x = torch.tensor(first, dtype=torch.float32, requires_grad=True)
  loss = loss_fn(x, torch.tensor(second, dtype=torch.float32))
  loss.sum().backward()
  return dict(predicted=first, target=second, loss=loss.detach(),
              gradient=x.grad)


def _config(checkout: str, size: int, **attributes: Any) -> Any:
  """Returns their configuration, of bins from -size to size."""
  taken = _take(checkout, 'core/config.py', 'DiscreteSupport', 'BaseConfig',
                Game=object)
  # The defaults of arguments are supports too.
  support = taken.DiscreteSupport(-size, size)
  return _blank(taken.BaseConfig, value_support=support, reward_support=support,
                device='cpu', amp_type='none', **attributes)


def _scaled(checkout: str, random: np.random.Generator, size: int
            ) -> dict[str, Any]:
  """Returns h and its inverse in float64, and bins in float32.

  In float32 their own formulas cancel: values of 1 come back 1e-4 off.
  """
  config = _config(checkout, size)
  value = np.concatenate([
      [0.0, 1.0, -1.0, 3.0, -8.0, 1e-3, -1e-3, 1e-6, 1e5, -1e5],
      np.round(random.normal(size=6), 3),
      np.round(size * random.normal(size=8), 2)])
  of_float32 = torch.tensor(value, dtype=torch.float32)[:, None]
  bins = config.value_phi(config.scalar_transform(of_float32))[:, 0]
  dense = torch.zeros([12, 2 * size + 1], dtype=torch.float32)
  for number, row in enumerate(dense[1:]):  # The first one is all zeros.
    some = random.permutation(2 * size + 1)[:40]
    height = 2.0 if number % 2 else 12.0
    row[some] = torch.tensor(
        np.round(height * random.normal(size=40), 2), dtype=torch.float32)
  sparse = lambda rows: [[(int(i), float(row[i])) for i in row.nonzero()[:, 0]]
                         for row in rows]
  return dict(
      size=size, value=value,
      scaled=config.scalar_transform(of_float32.double())[:, 0],
      bins=sparse(bins), logits=sparse(dense),
      decoded=config.inverse_value_transform(dense.double())[:, 0])


def _play(game: Any, reward: np.ndarray, first: int) -> Any:
  """Returns a whole game, whose observations are the states' numbers."""
  frame = lambda number: np.full([1, 1, 1], number, np.uint8)
  game.init([frame(first)])
  for t, r in enumerate(reward):
    game.append(t % 2, frame(first + t + 1), r)
    game.store_search_stats([1, 1], 0.0)
  game.game_over()
  return game


def _targets(checkout: str, random: np.random.Generator) -> dict[str, Any]:
  """Returns sums of rewards, value targets and masks of windows of games."""
  ray = types.SimpleNamespace(get=lambda x: x, put=lambda x: x)
  take = lambda path, *names, **others: _take(
      checkout, path, *names, ray=ray, **others)
  prepare = take('core/utils.py', 'prepare_observation_lst')
  history = take('core/game.py', 'GameHistory', copy=copy)
  workers = take('core/reanalyze_worker.py', 'BatchWorker_CPU',
                 'BatchWorker_GPU', **vars(prepare), **vars(
                     take('core/model.py', 'concat_output_value')))
  config = _config(
      checkout, 300, td_steps=5, num_unroll_steps=_UNROLL_STEPS,
      stacked_observations=1, discount=_DISCOUNT, mini_infer_size=7,
      use_root_value=False, auto_td_steps=0.3 * 1000, obs_shape=(1, 1, 1),
      image_channel=1, action_space_size=2, cvt_string=False)

  lengths = (1, 4, 9, 14)
  rewards = [np.round(random.normal(size=n), 3) for n in lengths]
  firsts = 1 + np.cumsum([0, *(n + 1 for n in lengths)])  # 0 is past the end.
  value = np.concatenate([[99.0], np.round(
      random.normal(size=firsts[-1] - 1), 3)])
  games = [_play(history.GameHistory(2, 200, config), reward, first)
           for reward, first in zip(rewards, firsts)]
  windows = [(0, 0), (1, 0), (1, 3), (2, 0), (2, 3), (2, 4), (2, 8)] + [
      (3, start) for start in (0, 1, 2, 4, 6, 8, 9, 10, 12, 13)]
  total = 2000
  played = [int(x) for x in random.integers(0, total, len(windows))]
  played[7:12] = [total - age for age in (300, 299, 600, 1500, 900)]

  queue: list[Any] = []
  worker = _blank(
      workers.BatchWorker_CPU, config=config,
      mcts_storage=types.SimpleNamespace(push=queue.append),
      replay_buffer=types.SimpleNamespace(get_total_len=types.SimpleNamespace(
          remote=lambda: total)))
  worker.make_batch(
      ([games[game] for game, _ in windows], [start for _, start in windows],
       played, [1.0] * len(windows), [0] * len(windows)), 0.0)
  context, _, _, inputs, _ = queue[0]

  def look_up(observation: torch.Tensor) -> Any:
    number = (observation * 255.0).round().long().reshape([-1])
    return types.SimpleNamespace(value=value[number.numpy()][:, None])

  sums, model = {}, types.SimpleNamespace(initial_inference=look_up)
  for horizon in _HORIZONS:
    config.lstm_horizon_len = horizon
    worker = _blank(workers.BatchWorker_GPU, config=config, model=model)
    # pylint: disable-next=protected-access
    sums[horizon], values = worker._prepare_reward_value(context)
  return dict(
      rewards=rewards, network_value=value, first=firsts[:-1], windows=windows,
      played=played, total=total, shorten_every=int(config.auto_td_steps),
      td_steps=config.td_steps, unroll_steps=_UNROLL_STEPS, discount=_DISCOUNT,
      mask=inputs[2], num_steps=[
          int(n) for n in context[-1][::_UNROLL_STEPS + 1]],
      sums=sums, values=values)


@dataclasses.dataclass
class _Path:
  """A network with an LSTM that tells sums, for a search of one action."""
  config: Any
  features: np.ndarray
  value: np.ndarray
  lstm: Any
  linear: Any
  told: list[np.ndarray] = dataclasses.field(default_factory=list)
  eval = staticmethod(lambda: None)

  def recurrent_inference(self, hidden: torch.Tensor, memory: Any,
                          action: torch.Tensor) -> Any:
    """Returns what a step says; a hidden state is (row, depth)."""
    del action
    row, depth = hidden.long().numpy().T
    out, memory = self.lstm(torch.tensor(
        self.features[depth, row], dtype=torch.float32)[None], memory)
    told = self.config.inverse_reward_transform(
        self.linear(out[0]).double()).numpy()
    self.told.append(told[:, 0])
    return types.SimpleNamespace(
        hidden_state=np.stack([row, depth + 1.0], -1), value_prefix=told,
        value=self.value[depth, row], policy_logits=np.zeros([len(row), 1]),
        reward_hidden=tuple(x.numpy() for x in memory))


def _search(checkout: str, random: np.random.Generator) -> dict[str, Any]:
  """Returns values of roots whose trees are paths, by the sums told there."""
  folder = os.path.join(checkout, 'core', 'ctree')
  subprocess.run([sys.executable, 'setup.py', 'build_ext', '--inplace'],
                 cwd=folder, check=True, stdout=subprocess.DEVNULL)
  sys.path.insert(0, folder)
  tree = importlib.import_module('cytree')
  search = _take(checkout, 'core/mcts.py', 'MCTS', tree=tree).MCTS

  batch, depth, num_features, units, size = 3, 12, 4, 3, 3
  features = np.round(2 * random.normal(size=[depth, batch, num_features]), 2)
  value = np.round(random.normal(size=[depth, batch]), 2)
  lstm, linear = (torch.nn.LSTM(num_features, units),
                  torch.nn.Linear(units, 2 * size + 1))
  with torch.no_grad():
    for parameters, scale in ((lstm.parameters(), 0.7),
                              (linear.parameters(), 2.0)):
      for parameter in parameters:
        parameter.copy_(torch.tensor(np.round(
            scale * random.normal(size=parameter.shape), 2)))
    linear.bias.mul_(0.25)
  found = []
  for horizon in _HORIZONS:
    values = []
    for num_simulations in range(1, depth + 1):
      config = _config(
          checkout, size, lstm_horizon_len=horizon, discount=_DISCOUNT,
          num_simulations=num_simulations, pb_c_base=19652, pb_c_init=1.25,
          value_delta_max=0.01)
      model = _Path(config, features, value, lstm, linear)
      roots = tree.Roots(batch, 1, num_simulations)
      roots.prepare_no_noise([0.0] * batch, [[0.0]] * batch)
      nothing = torch.zeros([1, batch, units]).numpy()
      search(config).search(roots, model, np.stack(
          [np.arange(batch), np.zeros(batch)], -1), (nothing, nothing))
      values.append(roots.get_values())
    found.append(dict(horizon=horizon, sums=model.told, root_values=values))
  return dict(
      features=features, value=value, size=size, units=units,
      discount=_DISCOUNT, kernel=lstm.weight_ih_l0.detach().T,
      recurrent=lstm.weight_hh_l0.detach().T,
      bias=(lstm.bias_ih_l0 + lstm.bias_hh_l0).detach(),
      matrix=linear.weight.detach().T, start=linear.bias.detach(), found=found)


def main(checkout: str, path: str) -> None:
  """Writes inputs, outputs and the commit."""
  commit = subprocess.run(
      ['git', '-C', checkout, 'rev-parse', 'HEAD'], check=True,
      capture_output=True, text=True).stdout.strip()
  random = np.random.default_rng(0)
  torch.set_num_threads(1)
  content = _plain({
      'commit': commit, 'torch': torch.__version__, 'numpy': np.__version__,
      'consistency': _consistency(checkout, random),
      'scaled': [_scaled(checkout, random, size) for size in (20, 300)],
      'targets': _targets(checkout, random),
      'search': _search(checkout, random)})
  lines = (f'{json.dumps(key)}: {json.dumps(value)}'
           for key, value in content.items())
  with open(path, 'w', encoding='utf8') as file:
    file.write('{\n' + ',\n'.join(lines) + '\n}\n')


if __name__ == '__main__':
  main(*sys.argv[1:])
