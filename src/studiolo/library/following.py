"""Lists of other people that the reader follows: a repository on GitHub, or a folder on this machine.

Which lists are followed stands in `.studiolo/follows.jsonl`, where the last line on each counts. Of a repository its
Markdown files are kept in `.studiolo/pools/lists/`, so that everything works offline; a folder is read where it lies.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from studiolo.errors import FileError, NetworkError, UsageError
from studiolo.files import append_json_lines, kind_at, load_json_lines, save_bytes
from studiolo.keys import find_key
from studiolo.lists import Document

from .folder import Library


if TYPE_CHECKING:
    from studiolo.index import Row
    from studiolo.metadata import Services
    from studiolo.net import Answer, Client


FILE_BYTES = 8 * 1024**2  # of one Markdown file
MOST_FILES = 2000
_MARKDOWN = (".md", ".markdown")
_READER = (
    2  # raise it when entries are read in another way: what was read before is then read again
)
_NO_LISTS = re.compile(
    r"(?i)(?:^|/)(?:license|contributing|code[-_]of[-_]conduct|security|changelog)\.(?:md|markdown)$"
)

OnFile = Callable[[int, int], object]


@dataclass(frozen=True, slots=True)
class Followed:
    """A list that the reader follows.

    Attributes:
        target: what was asked for: `github:owner/name`, or the path of a folder or file.
        kept: where a repository's Markdown is kept; None for a folder.
    """

    target: str
    kept: Path | None = None

    @property
    def name(self) -> str:
        """What to call it in a sentence: owner/name, or the folder's name."""
        return self.target.removeprefix("github:") if self.kept else Path(self.target).name

    def load_files(self) -> dict[str, bytes]:
        """Return its Markdown files by name; none where it was not fetched yet or is not there any more.

        Raises:
            FileError: one cannot be read.
        """
        if self.kept:
            kept = {}
            for record in load_json_lines(self.kept):
                with suppress(
                    ValueError, TypeError, KeyError
                ):  # the first is about all; spoilt ones
                    kept[str(record["path"])] = base64.b64decode(record["data"])
            return kept
        files = {}
        for path in self._paths():
            try:
                if path.stat().st_size <= FILE_BYTES:
                    files[self._file_name(path)] = path.read_bytes()
            except OSError as error:
                raise FileError(
                    f"{path}, which you follow, cannot be read: {error.strerror}. To stop: studiolo unfollow {self.target}"
                ) from error
        return files

    def stamp(self) -> str:
        """Return a text that changes when its files do; empty where there are none."""
        parts = []
        for path in [self.kept] if self.kept else self._paths():
            if path.exists():
                about = path.stat()
                parts.append(f"{path}:{about.st_size}:{about.st_mtime_ns}")
        return hashlib.sha256("\n".join(parts).encode()).hexdigest() if parts else ""

    def fetched_at(self) -> str:
        """Return the day on which a repository was last fetched, '' if never or a folder."""
        record = next(iter(load_json_lines(self.kept)), {}) if self.kept else {}
        return str(record.get("fetched_at", ""))[:10]

    def _paths(self) -> list[Path]:
        path = Path(self.target)
        return [path] if path.is_file() else Library(path).list_paths()

    def _file_name(self, path: Path) -> str:
        root = Path(self.target)
        return path.name if path == root else path.relative_to(root).as_posix()


def load_followed(library: Library) -> list[Followed]:
    """Return the lists that the reader follows, in the order in which that was asked for."""
    targets: dict[str, None] = {}
    for record in load_json_lines(_journal(library)):
        target = record.get("list")
        if not isinstance(target, str) or not target:
            continue
        targets.pop(target, None)
        if record.get("follow") is True:
            targets[target] = None
    return [Followed(target, _kept_at(library, target)) for target in targets]


