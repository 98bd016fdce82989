"""What works offline pays for no HTTP client, and a file is read once a command."""

import subprocess
import sys

from studiolo.library import Library, desk, load_waiting, waiting, works


def loaded_after(code, folder=None):
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sorted(sys.modules))"],
        cwd=folder, check=True, capture_output=True, text=True,
    )  # fmt: skip
    return set(done.stdout.splitlines()[-1].split()) & {
        "httpx2",
        "httpcore",
        "stamina",
        "numpy",
        "rich",
    }


def test_nothing_heavy_is_loaded_by_the_rooms():
    assert loaded_after("import studiolo.library, studiolo.metadata, studiolo.net") == set()


def test_nothing_heavy_is_loaded_by_commands_offline(tmp_path):
    (tmp_path / ".studiolo").mkdir()
    (tmp_path / "list.md").write_text("# L\n\n* [A](https://arxiv.org/abs/2101.00001)\n")
    assert loaded_after(_COMMANDS, tmp_path) == set()
    assert "T" in (tmp_path / "list.md").read_text()


_COMMANDS = """
from pathlib import Path
from studiolo.cli.app import app
from studiolo.net import Cache, Client
Client(Cache(Path("c")), offline=True)
add = ["add", "2105.03824", "--title", "T", "--section", "L", "--offline"]
for words in (["note", "A", "x"], ["undo"], add):
    try:
        app(words)
    except SystemExit as end:
        assert not end.code, words
"""


def test_that_test_can_fail():
    assert "httpx2" in loaded_after("import httpx2")


def test_metadata_is_read_once_for_inbox_and_add(tmp_path, monkeypatch):
    reads = []
    for module in (works, waiting, desk):
        real = module.load_facts
        monkeypatch.setattr(
            module, "load_facts", lambda lib, real=real: reads.append(1) or real(lib)
        )
    (tmp_path / "list.md").write_text("# L\n\n* [A](https://arxiv.org/abs/2101.00001)\n")
    library = Library(tmp_path)
    inbox = load_waiting(library)
    desk.add(library, inbox, desk.thing_to_add(inbox, "2105.03824"), title="T")
    assert len(reads) == 1
