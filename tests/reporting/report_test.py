"""The report of runs that were made up, with numbers known by hand."""

import json
import os
import re

import numpy as np
from PIL import Image
import pytest

from tf_muzero import envs
from tf_muzero import report
from tf_muzero.acting import run_directory
from tf_muzero.acting import starts
from tf_muzero.learning import tensorboard
from tf_muzero.reporting import groups
from tf_muzero.reporting import runs

_CONFIG = """from __gin__ import dynamic_registration

DATASET = '{dataset}'

pipeline.Reanalyse.improvement_fn = @improvement.{improvement}
train.train.seed = {seed}
train.train.batch_size = {batch_size}
evaluate.during_training.num_episodes = 10
acting/mcts.search.num_simulations = 50
"""


def make(path, task, means, *, seed=0, improvement='search_improvement',
          batch_size=256, evaluation=None, mode='mcts', data=None):
  """Writes a run whose evaluations had these means, at steps 10, 20, ..."""
  spec = envs.spec(envs.load('catch', seed=0))
  run_directory.save_task(
      str(path), run_directory.Task(task, 1, spec, num_datapoints=100))
  (path / 'config.gin').write_text(_CONFIG.format(
      dataset=path, improvement=improvement, seed=seed, batch_size=batch_size))
  lines = [{'step': 10 * i, f'evaluation/{mode}': mean,
            f'evaluation/{mode}_standard_error': 0.5,
            'validation/value_spread': 1.0, 'validation/value_error_0': 0.5 / i,
            'validation/value_error_5': 1.0 / i}
           for i, mean in enumerate(means, 1)]
  (path / 'evaluations.jsonl').write_text(
      ''.join(json.dumps(line) + '\n' for line in lines))
  (path / 'metrics.jsonl').write_text(
      '{"step": 5, "loss/total": 2.0, "time/elapsed_seconds": 60.0, '
      '"time/steps_per_second": 2.0}\n'
      '{"step": 10, "loss/total": 1.0, "time/elapsed_seconds": 130.0, '
      '"time/steps_per_second": 4.0}\n')
  if data:
    mean, best = data
    (path / 'fitted.json').write_text(json.dumps({
        'data': {'place': 'data/mine'}, 'survey': {
            'mean_return': mean, 'best_return': best, 'num_episodes': 40,
            'is_sample': False}}))
  if evaluation:
    step, mean = evaluation
    (path / 'evaluation.json').write_text(json.dumps({
        'task': task, 'step': step, 'seed': 7, 'num_episodes': 100,
        'protocol': {'sticky_actions': 0.25}, 'evaluations': [
            {'mode': mode, 'mean': mean, 'standard_error': 0.1}]}))
  return str(path)


@pytest.fixture(name='directories', scope='module')
def _directories(tmp_path_factory):
  """Two games, two seeds of one method and one of another."""
  root = tmp_path_factory.mktemp('runs')
  return [
      make(root / 'pong1', 'atari:Pong', [-20.7, 18.0, 16.61], seed=1),
      make(root / 'pong2', 'atari:Pong', [-20.7, -20.7, -20.7], seed=2),
      make(root / 'pooyan1', 'atari:Pooyan', [400.0, 3211.96], seed=1),
      make(root / 'pooyan2', 'atari:Pooyan', [400.0, 3211.96], seed=2,
            evaluation=(20, 371.2)),
      make(root / 'clone', 'atari:Pong', [0.0], mode='sample',
            improvement='cloning_improvement')]


@pytest.fixture(name='output', scope='module')
def _output(directories, tmp_path_factory):
  output = tmp_path_factory.mktemp('report')
  report.report(directories, str(output))
  return output


def test_tables_by_hand(output):
  text = (output / 'report.md').read_text('utf8')
  # Pong: 16.61 is the DQN's score and -20.7 that of chance, so 100% and 0%.
  assert ('| MuZero Unplugged | mcts | 2 | -2.04 ± 18.7 | 10 | 30 | 50.0 | '
          '52.8 | -1.35 ± 19.4 | 10 to 20 |') in text
  # Pooyan: `evaluate` says 0% of seed 2, while training it had 100%.
  assert ('\n| mcts | 2 | 1792 ± 1420 | 10 to 100 | 20 | 50.0 | '
          '3212 ± 0.00 | 20 |') in text
  assert ('| behaviour cloning | policy sampled | 1 | 0.00 ± 0.50 | 10 | 10 | '
          '55.5 | 58.6 | 0.00 ± 0.50 | 10 |') in text
  assert 'where a method has one seed, over the episodes' in text
  assert '## atari: DQN-normalised score, %, the end of training' in text
  # Each game is 50%: seeds of 100 and of 0.
  assert re.search(r'\| MuZero Unplugged \| mcts \| 2 \| 4 \| '
                   r'50.0 \[0.00, 100.0\] \| 50.0 \[0.00, 100.0\]', text)
  # One seed has no interval.
  assert ('| behaviour cloning | policy sampled | 1 | 1 | 55.5 | 55.5 | 55.5 |'
          ) in text
  assert 'not of the same tasks' in text
  for setting in ('| Episodes of each mode | 100 | 10 |', '| Seed | 7 | – |',
                  '| Sticky actions | 0.25 | – |',
                  '| Simulations of the search | – | 50 |'):
    assert setting in text


