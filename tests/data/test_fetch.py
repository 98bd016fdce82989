"""Fetching a set from a server that breaks off, dawdles, lies or changes its mind."""

import dataclasses
import fcntl
import hashlib
import re

import pytest

from studiolo import data
from studiolo.cli import doctor, running
from studiolo.data import fetch, files
from studiolo.data.fetch import CANONICAL, Served
from studiolo.errors import FileError, RunError
from tests.cli.commands import run
from tests.net.server import Said


CONTENT = bytes(range(256)) * 2000  # eight chunks


@pytest.fixture
def cache(server, monkeypatch, tmp_path):
    """A cache, and one set of one file that the local server serves."""
    monkeypatch.delenv("STUDIOLO_DATA", raising=False)
    monkeypatch.setattr(files, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(fetch, "PAUSES_S", (0.0, 0.0))
    monkeypatch.setattr(fetch, "SILENT_S", 0.3)
    served = Served(f"{server.url}/file", len(CONTENT), hashlib.sha256(CONTENT).hexdigest())
    monkeypatch.setattr(fetch, "CANONICAL", {"small/file": served})
    return tmp_path / "cache" / "small"


def ranged(asked):
    """Answer as a server that can send a part."""
    found = re.fullmatch(r"bytes=(\d+)-", asked.headers.get("Range", ""))
    if found is None:
        return Said(CONTENT)
    first = int(found[1])
    place = f"bytes {first}-{len(CONTENT) - 1}/{len(CONTENT)}"
    return Said(CONTENT[first:], 206, {"Content-Range": place})


def cut(said, after):
    return dataclasses.replace(said, cut_after=after)


def ranges(server):
    return [asked.headers.get("Range") for asked in server.asked]


def test_whole_file_is_fetched_once_and_shown_as_it_comes(cache, server):
    server.answer = ranged
    steps = []
    [path] = data.fetch_set("small", lambda *step: steps.append(step))
    assert path.read_bytes() == CONTENT
    assert [path.name for path in cache.iterdir()] == ["file"]
    done = [step[1] for step in steps]
    assert done == sorted(done)
    assert len(done) > 3
    assert steps[-1] == ("file", len(CONTENT), len(CONTENT))
    assert data.fetch_set("small") == [path]
    assert len(server.asked) == 1


def test_connection_that_breaks_is_taken_up_where_it_broke(cache, server):
    server.answer = lambda asked: cut(ranged(asked), 100_000)
    assert data.fetch_set("small")[0].read_bytes() == CONTENT
    assert ranges(server)[:3] == [None, "bytes=100000-", "bytes=200000-"]


def test_second_command_goes_on_where_the_first_gave_up(cache, server):
    server.say("/file", cut(Said(CONTENT), 70_000), Said(b"", 503))
    with pytest.raises(RunError, match=r"HTTP 503\. 70,000 of 512,000 bytes are here and kept: the same command goes on"):  # fmt: skip
        data.fetch_set("small")
    server.queues.clear()
    server.answer = ranged
    assert data.fetch_set("small")[0].read_bytes() == CONTENT
    assert ranges(server)[-1] == "bytes=70000-"


def test_server_that_sends_all_of_it_again_is_taken_at_its_word(cache, server):
    server.say("/file", cut(Said(CONTENT), 70_000), Said(CONTENT))
    assert data.fetch_set("small")[0].read_bytes() == CONTENT


def test_server_that_refuses_the_part_is_asked_for_all(cache, server):
    cache.mkdir(parents=True)
    (cache / "file.part").write_bytes(CONTENT[:1000])
    server.say("/file", Said(b"", 416), Said(CONTENT))
    assert data.fetch_set("small")[0].read_bytes() == CONTENT


def test_server_that_sends_another_part_is_not_believed(cache, server):
    cache.mkdir(parents=True)
    (cache / "file.part").write_bytes(CONTENT[:1000])
    server.say("/file", Said(CONTENT[5:], 206, {"Content-Range": "bytes 5-9/10"}), Said(CONTENT))
    assert data.fetch_set("small")[0].read_bytes() == CONTENT


def test_part_of_another_file_is_fetched_again_from_its_beginning(cache, server):
    server.answer = ranged
    cache.mkdir(parents=True)
    for part in (b"x" * 1000, b"x" * len(CONTENT), b"x" * 2 * len(CONTENT)):
        (cache / "file").unlink(missing_ok=True)
        (cache / "file.part").write_bytes(part)
        assert data.fetch_set("small")[0].read_bytes() == CONTENT


def test_another_file_is_refused_and_nothing_of_it_is_kept(cache, server):
    server.say("/file", Said(b"x" * len(CONTENT)))
    with pytest.raises(RunError, match=r"/file serves another file than the one .* Nothing was kept"):  # fmt: skip
        data.fetch_set("small")
    assert list(cache.iterdir()) == []


def test_page_in_place_of_the_file_is_a_sentence(cache, server):
    server.say("/file", Said(b"<h1>Moved</h1>"))
    with pytest.raises(RunError, match="the connection was closed early"):
        data.fetch_set("small")
    server.say("/file", Said(b"gone", 404))
    with pytest.raises(RunError, match=r"/file answers HTTP 404\. The set may have moved"):
        data.fetch_set("small")


def test_silent_server_is_given_up_and_what_came_is_kept(cache, server):
    server.say("/file", Said(CONTENT, pause_s=2.0))
    with pytest.raises(RunError, match=r"0 of 512,000 bytes are here"):
        data.fetch_set("small")
    assert len(server.asked) == 3


def test_server_without_end_fills_no_disk(cache, server):
    server.say("/file", Said(endless=True))
    with pytest.raises(RunError, match="serves another file"):
        data.fetch_set("small")


def test_nobody_there_is_a_sentence(cache, server):
    server.close()
    with pytest.raises(RunError, match=r"127\.0\.0\.1.*0 of 512,000 bytes are here and kept"):
        data.fetch_set("small")


def test_redirects_are_followed_but_not_for_ever(cache, server):
    server.say("/file", Said(b"", 302, {"Location": "/there"}))
    server.say("/there", Said(CONTENT))
    assert data.fetch_set("small")[0].read_bytes() == CONTENT
    (cache / "file").unlink()
    server.say("/there", Said(b"", 302, {"Location": "/there"}))
    with pytest.raises(RunError, match="redirects"):
        data.fetch_set("small")


def test_spoilt_file_in_the_cache_is_replaced(cache, server):
    server.answer = ranged
    cache.mkdir(parents=True)
    (cache / "file").write_bytes(b"spoilt")
    assert data.fetch_set("small")[0].read_bytes() == CONTENT


def test_two_at_once_do_not_write_one_file(cache, server):
    cache.mkdir(parents=True)
    with (cache / "file.part").open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(RunError, match="Another studiolo is fetching file"):
            data.fetch_set("small")


def test_cache_that_cannot_be_written_is_a_sentence(cache, server):
    cache.parent.mkdir()
    cache.write_text("a file where a folder should be")
    with pytest.raises(FileError, match=r"small cannot be written: File exists\."):
        data.fetch_set("small")


def test_set_without_an_address_lists_those_that_have_one():
    with pytest.raises(
        RunError, match="Nothing can be fetched for 'protein'; fashion_mnist, mnist, tiny"
    ):
        data.fetch_set("protein")


def test_doctor_and_help_name_the_sets_that_can_be_fetched():
    sets = sorted({file.partition("/")[0] for file in CANONICAL})
    assert sorted(doctor.FETCHABLE) == sets
    assert all(name in run("fetch-data", "--help") for name in sets)


def test_command_shows_what_it_fetched_and_says_why_it_could_not():
    steps = []
    with pytest.raises(RunError, match=r"^Nothing can be fetched for 'protein'"):
        running._fetch_apart("protein", lambda *step: steps.append(step))
    assert steps == []
