from urllib.parse import parse_qs, urlsplit

import pytest

from studiolo.keys import Key
from studiolo.metadata import Facts, Services, fetch_facts
from tests.net.server import Said

from .feeds import entry, feed


FNET = Key("arxiv", "2105.03824")
DOI = Key("doi", "10.1000/x")


def look(server, client, *keys, **more):
    at = Services(
        arxiv=f"{server.url}/arxiv",
        semantic_scholar=f"{server.url}/s2",
        openalex=f"{server.url}/alex",
        crossref=f"{server.url}/crossref",
        datacite=f"{server.url}/datacite",
        github=f"{server.url}/github",
    )
    return fetch_facts(keys, client=client, services=at, **more)


def test_arxiv_is_asked_first_and_nobody_else_if_it_answers(server, client):
    server.say("/arxiv", Said(feed(entry())))
    found = look(server, client, FNET)
    assert found.facts[FNET].said_by == "arxiv"
    assert found.facts[FNET].fetched
    assert len(server.asked) == 1


def test_next_service_is_asked_when_one_fails(server, client):
    server.say("/arxiv", Said(b"", 429))
    server.say("/s2/paper/batch", Said.json([{"title": "FNet", "year": 2021}]))
    found = look(server, client, FNET)
    assert found.facts[FNET].said_by == "semantic-scholar"
    assert found.failed == {}


def test_what_no_service_answers_is_told_with_the_first_reason(server, client):
    server.answer = lambda asked: Said(b"", 500)
    found = look(server, client, FNET, DOI)
    assert set(found.failed) == {FNET, DOI}
    assert "did not answer after 3 attempts: status 500" in found.failed[FNET]


def test_missing_and_found_add_up_to_what_was_asked(server, client):
    def answer(asked):
        wanted = parse_qs(urlsplit(asked.path).query).get("id_list", [""])[0].split(",")
        return (
            Said(feed(*(entry(one) for one in wanted if one == FNET.value)))
            if asked.path.startswith("/arxiv")
            else None
        )

    server.answer = answer
    found = look(server, client, FNET, Key("arxiv", "2001.00001"), DOI)
    assert found.missing == [Key("arxiv", "2001.00001"), DOI]
    assert found.failed == {}
    assert found.facts[FNET].title


@pytest.mark.parametrize(
    "key", [Key("openreview", "lyoOWX0e0O"), Key("youtube", "dQw4w9WgXcQ")], ids=str
)
def test_key_that_no_service_takes_is_counted_too(server, client, key):
    found = look(server, client, key)
    assert found.failed == {key: f"No service can be asked for a key of the kind {key.kind}."}
    assert found.facts == {}


def test_doi_unknown_to_crossref_is_asked_of_datacite(server, client):
    server.say(
        f"/datacite/dois/{DOI.value}",
        Said.json({"data": {"attributes": {"titles": [{"title": "T"}]}}}),
    )
    assert look(server, client, DOI).facts[DOI].said_by == "datacite"


def test_known_facts_are_not_asked_for(server, client):
    known = {FNET: Facts(FNET, title="kept")}
    found = look(server, client, FNET, known=known)
    assert (found.facts[FNET].title, found.new, server.asked) == ("kept", [], [])


def test_offline_answers_what_was_asked_before(server, client, offline):
    server.say("/arxiv", Said(feed(entry())))
    look(server, client, FNET)
    server.queues.clear()
    asked = len(server.asked)
    assert look(server, offline, FNET).facts[FNET].title.startswith("FNet")
    unknown = Key("arxiv", "2001.00001")
    assert (
        "Offline, and 127.0.0.1 was never asked this before"
        in look(server, offline, unknown).failed[unknown]
    )
    assert len(server.asked) == asked


def test_cross_walk_adds_the_other_keys(server, client):
    server.say("/arxiv", Said(feed(entry())))
    server.say(
        "/s2/paper/batch",
        Said.json([{"title": "FNet", "venue": "NAACL", "externalIds": {"DOI": "10.1000/x"}}]),
    )
    found = look(server, client, FNET, crosswalk=True)
    assert (found.facts[FNET].same, found.facts[FNET].said_by, found.facts[FNET].venue) == (
        (DOI,),
        "arxiv",
        "NAACL",
    )


def test_failing_cross_walk_loses_nothing(server, client):
    server.say("/arxiv", Said(feed(entry())))
    server.say("/s2/paper/batch", Said(b"", 429))
    found = look(server, client, FNET, crosswalk=True)
    assert found.facts[FNET].title
    assert "No crosswalk to other keys" in found.notes[0]


def test_facts_go_through_a_record_unchanged():
    facts = Facts(
        FNET,
        "T",
        ("A",),
        2021,
        "v4",
        "2021-05-09",
        "NAACL",
        "abs",
        ("cs.CL",),
        (DOI,),
        (FNET,),
        "arxiv",
        "2026-01-01",
        extra={"id": "7"},
    )
    assert Facts.from_record(facts.to_record()) == facts


def test_services_can_be_pointed_elsewhere(monkeypatch):
    monkeypatch.setenv("STUDIOLO_API_ARXIV", "http://127.0.0.1:1/query/")
    assert Services.from_environment().arxiv == "http://127.0.0.1:1/query"
    assert Services.from_environment().github == "https://api.github.com"
