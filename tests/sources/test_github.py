import json

import pytest

from studiolo.errors import NetworkError, SourceError, UsageError
from studiolo.sources.github import fetch_stars, load_stars
from studiolo.sources.repository import paper_links
from tests.net.server import Said

from .reading import split


def repo(number, name, **more):
    return {
        "id": number,
        "full_name": name,
        "description": None,
        "homepage": "",
        "topics": ["ml"],
        **more,
    }


def star(number, name, when="2021-05-25T10:00:00Z", **more):
    return {"starred_at": when, "repo": repo(number, name, **more)}


def pages(server, *pages, user="me"):
    base = f"/users/{user}/starred?per_page=100&sort=created&direction=desc"
    for number, page in enumerate(pages, 1):
        path = base if number == 1 else f"{base}&page={number}"
        following = (
            f'<{server.url}{base}&page={number + 1}>; rel="next", <{server.url}/x>; rel="last"'
        )
        headers = {"Link": following} if number < len(pages) else {}
        server.say(path, Said.json(page, headers=headers))


def test_stars_are_read_page_by_page_with_their_dates(server, client):
    pages(server, [star(1, "o/a", description="see arxiv.org"), star(2, "o/b")], [star(3, "o/c")])
    items, _, skipped = split(fetch_stars(client, "me", api=server.url, everything=True))
    assert [(item.native, item.url, item.saved_at) for item in items] == [
        ("1", "https://github.com/o/a", "2021-05-25T10:00:00Z"),
        ("2", "https://github.com/o/b", "2021-05-25T10:00:00Z"),
        ("3", "https://github.com/o/c", "2021-05-25T10:00:00Z"),
    ]
    assert items[0].tags == ("ml",)
    assert skipped == []
    assert server.asked[0].headers["Accept"] == "application/vnd.github.star+json"
    assert "Authorization" not in server.asked[0].headers


def test_reading_stops_after_the_page_that_holds_a_known_star(server, client):
    pages(server, [star(1, "o/a"), star(2, "o/b")], [star(3, "o/c")], [star(4, "o/d")])
    items, _, _ = split(
        fetch_stars(client, "me", api=server.url, is_known=lambda item: item.native == "3")
    )
    assert [item.native for item in items] == ["1", "2", "3"]
    assert len(server.asked) == 2


def test_token_is_sent_where_there_is_one(server, client):
    pages(server, [])
    list(fetch_stars(client, "me", api=server.url, token="secret"))
    assert server.asked[0].headers["Authorization"] == "Bearer secret"


def test_plain_repositories_are_stars_without_a_date(server, client):
    pages(server, [repo(1, "o/a")])
    items, _, _ = split(fetch_stars(client, "me", api=server.url))
    assert items[0].saved_at is None


def test_next_page_elsewhere_is_not_followed(server, client):
    base = "/users/me/starred?per_page=100&sort=created&direction=desc"
    server.say(
        base,
        Said.json([star(1, "o/a")], headers={"Link": '<http://evil.example/next>; rel="next"'}),
    )
    with pytest.raises(NetworkError, match="puts the next page on another host"):
        list(fetch_stars(client, "me", api=server.url, everything=True, token="secret"))


def test_unknown_user_is_told(server, client):
    with pytest.raises(NetworkError, match="GitHub knows no user 'nobody'"):
        list(fetch_stars(client, "nobody", api=server.url))


def test_what_cannot_be_a_login_is_not_asked(server, client):
    with pytest.raises(UsageError, match="neither a file nor a GitHub login"):
        list(fetch_stars(client, "../etc", api=server.url))
    assert server.asked == []


def test_answer_that_is_no_list_is_told(server, client):
    server.say("/users/me/starred", Said.json({"message": "no"}))
    with pytest.raises(NetworkError, match="did not answer with a list of stars"):
        list(fetch_stars(client, "me", api=server.url))


