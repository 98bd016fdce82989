"""Markdown reading lists: bytes to entries with typed keys, and exact edits back to bytes."""

from carrel.lists.document import Document
from carrel.lists.hosts import Mention, find_mention, key_of, mention_of
from carrel.lists.keys import Key
from carrel.lists.model import Entry, Heading, Link, Note, Question
from carrel.lists.root import library_root


__all__ = [
    "Document",
    "Entry",
    "Heading",
    "Key",
    "Link",
    "Mention",
    "Note",
    "Question",
    "find_mention",
    "key_of",
    "library_root",
    "mention_of",
]
