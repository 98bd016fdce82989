"""The reader's state: works, inbox, reading state, adding to a list, exporting."""

from carrel.library.edges import Edge
from carrel.library.facts import load_facts, look_up
from carrel.library.folder import Library
from carrel.library.inbox import Collected, Inbox, load_items
from carrel.library.pending import Pending, View, load_view
from carrel.library.works import Works, load_works


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