def test_broken_entries_are_skipped_with_their_place(server, client):
    pages(
        server,
        [
            3,
            {"starred_at": "x", "repo": {"full_name": "no slash"}},
            star(1, "o/a", description=["x"], topics="x", homepage=4),
        ],
    )
    items, _, skipped = split(fetch_stars(client, "me", api=server.url))
    assert len(items) == 1
    assert [str(one) for one in skipped] == [
        "github.com/me, page 1, item 1: not a star but int",
        "github.com/me, page 1, item 2: a repository without owner/name: no slash",
    ]


def lists_answer(name, numbers, *, more_items=None, more_lists=None):
    return Said.json(
        {
            "data": {
                "user": {
                    "lists": {
                        "pageInfo": {
                            "hasNextPage": more_lists is not None,
                            "endCursor": more_lists,
                        },
                        "nodes": [
                            {
                                "name": name,
                                "items": {
                                    "pageInfo": {
                                        "hasNextPage": more_items is not None,
                                        "endCursor": more_items,
                                    },
                                    "nodes": [
                                        {"databaseId": number, "nameWithOwner": "o/x"}
                                        for number in numbers
                                    ],
                                },
                            }
                        ],
                    }
                }
            }
        }
    )


def test_star_lists_become_tags(server, client):
    pages(server, [star(1, "o/a"), star(2, "o/b")])
    server.say(
        "/graphql",
        lists_answer("read", [1], more_items="i"),
        lists_answer("read", [2], more_lists="l"),
        lists_answer("nlp", [2]),
    )
    items, _, _ = split(fetch_stars(client, "me", api=server.url, token="t", with_lists=True))
    assert [item.tags for item in items] == [("ml", "read"), ("ml", "read", "nlp")]


def test_star_lists_want_a_token(server, client):
    with pytest.raises(UsageError, match="Star lists need a token"):
        list(fetch_stars(client, "me", api=server.url, with_lists=True))


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ({"errors": [{"message": "bad credentials"}]}, "bad credentials"),
        ({"data": None}, "an unknown shape"),
        ([], "an unknown shape"),
    ],
)
def test_trouble_with_star_lists_is_told(server, client, answer, sentence):
    server.say("/graphql", Said.json(answer))
    with pytest.raises(NetworkError, match=sentence):
        list(fetch_stars(client, "me", api=server.url, token="t", with_lists=True))


def test_dump_of_rest_pages_is_read(tmp_path):
    path = tmp_path / "stars.json"
    path.write_text(json.dumps([[star(1, "o/a")], [star(2, "o/b")]]))
    assert [item.native for item in load_stars(path)] == ["1", "2"]


def test_dump_of_dmarx_stars_keeps_lists_and_papers(tmp_path):
    path = tmp_path / "stars.json"
    entry = {
        "lists": ["attention"],
        "metadata": {
            "id": 7,
            "full_name": "google-research/FNet",
            "description": "FNet",
            "starred_at": "2021-05-25T10:00:00Z",
            "created_at": "2021-05-01T00:00:00Z",
        },
        "arxiv": {
            "urls": [],
            "primary_url": None,
            "bibtex_citations": ["@misc{x, title={FNet: Mixing Tokens}, eprint={2105.03824}}"],
        },
    }
    path.write_text(json.dumps({"repositories": {"google-research/FNet": entry, "broken": 3}}))
    items, _, skipped = split(load_stars(path))
    assert (items[0].folder, items[0].links[0].role, items[0].links[0].url) == (
        ("attention",),
        "name",
        "https://arxiv.org/abs/2105.03824",
    )
    assert items[0].links[0].title == "FNet: Mixing Tokens"
    assert len(skipped) == 1


def test_other_json_is_refused(tmp_path):
    (tmp_path / "x.json").write_text('{"a": 1}')
    with pytest.raises(SourceError, match="holds neither a list of stars"):
        list(load_stars(tmp_path / "x.json"))


ARXIV = "https://arxiv.org/abs/"


def role(**evidence):
    links = paper_links(evidence.pop("name", "tool"), evidence.pop("description", ""), **evidence)
    return [(link.role, link.url.removeprefix(ARXIV)) for link in links]


def test_paper_in_the_description_comes_first():
    assert role(description=f"Code of {ARXIV}2105.03824v2.", homepage=f"{ARXIV}1912.07242") == [
        ("description", "2105.03824")
    ]


