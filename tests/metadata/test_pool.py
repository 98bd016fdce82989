import json
import os
import signal
import time
from multiprocessing import get_context

import pytest

from studiolo.errors import FileError, NetworkError, UsageError
from studiolo.keys import Key
from studiolo.metadata import Facts, Pool, Services, day_of, fetch_category, fill_from, load_pools
from studiolo.metadata.oai import parse_page, set_of
from studiolo.metadata.pool import _lines_backwards
from studiolo.net import Cache, Client
from tests.net.fixtures import FAST
from tests.net.server import Said

from .feeds import HEAD, TAIL, entry
from .oai import Archive, Record, error, oai, records


@pytest.fixture
def pool(tmp_path):
    return Pool(tmp_path / "pools", "cs.LG")


def fetch(pool, server, client, category="cs.LG", **more):
    services = Services(arxiv_oai=f"{server.url}/oai", arxiv=f"{server.url}/api/query")
    return fetch_category(pool, category, client, services=services, **more)


def keys(pool):
    return sorted(str(facts.key) for facts in pool.load_papers())


def lines(pool):
    return [json.loads(line) for line in pool.path.read_text().splitlines()]


def adds_up(counts):
    return counts.read == counts.new + counts.changed + counts.known + counts.gone + counts.left_out + counts.skipped  # fmt: skip


# what a page says


def test_record_gives_title_authors_categories_dates_and_doi():
    more = "<doi>10.1038/S41586-021-03819-2 10.1/x</doi><journal-ref>Nature\n596</journal-ref>"
    record = Record("2009.14794", created="2020-09-30", title="Rethinking\n  Attention", more=more)
    (facts,) = parse_page(oai(f"<ListRecords>{record.xml()}</ListRecords>")).papers
    assert (facts.key, facts.title) == (Key("arxiv", "2009.14794"), "Rethinking Attention")
    assert facts.authors == ("Krzysztof Choromański", "Martin Luther King Jr")
    assert (facts.published, facts.year, facts.venue) == ("2020-09-30", 2020, "Nature 596")
    assert facts.categories == ("cs.LG", "stat.ML")
    assert facts.same == (Key("doi", "10.1038/s41586-021-03819-2"),)
    assert facts.abstract == "Random features estimate attention."


def test_old_ids_are_read():
    page = parse_page(oai(f"<ListRecords>{Record('math/0309136').xml()}</ListRecords>"))
    assert page.papers[0].key == Key("arxiv", "math/0309136")


@pytest.mark.parametrize(
    ("category", "name"),
    [
        ("cs.LG", "cs:cs:LG"),
        ("cs", "cs"),
        ("stat.ML", "stat:stat:ML"),
        ("quant-ph", "physics:quant-ph"),
        ("cond-mat.mes-hall", "physics:cond-mat:mes-hall"),
        ("physics.optics", "physics:physics:optics"),
        ("q-bio.NC", "q-bio:q-bio:NC"),
    ],
)
def test_category_has_a_set(category, name):
    assert set_of(category) == name


@pytest.mark.parametrize("word", ["", "cs.LG.x", "../etc", "cs LG", "CS.LG?", "cs.", "&set=math"])
def test_what_is_not_a_category_is_refused(pool, server, client, word):
    with pytest.raises(UsageError, match="neither a file nor an arXiv category"):
        fetch(pool, server, client, word)
    assert server.asked == []


# fetching


def test_all_pages_are_fetched_and_each_is_on_the_disk_before_the_next(pool, server, client):
    archive = server.answer = Archive(*records(5))
    on_disk = []
    ask = archive.__call__

    def answer(asked):
        on_disk.append(len(lines(pool)) if pool.path.exists() else 0)
        return ask(asked)

    server.answer = answer
    counts = fetch(pool, server, client)
    assert on_disk == [0, 2, 4]
    assert (counts.read, counts.new, counts.total) == (5, 5, 5)
    assert keys(pool) == [f"arxiv:2403.{n:05d}" for n in range(1, 6)]
    assert archive.questions[0] == {"verb": "ListRecords", "metadataPrefix": "arXiv", "set": "cs:cs:LG"}  # fmt: skip
    assert archive.questions[1] == {"verb": "ListRecords", "resumptionToken": "2||9"}


