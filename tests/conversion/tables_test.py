"""Tables with a row for each transition become episodes."""

import collections
import decimal
import os

import numpy as np
import pyarrow
import pyarrow.csv
import pyarrow.dataset
import pyarrow.parquet
import pytest

from tests import conversion_toys as toys
from tf_muzero.conversion import columns as columns_lib
from tf_muzero.conversion import csv_files
from tf_muzero.conversion import tables
from tf_muzero.data import episodes as episodes_lib


def table_of(rows, **changes):
  """Returns a table of rows with the names of the convention."""
  columns = {'episode': np.repeat(np.arange(4), toys.LENGTHS),
             'step': np.concatenate([np.arange(n) for n in toys.LENGTHS])}
  for name in ('observation', 'next_observation'):
    for i in range(3):
      columns[f'{name}_{i}'] = rows[f'{name}s'][:, i]
  if rows['actions'].ndim > 1:
    columns.update({f'action_{i}': rows['actions'][:, i] for i in range(2)})
  else:
    columns['action'] = rows['actions']
  columns.update(reward=rows['rewards'], terminal=rows['terminals'],
                 truncated=rows['timeouts'], comment=['text'] * 13)
  return pyarrow.table({name: values for name, values in {
      **columns, **changes}.items() if values is not None})


@pytest.mark.parametrize('ending', ['parquet', 'csv'])
def test_tables(tmp_path, ending, caplog, monkeypatch):
  caplog.set_level('INFO', logger='absl')
  monkeypatch.setattr('tf_muzero.conversion.tables._AT_ONCE', 4)
  rows, path = toys.steps(), tmp_path / f'x.{ending}'
  write = (pyarrow.parquet.write_table if ending == 'parquet'
           else pyarrow.csv.write_csv)
  write(table_of(rows), path)
  dataset = toys.convert(path, tmp_path / 'data')
  toys.check(dataset, rows)
  assert dataset.metadata['action_columns'] == ['action_0', 'action_1']
  assert 'comment are not read' in caplog.text


def test_columns_of_any_name(tmp_path):
  """Rows out of order, and none of what follows."""
  rows = toys.steps(is_discrete=True)
  table = table_of(rows).take(pyarrow.array([2, 0, 1, *range(3, 13)])).select(
      ['episode', 'step', 'observation_2', 'observation_0', 'action', 'reward',
       'terminal']).rename_columns(
           ['who', 'when', 'z', 'x', 'what', 'how_much', 'over'])
  pyarrow.parquet.write_table(table, tmp_path / 'x.parquet')
  dataset = toys.convert(
      tmp_path / 'x.parquet', tmp_path / 'data', episode_column='who',
      step_column='when', observation_columns='x,z', action_columns=['what'],
      reward_column='how_much', terminal_column='over')
  found = episodes_lib.load_episodes(dataset)
  assert [len(x.reward) - 1 for x in found] == [3, 5, 3]
  np.testing.assert_allclose(
      found[0].observation[:3], rows['observations'][:3, [0, 2]], rtol=1e-6)
  assert found[0].action[:3].tolist() == rows['actions'][:3].tolist()


def test_columns_of_lists(tmp_path):
  rows = toys.steps()
  table = table_of(rows, **{
      f'{name}_{i}': None for name in ('observation', 'next_observation',
                                       'action') for i in range(3)})
  for name in ('observation', 'next_observation', 'action'):
    table = table.append_column(name, pyarrow.array(list(rows[f'{name}s'])))
  pyarrow.parquet.write_table(table, tmp_path / 'x.parquet')
  toys.check(toys.convert(tmp_path / 'x.parquet', tmp_path / 'data'), rows)


def test_steps_may_be_times(tmp_path):
  rows = toys.steps()
  times = np.concatenate([0.1 * np.arange(n) for n in toys.LENGTHS])
  pyarrow.parquet.write_table(
      table_of(rows, step=times), tmp_path / 'x.parquet')
  toys.check(toys.convert(tmp_path / 'x.parquet', tmp_path / 'data'), rows)


