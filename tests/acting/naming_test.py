"""Tests of the names of observation entries."""

import keyword

from tf_muzero.acting import naming

_ODD = {'größe': 0, 'joint pos': 0, 'a.b-c': 0, 'Pos': 0, 'pos': 0, 'seed': 0,
        'shape': 0, 'dtype': 0, 'self': 0, 'class': 0, '1st': 0, '日本': 0,
        'robot': {'pos': 0}, 'block': {'pos': 0}, 'robot_pos': 0,
        'discount': {'reward': 0}, 'observation_class': 0}


def test_an_entry_is_called_by_its_path():
  assert naming.paths({'b': {'pos': 1, 'angle': 2}, 'a': 3}) == [
      'a', 'b/angle', 'b/pos']
  assert naming.paths(1) == ['observation']


def test_plain_names_stay_what_they_are():
  observation = {'position': 1, 'velocity_2': 2}
  assert naming.signature_names(observation) == {
      'position': 'position', 'velocity_2': 'velocity_2'}
  assert naming.signature_names(1) == 'observation'


def test_odd_names_become_identifiers_that_differ():
  names = naming.signature_names(_ODD)
  assert names['größe'] == 'gro_e'
  assert names['joint pos'] == 'joint_pos'
  assert names['a.b-c'] == 'a_b_c'
  assert names['block']['pos'] == 'block_pos'
  assert names['seed'] == 'seed_2'
  assert names['shape'] == 'shape'
  flat = [*(x for x in names.values() if isinstance(x, str)),
          *(names[name]['pos'] for name in ('robot', 'block')),
          names['discount']['reward']]
  assert all(name.isidentifier() and name.isascii()
             and not keyword.iskeyword(name) for name in flat)
  assert len({name.lower() for name in flat}) == len(flat) == 17