def test_next_call_asks_for_what_has_changed_since(pool, server, client):
    archive = server.answer = Archive(*records(3))
    fetch(pool, server, client)
    archive.records[0] = Record("2403.00001", stamp="2024-06-02", title="Better")
    archive.records += [Record("2406.00001", stamp="2024-06-03", created="2024-06-03")]
    counts = fetch(pool, server, client)
    assert archive.questions[-1]["from"] == "2024-05-31"
    assert (counts.new, counts.changed, counts.read) == (1, 1, 2)
    papers = {str(facts.key): facts for facts in pool.load_papers()}
    assert len(papers) == 4
    assert papers["arxiv:2403.00001"].title == "Better"


def test_nothing_new_is_nothing_written(pool, server, client):
    archive = server.answer = Archive(*records(3), day="2024-03-01")
    fetch(pool, server, client)
    before = pool.path.read_bytes()
    counts = fetch(pool, server, client)
    assert (counts.read, counts.known) == (3, 3)
    assert pool.path.read_bytes() == before
    assert len(archive.questions) == 4


def test_empty_answer_is_an_empty_pool(pool, server, client):
    server.answer = Archive()
    counts = fetch(pool, server, client)
    assert counts.read == 0
    assert list(pool.load_papers()) == []
    assert pool.load_state()["done"] == "2024-06-01"


def test_papers_before_since_and_of_other_categories_are_left_out(pool, server, client):
    archive = server.answer = Archive(
        Record("2403.00001"),
        Record("2301.00001", created="2023-01-01"),
        Record("2403.00002", categories="cs.LGX math.CO"),
    )
    counts = fetch(pool, server, client, since="2024-01-01")
    assert archive.questions[0]["from"] == "2024-01-01"
    assert (counts.new, counts.left_out) == (1, 2)
    assert adds_up(counts)


def test_earlier_since_begins_anew_and_a_later_one_does_not(pool, server, client):
    archive = server.answer = Archive(*records(2), Record("2301.00001", stamp="2023-02-02", created="2023-01-01"))  # fmt: skip
    fetch(pool, server, client, since="2024-01-01")
    fetch(pool, server, client, since="2024-05-01")
    assert archive.questions[-1]["from"] == "2024-05-31"
    counts = fetch(pool, server, client, since="2023-01-01")
    assert archive.questions[-2]["from"] == "2023-01-01"
    assert (counts.new, counts.known) == (1, 2)
    assert len(lines(pool)) == 3


def test_until_leaves_the_rest_for_the_next_call(pool, server, client):
    archive = server.answer = Archive(*records(2), Record("2404.00001", stamp="2024-04-04"))
    assert fetch(pool, server, client, until="2024-03-31").new == 2
    assert fetch(pool, server, client).new == 1
    assert archive.questions[-1]["from"] == "2024-03-30"


def test_deleted_paper_leaves_the_pool(pool, server, client):
    archive = server.answer = Archive(*records(3))
    fetch(pool, server, client)
    archive.records[1] = Record("2403.00002", stamp="2024-06-02", deleted=True)
    archive.records.append(Record("2403.00009", stamp="2024-06-02", deleted=True))
    counts = fetch(pool, server, client)
    assert (counts.gone, counts.left_out) == (1, 1)
    assert keys(pool) == ["arxiv:2403.00001", "arxiv:2403.00003"]
    archive.records[1] = Record("2403.00002", stamp="2024-06-05")
    fetch(pool, server, client)
    assert len(keys(pool)) == 3


