"""Markdown reading lists: bytes to entries with typed keys, and exact edits back to bytes.

`Document.load(path)` reads a list; `insert`, `annotate`, `move` and `mark` say how to change it, as exact edits;
`edited` makes and checks them. Nothing here writes a file: the library carries edits out and remembers them.
"""

from .blocks import Block, scan
from .checks import Finding, check
from .document import Document
from .edits import Edit, apply_edits, edited, inverse
from .entry import STATES, Entry, Heading, Note, Question
from .links import Piece, Run, find_links
from .operations import annotate, insert, mark, move
from .sections import Section, find_section, sections
from .style import Item, escape
from .titles import title_from_url
from .words import plain_with_links


__all__ = [
    "STATES",
    "Block",
    "Document",
    "Edit",
    "Entry",
    "Finding",
    "Heading",
    "Item",
    "Note",
    "Piece",
    "Question",
    "Run",
    "Section",
    "annotate",
    "apply_edits",
    "check",
    "edited",
    "escape",
    "find_links",
    "find_section",
    "insert",
    "inverse",
    "mark",
    "move",
    "plain_with_links",
    "scan",
    "sections",
    "title_from_url",
]
