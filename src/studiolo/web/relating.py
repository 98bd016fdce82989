"""What belongs together: the reader says that two keys are one work, or are not."""

from __future__ import annotations

from collections.abc import Callable

from studiolo.keys import Key, find_key
from studiolo.library import Plan, keep_apart, relate

from .proposed import Fields, Proposed, tried
from .shelf import Moment


def same(moment: Moment, fields: Fields) -> Proposed:
    """Propose to say that two keys are one work, or that one is about the other."""
    return _said(moment, fields, "{} and {} are one work", relate)


def apart(moment: Moment, fields: Fields) -> Proposed:
    """Propose to say that two keys are not one work, and that neither is about the other."""
    return _said(moment, fields, "{} and {} are different works", keep_apart)


def _said(
    moment: Moment, fields: Fields, title: str, relating: Callable[[Key, Key], Plan]
) -> Proposed:
    key, other = find_key(fields.get("key", "")), fields.get("other", "").strip()
    about = {"key": key}
    if not other:
        return Proposed(title.format(key, "…"), about=about)

    def plan() -> Plan | None:
        made = relating(key, find_key(other))
        said = set(moment.sayings.works.edges_of(key))
        return None if said.issuperset(made.relating) else made

    return tried(title.format(key, other), plan, about, "You said so before.")