def test_paper_that_changes_its_category_leaves_the_pool(pool, server, client):
    archive = server.answer = Archive(*records(2))
    fetch(pool, server, client)
    archive.records[0] = Record("2403.00001", stamp="2024-06-02", categories="cs.AI")
    assert fetch(pool, server, client).gone == 1
    assert keys(pool) == ["arxiv:2403.00002"]


def test_whole_archive_has_all_its_categories(tmp_path, server, client):
    pool = Pool(tmp_path, "cs")
    server.answer = Archive(Record("2403.00001", categories="cs.LG"), Record("2403.00002", categories="cs.AI"))  # fmt: skip
    assert fetch(pool, server, client, "cs").new == 2


def test_server_without_finer_sets_is_asked_for_the_archive(pool, server, client):
    archive = server.answer = Archive(*records(1), Record("2403.00002", categories="cs.AI"), sets=("cs", "math"))  # fmt: skip
    notes = []
    counts = fetch(pool, server, client, on_note=notes.append)
    assert (counts.new, counts.left_out) == (1, 1)
    assert archive.questions[-1]["set"] == "cs"
    assert notes == ["arXiv has no set of cs.LG alone: reading all of cs."]


@pytest.mark.parametrize("category", ["cs.XY", "zz.LG", "zz"])
def test_unknown_category_is_an_error(pool, server, client, category):
    server.answer = Archive(*records(1))
    with pytest.raises(UsageError, match=f"no category {category}"):
        fetch(pool, server, client, category)


# faults


def test_expired_token_goes_on_from_the_last_datestamp(pool, server, client):
    archive = server.answer = Archive(*(Record(f"2403.{n:05d}", stamp=f"2024-03-{n:02d}") for n in range(1, 8)))  # fmt: skip
    notes = []

    def expire(counts):
        archive.expired = counts.read == 4

    counts = fetch(pool, server, client, on_page=expire, on_note=notes.append)
    assert [q["from"] for q in archive.questions if "from" in q] == ["2024-03-04"]
    assert (counts.new, counts.known) == (7, 1)
    assert len(lines(pool)) == 7
    assert "asking again from 2024-03-04" in notes[0]


def test_expired_token_of_a_list_in_no_order_begins_at_its_beginning(pool, server, client):
    stamps = ["2024-05-01", "2024-05-02", "2024-03-01", "2024-05-03", "2024-03-02"]
    archive = server.answer = Archive(*(Record(f"2403.{n:05d}", stamp=s) for n, s in enumerate(stamps, 1)))  # fmt: skip

    def expire(counts):
        archive.expired = counts.read == 4

    counts = fetch(pool, server, client, on_page=expire)
    assert [q for q in archive.questions if "from" in q] == []
    assert counts.new == 5
    assert len(lines(pool)) == 5


def test_tokens_that_are_always_refused_are_an_error_at_last(pool, server, client):
    archive = Archive(*records(5))

    def answer(asked):
        archive.expired = "resumptionToken" in asked.path
        return archive(asked)

    server.answer = answer
    with pytest.raises(NetworkError, match=r"does not take the token any more .*in a row"):
        fetch(pool, server, client)
    assert len(server.asked) < 12
    server.answer = archive
    assert fetch(pool, server, client).new == 3


def test_token_that_comes_again_is_an_error(pool, server, client):
    page = "".join(one.xml() for one in records(1))
    server.answer = lambda asked: Said(
        oai(f"<ListRecords>{page}<resumptionToken>a|b</resumptionToken></ListRecords>")
    )
    with pytest.raises(NetworkError, match="never end"):
        fetch(pool, server, client)
    assert len(server.asked) == 2