def test_homepage_that_is_a_paper_is_its_paper():
    assert role(homepage=f"{ARXIV}1912.07242", readme_urls=[f"{ARXIV}2105.03824"]) == [
        ("homepage", "1912.07242")
    ]


def test_citation_with_the_name_of_the_repository_is_its_paper():
    citations = [
        "@misc{a, title={GPT-3: Few-shot}, eprint={2005.14165}}",
        "@misc{b, title={FNet: Mixing}, eprint={2105.03824}}",
    ]
    assert role(name="fnet", citations=citations) == [("name", "2105.03824")]


def test_only_paper_of_the_citation_block_is_its_paper():
    assert role(
        citations=["@article{a, title={Something}, journal={arXiv preprint arXiv:2105.03824}}"]
    ) == [("bibtex", "2105.03824")]


def test_citation_of_somebody_else_beside_its_own_is_not():
    citations = [
        "@misc{a, title={Tool: a thing}, howpublished={GitHub}}",
        "@misc{b, title={Code Llama}, eprint={2308.12950}}",
    ]
    assert (
        role(
            name="tool-v2",
            citations=citations,
            readme_urls=[f"{ARXIV}2308.12950"],
            created_at="2023-12-01",
        )[0][0]
        == "mention"
    )


def test_doi_of_a_citation_counts():
    links = paper_links(
        "x",
        "",
        citations=["@article{a, title={T}, doi={https://doi.org/10.1038/S41586-021-03819-2}}"],
    )
    assert links[0].url == "https://doi.org/10.1038/s41586-021-03819-2"


def test_deposit_of_software_is_no_paper():
    assert role(citations=["@software{a, title={T}, doi={10.5281/zenodo.10013305}}"]) == []


def test_only_paper_of_a_readme_needs_confirmation():
    url = f"{ARXIV}2105.03824"
    assert role(readme_urls=[url]) == [("mention", "2105.03824")]
    assert role(readme_urls=[url], description="Official code of the paper") == [
        ("readme", "2105.03824")
    ]
    assert role(readme_urls=[url], created_at="2021-05-02T00:00:00Z") == [("date", "2105.03824")]


def test_paper_much_older_than_the_code_is_a_tool_that_is_used():
    assert role(
        readme_urls=[f"{ARXIV}1711.05101"],
        description="Official paper code",
        created_at="2023-11-01",
    ) == [("mention", "1711.05101")]


def test_several_papers_of_a_readme_are_only_suggested():
    assert role(readme_urls=[f"{ARXIV}2105.03824", f"{ARXIV}1912.07242"]) == [
        ("several", "2105.03824"),
        ("several", "1912.07242"),
    ]


def test_pages_after_each_other_are_one_list(tmp_path):
    path = tmp_path / "stars.json"
    pages = [[star(1, "o/a"), star(2, "o/b")], [star(3, "o/c")]]
    path.write_text("\n".join(json.dumps(page) for page in pages))
    assert [item.native for item in load_stars(path)] == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("description", "url"),
    [
        (
            "(ICML 2024) https://openreview.net/forum?id=abcdeFGHij",
            "https://openreview.net/forum?id=abcdeFGHij",
        ),
        (
            "see https://aclanthology.org/2020.acl-main.463/",
            "https://aclanthology.org/2020.acl-main.463",
        ),
        (
            "https://proceedings.mlr.press/v235/wei24h.html",
            "https://proceedings.mlr.press/v235/wei24h.html",
        ),
        (
            "https://openaccess.thecvf.com/content/ICCV2021/html/Caron_Emerging_ICCV_2021_paper.html",
            "https://openaccess.thecvf.com/content/ICCV2021/html/Caron_Emerging_ICCV_2021_paper.html",
        ),
    ],
)
def test_paper_of_a_description_is_linked_wherever_it_is(tmp_path, description, url):
    path = tmp_path / "stars.json"
    path.write_text(json.dumps([star(1, "o/a", description=description)]))
    (item,) = load_stars(path)
    assert [(link.role, link.url) for link in item.links] == [("description", url)]
