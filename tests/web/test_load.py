"""Many readers, much to search, and power cuts. By hand before a release: make test ON='-m soak'; cuts also in CI."""

import asyncio
import contextlib
import json
import lzma
import os
import random
import re
import threading
import time
from pathlib import Path

import httpx2
import pytest
from starlette.testclient import TestClient

from studiolo.index import Index, Row
from studiolo.library import Library, load_changes, undo
from studiolo.library.inbox import load_items
from studiolo.web import shelf
from studiolo.web.app import app_of
from studiolo.web.room import room_for

from .conftest import HOST
from .readers import Server, make_library, read
from .test_changing import fields_of


@pytest.mark.soak
def test_two_hundred_readers_for_a_minute(tmp_path):
    """5,000 entries and an index of 50,000 papers; 5 s of thought between pages."""
    server = Server(make_library(tmp_path))
    try:
        first = httpx2.get(f"{server.address}/list/list.md", timeout=60)
        assert len(first.content) < 300_000
        httpx2.get(f"{server.address}/suggest?section=Section+3", timeout=120)
        httpx2.get(f"{server.address}/find?q=kernel", timeout=60)
        times, wrong = asyncio.run(read(server.address, readers=200, seconds=60, think_s=5))
        memory = server.memory()
    finally:
        server.end()
    p99 = times[int(len(times) * 0.99)][0]
    print(
        f"{len(times)} pages, p50 {times[len(times) // 2][0]:.3f} s, p99 {p99:.3f} s, {memory / 1e6:.0f} MB"
    )
    assert wrong == []
    assert len(times) > 1_500
    assert p99 < 0.5
    assert memory < 250e6


@pytest.mark.soak
def test_search_as_one_types_over_a_hundred_thousand(library, monkeypatch):
    """Titles and abstracts of arXiv, spliced to 100,000; what is typed is the beginning of a title."""
    rng = random.Random(0)
    file = Path(os.environ.get("STUDIOLO_DATA", ""), "arxiv_ml", "arxiv_ml.jsonl.xz")
    if not file.is_file():
        pytest.skip("STUDIOLO_DATA names no folder with arxiv_ml")
    with lzma.open(file, "rt") as lines:
        papers = [json.loads(line) for line in lines]
    spliced = [*papers, *({**p, "abstract": rng.choice(papers)["abstract"]} for p in papers)]
    rows = (
        Row(key=f"url:a.example/{n}", title=p["title"], abstract=p["abstract"], place="inbox")
        for n, p in enumerate(spliced[:100_000])
    )
    with Index.build(rows) as index:
        monkeypatch.setattr(shelf, "library_index", lambda *_: contextlib.nullcontext(index))
        (library / "list.md").write_text("# L\n\n* [A](https://arxiv.org/abs/2101.00001)\n")
        client = TestClient(app_of(room_for(library)), base_url=HOST)
        client.get("/find?q=warm")
        times = []
        for _ in range(400):
            words = rng.choice(papers)["title"].split()[: rng.randint(1, 4)]
            typed = " ".join(words)
            query = typed[: max(3, len(typed) - rng.randint(0, 6))]
            query = re.sub(r"(?:\W+\w{1,2})+$", "", query)  # as the script does
            if len(re.sub(r"\W", "", query)) < 3:
                continue
            start = time.process_time()
            assert client.get("/find", params={"q": query}).status_code == 200
            times.append(time.process_time() - start)
    times.sort()
    p50, p95 = times[len(times) // 2], times[int(len(times) * 0.95)]
    print(f"{len(times)} searches, p50 {1000 * p50:.1f} ms, p95 {1000 * p95:.1f} ms of CPU")
    assert p95 < 0.03


@pytest.mark.soak
def test_first_page_of_five_thousand_entries_takes_a_tenth_of_a_second(tmp_path):
    client = TestClient(app_of(room_for(make_library(tmp_path, pool=10))), base_url=HOST)
    client.get("/list/list.md")
    start = time.process_time()
    assert client.get("/list/list.md?page=2").status_code == 200  # drawn, not kept
    assert time.process_time() - start < 0.1


@pytest.mark.slow
def test_power_cut_during_any_change_loses_and_spoils_nothing(tmp_path):
    """Kill -9 while notes are written: each is whole or not there, and the next server goes on."""
    (tmp_path / ".studiolo").mkdir()
    path = tmp_path / "list.md"
    path.write_text(
        "# L\n\n* [A](https://arxiv.org/abs/2101.00001)\n* [B](https://arxiv.org/abs/2101.00002)\n"
    )
    rng = random.Random(3)
    told, collected = [], []
    for cut in range(4):
        server = Server(tmp_path)
        power_cut = threading.Timer(rng.random() / 2, server.process.kill)
        with contextlib.suppress(httpx2.HTTPError, IndexError), httpx2.Client(base_url=server.address, timeout=10, headers={"origin": server.address}) as client:  # fmt: skip
            for n in range(500):
                page = client.get("/list/list.md").text
                e = page.split('data-e="')[1].split('"')[0]
                shown = client.get("/change/note", params={"e": e, "text": f"note {cut} {n}"}).text
                form = shown[shown.index('<form class="confirm"') :]
                answer = client.post("/change/note", data=fields_of(form))
                if answer.status_code == 303:
                    told.append(f"note {cut} {n}")
                address = f"https://a.example/{cut}/{n}.pdf"
                token = fields_of(form)["token"]
                answer = client.post("/collect", data={"token": token, "text": address})
                if "new 1" in answer.text:
                    collected.append(address)
                    if not n:
                        power_cut.start()
        server.close()
        lines = path.read_text().splitlines()
        notes = [line.removeprefix("  * ") for line in lines if line.startswith("  * ")]
        assert all(line.startswith(("# L", "* [", "  * note ")) or not line for line in lines)
        assert set(told) <= set(notes)  # what was confirmed is there
        assert set(collected) <= {item.url for item in load_items(Library(tmp_path))}
        assert len(notes) == len(set(notes))
    assert len(told) > 3
    assert collected
    home = Library(tmp_path)
    while load_changes(home):
        undo(home)
        home = Library(tmp_path)
        if not any(line.startswith("  * ") for line in path.read_text().splitlines()):
            break
    assert path.read_text().count("  * ") == 0


def test_server_prints_its_address_answers_and_ends(tmp_path):
    (tmp_path / ".studiolo").mkdir()
    (tmp_path / "list.md").write_text("# L\n\n* [A](https://arxiv.org/abs/2101.00001)\n")
    server = Server(tmp_path)
    try:
        assert httpx2.get(f"{server.address}/list/list.md").status_code == 200
        assert httpx2.get(server.address, headers={"host": "evil.example"}).status_code == 421
        name = "%2e%2e%2f%2e%2e%2fetc%2fpasswd"
        assert httpx2.get(f"{server.address}/list/{name}").status_code == 404
    finally:
        server.end()
    assert server.process.returncode == 0
