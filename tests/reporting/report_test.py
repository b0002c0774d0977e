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


def _make(path, task, means, *, seed=0, improvement='search_improvement',
          batch_size=256, evaluation=None, mode='mcts'):
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
      '{"step": 5, "loss/total": 2.0}\n{"step": 10, "loss/total": 1.0}\n')
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
      _make(root / 'pong1', 'atari:Pong', [-20.7, 18.0, 16.61], seed=1),
      _make(root / 'pong2', 'atari:Pong', [-20.7, -20.7, -20.7], seed=2),
      _make(root / 'pooyan1', 'atari:Pooyan', [400.0, 3211.96], seed=1),
      _make(root / 'pooyan2', 'atari:Pooyan', [400.0, 3211.96], seed=2,
            evaluation=(20, 371.2)),
      _make(root / 'clone', 'atari:Pong', [0.0], mode='sample',
            improvement='cloning_improvement')]


@pytest.fixture(name='output', scope='module')
def _output(directories, tmp_path_factory):
  output = tmp_path_factory.mktemp('report')
  report.report(directories, str(output))
  return output


def test_tables_by_hand(output):
  text = (output / 'report.md').read_text('utf8')
  # Pong: 16.61 is the DQN's score and -20.7 that of chance, so 100% and 0%.
  assert ('| MuZero Unplugged | mcts | 2 | -2.04 ± 18.7 | 30 | 50.0 | 52.8 | '
          '-1.35 ± 19.4 | 10 to 20 |') in text
  # Pooyan: `evaluate` says 0% of seed 2, while training it had 100%.
  assert ('| MuZero Unplugged | mcts | 2 | 1792 ± 1420 | 20 | 50.0 | '
          '3212 ± 0.00 | 20 |') in text
  assert ('| behaviour cloning | sample | 1 | 0.00 ± 0.50 | 10 | 55.5 | 58.6 | '
          '0.00 ± 0.50 | 10 |') in text
  assert '## atari: DQN-normalised score, %, the end of training' in text
  # Each game is 50%: seeds of 100 and of 0.
  assert re.search(r'\| MuZero Unplugged \| mcts \| 2 \| 4 \| '
                   r'50.0 \[0.00, 100.0\] \| 50.0 \[0.00, 100.0\]', text)
  # One seed has no interval.
  assert '| behaviour cloning | sample | 1 | 1 | 55.5 | 55.5 | 55.5 |' in text
  assert 'not of the same tasks' in text
  for setting in ('| num_episodes | 100 | 10 |', '| seed | 7 | – |',
                  '| sticky_actions | 0.25 | – |',
                  '| num_simulations | – | 50 |'):
    assert setting in text


def test_pictures_are_there_and_the_page_needs_nothing_else(output):
  text = (output / 'report.md').read_text('utf8')
  names = re.findall(r'!\[.*?\]\((.*?)\)', text)
  # Aggregates; curves, scores, training, validation.
  assert len(names) == 2 * 1 + 2 * 4
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


def test_runs_with_other_settings_are_another_method(tmp_path):
  found = groups.group([runs.load(_make(
      tmp_path / str(i), 'catch', [0.5], batch_size=size, seed=i))
                        for i, size in enumerate([256, 256, 512])])
  assert [(x.method, len(x.runs)) for x in found] == [
      ('MuZero Unplugged (batch_size 256)', 2),
      ('MuZero Unplugged (batch_size 512)', 1)]


def test_an_evaluation_before_the_end_is_left_out(tmp_path):
  run = runs.load(_make(tmp_path, 'catch', [0.1, 0.4], evaluation=(10, 0.9)))
  assert run.final['mcts'] == runs.Score(20, 0.4, 0.5)


@pytest.mark.parametrize(
    'name, other', [('task', 'atari:Pong'), ('action_repeat', 4)])
def test_an_evaluation_in_another_task_is_left_out(
    tmp_path, caplog, name, other):
  directory = _make(tmp_path, 'catch', [0.1, 0.4], evaluation=(20, 0.9))
  assert runs.load(directory).final['mcts'].mean == 0.9
  path = tmp_path / 'evaluation.json'
  path.write_text(json.dumps({**json.loads(path.read_text()), name: other}))
  run = runs.load(directory)
  assert run.final['mcts'] == runs.Score(20, 0.4, 0.5) and not run.evaluation
  assert f'{name} {other}' in caplog.text


def test_a_run_without_a_configuration_has_its_directory_s_name(tmp_path):
  directory = _make(tmp_path / 'mine', 'catch', [0.1])
  os.remove(os.path.join(directory, 'config.gin'))
  (found,) = groups.group([runs.load(directory)])
  assert (found.method, found.runs[0].seed) == ('mine', '?')


def test_a_last_line_that_is_cut_short_is_left_out(tmp_path):
  directory = _make(tmp_path, 'catch', [0.1, 0.4])
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
    (lambda path: os.remove(path / 'evaluations.jsonl'),
     'was not evaluated.*tf_muzero.evaluate'),
    (_damage('evaluations.jsonl', '{"st\n{"step": 1}\n'), r'jsonl:1 is damag'),
    (_damage('metrics.jsonl', '{"x": 1}\n{"step": 1}\n'), "jsonl:1 .*'step'"),
    (_damage('evaluation.json', '{"step": 3'), 'evaluation.json is damaged'),
    (_damage('evaluation.json', '{"step": 3}'), 'damaged.*evaluations')])
def test_bad_runs(tmp_path, spoil, words):
  directory = _make(tmp_path, 'catch', [0.1])
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


def test_the_report_of_one_run_is_in_its_directory(tmp_path, monkeypatch):
  run = _make(tmp_path / 'run', 'catch', [0.1])
  assert report.report([run]) == os.path.join(run, 'report', 'report.html')
  other = _make(tmp_path / 'other', 'catch', [0.2])
  monkeypatch.chdir(tmp_path)
  assert report.report([run, other]) == os.path.join('report', 'report.html')
  assert (tmp_path / 'report' / 'report.html').exists()
