"""Runs mctx beside the benchmark, in a Python environment of its own.

Reads the model's sizes as one line of JSON, then one line per request
(`search` or `network`), and answers each with the seconds that it took, by the
clock and of the processor.
"""

import json
import sys
import time

import jax
import jax.numpy as jnp
import mctx
import numpy as np


def _make(sizes, weights):
  """Returns compiled functions of the embedding: search, network alone."""
  batch, num_simulations = sizes['batch'], sizes['num_simulations']
  num_actions = sizes['num_actions']
  p = {k: jnp.asarray(v, jnp.float32) for k, v in weights.items()}

  def predict(s):
    return s @ p['policy'], (s @ p['value'])[:, 0]

  def recurrent_fn(unused_params, unused_key, action, s):
    x = jnp.concatenate([s, jax.nn.one_hot(action, num_actions)], -1)
    s = jnp.tanh(jax.nn.relu(x @ p['hidden']) @ p['embedding'])
    logits, value = predict(s)
    return mctx.RecurrentFnOutput(
        reward=(s @ p['reward'])[:, 0], discount=jnp.full((batch,), 0.997),
        prior_logits=logits, value=value), s

  @jax.jit
  def search(s):
    logits, value = predict(s)
    output = mctx.muzero_policy(
        (), jax.random.PRNGKey(0),
        mctx.RootFnOutput(prior_logits=logits, value=value, embedding=s),
        recurrent_fn, num_simulations=num_simulations, dirichlet_fraction=0.0)
    return output.action_weights, output.search_tree.node_values[:, 0]

  @jax.jit
  def network(s):
    action = jnp.zeros((batch,), jnp.int32)
    step = lambda i, s: recurrent_fn((), (), action, s)[1]
    return jax.lax.fori_loop(0, num_simulations, step, s)

  return {'search': search, 'network': network}


def main():
  sizes = json.loads(sys.stdin.readline())
  weights = dict(np.load(sizes['weights']))
  embedding = jnp.asarray(weights.pop('root'), jnp.float32)
  functions = _make(sizes, weights)
  for line in sys.stdin:
    wall, cpu = time.perf_counter(), time.process_time()
    jax.block_until_ready(functions[line.strip()](embedding))
    print(time.perf_counter() - wall, time.process_time() - cpu, flush=True)


if __name__ == '__main__':
  main()