def _without_terminals(table):
  return table.drop_columns(['terminal'])


@pytest.mark.parametrize('change, settings, message', [
    (lambda x: x.take(pyarrow.array([0, 3, 1, 2, *range(4, 13)])), {},
     'rows of this episode stand before .*sort_by'),
    (lambda x: x.take(pyarrow.array([0, 2, *range(3, 13)])), {},
     'x.parquet, episode 0, rows 0 to 1, step 0: the next observation'),
    (lambda x: x.take(pyarrow.array([*range(4), 4, 5, 7, 8, *range(9, 13)])),
     {'check_next_observations': False}, 'step 3 follows step 1.*Are rows'),
    (_without_terminals, {}, 'no column terminal, terminated or done'),
    (lambda x: x.drop_columns(['reward']), {}, 'surely the reward: name it'),
    (lambda x: x.append_column('done', x['terminal']), {},
     'several columns that may be the terminal: terminal, done'),
    (lambda x: x, {'reward_column': 'gain'}, "no column 'gain' \\(reward\\)"),
    (lambda x: x, {'observation_columns': 'comment'}, 'observations .comment.'),
    (lambda x: x.set_column(2, 'observation_0', pyarrow.array([None] * 13)), {},
     "Column 'observation_0' has no value in row 0"),
    (lambda x: x.drop_columns(['reward']).append_column(
        'reward', pyarrow.array([[1]] * 7 + [[None]] + [[1]] * 5)), {},
     "Column 'reward' has no value in row 7"),
    (lambda x: x.append_column('action', pyarrow.array(
        [[1, 2]] * 7 + [[1, None]] + [[1, 2]] * 5)),
     {'action_columns': 'action'}, "Column 'action' has no value in row 7"),
    (lambda x: x.set_column(2, 'observation_0', x['comment']), {},
     "'observation_0' must be of numbers, got string"),
    (lambda x: x.set_column(2, 'observation_0', pyarrow.array(
        [1.0] * 4 + [float('nan')] + [1.0] * 8)),
     {'check_next_observations': False},
     'episode 2, rows 4 to 8, step 0: observation is not finite'),
    (lambda x: x.set_column(0, 'episode', pyarrow.array([np.nan] * 13)), {},
     "Column 'episode' is nan in row 0"),
    (lambda x: x.set_column(0, 'episode', pyarrow.array([[1]] * 13)), {},
     "'episode' must have one value in each row, got list"),
    (lambda x: x.drop_columns(['reward']).append_column(
        'reward', pyarrow.array([[1.0, 2.0]] * 13)), {},
     "'reward' must have one number in each row, got lists of 2"),
    (lambda x: x.set_column(11, 'terminal', pyarrow.array([True] * 13)), {},
     'row 0 is terminal, and other rows of the episode follow')])
def test_tables_that_do_not_fit_are_told(tmp_path, change, settings, message):
  pyarrow.parquet.write_table(
      change(table_of(toys.steps())), tmp_path / 'x.parquet')
  with pytest.raises(ValueError, match=message):
    toys.convert(tmp_path / 'x.parquet', tmp_path / 'data', **settings)
  assert os.listdir(tmp_path) == ['x.parquet']


def test_no_terminals_when_it_is_said(tmp_path):
  pyarrow.parquet.write_table(
      _without_terminals(table_of(toys.steps())), tmp_path / 'x.parquet')
  dataset = toys.convert(tmp_path / 'x.parquet', tmp_path / 'data',
                         terminal_column='')
  assert all(x.discount.all() for x in episodes_lib.load_episodes(dataset))


@pytest.mark.parametrize('name, separator', [
    ('x.TSV', '\t'), ('x.Csv', ','), ('x.csv', ', ')])
