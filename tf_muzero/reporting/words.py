"""Settings of a run in words, for people who do not know the configuration."""

import re
from typing import Mapping, Optional, Sequence

Settings = Mapping[str, str]  # Bindings of `config.gin`, from name to text.

_NAMED = {
    '@improvement.search_improvement': 'search',
    '@improvement.cloning_improvement': 'none, the stored action is copied',
    '@improvement.crr_improvement':
        'none, the stored action is copied if the critic finds it good',
    '@value_targets.td': "n-step return to the network's value",
    '@value_targets.td_search': "n-step return to the search's value",
    '@value_targets.search': "the search's value",
    '@value_targets.lambda_search': "lambda-return over the search's values",
    '@mcts.search': 'MuZero (PUCT)',
    '@gumbel.search': 'Gumbel MuZero',
    '@state.StateNetwork': 'for vectors',
    '@pixels.PixelNetwork': 'for pictures',
    '@optimizers.adamw': 'Adam with weight decay (AdamW)',
    '@optimizers.momentum': 'gradient descent with momentum',
}
# What a reader asks for, in that order: the setting and its name in words.
_TABLE = (
    ('train.train.num_steps', 'Learner steps'),
    ('train.train.batch_size', 'Windows per batch'),
    ('train.train.unroll_steps', 'Unroll steps'),
    ('agent.Agent.discount', 'Discount'),
    ('agent.Agent.frame_stack', 'Observations that are stacked'),
    ('pipeline.Reanalyse.improvement_fn', 'Policy improvement'),
    ('pipeline.Reanalyse.search_fn', 'Search'),
    ('mcts.search.num_simulations', 'Simulations'),
    ('gumbel.search.num_simulations', 'Simulations'),
    ('acting/mcts.search.num_simulations', 'Simulations when acting'),
    ('acting/gumbel.search.num_simulations', 'Simulations when acting'),
    ('agent.Agent.num_candidates', 'Candidate actions of a state'),
    ('improvement.search_improvement.injected_prior',
     'Prior of the stored action in the search'),
    ('pipeline.Reanalyse.value_target_fn', 'Value target'),
    ('pipeline.Reanalyse.td_steps', 'Steps of the value target'),
    ('value_targets.lambda_search.decay', 'Lambda of the value target'),
    ('pipeline.Reanalyse.sample_reuse', 'Uses of each searched window'),
    ('train.train.reanalyse_fraction', 'Share of stored data'),
    ('train.train.snapshot_every',
     'Learner steps between the weights that search'),
    ('train.train.target_decay', 'Share of the old weights in the target'),
    ('train.train.target_period',
     'Learner steps between updates of the target'),
    ('optimizers.adamw.learning_rate', 'Learning rate'),
    ('optimizers.adamw.warmup_steps', 'Learner steps of warm-up'),
    ('optimizers.adamw.weight_decay', 'Weight decay'),
    ('optimizers.adamw.gradient_clip', 'Largest norm of the gradient'),
    ('optimizers.momentum.learning_rate', 'Learning rate, at most'),
    ('optimizers.momentum.warmup_steps', 'Learner steps of warm-up'),
    ('optimizers.momentum.weight_decay', 'Weight decay'),
    ('optimizers.momentum.gradient_clip', 'Largest norm of the gradient'),
    ('train.train.optimizer_fn', 'Optimiser'),
    ('losses.LossWeights.policy', 'Weight of the policy loss'),
    ('losses.LossWeights.value', 'Weight of the value loss'),
    ('losses.LossWeights.reward', 'Weight of the reward loss'),
    ('losses.LossWeights.reconstruction', 'Weight of the reconstruction'),
    ('losses.LossWeights.entropy', 'Weight of the entropy'),
    ('losses.LossWeights.dropout', 'Dropout before policy and value'),
    ('agent.Agent.network_fn', 'Network'),
    ('state.StateNetwork.width', 'Width of the network'),
    ('state.StateNetwork.num_blocks', 'Residual blocks'),
    ('pixels.PixelNetwork.planes', 'Planes of the network'),
    ('pixels.PixelNetwork.num_blocks', 'Residual blocks'),
    ('train.train.compute_dtype', 'Precision of the network'),
)
_EVALUATION = {
    'num_episodes': 'Episodes of each mode',
    'num_environments': 'Episodes at once',
    'num_simulations': 'Simulations of the search',
    'random_start_steps':
        'Random environment steps before an episode, at most',
    'max_steps': 'Decisions of an episode, at most',
    'action_repeat': 'Environment steps per decision',
}


