"""Markdown reading lists: bytes to entries with typed keys, and exact edits back to bytes.

`Document.load(path)` reads a list; `insert`, `annotate`, `move` and `mark` say how to change it, as exact
edits; `edited` makes and checks them; `save_change` writes them and remembers how to undo them. What no list
shows is kept beside it: `load_kept`, `save_kept`.
"""

from studiolo.lists.beside import Kept, kept_of, load_kept, save_kept
from studiolo.lists.changes import annotate, insert, mark, move
from studiolo.lists.checks import Finding, check
from studiolo.lists.document import Document
from studiolo.lists.edits import Edit, apply_edits, edited, inverse
from studiolo.lists.forms import Item
from studiolo.lists.history import Change, load_changes, save_change, undo
from studiolo.lists.hosts import Mention, find_mention, key_of, mention_of
from studiolo.lists.keys import Key
from studiolo.lists.model import Entry, Heading, Link, Note, Question
from studiolo.lists.root import library_root, list_paths
from studiolo.lists.save import save_bytes
from studiolo.lists.sections import Section, find_section, sections


__all__ = [
    "Change",
    "Document",
    "Edit",
    "Entry",
    "Finding",
    "Heading",
    "Item",
    "Kept",
    "Key",
    "Link",
    "Mention",
    "Note",
    "Question",
    "Section",
    "annotate",
    "apply_edits",
    "check",
    "edited",
    "find_mention",
    "find_section",
    "insert",
    "inverse",
    "kept_of",
    "key_of",
    "library_root",
    "list_paths",
    "load_changes",
    "load_kept",
    "mark",
    "mention_of",
    "move",
    "save_bytes",
    "save_change",
    "save_kept",
    "sections",
    "undo",
]
