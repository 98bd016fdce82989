"""The reader's state: works, inbox, reading state, adding to a list, exporting."""

from studiolo.library.edges import Edge
from studiolo.library.facts import load_facts, look_up
from studiolo.library.folder import Library
from studiolo.library.inbox import Collected, Inbox, load_items
from studiolo.library.pending import Pending, View, load_view
from studiolo.library.works import Works, load_works


__all__ = [
    "Collected",
    "Edge",
    "Inbox",
    "Library",
    "Pending",
    "View",
    "Works",
    "load_facts",
    "load_items",
    "load_view",
    "load_works",
    "look_up",
]