TROUBLES = {
    "busy": Said(b"busy", 503, headers={"Retry-After": "0"}),
    "cut": Said(oai("<ListRecords>" + "x" * 500), cut_after=100),
    "broken": Said(oai("<ListRecords><record>")[:-20]),
    "html": Said(b"<html>maintenance</html>"),
    "entities": Said(b'<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;">]><OAI-PMH>&c;</OAI-PMH>'),
    "utf-16": Said('<!DOCTYPE a [<!ENTITY b "b">]><OAI-PMH/>'.encode("utf-16")),
    "empty": Said(b""),
}  # fmt: skip


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES)
def test_trouble_is_asked_again(pool, server, client, trouble):
    archive = Archive(*records(5))
    asked_before = []

    def answer(asked):
        asked_before.append(asked)
        return trouble if len(asked_before) == 2 else archive(asked)

    server.answer = answer
    counts = fetch(pool, server, client)
    assert (counts.new, len(asked_before)) == (5, 4)


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES)
def test_trouble_without_an_end_keeps_what_was_fetched_and_the_next_call_goes_on(
    pool, server, client, trouble
):
    archive = Archive(*records(5))
    server.answer = lambda asked: trouble if "resumptionToken=4" in asked.path else archive(asked)
    with pytest.raises(NetworkError):
        fetch(pool, server, client)
    assert len(keys(pool)) == 4
    server.answer = archive
    counts = fetch(pool, server, client)
    assert archive.questions[-1]["resumptionToken"].startswith("4|")
    assert (counts.new, counts.known) == (1, 0)
    assert len(keys(pool)) == len(lines(pool)) == 5


def test_other_error_of_the_protocol_is_told(pool, server, client):
    server.answer = lambda asked: error("cannotDisseminateFormat", "no arXiv")
    with pytest.raises(NetworkError, match="cannotDisseminateFormat': no arXiv"):
        fetch(pool, server, client)


def test_404_is_told(pool, server, client):
    with pytest.raises(NetworkError, match="no OAI-PMH at"):
        fetch(pool, server, client)


def test_control_characters_and_broken_letters_do_not_stop_a_page(pool, server, client):
    page = Record("2403.00001", title="A \x0c B \x00 C").xml().encode() + b"\xff"
    body = b'<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/"><ListRecords>' + page + b"</ListRecords></OAI-PMH>"  # fmt: skip
    server.answer = lambda asked: Said(body)
    assert fetch(pool, server, client).new == 1
    assert next(pool.load_papers()).title == "A � B � C"


def test_record_that_cannot_be_read_is_skipped_and_counted(pool, server, client):
    broken = Record("2403.00002").xml().replace("<title>Paper 2403.00002</title>", "")
    stranger = Record("x").xml()
    page = Record("2403.00001").xml() + broken + stranger
    server.answer = lambda asked: Said(oai(f"<ListRecords>{page}</ListRecords>"))
    counts = fetch(pool, server, client)
    assert (counts.new, counts.skipped) == (1, 2)
    assert counts.why == (
        "arxiv:2403.00002 without a title",
        "a record called 'oai:arXiv.org:x', which is not an arXiv id",
    )
    assert adds_up(counts)


def test_pages_are_not_kept_in_the_cache(pool, server, client):
    server.answer = Archive(*records(5))
    fetch(pool, server, client)
    assert list(client.cache.folder.rglob("*.http")) == []


# killed, and two at once


def _fetch_in_child(folder, url, cache):
    with Client(Cache(cache), hosts={"127.0.0.1": FAST}, timeout_s=5) as client:
        fetch_category(Pool(folder, "cs.LG"), "cs.LG", client, services=Services(arxiv_oai=url))


def test_killed_at_any_time_nothing_is_lost_or_double(pool, server, client, tmp_path):
    archive = server.answer = Archive(*records(40))
    spawn = get_context("fork")
    for wait_s in (0.03, 0.05, 0.08, 0.12, 0.2):
        child = spawn.Process(
            target=_fetch_in_child, args=(pool.path.parent, f"{server.url}/oai", tmp_path / "cache")
        )
        child.start()
        time.sleep(wait_s)
        os.kill(child.pid, signal.SIGKILL)
        child.join()
    fetch(pool, server, client)
    assert keys(pool) == sorted(f"arxiv:{one.number}" for one in archive.records)
    assert len(lines(pool)) == 40


