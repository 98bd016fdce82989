"""Markdown reading lists: bytes to entries with typed keys, and exact edits back to bytes.

`Document.load(path)` reads a list; `insert`, `annotate`, `move` and `mark` say how to change it, as exact edits;
`edited` makes and checks them. Nothing here writes a file: the library carries edits out and remembers them.
"""

from typing import TYPE_CHECKING

from studiolo.doors import late

from .addresses import title_from_url
from .blocks import Block
from .columns import Role, ranked_columns, role_of
from .document import Document, find_section
from .elements import STATES, Heading, Link, Question, State
from .entry import Entry
from .links import Piece, find_links
from .parts import Part
from .sections import Section
from .tags import folded_tag
from .words import plain_with_links


if TYPE_CHECKING:
    from .checks import anchor_of, check, said_outside
    from .edits import Edit, apply_edits, edited, inverse
    from .marking import mark, without_emptied
    from .operations import annotate, insert, move
    from .outline import new_section, remove
    from .part_edits import outside_parts, part_of, write_part
    from .renaming import rename_tag
    from .rows import left_out, notes_left
    from .style import Item, destination, escape
    from .tagging import retag, retag_list

# To read a list needs none of what writes one; asked for a name in this order, when it is first wanted.
_LATE = (
    "checks",
    "edits",
    "marking",
    "operations",
    "outline",
    "part_edits",
    "renaming",
    "rows",
    "style",
    "tagging",
)

__all__ = [
    "STATES",
    "Block",
    "Document",
    "Edit",
    "Entry",
    "Heading",
    "Item",
    "Link",
    "Part",
    "Piece",
    "Question",
    "Role",
    "Section",
    "State",
    "anchor_of",
    "annotate",
    "apply_edits",
    "check",
    "destination",
    "edited",
    "escape",
    "find_links",
    "find_section",
    "folded_tag",
    "insert",
    "inverse",
    "left_out",
    "mark",
    "move",
    "new_section",
    "notes_left",
    "outside_parts",
    "part_of",
    "plain_with_links",
    "ranked_columns",
    "remove",
    "rename_tag",
    "retag",
    "retag_list",
    "role_of",
    "said_outside",
    "title_from_url",
    "without_emptied",
    "write_part",
]

__getattr__ = late(__name__, _LATE, __all__)
