"""What works offline pays for no HTTP client, and a file is read once a command."""

import subprocess
import sys

import pytest

from studiolo.library import Library, desk, load_waiting, waiting, works


def loaded_after(code, folder):
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


@pytest.mark.parametrize(
    "code",
    [
        "import studiolo.library, studiolo.metadata, studiolo.net",
        "from studiolo.net import Cache, Client; from pathlib import Path; Client(Cache(Path('c')), offline=True)",
        "from studiolo.cli.app import app\ntry: app(['note', 'A', 'x'])\nexcept SystemExit: pass",
        "from studiolo.cli.app import app\ntry: app(['add', '2105.03824', '--title', 'T', '--section', 'L', '--offline'])\nexcept SystemExit: pass",
        "from studiolo.cli.app import app\ntry: app(['undo'])\nexcept SystemExit: pass",
    ],
    ids=["import", "client", "note", "add", "undo"],
)
def test_nothing_heavy_is_loaded_offline(tmp_path, code):
    (tmp_path / ".studiolo").mkdir()
    (tmp_path / "list.md").write_text("# L\n\n* [A](https://arxiv.org/abs/2101.00001)\n")
    if "undo" in code:
        code = code.replace("try: app(['undo'])", "try: app(['note', 'A', 'x'])\nexcept SystemExit: pass\ntry: app(['undo'])")  # fmt: skip
    assert loaded_after(code, tmp_path) == set()


def test_that_test_can_fail(tmp_path):
    assert "httpx2" in loaded_after("import httpx2", tmp_path)


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
