"""What the metrics of a run mean, a sentence each.

TensorBoard shows the sentences, and reports name their axes by the titles.
"""

import re
from typing import NamedTuple, Optional


class Metric(NamedTuple):
  """What a number that a run records is.

  Attributes:
    title: for a heading or an axis, without the unit.
    unit: of the number; empty where it has none.
    sentence: what it says, with the unit.
  """
  title: str
  unit: str
  sentence: str

  @property
  def label(self) -> str:
    """The title with the unit, for an axis."""
    return f'{self.title} ({self.unit})' if self.unit else self.title


# `{k}` stands for a number of unrolled steps, `{mode}` for an acting mode and
# `{worker}` for the name of a worker.
_TABLE = {
    'loss/policy': Metric(
        'policy loss', 'nats',
        "Cross-entropy of the policy to the search's policy, in nats."),
    'loss/value': Metric(
        'value loss', 'nats',
        'Cross-entropy of the value to its target, in nats.'),
    'loss/reward': Metric(
        'reward loss', 'nats',
        'Cross-entropy of the unrolled rewards to the stored ones, in nats.'),
    'loss/action_value': Metric(
        'action value loss', 'nats',
        "Cross-entropy of the stored action's value to the value target, in "
        'nats.'),
    'loss/reconstruction': Metric(
        'reconstruction loss', '',
        'Squared error of the decoded observation, summed over the normalised '
        'components of a vector, or the mean of the pixels of frames.'),
    'loss/spr': Metric(
        'SPR loss', '',
        'Negative cosine of unrolled embeddings to those that a slow copy of '
        'the network has of what followed, both projected; -1 is the best.'),
    'loss/simsiam': Metric(
        'SimSiam loss', '',
        'Negative cosine of unrolled embeddings to those of what followed, '
        'both projected; -1 is the best.'),
    'loss/contrastive': Metric(
        'contrastive loss', 'nats',
        'Cross-entropy of telling which window of the batch an unrolled '
        'embedding belongs to, in nats.'),
    'loss/total': Metric(
        'total loss', '', 'Weighted sum of all terms of the loss.'),
    'policy/entropy': Metric(
        'policy entropy', 'nats',
        'Mean entropy of the policy, in nats; of continuous actions, of the '
        'Gaussian before the tanh.'),
    'gradient/norm': Metric(
        'gradient norm', '',
        'Global norm of the gradient of the whole batch, before it is '
        'clipped.'),
    'optimizer/learning_rate': Metric(
        'learning rate', '', 'Learning rate of the last learner step.'),
    'target/value': Metric(
        'value target', 'return',
        'Mean value target of the first states of the windows, in units of '
        'discounted return.'),
    'target/value_clipped': Metric(
        'clipped value targets', '',
        'Share of the value targets that lie outside of the value support.'),
    'target/reward_clipped': Metric(
        'clipped rewards', '',
        'Share of the rewards that lie outside of the reward support.'),
    'search/age': Metric(
        'age of the targets', 'learner steps',
        'Learner steps since the weights that made the targets.'),
    'search/depth': Metric(
        'search depth', 'steps',
        'Depth of the deepest node of a search, in decisions.'),
    'search/entropy': Metric(
        'search entropy', 'nats', "Entropy of the search's policy, in nats."),
    'search/value_gap': Metric(
        'value gap', 'return',
        "The search's value less the network's, in units of discounted "
        'return.'),
    'search/candidates_visited': Metric(
        'candidates visited', 'actions',
        'Candidate actions of the root that the search visited.'),
    'search/injected_share': Metric(
        'weight of the stored action', '',
        "Share of the search's policy that is on the stored action."),
    'search/advantage': Metric(
        'advantage of the stored action', 'return',
        "One-step value of the stored action less the mean of the policy's, in "
        'units of discounted return.'),
    'search/stored_weight': Metric(
        'weight of the stored action', '',
        'Weight of the stored action in the policy loss of critic-regularised '
        'regression.'),
    'data/skipped_episodes': Metric(
        'skipped episodes', 'episodes',
        'Episodes that were left out because they could not be read.'),
    'time/elapsed_seconds': Metric(
        'wall time', 's',
        'Seconds since training began, with compilation and evaluations, over '
        'all starts of the run.'),
    'time/steps_per_second': Metric(
        'learner steps per second', '1/s',
        'Learner steps per second, evaluations left out.'),
    'time/windows_per_second': Metric(
        'windows per second', '1/s',
        'Windows learned from per second, evaluations left out.'),
    'time/searches_per_second': Metric(
        'searches per second', '1/s',
        'Searched states that were learned from per second.'),
    'time/waited_share': Metric(
        'share of waiting', '',
        'Share of the time that the learner waited for data.'),
    'time/wait_seconds': Metric(
        'waiting per step', 's',
        'Seconds that a learner step waited for data.'),
    'time/step_seconds': Metric(
        'time per step', 's', 'Seconds of a learner step, without waiting.'),
    'time/ahead_seconds': Metric(
        'time ready', 's',
        'Seconds that searches lay ready before the store took them, for each '
        'learner step.'),
    'time/searches_ahead': Metric(
        'searches ready', 'searches',
        'Finished searches that lay ready for the store.'),
    'time/{kind}_seconds': Metric(
        '{kind} time per step', 's',
        'Seconds of "{kind}" that a learner step cost, over all threads.'),
    'service/workers': Metric(
        'workers', '', 'Reanalyse workers that delivered windows.'),
    'service/searches_per_second': Metric(
        'searches per second', '1/s',
        'Searched states per second that all reanalyse workers delivered.'),
    'service/searches_per_second/{worker}': Metric(
        'searches per second of {worker}', '1/s',
        'Searched states per second that this reanalyse worker delivered.'),
    'service/waited_share': Metric(
        'share of waiting', '',
        'Share of the time that was waited for the reanalyse service.'),
    'evaluation/{mode}_standard_error': Metric(
        'standard error', 'return',
        'Standard error over the episodes of the mean return of the mode '
        '"{mode}".'),
    'evaluation/{mode}': Metric(
        'mean return of {mode}', 'return',
        'Mean return of evaluation episodes in which the mode "{mode}" acts, '
        'raw and not discounted.'),
    'validation/reward_error_{k}': Metric(
        'error of rewards after {k} steps', 'reward',
        'Mean absolute error of the reward after {k} unrolled steps, on '
        'held-out episodes, in units of reward.'),
    'validation/action_value_error_{k}': Metric(
        'error of action values after {k} steps', 'return',
        'Mean absolute error of the values of stored actions, against the '
        'discounted return that followed, on held-out episodes.'),
    'validation/value_error_{k}': Metric(
        'error of values after {k} steps', 'return',
        "Mean absolute difference to the data's discounted return after {k} "
        'unrolled steps, on held-out episodes.'),
    'validation/agreement_{k}': Metric(
        'agreement after {k} steps', '',
        "Share of held-out states whose stored action is the policy's most "
        'probable one, after {k} unrolled steps.'),
    'validation/action_distance_{k}': Metric(
        'distance of actions after {k} steps', '',
        "Mean absolute difference of the policy's mode to the stored action, "
        'both in [-1, 1], after {k} unrolled steps, on held-out episodes.'),
    'validation/reward_spread': Metric(
        'spread of rewards', 'reward',
        'Error of saying the mean reward of the held-out episodes.'),
    'validation/value_spread': Metric(
        'spread of returns', 'return',
        'Error of saying the mean discounted return of the held-out '
        'episodes.'),
    'validation/fitted_value': Metric(
        'fitted value of the policy', 'return',
        "Discounted return of the policy's mode from the first states of "
        'stored episodes, by fitted Q evaluation; nothing is played.'),
    'validation/own_value': Metric(
        "network's own value", 'return',
        'Mean value that the network tells of the first states of stored '
        'episodes, in units of discounted return.'),
    'distribution/value_target': Metric(
        'value targets', 'return',
        'Value targets of the first states of the last batch, in units of '
        'discounted return.'),
    'distribution/policy_sigma': Metric(
        'policy sigma', '',
        'Standard deviations of the policy before the tanh, at the first '
        'states of the last batch, of every component of the action.'),
    'distribution/policy_entropy': Metric(
        'policy entropy', 'nats',
        'Entropies of the policy at the first states of the last batch, in '
        'nats.'),
    'film/{mode}': Metric(
        'film of {mode}', '',
        'The first evaluation episode, in which the mode "{mode}" acts.'),
    'configuration': Metric(
        'configuration', '', 'The settings that the run began with.'),
}
_PLACES = {'k': r'(?P<k>\d+)', 'worker': r'(?P<worker>.+)',
           'mode': r'(?P<mode>\w+?)', 'kind': r'(?P<kind>\w+)'}


def describe(name: str) -> Optional[Metric]:
  """Returns what a metric means, or None for one that is not known.

  Args:
    name: as in `metrics.jsonl`, such as 'loss/value'.
  """
  if name in _TABLE:
    return _TABLE[name]
  for template, metric in _TABLE.items():
    found = re.fullmatch(template.format(**_PLACES), name)
    if found:
      return Metric(*(text.format(**found.groupdict()) for text in metric))
  return None


def names() -> list[str]:
  """Returns the names of all metrics; `{k}` and the like stand for others."""
  return list(_TABLE)