def test_pictures_are_there_and_the_page_needs_nothing_else(output):
  text = (output / 'report.md').read_text('utf8')
  names = re.findall(r'!\[.*?\]\((.*?)\)', text)
  # Three aggregates of two checkpoints; of both games curves over steps (of one
  # and of two modes) and over time, scores, training, validation.
  assert len(names) == 3 * 2 + (1 + 4) + (2 + 4)
  assert sorted(names) == sorted(
      name for name in os.listdir(output) if name.endswith('.png'))
  for name in names:
    picture = np.asarray(Image.open(output / name).convert('L'))
    assert min(picture.shape) > 100 and picture.std() > 5
  page = (output / 'report.html').read_text('utf8')
  assert page.count('src="data:image/png;base64,') == len(names)
  assert not re.search(r'(src|href)="(?!data:)', page)
  assert '<td>50.0 [0.00, 100.0]</td>' in page
  assert page.index('How it was evaluated') < page.index('The runs')
  assert '<meta name="viewport" content="width=device-width' in page


def test_what_a_policy_is_worth_without_playing_is_drawn(tmp_path):
  directory = make(tmp_path / 'run', 'catch', [0.1, 0.9])
  path = tmp_path / 'run' / 'evaluations.jsonl'
  path.write_text(''.join(
      json.dumps({'step': step, 'validation/fitted_value': 0.5 * step,
                  'validation/own_value': 9.0}) + '\n' for step in (10, 20)))
  report.report([directory], str(tmp_path / 'report'))
  text = (tmp_path / 'report' / 'report.md').read_text('utf8')
  assert 'What the policy is worth by the stored episodes' in text
  assert 'no returns' in text
  for name in ('fitted', 'own'):
    assert f'_validation_{name}_value.png' in text


def test_one_run_tells_of_its_data_its_time_and_what_made_it(tmp_path):
  directory = make(tmp_path / 'run', 'catch', [0.1, 0.9, 0.5], data=(-0.6, 1))
  best = tmp_path / 'run' / 'checkpoints' / 'best'
  best.mkdir(parents=True)
  (best / 'best.json').write_text(
      '{"step": 20, "metric": "evaluation/mcts", "value": 0.9}')
  starts.add(directory, tensorboard.open_writer(directory), 0, parameters=123)
  (tmp_path / 'run' / 'run.json').write_text(json.dumps({'starts': [
      {**starts.load(directory)[0], 'tensorflow': version, 'cores': 2}
      for version in ('2.15.0', '2.15.1', '2.15.1')]}))
  report.report([directory], str(tmp_path / 'report'))
  text = (tmp_path / 'report' / 'report.md').read_text('utf8')
  assert text.startswith('# catch: 1 run\n')
  assert ('MuZero Unplugged: 1 seed, 30 learner steps, 2 min 10 s on 2 cores.'
          in text)
  assert 'Each method has one seed' in text and 'interval' not in text
  assert '| mcts | 1 | 0.50 ± 0.50 | 10 | 30 | 0.90 ± 0.50 | 20 |' in text
  assert 'its 40 episodes is -0.60, the best 1.00' in text
  for row in ('| Windows per batch | 256 |', '| Simulations when acting | 50 |',
              '| Policy improvement | search |', '| Data | data/mine |',
              '| Wall time | 2 min 10 s |',
              '| Learner steps per second | 3.00 |',
              '| Best checkpoint that is kept | step 20: mean return of mcts '
              '0.90 |', '| Parameters | 123 |', '| Starts | 3 |',
              '| TensorFlow | 2.15.0; 2.15.1 |', '| Cores | 2 |'):
    assert row in text
  # Nothing is in the words of the configuration.
  assert not re.search(r'@\w|%[A-Z]|train\.train|\.search\b|_every', text)


def test_a_run_that_was_not_evaluated_shows_what_it_learned(tmp_path):
  directory = make(tmp_path / 'run', '', [0.1, 0.2], data=(3.0, 4.0))
  path = tmp_path / 'run' / 'evaluations.jsonl'
  path.write_text(re.sub(r'"evaluation/\w+": [\d.]+, ', '', path.read_text()))
  report.report([directory], str(tmp_path / 'report'))
  text = (tmp_path / 'report' / 'report.md').read_text('utf8')
  assert text.startswith('# Data without an environment: 1 run\n')
  assert 'No episodes were played' in text and '## Return' not in text
  assert '## The model on held-out episodes' in text and '## Losses' in text
  assert '| Learner steps | 20 |' in text


def test_data_is_not_compared_with_episodes_that_were_cut_off(tmp_path):
  directory = make(tmp_path / 'run', 'catch', [0.1], data=(-0.6, 1))
  assert not runs.load(directory).is_cut_off
  with open(tmp_path / 'run' / 'config.gin', 'a', encoding='utf8') as file:
    file.write('evaluate.during_training.max_steps = 5\n')
  report.report([directory], str(tmp_path / 'report'))
  text = (tmp_path / 'report' / 'report.md').read_text('utf8')
  assert 'cut off early' in text
  assert '| Decisions of an episode, at most | 5 |' in text