def test_killed_between_page_and_state_the_page_is_recognised(pool, server, client, monkeypatch):
    server.answer = Archive(*records(5))
    monkeypatch.setattr(Pool, "save_state", lambda self, state: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        fetch(pool, server, client)
    monkeypatch.undo()
    counts = fetch(pool, server, client)
    assert (counts.new, counts.known) == (3, 2)
    assert len(lines(pool)) == 5


def test_torn_line_is_passed_over_and_mended(pool, server, client):
    server.answer = Archive(*records(4))
    fetch(pool, server, client)
    whole = pool.path.read_bytes()
    pool.path.write_bytes(whole[:-30])
    assert len(keys(pool)) == 3
    pool.state_path.unlink()
    assert fetch(pool, server, client).new == 1
    assert len(keys(pool)) == 4


def test_second_process_is_refused_with_a_sentence(pool, server, client):
    server.answer = Archive(*records(2))
    with pool.writing(), pytest.raises(FileError, match=r"Another process is filling the pool cs\.LG"):  # fmt: skip
        fetch(pool, server, client)
    assert fetch(pool, server, client).new == 2


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"version":2}', '{"version":1,"done":"soon"}', '{"version":1,"since":7}',
     '{"version":1,"category":"cs.LG","since":"","going":[]}', '{"version":1,"category":"cs.LG","since":"","going":{"until":"","token":3}}'],
)  # fmt: skip
def test_spoilt_state_costs_a_fetch_from_the_beginning(pool, server, client, text):
    server.answer = Archive(*records(3))
    fetch(pool, server, client)
    pool.state_path.write_text(text)
    counts = fetch(pool, server, client)
    assert (counts.known, counts.new) == (3, 0)


# the API


class Newest:
    """The API: entries by their date of change, newest first."""

    def __init__(self, *days):
        self.entries = [(f"2403.{n:05d}", day) for n, day in enumerate(days, 1)]
        self.starts = []

    def __call__(self, asked):
        from urllib.parse import parse_qs, urlsplit

        question = {k: v[0] for k, v in parse_qs(urlsplit(asked.path).query).items()}
        assert question["sortBy"] == "lastUpdatedDate"
        start, size = int(question["start"]), int(question["max_results"])
        self.starts.append(start)
        ordered = sorted(self.entries, key=lambda one: one[1], reverse=True)
        page = [
            entry(number).replace("2022-05-26", day).replace("2021-05-09", "2024-03-01")
            for number, day in ordered[start : start + size]
        ]
        total = f'<opensearch:totalResults xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/">{len(ordered)}</opensearch:totalResults>'
        return Said((HEAD + total + "".join(page) + TAIL).encode())


@pytest.fixture
def two_a_page(monkeypatch):
    monkeypatch.setattr("studiolo.metadata.arxiv.NEWEST", 2)


def test_api_is_read_to_the_end_and_then_until_what_is_known(pool, server, client, two_a_page):
    api = server.answer = Newest("2024-03-01", "2024-03-02", "2024-03-03", "2024-03-04", "2024-03-05")  # fmt: skip
    assert fetch(pool, server, client, category="cs.CL", by_api=True).new == 5
    assert api.starts == [0, 2, 4]
    state = pool.load_state()
    pool.save_state(state | {"done": "2024-03-07"})
    api.entries += [("2403.00009", "2024-03-07")]
    counts = fetch(pool, server, client, category="cs.CL", by_api=True)
    assert (counts.new, api.starts) == (1, [0, 2, 4, 0])


