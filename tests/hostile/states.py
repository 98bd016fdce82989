"""A hundred hostile `.studiolo` folders: every file of one that was in use, damaged in every way."""

import json
import os
import shutil
from pathlib import Path


LIST = """# Papers

## To Review

* FNet: Mixing Tokens with Fourier Transforms https://arxiv.org/abs/2105.03824
  * a note
  * Q: does it scale?
* Rethinking Attention with Performers https://arxiv.org/abs/2009.14794 #attention

## Read

* Attention Is All You Need https://arxiv.org/abs/1706.03762 [topic](topics/attention.md)
"""

ITEM = {
    "id": "0123456789abcdef01234567", "content": "0011223344556677", "collected": "2026-01-02",
    "source": "urls", "url": "https://arxiv.org/abs/2001.04451", "title": "Reformer",
}  # fmt: skip
KEPT = {
    "key": "arxiv:2009.14794", "state": "reading", "since": "2026-01-02", "title": "Performers",
    "authors": ["K. Choromanski"], "year": 2020, "notes": ["compare"],
}  # fmt: skip
NOTE = b"  * b note\n"
AT = LIST.encode().index(b"  * Q:")
CHANGE = {
    "id": "00aa", "what": "note FNet", "at": "2026-01-02T00:00:00+00:00", "list": "list.md",
    "edits": [[AT, "", NOTE.decode()]],
}  # fmt: skip
OLD_EDIT = {
    "digest": "00", "what": "read FNet", "at": "2026-01-01T00:00:00+00:00", "list": "list.md",
    "edits": [{"start": 0, "old": "", "new": "x"}], "kept": {},
}  # fmt: skip
FACTS = {"key": "arxiv:2105.03824", "title": "FNet", "authors": ["J. Lee-Thorp"], "year": 2021}
EDGE = {
    "a": "arxiv:2105.03824", "b": "doi:10.1234/x", "grade": "same", "evidence": "", "said_by": "reader",
}  # fmt: skip

GOOD = {
    "inbox.jsonl": ITEM,
    "edges.jsonl": EDGE,
    "metadata.jsonl": FACTS,
    "cite-keys.jsonl": {
        "work": "arxiv:2105.03824",
        "name": "fnet",
        "by": "reader",
        "on": "2026-01-02",
    },
    "triage.jsonl": {"name": "arxiv:2001.00001", "decision": "pass", "on": "2026-01-02"},
    "history.jsonl": CHANGE,
    "reading.jsonl": KEPT,
    "edits.jsonl": OLD_EDIT,
    "undo.jsonl": {**CHANGE, "on": "2026-01-01T00:00:00+00:00"},
}
OTHER = [
    1,
    "text",
    None,
    True,
    [],
    {},
    [[1]],
    {"a": {"b": []}},
    "\ud800",
    "\x1b]0;x\x07",
    -1,
    1e400,
]
DEEP = "[" * 900 + "]" * 900


def wrong_types(good):
    """Lines in which each field in turn holds what it never holds."""
    lines = []
    for name in good:
        lines += [json.dumps(good | {name: value}) for value in OTHER]
        lines.append(json.dumps({k: v for k, v in good.items() if k != name}))
    return lines


def damage(name, good):
    """Yield (what, bytes) of one file; every file but the torn one still holds its good line."""
    line = json.dumps(good)
    yield "no-object", f'{line}\n1\nnull\n[]\n"x"\ntrue\n{{}}\n'.encode()
    yield "torn", f"{line}\n{line[: len(line) // 2]}".encode()
    yield "torn-inside", f"{line[: len(line) // 2]}\n{line}\n".encode()
    yield "noise", bytes(range(256)) * 40 + b"\n" + line.encode() + b"\n"
    yield "nul", b"\0" * 100_000 + b"\n" + line.encode() + b"\n"
    yield "huge", b'{"x": "' + b"a" * 20_000_000 + b'"}\n' + line.encode() + b"\n"
    yield "deep", f'{line}\n{{"x": {DEEP}}}\n{json.dumps(good)[:-1]}, "x": {DEEP}}}\n'.encode()
    yield "types", "\n".join([line, *wrong_types(good), ""]).encode()
    yield "conflict", f"<<<<<<< HEAD\n{line}\n=======\n{line}\n>>>>>>> theirs\n".encode()
    yield "newer", f'{line}\n{line[:-1]}, "v": 99}}\n'.encode()
    yield "latin-1", line.encode() + b'\n{"x": "caf\xe9"}\n'
    yield "crlf", f"{line}\r\n\r\n{line}\r\n".encode()
    numbers = f'{line}\n{line[:-1]}, "n": {"9" * 5000}}}\n{line[:-1]}, "n": NaN}}\n'
    yield "numbers", numbers.encode()
    paths = ["../outside/secret.md", "/etc/passwd", "\0", "", ".", "a/../../outside/secret.md"]
    if "list" in good:
        changes = [good | {"id": f"p{n}", "list": path} for n, path in enumerate(paths)]
        yield "paths", "".join(json.dumps(c) + "\n" for c in (good, *changes)).encode()


def _replaced(make):
    def apply(library, name):
        path = library / ".studiolo" / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
        make(path, library.parent / "outside")

    return apply


