"""A document of headings, texts, tables and pictures, as Markdown and HTML."""

import base64
import html
import os
import re
from typing import NamedTuple, Sequence, Union

from tf_muzero import paths


class Heading(NamedTuple):
  """A title; level 1 is the document's."""
  level: int
  text: str


class Text(NamedTuple):
  """A paragraph."""
  text: str


class Table(NamedTuple):
  """A table; the first column says what the row is about.

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
    title: what it shows, for those who cannot see it.
  """
  name: str
  title: str


class Pictures(NamedTuple):
  """Pictures side by side where there is room, else below each other.

  Attributes:
    pictures: one or more.
    caption: of them all.
  """
  pictures: Sequence[Picture]
  caption: str


Block = Union[Heading, Text, Table, Pictures]

# Tables scroll by themselves, so that a phone need not scroll the page.
_STYLE = """
:root { color-scheme: light; }
body { font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
       max-width: 64rem; margin: 0 auto; padding: 1rem; color: #1c2733;
       background: #fff; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0.5rem 0; }
h2 { font-size: 1.25rem; margin: 2rem 0 0.5rem; padding-top: 0.75rem;
     border-top: 1px solid #d5dce3; }
h3 { font-size: 1.05rem; margin: 1.5rem 0 0.5rem; }
.table { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-size: 0.9rem;
        font-variant-numeric: tabular-nums; }
th, td { border-bottom: 1px solid #d5dce3; padding: 0.35rem 0.7rem;
         text-align: left; vertical-align: top; overflow-wrap: normal; }
th { background: #f2f5f8; }
td { min-width: 3.5rem; max-width: 22rem; }
td:not(:first-child) { white-space: nowrap; }
td.long { white-space: normal; overflow-wrap: anywhere; min-width: 9rem; }
figure { margin: 1rem 0; }
.pictures { display: grid; gap: 0.5rem;
            grid-template-columns: repeat(auto-fit, minmax(min(19rem, 100%), 1fr));
            }
img { display: block; width: 100%; max-width: 34rem; height: auto; }
figcaption { color: #44515e; font-size: 0.9rem; margin-top: 0.25rem; }
"""
_LONG = 20  # Characters; longer cells may be broken into lines.

_CODE, _CODE_TAG = re.compile('`([^`]+)`'), r'<code>\1</code>'


def write(blocks: Sequence[Block], output: str) -> str:
  """Writes `report.md` and `report.html`; returns the path of the page.

  Args:
    blocks: the first is the page's title.
    output: directory, in which the pictures are.
  """
  page = os.path.join(output, 'report.html')
  for path, text in ((os.path.join(output, 'report.md'), to_markdown(blocks)),
                     (page, to_html(blocks, output))):
    with paths.writing(path, 'output'):
      with open(path, 'w', encoding='utf8') as file:
        file.write(text)
  return page


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
          '<meta name="viewport" content="width=device-width, '
          f'initial-scale=1">\n<title>{title}</title>\n'
          f'<style>{_STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n'
          '</html>\n')


def _markdown(block: Block) -> str:
  if isinstance(block, Heading):
    return f'{"#" * block.level} {block.text}'
  if isinstance(block, Pictures):
    return '\n'.join([*(f'![{x.title}]({x.name})' for x in block.pictures), '',
                      block.caption])
  if isinstance(block, Text):
    return block.text
  lines = [block.header, ['---'] * len(block.header), *block.rows]
  return '\n'.join(
      '| ' + ' | '.join(cell.replace('|', '\\|') for cell in line) + ' |'
      for line in lines)


def _html(block: Block, directory: str) -> str:
  if isinstance(block, Heading):
    text = html.escape(block.text).replace('/', '/<wbr>')  # Names of tasks.
    return f'<h{block.level}>{text}</h{block.level}>'
  if isinstance(block, Text):
    return f'<p>{_text(block.text)}</p>'
  if isinstance(block, Pictures):
    images = '\n'.join(_image(x, directory) for x in block.pictures)
    return (f'<figure><div class="pictures">\n{images}\n</div>'
            f'<figcaption>{_text(block.caption)}</figcaption></figure>')
  head = ''.join(f'<th>{html.escape(cell)}</th>' for cell in block.header)
  rows = '\n'.join('<tr>' + ''.join(map(_cell, row)) + '</tr>'
                   for row in block.rows)
  return (f'<div class="table"><table>\n<thead><tr>{head}</tr></thead>\n'
          f'<tbody>\n{rows}\n</tbody>\n</table></div>')


def _cell(text: str) -> str:
  kind = ' class="long"' if len(text) > _LONG else ''
  return f'<td{kind}>{_text(text)}</td>'


def _image(picture: Picture, directory: str) -> str:
  with open(os.path.join(directory, picture.name), 'rb') as file:
    data = base64.b64encode(file.read()).decode('ascii')
  return (f'<img alt="{html.escape(picture.title)}" '
          f'src="data:image/png;base64,{data}">')


def _text(text: str) -> str:
  return _CODE.sub(_CODE_TAG, html.escape(text))
