"""In which precision a network computes."""

from tf_muzero.keras2 import keras

_POLICIES = {'float32': 'float32', 'bfloat16': 'mixed_bfloat16'}


def policy(compute_dtype: str) -> keras.mixed_precision.Policy:
  """Returns the policy of layers that compute so, with float32 variables.

  Args:
    compute_dtype: `float32`, or `bfloat16`, which TPUs are made for. It has
      the range of float32, so that losses need no scaling.
  """
  if compute_dtype not in _POLICIES:
    raise ValueError("compute_dtype must be 'float32' or 'bfloat16', got "
                     f'{compute_dtype!r}.')
  return keras.mixed_precision.Policy(_POLICIES[compute_dtype])
