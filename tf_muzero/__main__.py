"""The commands, by name: `tf-muzero train`, or `python -m tf_muzero train`.

Without a command, it lists them; nothing heavy is imported for that.
"""

import ast
import os
import runpy
import sys
import textwrap
from typing import NoReturn

import tf_muzero
from tf_muzero.config import annotations
from tf_muzero.config import documentation

_FOLDER = os.path.dirname(os.path.abspath(__file__))
_COMMANDS = ('collect', 'convert', 'inspect', 'train', 'evaluate', 'report',
             'study', 'export', 'reanalyse_service', 'search_demo')


def main() -> NoReturn:
  """Runs the command that the command line names, and exits."""
  name, *rest = sys.argv[1:] or ['']
  if name == '--version':
    print(f'tf-muzero {tf_muzero.__version__}')
  elif name in ('', '--help', '-help', '-h', 'help'):
    print(listing())
    sys.exit(not name)
  elif name in _COMMANDS:
    sys.argv = [f'tf-muzero {name}', *rest]
    if not {'', os.getcwd()} & set(sys.path):
      sys.path.append(os.getcwd())  # For modules of the user's own.
    runpy.run_module(f'tf_muzero.{name}', run_name='__main__', alter_sys=True)
  else:
    sys.exit(f'Error: there is no command {name!r}.'
             f'{annotations.did_you_mean(name, _COMMANDS)} '
             'tf-muzero --help lists them.')
  sys.exit()


def listing() -> str:
  """Returns the commands with a line each."""
  lines = [textwrap.fill(
      documentation.first_line(_docstring(name)), 80,
      initial_indent=f'  {name:<19}', subsequent_indent=' ' * 21)
           for name in _COMMANDS]
  return '\n'.join([
      'tf-muzero COMMAND [--option=value ...]', '',
      documentation.first_line(tf_muzero.__doc__ or ''), '', *lines, '',
      'tf-muzero COMMAND --help says what each takes.'])


def _docstring(name: str) -> str:
  """Returns a command's docstring, without importing it."""
  with open(os.path.join(_FOLDER, f'{name}.py'), encoding='utf-8') as file:
    return ast.get_docstring(ast.parse(file.read())) or ''


if __name__ == '__main__':
  main()
