"""Pools: papers to suggest from, one file of JSON lines each, and a small state that says how far a pool has been fetched.

A page is on the disk before the next is asked for, and the state names the next page only then. So a process that is
killed at any point loses nothing: at worst a page is asked for twice, and what a pool has already is recognised.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from studiolo.errors import FileError, NetworkError, UsageError
from studiolo.files import SPOILT, append_lines, load_lines, save_bytes
from studiolo.keys import Key
from studiolo.net import Client

from .arxiv import fetch_newest
from .facts import Facts
from .oai import TokenRefused, check_category, fetch_page, set_of, wider_set
from .services import Services


BATCH = 5000  # rows of a file between two writes
_MOST_RESTARTS = 3  # of one call, because tokens were refused
_BLOCK = 1 << 20


@dataclass(slots=True)
class Counts:
    """What a fetch came to: read = new + changed + known + gone + left_out + skipped.

    Attributes:
        gone: were in the pool, and are deleted or have left the category.
        left_out: of another category, or too early, or deleted before they were ever here.
        total: records that the server says its list has.
        why: the first few reasons to skip.
    """

    read: int = 0
    new: int = 0
    changed: int = 0
    known: int = 0
    gone: int = 0
    left_out: int = 0
    skipped: int = 0
    total: int | None = None
    why: tuple[str, ...] = ()

    def skip(self, why: str) -> None:
        """Count something that could not be read."""
        self.read += 1
        self.skipped += 1
        if len(self.why) < 5:
            self.why = (*self.why, why)


OnPage = Callable[[Counts], object]
OnNote = Callable[[str], object]


class Pool:
    """Papers in a file of a folder. Making the object writes nothing.

    Attributes:
        path: its papers, one JSON line each time that something new was learnt; of one paper the last line counts.
        state_path: how far it was fetched.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        safe = re.sub(r"[^\w.+-]", "_", name).lstrip(".")[:100] or "_"
        self.path = folder / f"{safe}.jsonl"
        self.state_path = folder / f"{safe}.state.json"

    def load_state(self) -> dict[str, Any]:
        """Return the state; empty where there is none or it is damaged, which costs a fetch from the beginning."""
        try:
            state = json.loads(self.state_path.read_bytes())
        except (OSError, ValueError, RecursionError):
            return {}
        return state if _is_sound(state) else {}

    def save_state(self, state: dict[str, Any]) -> None:
        """Write the state."""
        text = json.dumps({"version": 1, "name": self.name, **state}, indent=1, sort_keys=True)
        save_bytes(self.state_path, text.encode() + b"\n")

    def load_papers(self) -> Iterator[Facts]:
        """Yield the papers, what was learnt last first, each once; read as a stream.

        Raises:
            FileError: the file cannot be read.
        """
        seen: set[str] = set()
        for line in _lines_backwards(self.path):
            try:
                record = json.loads(line)
                name = str(record["key"])
                if name in seen:
                    continue
                facts = Facts.from_record(record)
            except SPOILT:
                continue  # a line that somebody spoilt says nothing
            seen.add(name)
            if not facts.missing:
                yield facts

    def load_known(self) -> dict[str, int]:
        """Return the keys of its papers, each with a number that stands for what is known of it, for this process only."""
        known: dict[str, int] = {}
        for line in load_lines(self.path):
            try:
                record = json.loads(line)
                name = str(record["key"])
            except SPOILT:
                continue
            if record.get("missing") is True:
                known.pop(name, None)
            else:
                known[name] = hash(line.removesuffix(b"\n"))
        return known

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Keep other processes from filling this pool meanwhile.

        Raises:
            FileError: another process fills it, or the folder cannot be written.
        """
        path = self.state_path.with_suffix(".lock")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        except OSError as error:
            raise FileError(f"{path} cannot be written: {error.strerror}.") from error
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise FileError(
                    f"Another process is filling the pool {self.name}. Wait until it is done, or stop it: nothing is lost."
                ) from None
            yield
        finally:
            os.close(handle)


class _Filling:
    """Adds to a pool what it does not have, and counts."""

    def __init__(self, pool: Pool, keep: Callable[[Facts], bool]) -> None:
        self.counts = Counts()
        self._pool = pool
        self._keep = keep
        self._known = pool.load_known()

    def __len__(self) -> int:
        return len(self._known)

    def add(self, papers: Iterable[Facts], deleted: Iterable[Key] = ()) -> None:
        """Take in papers, and return when the disk has them."""
        counts, known = self.counts, self._known
        lines = []
        for facts in papers:
            counts.read += 1
            name = str(facts.key)
            if not self._keep(facts):
                lines += self._remove(name)
                continue
            line = json.dumps(facts.to_record(), ensure_ascii=False, separators=(",", ":")).encode(
                "utf-8", "replace"
            )
            if known.get(name) == hash(line):
                counts.known += 1
                continue
            counts.changed += name in known
            counts.new += name not in known
            known[name] = hash(line)
            lines.append(line)
        for key in deleted:
            counts.read += 1
            lines += self._remove(str(key))
        append_lines(self._pool.path, lines)

    def _remove(self, name: str) -> list[bytes]:
        if self._known.pop(name, None) is None:
            self.counts.left_out += 1
            return []
        self.counts.gone += 1
        return [json.dumps({"key": name, "missing": True}, separators=(",", ":")).encode()]


def fetch_category(
    pool: Pool,
    category: str,
    client: Client,
    *,
    services: Services | None = None,
    since: str = "",
    until: str = "",
    by_api: bool = False,
    on_page: OnPage = lambda counts: None,
    on_note: OnNote = lambda text: None,
) -> Counts:
    """Fetch what a pool lacks of an arXiv category: everything the first time, what has changed since then afterwards.

    An interrupted fetch goes on where it stopped. A fetch from an earlier day than before, or with other bounds than the
    interrupted one, begins anew; what the pool has is not stored twice.

    Args:
        since: ISO day; papers that appeared earlier are left out. Empty: as the last time, or everything.
        until: ISO day; what has changed after it is left for the next call.
        by_api: ask arXiv's API instead of OAI-PMH: less to read for a small category, at most 30,000 papers.
        on_page: called with the counts whenever a page is on the disk.
        on_note: called with a sentence where something was not as expected.

    Raises:
        UsageError: there is no such category.
        NetworkError: arXiv did not answer; what was fetched is kept, and the next call goes on.
        FileError: the pool cannot be written, or another process fills it.
    """
    check_category(category)
    services = services or Services.from_environment()
    with pool.writing():
        state = pool.load_state()
        first = state.get("since", "")
        if not state or (since and since < first) or state.get("category") != category:
            state = {}
            first = since
        if state.get("going") and (
            (until and until != state["going"]["until"]) or by_api != bool(state.get("by_api"))
        ):
            del state["going"]

        def keep(facts: Facts) -> bool:
            return facts.published >= first and any(
                one == category or one.startswith(f"{category}.") for one in facts.categories
            )

        filling = _Filling(pool, keep)
        state |= {"category": category, "since": first, "by_api": by_api}
        harvest = _by_api if by_api else _by_oai
        harvest(pool, filling, state, client, services, until, on_page, on_note)
        return filling.counts


def _by_oai(
    pool: Pool,
    filling: _Filling,
    state: dict[str, Any],
    client: Client,
    services: Services,
    until: str,
    on_page: OnPage,
    on_note: OnNote,
) -> None:
    start = _day_before(state["done"]) if state.get("done") else state["since"]
    fresh = {"set": set_of(state["category"]), "from": start, "until": until}
    fresh |= {"token": "", "day": "", "last": "", "in_order": True}
    going = state.setdefault("going", fresh)
    restarts = 0
    given: set[str] = set()
    while True:
        if going["token"]:
            question = {"resumptionToken": going["token"]}
        else:
            question = {"set": going["set"]}
            question |= {name: going[name] for name in ("from", "until") if going[name]}
        try:
            page = fetch_page(client, services.arxiv_oai, question)
        except UsageError:
            going["set"] = wider_set(client, services.arxiv_oai, state["category"], going["set"])
            on_note(
                f"arXiv has no set of {state['category']} alone: reading all of {going['set']}."
            )
            continue
        except TokenRefused as problem:
            restarts += 1
            given.clear()
            if restarts > _MOST_RESTARTS:
                raise NetworkError(
                    f"{problem}, for the {restarts}th time in a row. Try again later; what was fetched is kept."
                ) from problem
            # from where it stopped if the list came in the order of its datestamps so far, else from its beginning
            going |= {"token": "", "from": (going["in_order"] and going["last"]) or going["from"]}
            on_note(f"{problem}; asking again from {going['from'] or 'the beginning'}.")
            continue
        filling.counts.total = page.total or filling.counts.total
        for why in page.skipped:
            filling.counts.skip(why)
        before = filling.counts.new + filling.counts.changed
        filling.add(page.papers, page.deleted)
        if filling.counts.new + filling.counts.changed > before:
            restarts = 0
        if page.token and page.token in given:
            raise NetworkError(
                "arXiv names a page as the next that it has named before, so the list would never end. Try again later."
            )
        given.add(page.token)
        going["in_order"] &= page.in_order and (not page.first or page.first >= going["last"])
        going |= {
            "token": page.token,
            "day": going["day"] or page.day,
            "last": max(going["last"], page.last),
        }
        if not page.token:
            _finish(state, going["day"], going["until"])
        state["count"] = len(filling)
        pool.save_state(state)
        on_page(filling.counts)
        if not page.token:
            return


def _by_api(
    pool: Pool,
    filling: _Filling,
    state: dict[str, Any],
    client: Client,
    services: Services,
    until: str,
    on_page: OnPage,
    on_note: OnNote,
) -> None:
    """Read the newest first until what was read the last time comes: changes move papers to pages read already."""
    begin = {"until": until, "start": 0, "day": _today().isoformat()}
    going = state.setdefault("going", begin)
    oldest = _day_before(state["done"]) if state.get("done") else state["since"]
    for page in fetch_newest(client, services.arxiv, state["category"], going["start"]):
        filling.counts.total = page.total
        filling.add(page.papers)
        going["start"] += page.read
        is_last = page.is_last or page.updated < oldest
        if is_last:
            _finish(state, going["day"], going["until"])
        state["count"] = len(filling)
        pool.save_state(state)
        on_page(filling.counts)
        if is_last:
            if page.cut:
                on_note(
                    f"arXiv's API shows no more than {page.cut:,} papers. For all: without --api."
                )
            return


def _finish(state: dict[str, Any], day: str, until: str) -> None:
    day = day or _today().isoformat()
    state["done"] = min(day, until or day)
    del state["going"]


def fill_from(
    pool: Pool,
    papers: Iterable[Facts | str],
    *,
    categories: Iterable[str] = (),
    since: str = "",
    on_page: OnPage = lambda counts: None,
) -> Counts:
    """Add papers of a file to a pool.

    Args:
        papers: or the reason why there is none.
        categories: if given, papers without any of them are left out; `cs` stands for all of cs.
        since: ISO day; papers that appeared earlier, or nobody knows when, are left out.

    Raises:
        FileError: the pool cannot be written, or another process fills it.
    """
    wanted = tuple(map(check_category, categories))

    def keep(facts: Facts) -> bool:
        day = facts.published or str(facts.year or "")
        return day >= since and (
            not wanted
            or any(
                one == name or one.startswith(f"{name}.")
                for one in facts.categories
                for name in wanted
            )
        )

    with pool.writing():
        filling = _Filling(pool, keep)
        batch: list[Facts] = []

        def save() -> None:
            filling.add(batch)
            batch.clear()
            on_page(filling.counts)

        try:
            for paper in papers:
                if isinstance(paper, str):
                    filling.counts.skip(paper)
                    continue
                batch.append(paper)
                if len(batch) >= BATCH:
                    save()
        finally:  # a file that ends in the middle, Ctrl-C: what was read is kept
            save()
        pool.save_state({"count": len(filling), "done": _today().isoformat(), "since": since})
        return filling.counts


def load_pools(folder: Path) -> list[Pool]:
    """Return the pools of a folder by name."""
    pools = [Pool(folder, path.name.removesuffix(".jsonl")) for path in folder.glob("*.jsonl")]
    return sorted(pools, key=lambda pool: pool.name)


def day_of(text: str) -> str:
    """Return the ISO day that a person means: 2024, 2024-05, 2024-05-31, or 30d, 8w, 6m, 2y ago.

    Raises:
        UsageError: it is none of these.
    """
    try:
        if found := re.fullmatch(r"(\d{1,4})([dwmy])", text.strip(), re.ASCII):
            days = int(found[1]) * {"d": 1, "w": 7, "m": 30, "y": 365}[found[2]]
            return (_today() - timedelta(days=days)).isoformat()
        if re.fullmatch(r"\d{4}(?:-\d\d(?:-\d\d)?)?", text.strip(), re.ASCII):
            return date.fromisoformat(f"{text.strip()}-01-01"[:10]).isoformat()
    except (ValueError, OverflowError):
        pass
    raise UsageError(
        f"{text!r} is not a date. Write 2024, 2024-05, 2024-05-31, or 30d for the last 30 days."
    )


def _is_sound(state: Any) -> bool:
    """Whether a state is as we write it; a person may have edited it."""
    if not isinstance(state, dict) or state.get("version") != 1:
        return False
    days = [state.get("since") or "2000-01-01", state.get("done") or "2000-01-01"]
    going = state.get("going")
    if going is not None:
        if not isinstance(going, dict) or not isinstance(going.get("until"), str):
            return False
        if state.get("by_api") and not isinstance(going.get("start"), int):
            return False
        texts = [going.get(name) for name in ("set", "from", "token", "day", "last")]
        if not state.get("by_api") and not all(isinstance(text, str) for text in texts):
            return False
    try:
        return all(date.fromisoformat(day) for day in days)
    except (TypeError, ValueError):
        return False


def _today() -> date:
    return datetime.now(UTC).date()


def _day_before(day: str) -> str:
    """Return the day before: what arXiv changed late on a day may have been listed after we asked."""
    return (date.fromisoformat(day) - timedelta(days=1)).isoformat()


def _lines_backwards(path: Path) -> Iterator[bytes]:
    """Yield the lines of a file, last first."""
    try:
        with path.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            rest = b""
            while end:
                start = max(0, end - _BLOCK)
                file.seek(start)
                first, *lines = (file.read(end - start) + rest).split(b"\n")
                yield from reversed(lines)
                rest, end = first, start
            yield rest
    except FileNotFoundError:
        return
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error.strerror}.") from error
