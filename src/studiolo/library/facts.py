"""Titles, authors and years of the works of a library, kept in `.studiolo/metadata.jsonl` so that they are there offline."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from studiolo.files import append_json_lines, json_line, load_records
from studiolo.keys import Key

from .folder import Library


if TYPE_CHECKING:
    from studiolo.metadata import Facts, Fetched, Services
    from studiolo.net import Client


def facts_path(library: Library) -> Path:
    """Return the file of facts."""
    return library.state / "metadata.jsonl"


def load_facts(library: Library) -> dict[Key, Facts]:
    """Return what is known of each key, the last word on each."""
    from studiolo.metadata import Facts

    return {known.key: known for known in load_records(facts_path(library), Facts.from_record)}


def fetch_facts(
    library: Library,
    keys: Iterable[Key],
    client: Client,
    *,
    known: Mapping[Key, Facts] | None = None,
    services: Services | None = None,
    refresh: bool = False,
    crosswalk: bool = False,
) -> Fetched:
    """Return what is known of keys, asking the services for what is not kept yet, and keep what they say.

    Keys that no service knows are not kept: a paper of today may be known tomorrow.

    Args:
        known: what is kept of the library, where it was read already.
    """
    from studiolo.metadata import fetch_facts as ask_services

    fetched = ask_services(
        keys,
        client=client,
        services=services,
        known=load_facts(library) if known is None else known,
        refresh=refresh,
        crosswalk=crosswalk,
    )
    kept = [facts.to_record() for facts in fetched.new if not facts.missing]
    if kept:
        library.prepare()
        append_json_lines(facts_path(library), kept)
    return fetched


def diff_of_facts(fetched: Fetched) -> list[str]:
    """Return the lines that were appended to `metadata.jsonl` for what was fetched, each after a `+`."""
    return [f"+{json_line(facts.to_record())}" for facts in fetched.new if not facts.missing]