def hyperparameters(settings: Settings) -> dict[str, str]:
  """Returns the settings that a reader asks for, words and values.

  Args:
    settings: of a run; those that the table does not know are left out.
  """
  found: dict[str, str] = {}
  for name, words in _TABLE:
    value = resolve(settings, name)
    if value is not None and words not in found and counts(settings, name):
      text = value_of(value)
      if text:
        found[words] = text
  if 'Learning rate' in found:
    found['Learning rate'] += ', cosine to zero'
  return found


def counts(settings: Settings, name: str) -> bool:
  """Returns whether a setting is not that of a search that nobody asks."""
  search = name.rpartition('.')[0]
  if not search.endswith(('mcts.search', 'gumbel.search')):
    return True
  user = ('modes.mcts.continuous_fn' if search.startswith('acting/') else
          'pipeline.Reanalyse.search_fn')
  return resolve(settings, user) in (None, 'None', f'@{search}')


def evaluation(name: str) -> str:
  """Returns what a setting of an evaluation is called."""
  return _EVALUATION.get(name, humanised(name))


def mode(name: str) -> str:
  """Returns what a way to act is called in tables: `policy` is its mode."""
  return {'policy': 'policy mode', 'sample': 'policy sampled'}.get(name, name)


def name_of(setting: str) -> str:
  """Returns what a setting is called in a sentence."""
  words = dict(_TABLE).get(setting)
  if words:
    return words[:1].lower() + words[1:]
  return humanised(setting).lower()


def humanised(name: str) -> str:
  """Returns a name of code in words: `td_steps` is 'Td steps'."""
  words = re.sub(r'(?<=[a-z])(?=[A-Z])', ' ', name.rpartition('.')[2])
  words = words.replace('_', ' ').strip()
  return words[:1].upper() + words[1:]


def resolve(settings: Settings, name: str) -> Optional[str]:
  """Returns the text of a setting, where a macro stands for it the macro's."""
  text: Optional[str] = settings.get(name)
  for _ in range(len(settings)):
    if text is None or not text.startswith('%'):
      break
    text = settings.get(text[1:])
  return text


def value_of(text: str) -> str:
  """Returns a setting's value in words, empty where there are none."""
  if text in _NAMED:
    return _NAMED[text]
  if text.startswith('@'):  # A function of somebody's own.
    return humanised(text[1:].removesuffix('()')).lower()
  if text[:1] in '%[({' or text in ('None', ''):
    return ''
  if re.fullmatch(r'-?\d+', text):
    return f'{int(text):,}'
  if re.fullmatch(r'-?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?', text):
    return f'{float(text):g}'
  text = text.strip('\'"')
  return {'True': 'yes', 'False': 'no'}.get(text, text)


def title(task: str, action_repeat: int) -> str:
  """Returns a task as a heading."""
  return (task or 'Data without an environment') + (
      f', action repeat {action_repeat}' if action_repeat > 1 else '')


def file_name(text: str) -> str:
  """Returns a text as a part of a file's name."""
  return ''.join(x if x.isalnum() else '_' for x in text).strip('_')


def duration(seconds: float) -> str:
  """Returns a time span, such as '2 min 5 s'."""
  seconds = round(seconds)
  if seconds < 60:
    return f'{seconds} s'
  minutes, seconds = divmod(seconds, 60)
  if minutes < 60:
    return f'{minutes} min {seconds} s' if seconds else f'{minutes} min'
  hours, minutes = divmod(minutes, 60)
  return f'{hours} h {minutes} min' if minutes else f'{hours} h'


def number(x: float) -> str:
  """Returns a number with three digits or so."""
  return f'{x:.0f}' if abs(x) >= 1000 else f'{x:.1f}' if abs(x) >= 10 else (
      f'{x:.2f}')


def count(amount: int, noun: str) -> str:
  """Returns '1 run' or '2 runs'."""
  return f'{amount} {noun}{"" if amount == 1 else "s"}'


def span(values: Sequence[int]) -> str:
  """Returns '10', or '10 to 20' where values differ."""
  low, high = min(values), max(values)
  return str(low) if low == high else f'{low} to {high}'
