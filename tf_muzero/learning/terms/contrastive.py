"""Unrolled embeddings are to be told apart by what follows."""

import functools
from typing import Sequence

import tensorflow as tf

from tf_muzero import ranges
from tf_muzero.learning.terms import projection
from tf_muzero.learning.terms import term
from tf_muzero.types import Window

_NEVER = -1e9  # Logit of what is no candidate.


def info_nce(*, weight: float, temperature: float, projector: Sequence[int],
             predictor: Sequence[int]) -> term.Term:
  """Returns the contrastive term, InfoNCE over the batch.

    -log exp(p_b . z_b / temperature) / sum_c exp(p_b . z_c / temperature)

  for each k unrolled steps: p_b is predicted from the unrolled embedding of
  window b, z_c projected from the embedding of the observation k steps into
  window c (van den Oord et al. 2018; action-conditional as in Anand et al.
  2021). Windows whose k-th state is past the end of an episode are no
  candidates. With several replicas, each has those of its own windows.

  # Differs from the papers: p and z are scaled to length one, and a temperature
  # stands for what their scale would be.

  Args:
    weight: of the term.
    temperature: that similarities are divided by.
    projector: units of the layers that project embeddings.
    predictor: units of those that predict one projection from the other; as
      many in the last one.
  """
  ranges.at_least(0, weight=weight)
  ranges.above(0, temperature=temperature)
  projection.check(projector, predictor)
  name = 'contrastive'

  def loss(unrolled: term.Unrolled, window: Window) -> tf.Tensor:
    head = unrolled.auxiliary.head(name)
    predicted = term.at_each(head.predict, unrolled.embedding[:, 1:])
    candidates = term.at_each(
        lambda seen: head.projector(unrolled.network.represent(seen)),
        unrolled.seen[:, 1:])
    logits = tf.einsum(
        'bkd,ckd->kbc', projection.unit(predicted),
        projection.unit(candidates)) / temperature
    is_none = tf.transpose(1.0 - term.is_real_step(window))  # [K, C]
    own = tf.linalg.diag_part(logits)  # [K, B]
    losses = tf.reduce_logsumexp(
        logits + _NEVER * is_none[:, tf.newaxis], axis=-1) - own
    return tf.transpose(losses)

  return term.Term(
      name, weight, loss, term.is_real_step, is_of_steps=True,
      needs_observations=True, head_fn=functools.partial(
          projection.head, projector=projector, predictor=predictor))
