"""Settings of a run in words."""

import pytest

from tf_muzero.reporting import words

_SETTINGS = {
    'BATCH_SIZE': '512', 'train.train.batch_size': '%BATCH_SIZE',
    'train.train.num_steps': '12000', 'agent.Agent.discount': '0.99',
    'optimizers.adamw.learning_rate': '0.002',
    'optimizers.adamw.weight_decay': '1e-4',
    'pipeline.Reanalyse.improvement_fn': '@improvement.cloning_improvement',
    'pipeline.Reanalyse.search_fn': '@mine.best_first()',
    'evaluate.during_training.modes': '[@modes.policy()]',
    'train.train.compute_dtype': "'bfloat16'"}


def test_hyperparameters():
  found = words.hyperparameters(_SETTINGS)
  assert list(found.items()) == [
      ('Learner steps', '12,000'), ('Windows per batch', '512'),
      ('Discount', '0.99'),
      ('Policy improvement', 'none, the stored action is copied'),
      ('Search', 'best first'), ('Learning rate', '0.002, cosine to zero'),
      ('Weight decay', '0.0001'), ('Precision of the network', 'bfloat16')]
  assert not words.hyperparameters({})


def test_searches_that_nobody_asks_are_not_told():
  found = words.hyperparameters({
      'pipeline.Reanalyse.search_fn': '@gumbel.search',
      'gumbel.search.num_simulations': '16',
      'mcts.search.num_simulations': '32',
      'modes.mcts.continuous_fn': '@acting/gumbel.search',
      'acting/gumbel.search.num_simulations': '24',
      'acting/mcts.search.num_simulations': '50'})
  assert found == {'Search': 'Gumbel MuZero', 'Simulations': '16',
                   'Simulations when acting': '24'}


@pytest.mark.parametrize('name, expected', [
    ('train.train.batch_size', 'windows per batch'),
    ('mine.Search.widest_tree', 'widest tree')])
def test_names(name, expected):
  assert words.name_of(name) == expected


@pytest.mark.parametrize('text, expected', [
    ('True', 'yes'), ("'cpu'", 'cpu'), ('None', ''), ('5.0', '5'),
    ("('a', 1)", ''), ('1000000', '1,000,000')])
def test_values(text, expected):
  assert words.value_of(text) == expected


@pytest.mark.parametrize('seconds, expected', [
    (4.4, '4 s'), (60, '1 min'), (130, '2 min 10 s'), (7265, '2 h 1 min')])
def test_durations(seconds, expected):
  assert words.duration(seconds) == expected
