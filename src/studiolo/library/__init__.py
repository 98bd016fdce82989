"""The reader's library: works, inbox, reading state, adding to a list, exporting."""

from .desk import Plan, carry_out, item_of, new_list, pass_with_undo, plan_entry, plan_note, undo
from .edges import READER, Edge, save_edges
from .export import FORMATS, in_section, works_of_document, works_of_inbox, works_of_library
from .facts import fetch_facts, load_facts
from .folder import Library, library_root, list_paths
from .history import save_change
from .inbox import Collected, Inbox, load_items
from .placing import Proposal, propose, sections_of
from .reading import Kept, kept_of, load_kept, state_of
from .waiting import Pending, Waiting, load_waiting
from .works import Works, load_works


__all__ = [
    "FORMATS",
    "READER",
    "Collected",
    "Edge",
    "Inbox",
    "Kept",
    "Library",
    "Pending",
    "Plan",
    "Proposal",
    "Waiting",
    "Works",
    "carry_out",
    "fetch_facts",
    "in_section",
    "item_of",
    "kept_of",
    "library_root",
    "list_paths",
    "load_facts",
    "load_items",
    "load_kept",
    "load_waiting",
    "load_works",
    "new_list",
    "pass_with_undo",
    "plan_entry",
    "plan_note",
    "propose",
    "save_change",
    "save_edges",
    "sections_of",
    "state_of",
    "undo",
    "works_of_document",
    "works_of_inbox",
    "works_of_library",
]