def _no_permission(library, name):
    (library / ".studiolo" / name).chmod(0)


PLACES = {
    "directory": _replaced(lambda path, outside: (path / "x").mkdir(parents=True)),
    "link-out": _replaced(lambda path, outside: path.symlink_to(outside / "secret.md")),
    "link-to-nothing": _replaced(lambda path, outside: path.symlink_to(outside / "new")),
    "link-to-itself": _replaced(lambda path, outside: path.symlink_to(path.name)),
    "device": _replaced(lambda path, outside: path.symlink_to("/dev/zero")),
    "pipe": _replaced(lambda path, outside: os.mkfifo(path)),
    "no-permission": _no_permission,
}


def make_library(folder):
    """Make a library that was in use, with a place beside it that nobody may touch."""
    library = folder / "library"
    state = library / ".studiolo"
    state.mkdir(parents=True)
    (library / "list.md").write_text(LIST)
    (library / "topics").mkdir()
    (library / "topics" / "attention.md").write_text("# Attention\n")
    for name, good in GOOD.items():
        if name not in ("edits.jsonl", "undo.jsonl"):
            (state / name).write_text(json.dumps(good) + "\n")
    outside = folder / "outside"
    outside.mkdir()
    (outside / "secret.md").write_text("# Secret\n\n* https://arxiv.org/abs/1706.03762\n")
    return library


def _file_damages():
    for name, good in GOOD.items():
        for what, data in damage(name, good):
            yield f"{name.removesuffix('.jsonl')}-{what}", _writer(name, data)


def _writer(name, data):
    return lambda library: (library / ".studiolo" / name).write_bytes(data)


def _place_damages():
    for name in (*list(GOOD)[:6], "cache", "report", ".gitattributes", ".gitignore"):
        for what, apply in PLACES.items():

            def place(library, name=name, apply=apply):
                path = library / ".studiolo" / name
                if not path.exists():
                    (path.mkdir if "." not in name else path.touch)()
                apply(library, name)

            yield f"{name.removesuffix('.jsonl')}-is-{what}", place


def _whole():
    def moved_out(library):
        shutil.move(library / ".studiolo", library.parent / "outside" / "state")
        (library / ".studiolo").symlink_to(library.parent / "outside" / "state")

    def file(library):
        shutil.rmtree(library / ".studiolo")
        (library / ".studiolo").write_text("x")

    def closed(library):
        (library / ".studiolo").chmod(0)

    def read_only(library):
        (library / ".studiolo").chmod(0o555)
        library.chmod(0o555)

    def old_and_new(library):
        (library / ".carrel").mkdir()
        (library / ".carrel" / "inbox.jsonl").write_text(json.dumps(ITEM) + "\n1\n")

    def old_link(library):
        shutil.move(library / ".studiolo", library.parent / "outside" / "state")
        (library / ".carrel").symlink_to(library.parent / "outside" / "state")

    def lists(library):
        (library / "loop.md").symlink_to("loop.md")
        (library / "zero.md").symlink_to("/dev/zero")
        os.mkfifo(library / "pipe.md")
        (library / "folder.md").mkdir()
        (library / "nul.md").write_bytes(b"* \0 https://arxiv.org/abs/1706.03762\n")
        (library / "latin.md").write_bytes(b"* caf\xe9 https://arxiv.org/abs/1706.03761\n")

    yield "state-is-elsewhere", moved_out
    yield "state-is-a-file", file
    yield "state-is-closed", closed
    yield "library-is-read-only", read_only
    yield "old-state-and-new", old_and_new
    yield "old-state-is-a-link", old_link
    yield "lists-are-not-lists", lists


DAMAGES = dict([*_file_damages(), *_place_damages(), *_whole()])
COMMANDS = [
    ["undo"],
    ["show", "list.md"],
    ["show", "list.md", "--json"],
    ["read", "FNet"],
    ["note", "Performers", "a thought"],
    ["undo"],
    ["undo"],
    ["add", "arxiv:2001.04451", "--offline", "--title", "Reformer", "--section", "To Review"],
    ["undo"],
    ["move", "FNet", "Read"],
    ["inbox"],
    ["inbox", "--all", "--json"],
    ["collect", "urls", "https://arxiv.org/abs/2001.09999"],
    ["triage"],
    ["same", "arxiv:2105.03824", "doi:10.5555/abc"],
    ["not-same", "arxiv:2105.03824", "doi:10.5555/abd"],
    ["why", "arxiv:2105.03824"],
    ["lookup", "arxiv:2105.03824", "--offline"],
    ["check"],
    ["export", "bibtex"],
    ["export", "json", "--inbox"],
    ["questions"],
    ["tags"],
    ["topics"],
    ["init", "."],
    *[["undo"]] * 7,
]
AT_LAST = [["report", "list.md"]]
for_nobody = frozenset(
    name for name in DAMAGES if name.endswith(("no-permission", "closed", "read-only"))
)


def snapshot(folder: Path):
    """What lies below a folder: files with their bytes, links with their targets."""
    return {
        str(path.relative_to(folder)): str(path.readlink())
        if path.is_symlink()
        else path.read_bytes()
        if path.is_file()
        else None
        for path in sorted(folder.rglob("*"))
    }