def find_target(library: Library, word: str) -> Followed:
    """Return what a word names: a folder or file on this machine, or a repository on GitHub.

    Raises:
        UsageError: it names neither, or what is in the library already.
    """
    path = Path(word).expanduser()
    if kind_at(path):
        place = path.resolve()
        if library.holds(place) or place == library.folder.resolve():
            raise UsageError(f"{word} is part of your own library, so it is read anyway.")
        return Followed(str(place))
    try:
        key = find_key(word)
    except UsageError:
        key = None
    if key is None or key.kind != "github" or "/" not in key.value:
        raise UsageError(
            f"{word!r} is neither a folder nor a repository. Give a folder of Markdown lists, or github:owner/name."
        )
    target = str(key)
    return Followed(target, _kept_at(library, target))


def follow(library: Library, followed: Followed) -> None:
    """Remember that a list is followed."""
    _say(library, followed, True)


def unfollow(library: Library, word: str) -> Followed:
    """Follow a list no longer, and delete what was fetched of it.

    Raises:
        UsageError: it is not followed; names those that are.
    """
    every = load_followed(library)
    wanted = {word.casefold(), str(Path(word).expanduser().resolve()).casefold()}
    with suppress(UsageError):
        wanted.add(str(find_key(word)).casefold())
    found = [one for one in every if wanted & {one.target.casefold(), one.name.casefold()}]
    if len(found) != 1:
        names = ", ".join(one.target for one in every) or "none"
        raise UsageError(f"You do not follow {word!r}. You follow: {names}.")
    _say(library, found[0], False)
    if found[0].kept:
        found[0].kept.unlink(missing_ok=True)
    return found[0]


def fetch_followed(
    followed: Followed,
    client: Client,
    *,
    services: Services | None = None,
    token: str = "",
    on_file: OnFile = lambda done, total: None,
) -> bool:
    """Fetch the Markdown files of a repository that have changed, and return whether there were any.

    The newest commit is asked for, which costs nothing of GitHub's limit while there is no newer one; then the names of its
    files; then those files whose content is new. All of them replace what was kept at once.

    Raises:
        NetworkError: GitHub did not answer, or knows no such repository; what was kept stays.
    """
    from studiolo.metadata import Services

    assert followed.kept is not None, "a folder is not fetched"
    services = services or Services.from_environment()
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    repository = f"{services.github}/repos/{followed.name}"
    answer = client.get(
        f"{repository}/commits/HEAD",
        headers={"Accept": "application/vnd.github.sha", **headers},
        max_age_s=0.0,
    )
    if answer.status == 404:
        raise NetworkError(f"GitHub knows no repository {followed.name}, or it is private.")
    commit = answer.text.strip()
    if not re.fullmatch(r"[0-9a-f]{40,64}", commit):
        raise NetworkError(
            f"GitHub did not answer with a commit of {followed.name}. Try again later."
        )
    kept = list(load_json_lines(followed.kept))
    if kept and kept[0].get("commit") == commit:
        return False
    data_of = {
        record["sha"]: record["data"] for record in kept if "sha" in record and "data" in record
    }
    blobs = _blobs(client, f"{repository}/git/trees/{commit}?recursive=1", headers, followed.name)
    records: list[dict[str, Any]] = []
    for number, (path, sha) in enumerate(blobs.items(), 1):
        if sha not in data_of:
            address = f"{services.github_raw}/{followed.name}/{commit}/{quote(path)}"
            raw = client.get(address, headers=headers, fault=partial(_fault, sha))
            if raw.status != 200:
                raise NetworkError(
                    f"GitHub does not have {path} of {followed.name} any more. Try again later."
                )
            data_of[sha] = base64.b64encode(raw.body).decode()
        records.append({"path": path, "sha": sha, "data": data_of[sha]})
        on_file(number, len(blobs))
    about = {"repository": followed.name, "commit": commit, "fetched_at": _now()}
    text = "".join(json.dumps(record, separators=(",", ":")) + "\n" for record in (about, *records))
    save_bytes(followed.kept, text.encode())
    return True