def test_text_as_others_write_it(tmp_path, name, separator):
  """Spaces in the header, and whole numbers where others come later."""
  rows = toys.steps()
  rows['observations'][:3, 0] = rows['next_observations'][:2, 0] = 1.0
  table = table_of(rows, comment=None)
  lines = [separator.join(table.column_names)] + [
      separator.strip(' ').join(
          str(int(x) if x == int(x) else x) for x in row.values())
      for row in table.to_pylist()]
  (tmp_path / name).write_text('\n'.join(lines))
  toys.check(toys.convert(
      tmp_path / name, tmp_path / 'data', check_next_observations=False), rows)


def test_whole_numbers_may_be_followed_by_others(tmp_path):
  """As where the types of a large file were guessed by its first part."""
  header = 'episode,obs_0,action,reward,terminal\n'
  part = ''.join(f'{i},1,{i % 2},0,{k}\n' for i in range(40_000)
                 for k in (0, 1))
  (tmp_path / 'x.csv').write_text(header + part + '40000,0.5,1,0.25,1\n')
  table = tables.open_table(
      str(tmp_path / 'x.csv'), columns_lib.Columns(),
      check_next_observations=False)
  *_, last = table.read_fn(collections.Counter())
  assert last.observation[0] == [0.5] and last.reward == [0.25]


_NAMES = 'episode,obs_0,action,reward,terminal'
_ROWS = '0,1.5,0,0.25,false\n0,2.5,1,1.25,true\n1,3.5,0,0.5,true\n'
_SEMICOLONS = f'{_NAMES}\n{_ROWS}'.replace(',', ';').replace('.', ',')
_COMMAS = {'decimal_point': ','}


@pytest.mark.parametrize('text, settings', [
    (f'{_NAMES}\n{_ROWS}', {}),
    (_SEMICOLONS, {'separator': ';', **_COMMAS}),
    (_SEMICOLONS.replace(';', '\t'), {'separator': 'tab', **_COMMAS}),
    (f'{_NAMES}\n{_ROWS}'.replace('1.5', '"1,5"').replace('2.5', '"2,5"')
     .replace('3.5', '"3,5"').replace('1.25', '"1,25"')
     .replace(',0.25', ',"0,25"').replace('0.5', '"0,5"'), _COMMAS),
    (_ROWS, {'column_names': _NAMES})])
def test_text_that_is_told_of(tmp_path, text, settings):
  (tmp_path / 'x.csv').write_text(text)
  table = tables.open_table(
      str(tmp_path / 'x.csv'), columns_lib.Columns(),
      check_next_observations=False, text=csv_files.Text(**settings))
  first, second = table.read_fn(collections.Counter())
  assert np.ravel(first.observation).tolist()[:2] == [1.5, 2.5]
  assert first.reward.tolist() == [0.25, 1.25] and second.is_terminal


@pytest.mark.parametrize('text, settings, message', [
    (_SEMICOLONS, {}, "has ';' between its values.* Set separator = ';'"),
    (_SEMICOLONS, {'separator': ';'}, "x.csv': Column 'obs_0' must be of "
     "numbers, got string: in row 0 it is '1,5'. .* decimal_point = ','"),
    (_SEMICOLONS, {'separator': '; '}, "one character, or 'tab', got '; '"),
    (_ROWS, {}, r"no names in its first row, it seems: 0, 1.5, 0, 0.25, ... "
     "Name its 5 columns with column_names = 'episode,step,...'"),
    (_ROWS, {'decimal_point': 'x'}, "must be '.' or ',', got 'x'"),
    (f'{_NAMES}\n{_ROWS}3,4\n', {}, r"csv' cannot be read as CSV: Row #5: "
     'Expected 5 columns, got 2: 3,4'),
    (f'{_NAMES}\n'.replace('obs_0', 'reward') + _ROWS, {},
     "several columns called 'reward'"),
    ('', {}, 'is empty'),
    (f'{_NAMES}\n{_ROWS}'.replace('1.25', 'much'), {},
     "'reward' must be of numbers, got string: in row 1 it is 'much'."),
    (f'{_NAMES}\n' + 80_000 * _ROWS[:19] + '0,1.5,0,much,false\n', {},
     "cannot be read: column 'reward': .*'much'")])
