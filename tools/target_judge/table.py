"""Numbers of a comparison of ways to improve, and their table."""

from typing import NamedTuple, Sequence

import numpy as np

TINY = 1e-30


class Row(NamedTuple):
  """What was found of an operator, see the module.

  Attributes:
    name: of the operator.
    gain: at most 1.
    gain_error: standard error of it, over states, as if they were independent:
      those of one episode are not quite.
    good: weight of the good action.
    worst: weight of the worst action.
    sigma: of the improved policy.
    bias: of the root's value.
    error: of the root's value.
    q_error: of the weights times Q.
    calls: of the model for each state.
    milliseconds: for each state.
  """
  name: str
  gain: float
  gain_error: float
  good: float
  worst: float
  sigma: float
  bias: float
  error: float
  q_error: float
  calls: float
  milliseconds: float


def gain(weights: np.ndarray, q_values: np.ndarray, mean: np.ndarray
         ) -> tuple[float, float]:
  """Returns the share of the possible gain of all states, and its error.

  Args:
    weights: [N, A] the improved policy.
    q_values: [N, A] of the judge.
    mean: [N] what the policy itself gets.
  """
  possible = q_values.max(-1) - mean
  reached = (weights * q_values).sum(-1) - mean
  share = reached.sum() / max(possible.sum(), TINY)
  # Of a ratio of sums: what is left when each state is explained by it.
  rest = np.std(reached - share * possible) / np.sqrt(len(mean))
  return float(share), float(rest / max(possible.mean(), TINY))


def policy(prior_logits: np.ndarray, is_injected: bool) -> np.ndarray:
  """Returns the policy's own weights, [N, A]: none of an injected action."""
  logits = np.array(prior_logits, np.float64)
  if is_injected:
    logits[:, 0] = -np.inf
  weights = np.exp(logits - logits.max(-1)[:, np.newaxis])
  return weights / weights.sum(-1)[:, np.newaxis]


def sigma(actions: np.ndarray, weights: np.ndarray) -> float:
  """Returns the root of the mean variance of actions [N, A, n]."""
  weights = weights[..., np.newaxis]
  mean = (weights * actions).sum(1)[:, np.newaxis]
  return float(np.sqrt((weights * (actions - mean)**2).sum(1).mean()))


def size(gap: np.ndarray) -> float:
  """Returns the root mean square."""
  return float(np.sqrt(np.mean(gap**2)))


def format_table(rows: Sequence[Row], own: tuple[float, float]) -> str:
  """Returns lines of text.

  Args:
    rows: one for each operator.
    own: of `network_errors`.
  """
  lines = [f'{"":<18}{"gain":>14}{"good":>7}{"worst":>7}{"sigma":>7}{"bias":>9}'
           f'{"error":>8}{"Q error":>9}{"calls":>7}{"ms":>8}']
  for x in rows:
    lines.append(
        f'{x.name:<18}{x.gain:>7.1%} +-{x.gain_error:>4.0%}'
        f'{x.good:>7.1%}{x.worst:>7.1%}'
        f'{x.sigma:>7.2f}{x.bias:>9.3f}{x.error:>8.3f}{x.q_error:>9.3f}'
        f'{x.calls:>7.0f}{x.milliseconds:>8.3f}')
  lines.append(f'{"network alone":<18}{"":>35}{own[0]:>9.3f}{own[1]:>8.3f}')
  return '\n'.join(lines)
