"""A document of headings, texts, tables and pictures, as Markdown and HTML."""

import base64
import html
import os
import re
from typing import NamedTuple, Sequence, Union


class Heading(NamedTuple):
  """A title; level 1 is the document's."""
  level: int
  text: str


class Text(NamedTuple):
  """A paragraph."""
  text: str


class Table(NamedTuple):
  """A table.

  Attributes:
    header: of the columns.
    rows: as many cells each.
  """
  header: Sequence[str]
  rows: Sequence[Sequence[str]]


class Picture(NamedTuple):
  """A PNG file.

  Attributes:
    name: of the file, beside the document.
    caption: what it shows.
  """
  name: str
  caption: str


Block = Union[Heading, Text, Table, Picture]

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto;
       padding: 0 1rem; color: #1c2733; }
table { border-collapse: collapse; margin: 1rem 0; font-size: 0.9rem;
        display: block; overflow-x: auto; font-variant-numeric: tabular-nums; }
th, td { border-bottom: 1px solid #d5dce3; padding: 0.3rem 0.7rem;
         text-align: left; vertical-align: top; }
td { white-space: nowrap; }
th { background: #f2f5f8; }
img { max-width: 100%; }
figure { margin: 1rem 0; }
figcaption { color: #5a6875; font-size: 0.9rem; }
"""


_CODE, _CODE_TAG = re.compile('`([^`]+)`'), r'<code>\1</code>'


def to_markdown(blocks: Sequence[Block]) -> str:
  """Returns Markdown that refers to the pictures by their names."""
  return '\n\n'.join(_markdown(block) for block in blocks) + '\n'


def to_html(blocks: Sequence[Block], directory: str) -> str:
  """Returns a page that needs no other file.

  Args:
    blocks: the first is the page's title.
    directory: of the pictures, which are embedded.
  """
  title = html.escape(blocks[0].text) if isinstance(blocks[0], Heading) else ''
  body = '\n'.join(_html(block, directory) for block in blocks)
  return (f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
          f'<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n'
          f'{body}\n</body>\n</html>\n')


def _markdown(block: Block) -> str:
  if isinstance(block, Heading):
    return f'{"#" * block.level} {block.text}'
  if isinstance(block, Picture):
    return f'![{block.caption}]({block.name})'
  if isinstance(block, Text):
    return block.text
  lines = [block.header, ['---'] * len(block.header), *block.rows]
  return '\n'.join(
      '| ' + ' | '.join(cell.replace('|', '\\|') for cell in line) + ' |'
      for line in lines)


def _html(block: Block, directory: str) -> str:
  if isinstance(block, Heading):
    return f'<h{block.level}>{html.escape(block.text)}</h{block.level}>'
  if isinstance(block, Text):
    return f'<p>{_CODE.sub(_CODE_TAG, html.escape(block.text))}</p>'
  if isinstance(block, Picture):
    with open(os.path.join(directory, block.name), 'rb') as file:
      data = base64.b64encode(file.read()).decode('ascii')
    caption = html.escape(block.caption)
    return (f'<figure><img alt="{caption}" src="data:image/png;base64,{data}">'
            f'<figcaption>{caption}</figcaption></figure>')
  head = ''.join(f'<th>{html.escape(cell)}</th>' for cell in block.header)
  rows = '\n'.join(
      '<tr>' + ''.join(f'<td>{html.escape(cell)}</td>' for cell in row)
      + '</tr>' for row in block.rows)
  return (f'<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody>'
          '\n</table>')