def load_rows(library: Library, followed: Followed) -> list[Row]:
    """Return the papers of a followed list as rows, in its order, each once; what was read of it is cached.

    Raises:
        FileError: a file cannot be read.
    """
    from studiolo.index import Row

    stamp = followed.stamp()
    if not stamp:
        return []
    digest = hashlib.sha256(followed.target.encode()).hexdigest()[:24]
    cache = library.cache / "followed" / f"{digest}.json"
    try:
        found = json.loads(cache.read_bytes())
        if found["reader"] == _READER and found["stamp"] == stamp:
            return [Row(**row) for row in found["rows"]]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        pass  # none, or damaged
    rows = list(_read(followed))
    record = {"reader": _READER, "stamp": stamp, "rows": [asdict(row) for row in rows]}
    save_bytes(cache, json.dumps(record).encode())
    return rows


def _read(followed: Followed) -> Iterator[Row]:
    from studiolo.index import Row

    files = {
        name: data for name, data in followed.load_files().items() if not _NO_LISTS.search(name)
    }
    seen = set()
    for name, data in files.items():
        for entry in Document(data).entries:
            if entry.key is None or not entry.key.names_paper or entry.key in seen:
                continue
            seen.add(entry.key)
            yield Row(
                key=str(entry.key),
                title=entry.title,
                authors=entry.authors,
                section=(*((name,) if len(files) > 1 else ()), *entry.section),
                list=followed.name,
                tags=entry.tags,
                date=str(entry.year or "") or entry.key.month,
            )


def _blobs(client: Client, address: str, headers: Mapping[str, str], name: str) -> dict[str, str]:
    """Return the Markdown files of a commit, each with the hash that git gives its content."""
    found = client.get(
        address, headers={"Accept": "application/vnd.github+json", **headers}, keep=False
    ).json()
    tree = found.get("tree") if isinstance(found, Mapping) else None
    if not isinstance(tree, list):
        raise NetworkError(f"GitHub did not answer with the files of {name}. Try again later.")
    blobs = {
        path: sha
        for blob in tree
        if isinstance(blob, Mapping)
        and isinstance(path := blob.get("path"), str)
        and isinstance(sha := blob.get("sha"), str)
        and blob.get("type") == "blob"
        and blob.get("mode") != "120000"  # a symbolic link
        and path.lower().endswith(_MARKDOWN)
        and not any(part.startswith(".") for part in path.split("/"))
        and isinstance(size := blob.get("size", 0), int)
        and size <= FILE_BYTES
    }
    if not blobs:
        raise NetworkError(f"{name} has no Markdown file, so there is no list to follow.")
    if len(blobs) > MOST_FILES:
        raise NetworkError(
            f"{name} has {len(blobs):,} Markdown files, more than the {MOST_FILES:,} that are fetched one by one. "
            "Clone it and follow the folder: studiolo follow FOLDER"
        )
    return dict(sorted(blobs.items()))


def _fault(sha: str, answer: Answer) -> str | None:
    """Say why an answer is not the file: git's hash is over its length and content."""
    text = b"blob %d\0%b" % (len(answer.body), answer.body)
    names = {
        hashlib.sha1(text, usedforsecurity=False).hexdigest(),
        hashlib.sha256(text).hexdigest(),
    }
    return None if sha in names else "another file than the one asked for"


def _journal(library: Library) -> Path:
    return library.state / "follows.jsonl"


def _kept_at(library: Library, target: str) -> Path | None:
    if not target.startswith("github:"):
        return None
    name = re.sub(r"[^\w.-]", "+", target.removeprefix("github:"))
    return library.state / "pools" / "lists" / f"{name}.jsonl"


def _say(library: Library, followed: Followed, on: bool) -> None:
    library.prepare()
    record = {"list": followed.target, "follow": on, "at": _now()}
    append_json_lines(_journal(library), [record])


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
