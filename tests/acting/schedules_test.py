"""Numbers that change with the learner step."""

import pytest

from tf_muzero.acting import schedules


def test_linear_goes_from_one_value_to_another_and_stays():
  weight = schedules.linear(first=3.0, last=1.0, num_steps=100)
  assert [weight(step) for step in (0, 25, 100, 1000)] == [3.0, 2.5, 1.0, 1.0]


def test_stairs_change_at_once():
  temperature = schedules.stairs(values=[1.0, 0.5, 0.0], until=[10, 20])
  assert [temperature(step) for step in (0, 9, 10, 19, 20, 99)] == [
      1.0, 1.0, 0.5, 0.5, 0.0, 0.0]
  assert schedules.stairs(values=[0.5], until=[])(7) == 0.5


def test_a_number_is_a_schedule_too():
  assert schedules.at(2, 5) == schedules.at(lambda step: step - 3, 5) == 2.0


@pytest.mark.parametrize('make, said', [
    (lambda: schedules.linear(first=-1.0, last=1.0, num_steps=5), 'first must'),
    (lambda: schedules.linear(first=1.0, last=1.0, num_steps=0), 'num_steps'),
    (lambda: schedules.stairs(values=[], until=[]), 'at least one element'),
    (lambda: schedules.stairs(values=[1.0, -1.0], until=[3]), r'values\[1\]'),
    (lambda: schedules.stairs(values=[1.0, 2.0], until=[]), '2 values but the'),
    (lambda: schedules.stairs(values=[1.0, 2.0, 3.0], until=[9, 3]),
     'ascending.*got \\(9, 3\\)')])
def test_wrong_settings(make, said):
  with pytest.raises(ValueError, match=said):
    make()