def test_clipped_returns_of_games_are_not_compared_with_scores(tmp_path):
  run = runs.load(make(tmp_path, 'atari:Pong', [1.0], data=(1.0, 2.0)))
  assert run.data is None and run.place == 'data/mine'


def test_runs_with_other_settings_are_another_method(tmp_path):
  found = groups.group([runs.load(make(
      tmp_path / str(i), 'catch', [0.5], batch_size=size, seed=i))
                        for i, size in enumerate([256, 256, 512])])
  assert [(x.method, len(x.runs)) for x in found] == [
      ('MuZero Unplugged (windows per batch 256)', 2),
      ('MuZero Unplugged (windows per batch 512)', 1)]


def test_an_evaluation_before_the_end_is_left_out(tmp_path):
  run = runs.load(make(tmp_path, 'catch', [0.1, 0.4], evaluation=(10, 0.9)))
  assert run.final['mcts'] == runs.Score(20, 0.4, 0.5, 10)


@pytest.mark.parametrize(
    'name, other', [('task', 'atari:Pong'), ('action_repeat', 4)])
def test_an_evaluation_in_another_task_is_left_out(
    tmp_path, caplog, name, other):
  directory = make(tmp_path, 'catch', [0.1, 0.4], evaluation=(20, 0.9))
  assert runs.load(directory).final['mcts'].mean == 0.9
  path = tmp_path / 'evaluation.json'
  path.write_text(json.dumps({**json.loads(path.read_text()), name: other}))
  run = runs.load(directory)
  assert run.final['mcts'] == runs.Score(20, 0.4, 0.5, 10)
  assert not run.evaluation
  assert f'{name} {other}' in caplog.text


def test_a_run_without_a_configuration_has_its_directory_s_name(tmp_path):
  directory = make(tmp_path / 'mine', 'catch', [0.1])
  os.remove(os.path.join(directory, 'config.gin'))
  (found,) = groups.group([runs.load(directory)])
  assert (found.method, found.runs[0].seed) == ('mine', '?')


def test_a_last_line_that_is_cut_short_is_left_out(tmp_path):
  directory = make(tmp_path, 'catch', [0.1, 0.4])
  for name in ('evaluations.jsonl', 'metrics.jsonl'):
    with open(tmp_path / name, 'a', encoding='utf8') as file:
      file.write('{"step": 30, "evalu')
  run = runs.load(directory)
  assert len(run.curve['mcts']) == 2
  assert run.metrics['loss/total'].tolist() == [[5.0, 2.0], [10.0, 1.0]]


def _damage(name, text):
  return lambda path: (path / name).write_text(text)


@pytest.mark.parametrize('spoil, words', [
    (lambda path: os.remove(path / 'task.json'), 'no task.json'),
    (lambda path: (os.remove(path / 'evaluations.jsonl'),
                   os.remove(path / 'metrics.jsonl')),
     'nothing to report.*tf-muzero evaluate'),
    (_damage('fitted.json', '{"survey": {"mean_return": 1}}'),
     'fitted.json is damaged.*best_return'),
    (_damage('checkpoints/best/best.json', '{'), 'best.json is damaged'),
    (_damage('evaluations.jsonl', '{"st\n{"step": 1}\n'), r'jsonl:1 is damag'),
    (_damage('metrics.jsonl', '{"x": 1}\n{"step": 1}\n'), "jsonl:1 .*'step'"),
    (_damage('evaluation.json', '{"step": 3'), 'evaluation.json is damaged'),
    (_damage('evaluation.json', '{"step": 3}'), 'damaged.*evaluations')])
def test_bad_runs(tmp_path, spoil, words):
  directory = make(tmp_path, 'catch', [0.1])
  (tmp_path / 'checkpoints' / 'best').mkdir(parents=True)
  spoil(tmp_path)
  with pytest.raises(ValueError, match=words):
    runs.load(directory)


def test_the_command_tells_what_is_wrong(tmp_path, directories):
  for arguments, words in (
      ([], 'Name one or more'),
      ([str(tmp_path)], 'is not a run directory'),
      ([directories[0]] * 2, 'named twice')):
    with pytest.raises(ValueError, match=words):
      report.report(arguments)


def test_a_report_is_on_this_machine(directories):
  with pytest.raises(ValueError, match='must be on this machine.*gs://x'):
    report.report([directories[0]], 'gs://x')


def test_the_report_of_one_run_is_in_its_directory(tmp_path, monkeypatch):
  run = make(tmp_path / 'run', 'catch', [0.1])
  assert report.report([run]) == os.path.join(run, 'report', 'report.html')
  other = make(tmp_path / 'other', 'catch', [0.2])
  monkeypatch.chdir(tmp_path)
  assert report.report([run, other]) == os.path.join('report', 'report.html')
  assert (tmp_path / 'report' / 'report.html').exists()
