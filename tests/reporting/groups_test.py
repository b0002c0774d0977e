"""Runs of one method as one line, with numbers known by hand."""

import numpy as np

from tests.reporting import report_test
from tf_muzero.reporting import groups
from tf_muzero.reporting import runs


def test_bands_are_over_episodes_of_one_seed_and_over_several_seeds(tmp_path):
  loaded = [runs.load(report_test.make(
      tmp_path / str(i), 'catch', [mean], seed=i, data=(mean, mean)))
      for i, mean in enumerate([1.0, 2.0, 6.0])]
  (one,), (three,) = groups.group(loaded[:1]), groups.group(loaded)
  np.testing.assert_allclose(groups.curve(one, 'mcts'), [[10, 1.0, 0.5]])
  np.testing.assert_allclose(
      groups.curve(three, 'mcts'),
      [[10, 3.0, np.std([1, 2, 6], ddof=1) / 3**0.5]])
  assert groups.data([three]) == runs.Data(3.0, 6.0, 120, False)
  np.testing.assert_allclose(groups.wall_times(three, np.array([5, 10])),
                             [60.0, 130.0])
  assert groups.data(groups.group([*loaded, runs.load(report_test.make(
      tmp_path / 'other', 'catch', [1.0]))])) is None


def test_a_mode_of_the_end_alone_has_no_curve(tmp_path):
  run = report_test.make(
      tmp_path, 'catch', [0.5, 1.0], evaluation=(20, 1.0), mode='value')
  path = tmp_path / 'evaluation.json'
  path.write_text(path.read_text('utf8').replace('"value"', '"mcts"'), 'utf8')
  found = groups.group([runs.load(run)])
  assert found[0].modes == ['value', 'mcts']
  assert groups.modes_of_curves(found) == ['value']


def test_methods_that_end_below_the_data(tmp_path):
  found = groups.group([
      runs.load(report_test.make(
          tmp_path / str(size), 'catch', means, batch_size=size,
          data=(0.4, 0.9)))
      for size, means in ((4, [0.9, 0.3]), (8, [0.1, 0.5]))])
  below = groups.below_data(found)[0]
  assert below == found[0].method != found[1].method


def test_methods_with_data_of_their_own_are_compared_with_that(tmp_path):
  found = groups.group([
      runs.load(report_test.make(
          tmp_path / str(size), 'catch', [mean], batch_size=size,
          data=(data, data)))
      for size, mean, data in ((8, 0.5, 0.1), (16, 0.2, 0.3))])
  assert groups.data(found) is None
  assert [groups.data_of(x).mean for x in found] == [0.1, 0.3]
  below = groups.below_data(found)[0]
  assert '16' in below


def test_one_seed_on_two_datasets_is_not_two_seeds(tmp_path):
  def learned(seed, place):
    return runs.load(report_test.make(
        tmp_path / f'{seed}{place}', 'catch', [1.0], seed=seed)
                     )._replace(place=f'/data/{place}')
  found = groups.group([learned(0, 'few'), learned(0, 'many'),
                        learned(1, 'few'), learned(1, 'many')])
  assert [(x.method, len(x.runs)) for x in found] == [
      ('MuZero Unplugged, data few', 2), ('MuZero Unplugged, data many', 2)]
  # Seeds may have data of their own.
  assert len(groups.group([learned(2, 'few'), learned(3, 'many')])) == 1


def _with(directory, *lines):
  """Returns a run whose settings have these lines too."""
  with open(directory + '/config.gin', 'a', encoding='utf8') as file:
    file.write('\n'.join(lines) + '\n')
  return runs.load(directory)


def test_macros_are_what_they_stand_for(tmp_path):
  make = lambda name, *lines: _with(report_test.make(
      tmp_path / name, 'catch', [1.0]), *lines)
  one, = groups.group([make(
      str(i), f'SEED = {i}', 'train.train.seed = %SEED',
      'train.train.reanalyse_fraction = %SHARE', 'SHARE = 0.5')
                       for i in range(2)])
  assert one.method == 'MuZero Unplugged, 50% stored data'
  assert [run.seed for run in one.runs] == ['0', '1']
  # A part of a setting is told apart.
  assert len(groups.group([make(
      f'part{i}', f'SIZE = {i}', 'pixels.PixelNetwork.planes = [%SIZE, 8]')
                           for i in range(2)])) == 2


def test_methods_that_words_make_alike_have_numbers(tmp_path):
  found = groups.group([_with(
      report_test.make(tmp_path / name, 'catch', [1.0]),
      f"reading.Reading.observation_entries = ['{name}']")
                        for name in ('position', 'velocity')])
  assert [x.method for x in found] == [
      'MuZero Unplugged (observation entries of its own)',
      'MuZero Unplugged (observation entries of its own), 2']


def test_a_weight_of_a_source_makes_a_method_and_how_it_ran_does_not(tmp_path):
  make = lambda name, *lines, seed=0: _with(report_test.make(
      tmp_path / name, 'catch', [1.0], seed=seed), *lines)
  assert len(groups.group([make(
      f'weight{i}', f'replay.Sources.dataset = 0.{i}') for i in (2, 5)])) == 2
  assert len(groups.group([
      make('one'), make('two', "train.train.resume_from = 'best'",
                        'interaction.Interaction.num_processes = 4',
                        "train.train.dataset = 'elsewhere'",
                        "validation.held_out.dataset = 'elsewhere'",
                        seed=1)])) == 1
