"""The reader's word on what belongs together, as plans that can be taken back."""

from __future__ import annotations

from studiolo.errors import UsageError
from studiolo.keys import Key

from .edges import READER, Edge, Grade
from .plan import Plan


def relate(one: Key, other: Key) -> Plan:
    """Plan to say that two keys are one work, or that the one that is not a paper is about the other.

    Raises:
        UsageError: they are equal.
    """
    if one.names_paper == other.names_paper:
        return _plan(one, other, "same", f"{one} and {other} are one work.")
    thing, paper = (other, one) if one.names_paper else (one, other)
    return _plan(thing, paper, "about", f"{thing} is about {paper}.")


def keep_apart(one: Key, other: Key) -> Plan:
    """Plan to say that two keys are not one work, and that neither is about the other.

    Raises:
        UsageError: they are equal.
    """
    return _plan(one, other, "different", f"{one} and {other} are kept apart.")


def _plan(one: Key, other: Key, grade: Grade, done: str) -> Plan:
    if one == other:
        raise UsageError(f"{one} is {other}. Give two different keys.")
    edge = Edge(one, other, grade, "the reader says so", READER)
    return Plan(done.removesuffix("."), relating=(edge,), done=done)
