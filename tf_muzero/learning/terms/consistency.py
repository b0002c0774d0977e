"""Unrolled embeddings are to be those of the states that follow.

Each embedding, unrolled over k steps with the stored actions, is compared with
the embedding of the observation k steps later, both projected. The loss is the
negative cosine, so -1 is the best; past the end of an episode there is none.
"""

import functools
from typing import Any, Sequence

import tensorflow as tf

from tf_muzero import ranges
from tf_muzero.learning.terms import projection
from tf_muzero.learning.terms import term
from tf_muzero.types import Window


def spr(*, weight: float, projector: Sequence[int], predictor: Sequence[int]
        ) -> term.Term:
  """Returns the term of Self-Predictive Representations (SPR).

  What follows is seen and projected by the slow copies: the target network and
  the head's own one (Schwarzer et al. 2021, section 2.2).

  Args:
    weight: of the term; 2 in the paper, of the sum over its 5 steps.
    projector: units of the layers that project embeddings.
    predictor: units of those that predict one projection from the other; as
      many in the last one.
  """
  return _consistency('spr', weight, projector, predictor, is_slow=True)


def simsiam(*, weight: float, projector: Sequence[int],
            predictor: Sequence[int]) -> term.Term:
  """Returns the term of EfficientZero, a SimSiam along time.

  What follows is seen and projected by the network that learns, without a
  gradient (Ye et al. 2021, section 4.1, recalled).

  Args:
    weight: of the term; 2 in the authors' code, where all terms of the K
      unrolled steps count 1/K, as here, and those of the first state too,
      unlike here: beside these it counts K times as much there.
    projector: units of its layers; 1024, 1024, 1024 in the paper.
    predictor: likewise; 512, 1024 in the paper.
  """
  return _consistency('simsiam', weight, projector, predictor, is_slow=False)


def _consistency(name: str, weight: float, projector: Sequence[int],
                 predictor: Sequence[int], *, is_slow: bool) -> term.Term:
  ranges.at_least(0, weight=weight)
  projection.check(projector, predictor)

  def loss(unrolled: term.Unrolled, window: Window) -> tf.Tensor:
    del window
    auxiliary = unrolled.auxiliary
    network: Any = auxiliary.target_network if is_slow else unrolled.network
    projector = auxiliary.head(name, is_slow).projector
    target = tf.stop_gradient(term.at_each(
        lambda seen: projector(network.represent(seen)), unrolled.seen[:, 1:]))
    predicted = term.at_each(
        auxiliary.head(name).predict, unrolled.embedding[:, 1:])
    return -projection.cosine(predicted, target)

  return term.Term(
      name, weight, loss, term.is_real_step, is_of_steps=True,
      needs_observations=True, head_fn=functools.partial(
          projection.head, projector=projector, predictor=predictor))
