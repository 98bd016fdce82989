from urllib.parse import parse_qs, urlsplit

import pytest

from studiolo.errors import NetworkError
from studiolo.keys import Key
from studiolo.metadata.arxiv import BATCH, fetch_arxiv, parse_feed
from tests.net.server import Said

from .feeds import ERROR, entry, feed


FNET = Key("arxiv", "2105.03824")


def keys(count):
    return [Key("arxiv", f"2001.{number:05d}") for number in range(1, count + 1)]


def answer_all(server, known=None):
    """Make the server know every id that it is asked, or those in `known`."""

    def answer(asked):
        wanted = parse_qs(urlsplit(asked.path).query)["id_list"][0].split(",")
        return Said(
            feed(*(entry(one, title=f"T {one}") for one in wanted if known is None or one in known))
        )

    server.answer = answer


def fetch(server, client, wanted, **more):
    return list(fetch_arxiv(client, wanted, f"{server.url}/api/query", **more))


def test_feed_gives_title_authors_year_version_and_cross_walk():
    (facts,) = parse_feed(
        feed(
            entry(
                more="<arxiv:doi>10.18653/V1/2022.naacl-main.319</arxiv:doi><arxiv:journal_ref>NAACL\n2022</arxiv:journal_ref>"
            )
        )
    )
    assert facts.key == FNET
    assert facts.title == "FNet: Mixing Tokens with Fourier Transforms"
    assert facts.authors == ("James Lee-Thorp", "Joshua Ainslie")
    assert (facts.year, facts.version, facts.venue) == (2021, "v4", "NAACL 2022")
    assert facts.categories == ("cs.CL", "cs.LG")
    assert facts.abstract == "We show that Transformer encoders can be sped up."


def test_doi_of_a_journal_is_the_same_work():
    (facts,) = parse_feed(feed(entry(more="<arxiv:doi>10.1038/S41586-021-03819-2</arxiv:doi>")))
    assert facts.same == (Key("doi", "10.1038/s41586-021-03819-2"),)


def test_old_ids_keep_their_archive():
    (facts,) = parse_feed(feed(entry("math/0211159", 1)))
    assert facts.key == Key("arxiv", "math/0211159")


def test_many_keys_are_asked_in_batches_and_counted(server, client):
    answer_all(
        server, known={f"2001.{number:05d}" for number in range(1, 2 * BATCH + 1) if number % 2}
    )
    found = fetch(server, client, keys(2 * BATCH + 1))
    assert len(found) == 2 * BATCH + 1
    assert len(server.asked) == 3
    assert sum(facts.missing for facts in found) == BATCH + 1
    assert found[0].title == "T 2001.00001"


def test_same_batch_is_asked_once(server, client):
    answer_all(server)
    first = fetch(server, client, keys(3))
    assert fetch(server, client, keys(3)) == first
    assert len(server.asked) == 1
    fetch(server, client, keys(3), refresh=True)
    assert len(server.asked) == 2


def test_one_bad_id_does_not_spoil_its_batch(server, client):
    bad = "2001.00003"

    def answer(asked):
        wanted = parse_qs(urlsplit(asked.path).query)["id_list"][0].split(",")
        return Said(ERROR if bad in wanted else feed(*(entry(one) for one in wanted)))

    server.answer = answer
    found = fetch(server, client, keys(5))
    assert [facts.key.value for facts in found if facts.missing] == [bad]
    assert len(found) == 5


@pytest.mark.parametrize(
    ("trouble", "why"),
    [
        (Said(feed(entry())[:-30]), "not a complete feed"),
        (Said(b"Rate exceeded."), "not a complete feed"),
        (Said(b"<html><body>busy</body></html>"), "not a feed but 'html'"),
        (Said(b""), "not a complete feed"),
        (
            Said(b'<!DOCTYPE feed [<!ENTITY a "aaaa">]>' + feed(entry(title="&a;"))),
            "declares a document type",
        ),
        (Said(feed(entry()).decode().encode("utf-16")), "declares a document type"),
    ],
)
def test_answer_that_is_not_a_feed_is_asked_for_again_and_then_told(server, client, trouble, why):
    server.say("/api/query", trouble, Said(feed(entry())))
    assert fetch(server, client, [FNET])[0].title.startswith("FNet")
    server.say("/api/query", trouble)
    with pytest.raises(NetworkError, match=why):
        fetch(server, client, [FNET], refresh=False) and fetch(
            server, client, [Key("arxiv", "2001.00001")]
        )


def test_empty_feed_for_many_ids_is_asked_for_again(server, client):
    wanted = keys(5)
    server.say("/api/query", Said(feed()), Said(feed(*(entry(key.value) for key in wanted))))
    assert not any(facts.missing for facts in fetch(server, client, wanted))


def test_busy_arxiv_is_waited_for(server, client):
    server.say(
        "/api/query", Said(b"", 503), Said(b"", 429, {"Retry-After": "0"}), Said(feed(entry()))
    )
    assert fetch(server, client, [FNET])[0].year == 2021


def test_entry_with_nonsense_is_passed_over():
    odd = "<entry><id>http://arxiv.org/abs/none</id></entry><entry/>" + entry(title="").replace(
        "2021-05-09", "soon"
    )
    (facts,) = parse_feed(feed(odd))
    assert (facts.title, facts.year) == ("", None)


@pytest.mark.parametrize("encoding", ["RUTF-8", "cp037", "utf-16", "zip"])
def test_encoding_that_a_feed_claims_is_not_believed(encoding):
    body = feed(entry()).replace(b'encoding="UTF-8"', f'encoding="{encoding}"'.encode())
    assert parse_feed(body)[0].key == FNET
