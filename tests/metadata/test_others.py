import json

import pytest

from studiolo.errors import NetworkError
from studiolo.keys import Key
from studiolo.metadata.others import (
    fetch_crossref,
    fetch_datacite,
    fetch_github,
    fetch_openalex,
    fetch_semantic_scholar,
)
from tests.net.server import Said


FNET = Key("arxiv", "2105.03824")
DOI = Key("doi", "10.1038/s41586-021-03819-2")


def test_semantic_scholar_gives_the_other_keys_of_a_work(server, client):
    paper = {
        "title": "FNet",
        "year": 2021,
        "authors": [{"name": "James Lee-Thorp"}, {}],
        "venue": "NAACL",
        "abstract": "<p>We</p> show",
        "externalIds": {
            "ArXiv": "2105.03824",
            "DOI": "10.1000/X",
            "ACL": "2022.naacl-main.319",
            "CorpusId": 1,
        },
    }
    server.say("/paper/batch", Said.json([paper, None]))
    known, missing = fetch_semantic_scholar(client, [FNET, DOI, Key("github", "a/b")], server.url)
    assert json.loads(server.asked[0].body) == {
        "ids": ["ARXIV:2105.03824", "DOI:10.1038/s41586-021-03819-2"]
    }
    assert known.same == (Key("acl", "2022.naacl-main.319"), Key("doi", "10.1000/x"))
    assert (known.authors, known.abstract) == (("James Lee-Thorp",), "We show")
    assert missing.missing


@pytest.mark.parametrize("answer", [Said.json([]), Said.json({"error": "x"}), Said(b"", 404)])
def test_semantic_scholar_that_loses_count_is_told(server, client, answer):
    server.say("/paper/batch", answer)
    with pytest.raises(NetworkError, match=r"Semantic Scholar answered 0 papers to 1 ids|not JSON"):
        list(fetch_semantic_scholar(client, [FNET], server.url))


def test_openalex_gives_venue_and_locations(server, client):
    work = {
        "title": "FNet",
        "publication_year": 2021,
        "authorships": [{"author": {"display_name": "James Lee-Thorp"}}],
        "locations": [
            {"landing_page_url": "https://doi.org/10.1000/x"},
            {"landing_page_url": None},
            3,
        ],
        "primary_location": {"source": {"display_name": "NAACL"}},
    }
    server.say("/works/doi:10.48550/arxiv.2105.03824", Said.json(work))
    (facts,) = fetch_openalex(client, [FNET], server.url)
    assert (facts.title, facts.year, facts.venue, facts.same) == (
        "FNet",
        2021,
        "NAACL",
        (Key("doi", "10.1000/x"),),
    )


def test_crossref_gives_preprint_and_date(server, client):
    message = {
        "title": ["A <i>title</i>"],
        "author": [{"given": "Ada", "family": "Lovelace"}, {"name": "A Group"}],
        "issued": {"date-parts": [[2021, 7, 15]]},
        "container-title": ["Nature"],
        "relation": {"has-preprint": [{"id": "10.48550/arXiv.2105.03824", "id-type": "doi"}]},
    }
    server.say(f"/works/{DOI.value}", Said.json({"message": message}))
    facts = fetch_crossref(client, DOI, server.url)
    assert (facts.title, facts.authors, facts.year, facts.published) == (
        "A title",
        ("Ada Lovelace", "A Group"),
        2021,
        "2021-07-15",
    )
    assert facts.same == (FNET,)


def test_datacite_gives_versions(server, client):
    attributes = {
        "titles": [{"title": "T"}],
        "creators": [{"name": "Lovelace, Ada"}],
        "publicationYear": 2021,
        "publisher": {"name": "arXiv"},
        "relatedIdentifiers": [
            {"relationType": "IsVersionOf", "relatedIdentifier": "10.1000/X"},
            {"relationType": "Cites", "relatedIdentifier": "10.1/y"},
        ],
    }
    server.say(f"/dois/{DOI.value}", Said.json({"data": {"attributes": attributes}}))
    facts = fetch_datacite(client, DOI, server.url)
    assert (facts.title, facts.venue, facts.same) == ("T", "arXiv", (Key("doi", "10.1000/x"),))


def test_github_reads_the_paper_from_the_readme(server, client):
    server.say(
        "/repos/google-research/fnet",
        Said.json(
            {
                "id": 7,
                "full_name": "google-research/FNet",
                "description": "x",
                "created_at": "2021-05-10T00:00:00Z",
            }
        ),
    )
    readme = "# FNet\nUses https://arxiv.org/abs/1706.03762.\n```\n@misc{x,\n  title={FNet: Mixing Tokens},\n  eprint={2105.03824},\n}\n```\n"
    server.say("/repos/google-research/fnet/readme", Said(readme.encode()))
    facts = fetch_github(client, Key("github", "google-research/fnet"), server.url)
    assert (facts.title, facts.about, facts.extra) == ("google-research/FNet", (FNET,), {"id": "7"})


@pytest.mark.parametrize("fetch", [fetch_crossref, fetch_datacite])
def test_unknown_thing_is_missing(server, client, fetch):
    assert fetch(client, DOI, server.url).missing


def test_unknown_repository_is_missing(server, client):
    assert fetch_github(client, Key("github", "a/b"), server.url).missing
    (facts,) = fetch_openalex(client, [FNET], server.url)
    assert facts.missing


ODD: list[object] = [
    None,
    3,
    "x",
    [],
    {},
    [[]],
    {"message": 3},
    {"message": {"title": {}, "author": 3, "issued": {"date-parts": 4}}},
    {"data": {"attributes": {"titles": [3]}}},
    {"data": {"attributes": {"relatedIdentifiers": [{"relationType": {}}, {"relationType": []}]}}},
    {"full_name": 3},
    {"title": ["x"], "authorships": 3, "locations": {}},
]


@pytest.mark.parametrize("value", ODD)
def test_answers_of_every_odd_shape_raise_nothing(server, client, value):
    server.answer = lambda asked: Said.json(value)
    fetch_crossref(client, DOI, server.url)
    fetch_datacite(client, DOI, server.url)
    fetch_github(client, Key("github", "a/b"), server.url)
    assert len(list(fetch_openalex(client, [FNET], server.url))) == 1


def test_answer_cut_in_the_middle_of_json_is_asked_for_again(server, client):
    server.say(
        f"/works/{DOI.value}", Said(b'{"message": {"tit'), Said.json({"message": {"title": ["T"]}})
    )
    assert fetch_crossref(client, DOI, server.url).title == "T"
