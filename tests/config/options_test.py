"""What a command line gives a command without gin, and what it may not."""

from typing import Callable, Literal, Optional, Sequence, Union

import pytest

from tf_muzero import cli
from tf_muzero.config import options


def command(
    directory: str, dataset: Union[str, Callable, None] = None, *,
    num_steps: int = 1, rate: float = 0.5, is_fast: bool = False,
    checkpoint: Union[int, str] = 'last', limit: Optional[int] = None,
    role: Literal['one', 'two'] = 'one', seed: int = 0, verbosity: int = 0,
    sizes: Sequence[int] = (), make_fn: Optional[Callable] = None) -> None:
  """Does nothing."""
  del directory, dataset, num_steps, rate, is_fast, checkpoint, limit, role
  del seed, verbosity, sizes, make_fn


def many(directories: Sequence[str], output: Optional[str] = None) -> None:
  """Does nothing."""
  del directories, output


def _parse(*words, positional=('directory', 'dataset')):
  return options.parse(command, positional, ['command', *words])


@pytest.mark.parametrize('word, value', [
    ('--num_steps=2_000', 2000),
    ('--num_steps=-1', -1),
    ('--rate=2', 2.0),
    ('--rate=1e-3', 0.001),
    ('--is_fast', True),
    ('--nois_fast', False),
    ('--is_fast=true', True),
    ('--checkpoint=4000', 4000),
    ('--checkpoint=best', 'best'),
    ('--limit=7', 7),
    ('--limit=None', None),
    ('--dataset=d', 'd'),
    ('--directory=it\'s "here"', 'it\'s "here"'),
    ('--role=two', 'two'),
    ('--verbosity=3', 3),  # Also a flag of absl: the command's own goes first.
])
def test_a_text_is_read_as_the_annotation_says(word, value):
  (found,) = _parse(word).arguments.values()
  assert found == value and isinstance(found, type(value))


def test_places_options_and_gin_stand_in_any_order():
  given = _parse('--gin_file=a', 'run', '--num_steps', '3', 'data',
                 '--gin_bindings=X = 1', '--gin_file=b')
  assert given == options.Given(
      {'directory': 'run', 'dataset': 'data', 'num_steps': 3}, ['a', 'b'],
      ['X = 1'])


@pytest.mark.parametrize('words, said', [
    (['--num_stepz=3'], 'no option --num_stepz. Did you mean --num_steps?'),
    (['--gin_fil=3'], 'no option --gin_fil. Did you mean --gin_file?'),
    (['--make_fn=f'], 'no option --make_fn.'),
    (['--sizes=1'], 'no option --sizes.'),
    (['--num_steps=3.5'], '--num_steps=3.5: num_steps must be int, got .3.5.'),
    (['--num_steps=many'], 'num_steps must be int, got .many.'),
    (['--rate=nan'], 'rate must be float, got .nan.'),
    (['--limit=x'], 'limit must be int or None, got .x.'),
    (['--is_fast=may: be'], "^--is_fast=may: be: is_fast must be true or "
                            "false, got 'may: be': --is_fast or --nois_fast.$"),
    (['--nois_fast=1'], '--nois_fast=1 does not take an argument.'),
    (['--only_check_args=x'], 'only_check_args=x'),  # A flag of absl.
    (['--num_steps'], 'num_steps'),
    (['run', 'data', 'more'], "Unexpected argument 'more'"),
    (['run', '--directory=other'], 'directory is given twice: run and --dir'),
])
def test_what_cannot_be_is_an_error(words, said):
  with pytest.raises(cli.ConfigError, match=said) as error:
    _parse(*words)
  assert '\n' not in str(error.value)


def test_the_last_place_takes_many():
  parse = lambda *words: options.parse(
      many, ['directories'], ['many', *words]).arguments
  assert parse('a', 'b', '--output=o', 'c') == {
      'directories': ['a', 'b', 'c'], 'output': 'o'}
  assert parse('a') == {'directories': ['a']}
  assert not parse()