def test_interrupted_reading_of_the_api_goes_on(pool, server, client, two_a_page):
    api = Newest("2024-03-01", "2024-03-02", "2024-03-03", "2024-03-04", "2024-03-05")
    server.answer = lambda asked: Said(b"", 503, {"Retry-After": "0"}) if "start=2" in asked.path else api(asked)  # fmt: skip
    with pytest.raises(NetworkError):
        fetch(pool, server, client, category="cs.CL", by_api=True)
    server.answer = api
    assert fetch(pool, server, client, category="cs.CL", by_api=True).new == 3
    assert api.starts == [0, 2, 4]


def test_empty_feed_of_the_api_is_asked_again(pool, server, client, two_a_page):
    api = Newest("2024-03-01", "2024-03-02", "2024-03-03")
    empty = api(type("Asked", (), {"path": "?sortBy=lastUpdatedDate&start=9&max_results=2"}))
    server.say("/nothing")
    asked_before = []

    def answer(asked):
        asked_before.append(asked)
        return empty if len(asked_before) == 2 else api(asked)

    server.answer = answer
    assert fetch(pool, server, client, category="cs.CL", by_api=True).new == 3


def test_api_shows_no_more_than_it_shows(pool, server, client, two_a_page, monkeypatch):
    monkeypatch.setattr("studiolo.metadata.arxiv.MOST", 4)
    server.answer = Newest(*["2024-03-01"] * 9)
    notes = []
    assert fetch(pool, server, client, category="cs.CL", by_api=True, on_note=notes.append).new == 4
    assert notes == ["arXiv's API shows no more than 4 papers. For all: without --api."]


# the file


def test_last_word_on_a_paper_counts_and_spoilt_lines_say_nothing(pool):
    key = Key("arxiv", "2105.03824")
    old, new = (json.dumps(Facts(key, title=title).to_record()) for title in ("Old", "New"))
    pool.path.parent.mkdir()
    pool.path.write_text(f'{old}\n<<<<<<< ours\n[]\n7\n{{}}\n{{"key": "nothing"}}\n{new}\n\n')
    assert [facts.title for facts in pool.load_papers()] == ["New"]


@pytest.mark.parametrize("block", [1, 2, 3, 7, 1000])
def test_lines_backwards_are_the_lines_backwards(tmp_path, monkeypatch, block):
    monkeypatch.setattr("studiolo.metadata.pool._BLOCK", block)
    path = tmp_path / "x"
    for data in (b"", b"a", b"a\n", b"abc\n\ndefgh\nij\n", b"\n\n"):
        path.write_bytes(data)
        assert list(_lines_backwards(path)) == (data.split(b"\n")[::-1])


def test_names_of_pools_stay_in_the_folder(tmp_path):
    pool = Pool(tmp_path / "pools", "../../evil/x")
    assert pool.path.parent == tmp_path / "pools"
    assert load_pools(tmp_path / "nowhere") == []


def test_filling_again_adds_nothing(pool):
    papers = [Facts(Key("arxiv", f"2105.{n:05d}"), title="T", published="2021-05-09") for n in range(1, 4)]  # fmt: skip
    assert fill_from(pool, papers).new == 3
    counts = fill_from(pool, [*papers, "x: not a record"])
    assert (counts.known, counts.skipped, adds_up(counts)) == (3, 1, True)


@pytest.mark.parametrize(
    ("text", "day"),
    [("2024", "2024-01-01"), ("2024-05", "2024-05-01"), (" 2024-05-31 ", "2024-05-31")],
)
def test_days_are_understood(text, day):
    assert day_of(text) == day


def test_days_ago_are_understood():
    assert day_of("30d") > day_of("6m") > day_of("2y")


@pytest.mark.parametrize("text", ["", "banana", "2024-13", "24", "2024-02-30", "9999y", "-3d", "٢٠٢٤"])  # fmt: skip
def test_what_is_not_a_date_is_told(text):
    with pytest.raises(UsageError, match=r"is not a date\. Write 2024"):
        day_of(text)