def test_text_that_is_something_else_is_told(tmp_path, text, settings, message):
  (tmp_path / 'x.csv').write_text(text)
  with pytest.raises(ValueError, match=message):
    toys.convert(tmp_path / 'x.csv', tmp_path / 'data', **settings)


@pytest.mark.parametrize('kind', ['folders', 'partitions', 'mixed'])
def test_folders_of_parquet(tmp_path, kind):
  rows, path = toys.steps(), tmp_path / 'x'
  table = table_of(rows)
  if kind == 'partitions':
    pyarrow.dataset.write_dataset(
        table, path, format='parquet',
        partitioning=pyarrow.dataset.partitioning(
            pyarrow.schema([('episode', pyarrow.int64())]), flavor='hive'))
  for i, (start, stop) in enumerate(() if kind == 'partitions' else (
      (0, 4), (4, 13))):
    folder = path / str(i) if kind == 'folders' else path
    folder.mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(
        table.slice(start, stop - start), folder / f'{i}.parquet')
  (path / 'README.md').write_text('What this is.')
  toys.check(toys.convert(path, tmp_path / 'data'), rows)


def test_decimals_categories_and_words_are_what_they_say(tmp_path):
  rows = toys.steps()
  for name in ('rewards', 'observations', 'next_observations'):
    rows[name] = np.round(rows[name], 4)
  table = table_of(rows)
  changes = {
      'reward': pyarrow.array([decimal.Decimal(f'{x:.4f}')
                               for x in rows['rewards']]),
      'observation_1': table['observation_1'].combine_chunks(
          ).dictionary_encode(),
      'terminal': pyarrow.array([str(x) for x in rows['terminals']])}
  for name, column in changes.items():
    table = table.set_column(
        table.schema.get_field_index(name), name, column)
  pyarrow.parquet.write_table(table, tmp_path / 'x.parquet')
  toys.check(toys.convert(tmp_path / 'x.parquet', tmp_path / 'data'), rows)


@pytest.mark.parametrize('next_name', [
    'obs_next', 'observation_next', 'next_obs'])
def test_what_follows_may_be_named_the_other_way_round(tmp_path, next_name):
  rows = toys.steps()
  table = table_of(rows)
  pyarrow.parquet.write_table(table.rename_columns([
      x.replace('next_observation', next_name) for x in table.column_names]),
                              tmp_path / 'x.parquet')
  toys.check(toys.convert(tmp_path / 'x.parquet', tmp_path / 'data'), rows)


def test_done_at_a_limit_is_no_terminal_end(tmp_path, caplog):
  rows = toys.steps()
  at_end = rows['terminals'] | rows['timeouts']
  table = table_of(rows, terminal=None, done=at_end)
  pyarrow.parquet.write_table(table, tmp_path / 'x.parquet')
  toys.check(toys.convert(tmp_path / 'x.parquet', tmp_path / 'data'), rows)
  assert 'In 2 of 4 episodes, the end is marked as done and' in caplog.text


def test_floats_that_are_missing_are_those_of_a_bad_episode(tmp_path, caplog):
  values = toys.steps()['rewards'].tolist()
  values[4] = None
  pyarrow.parquet.write_table(
      table_of(toys.steps(), reward=pyarrow.array(values)),
      tmp_path / 'x.parquet')
  with pytest.raises(ValueError, match='rows 4 to 8, step 0: reward is not'):
    toys.convert(tmp_path / 'x.parquet', tmp_path / 'data')
  dataset = toys.convert(tmp_path / 'x.parquet', tmp_path / 'data',
                         on_bad_episode='skip')
  assert dataset.num_episodes == 3
  assert 'rows 4 to 8, step 0: reward is not finite: it is nan. Skip' in (
      caplog.text)


def test_what_is_of_another_kind_is_refused(tmp_path):
  pyarrow.parquet.write_table(table_of(toys.steps()), tmp_path / 'x.parquet')
  with pytest.raises(ValueError, match='max_episode_steps is of arrays'):
    toys.convert(tmp_path / 'x.parquet', tmp_path / 'data',
                 max_episode_steps=5)
