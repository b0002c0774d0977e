"""Runs mctx on hash models and writes what it found, for the tests.

  /path/to/venv/bin/python tools/make_search_goldens.py

The environment needs `pip install mctx` only. The model is that of
tests/fakes.py, in JAX; the test that reads the goldens would notice a
difference. Writes tests/search/goldens/*.npz, a few kB each.
"""

import functools
import json
import os

import jax
import jax.numpy as jnp
import mctx
import numpy as np

_DIRECTORY = os.path.join(
    os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
    'tests', 'search', 'goldens')

# Name -> policy, model, batch, simulations, share of invalid actions, options.
_CASES = {
    'muzero_small': ('muzero', dict(num_candidates=4), 1, 1, 0.0, {}),
    'muzero': ('muzero', dict(num_candidates=6), 8, 50, 0.0, {}),
    'muzero_terminals': (
        'muzero', dict(num_candidates=5, terminal_share=0.3), 8, 40, 0.0, {}),
    'muzero_masked': (
        'muzero', dict(num_candidates=9, value_scale=30.0), 8, 40, 0.5, {}),
    'muzero_discount_zero': (
        'muzero', dict(num_candidates=3, discount=0.0), 4, 30, 0.0, {}),
    'muzero_two_players': (
        'muzero', dict(num_candidates=7, discount=-1.0, logit_scale=8.0), 6,
        60, 0.2, {}),
    'muzero_min_max': (
        'muzero', dict(num_candidates=6, terminal_share=0.1), 6, 40, 0.0,
        dict(min_value=-3.0, max_value=3.0)),
    'gumbel': ('gumbel', dict(num_candidates=6), 8, 32, 0.0, {}),
    'gumbel_masked': (
        'gumbel', dict(num_candidates=20, terminal_share=0.2), 8, 50, 0.6, {}),
    'gumbel_few': (
        'gumbel', dict(num_candidates=12, value_scale=10.0), 8, 4, 0.0,
        dict(max_num_considered_actions=4)),
    'gumbel_one': (
        'gumbel', dict(num_candidates=5, discount=0.0), 4, 20, 0.0,
        dict(max_num_considered_actions=1)),
}


def _mix(x):
  for shift, multiplier in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
    x = (x ^ (x >> shift)) * jnp.uint32(multiplier)
  return x ^ (x >> 16)


def _uniform(embedding, stream):
  bits = _mix(embedding + jnp.uint32(stream * 2654435 + 17)) >> 16
  return bits.astype(jnp.float32) * jnp.float32(2.0**-16)


def _model(num_candidates, value_scale=1.0, discount=0.97, terminal_share=0.0,
           logit_scale=2.0):
  """Returns (view, recurrent_fn) of tests/fakes.py's HashModel."""
  value = lambda e, stream: (2.0 * _uniform(e, stream) - 1.0) * value_scale

  def logits(e):
    return logit_scale * jnp.stack(
        [_uniform(e, 100 + a) for a in range(num_candidates)], axis=-1)

  def recurrent_fn(unused_params, unused_key, action, e):
    e = _mix(e + action.astype(jnp.uint32) * jnp.uint32(7919) + jnp.uint32(1))
    return mctx.RecurrentFnOutput(
        reward=value(e, 2),
        discount=jnp.where(_uniform(e, 3) < terminal_share, 0.0, discount),
        prior_logits=logits(e), value=value(e, 1)), e

  return lambda e: (logits(e), value(e, 1)), recurrent_fn


def _run(policy, model, batch, num_simulations, invalid_share, options):
  """Returns what mctx found, as arrays."""
  view, recurrent_fn = _model(**model)
  embedding = _mix(jnp.arange(batch, dtype=jnp.uint32) * 977 + 12345)
  random = np.random.RandomState(0)
  invalid = random.uniform(size=[batch, model['num_candidates']])
  invalid = invalid < invalid_share
  invalid[:, -1] = False
  logits, value = view(embedding)
  root = mctx.RootFnOutput(
      prior_logits=logits, value=value, embedding=embedding)
  options = dict(options)
  if policy == 'muzero':
    run = functools.partial(mctx.muzero_policy, dirichlet_fraction=0.0)
    if 'min_value' in options:
      options = dict(qtransform=functools.partial(
          mctx.qtransform_by_min_max, **options))
  else:
    run = mctx.gumbel_muzero_policy
  output = run((), jax.random.PRNGKey(1), root, recurrent_fn, num_simulations,
               invalid_actions=jnp.asarray(invalid), **options)
  tree = output.search_tree
  found = dict(
      invalid=invalid, children=tree.children_index.astype(np.int16),
      child_visits=tree.children_visits.astype(np.int16),
      node_visits=tree.node_visits.astype(np.int16),
      node_values=tree.node_values, weights=output.action_weights)
  if policy == 'gumbel':
    found['gumbel'] = tree.extra_data.root_gumbel
  return found


def main():
  os.makedirs(_DIRECTORY, exist_ok=True)
  for name, case in _CASES.items():
    policy, model, batch, num_simulations, _, options = case
    settings = dict(policy=policy, model=model, batch=batch,
                    num_simulations=num_simulations, options=options)
    np.savez_compressed(
        os.path.join(_DIRECTORY, f'{name}.npz'), settings=json.dumps(settings),
        **{k: np.asarray(v) for k, v in _run(*case).items()})
    print(name)


if __name__ == '__main__':
  main()
