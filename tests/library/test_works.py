import pytest

from studiolo.keys import Key
from studiolo.library import Edge, Inbox, Library, Works, load_works
from studiolo.library.edges import READER, save_edges
from studiolo.metadata import Facts
from studiolo.sources import SavedItem, SavedLink


ARXIV = Key("arxiv", "2105.03824")
DOI = Key("doi", "10.1000/x")
OTHER = Key("arxiv", "1912.07242")
REPO = Key("github", "google-research/fnet")
POST = Key("reddit", "t3_abc")
COMMENT = Key("reddit", "t1_def")


def edge(a, b, grade="same", said_by="s2", **more):
    return Edge(a, b, grade, "because", said_by, **more)


def test_same_merges_and_the_arxiv_key_names_the_work():
    works = Works([edge(DOI, ARXIV)])
    assert works.work(DOI) == works.work(ARXIV) == ARXIV
    assert works.keys(DOI) == {ARXIV, DOI}
    assert works.work(OTHER) == OTHER


def test_about_attaches_and_merges_nothing():
    works = Works([edge(REPO, ARXIV, "about"), edge(REPO, OTHER, "about")])
    assert works.papers(REPO) == (ARXIV, OTHER)
    assert works.work(ARXIV) != works.work(OTHER)


def test_comment_on_a_post_about_a_paper_is_about_the_paper():
    works = Works([edge(COMMENT, POST, "about"), edge(POST, DOI, "about"), edge(DOI, ARXIV)])
    assert works.papers(COMMENT) == (ARXIV,)


def test_maybe_only_suggests():
    works = Works([edge(REPO, ARXIV, "maybe")])
    assert works.papers(REPO) == ()
    assert works.why(REPO, ARXIV)[0].grade == "maybe"


def test_reader_keeps_two_apart_whatever_services_say():
    works = Works([edge(DOI, ARXIV), edge(DOI, ARXIV, "different", READER)])
    assert works.work(DOI) != works.work(ARXIV)
    assert works.kept_apart(DOI, ARXIV)
    assert [one.said_by for one in works.refused] == ["s2"]


def test_chain_of_sames_does_not_join_what_is_kept_apart():
    edges = [edge(DOI, ARXIV), edge(DOI, OTHER), edge(ARXIV, OTHER, "different", READER)]
    works = Works(edges)
    assert works.work(ARXIV) != works.work(OTHER)
    assert Works(edges[::-1]).keys(DOI) == works.keys(DOI)


def test_reader_attaches_and_detaches():
    works = Works([edge(REPO, ARXIV, "about"), edge(REPO, ARXIV, "different", READER)])
    assert works.papers(REPO) == ()


def test_why_is_the_shortest_chain_and_prefers_strong_edges():
    works = Works([edge(REPO, ARXIV, "maybe"), edge(REPO, DOI, "about"), edge(DOI, ARXIV)])
    assert [one.grade for one in works.why(REPO, ARXIV)] == ["about", "same"]
    assert works.why(REPO, OTHER) == []


def test_edge_reads_as_a_sentence_with_its_source_and_place():
    assert str(edge(REPO, ARXIV, "about", place="list.md:3")) == (
        "github:google-research/fnet is about arxiv:2105.03824: because (s2, list.md:3)"
    )


@pytest.fixture
def library(tmp_path):
    return Library(tmp_path)


def test_entry_of_a_list_relates_what_stands_in_it(library):
    (library.folder / "list.md").write_text(
        "* [FNet](https://arxiv.org/abs/2105.03824)\n  * https://github.com/google-research/fnet\n"
        "* https://arxiv.org/abs/1912.07242 and https://arxiv.org/abs/2009.14794 and https://github.com/a/b\n"
    )
    works = load_works(library)
    assert works.papers(REPO) == (ARXIV,)
    assert works.papers(Key("github", "a/b")) == ()
    assert works.why(REPO, ARXIV)[0].place == "list.md:1"


def test_saved_things_relate_by_what_they_say(library):
    things = [
        SavedItem(
            "github-stars",
            "https://github.com/google-research/FNet",
            links=(SavedLink("badge", "https://arxiv.org/abs/2105.03824"),),
            native="7",
            place="s:1",
        ),
        SavedItem("github-stars", "https://github.com/google-research/renamed", native="7"),
        SavedItem(
            "urls",
            "https://arxiv.org/abs/1912.07242",
            links=(SavedLink("same", "https://doi.org/10.1000/x"),),
        ),
        SavedItem(
            "table",
            "https://arxiv.org/abs/2105.03824",
            links=(
                SavedLink("row", "https://www.youtube.com/watch?v=JJR3pBl78zw"),
                SavedLink("row", "https://arxiv.org/abs/1912.07242"),
            ),
        ),
    ]
    Inbox(library).collect(things[:1])
    Inbox(library).collect(things[2:])
    works = load_works(library)
    assert works.papers(REPO) == (ARXIV,)
    assert works.work(DOI) == OTHER
    assert works.papers(Key("youtube", "JJR3pBl78zw")) == (ARXIV,)
    assert works.work(ARXIV) != works.work(OTHER)
    assert Key("github", "7") in works.keys(REPO)


def test_answers_of_services_relate_and_say_when_they_were_asked(library):
    from studiolo.files import append_json_lines
    from studiolo.library.facts import facts_path

    library.prepare()
    append_json_lines(
        facts_path(library),
        [
            Facts(
                ARXIV, "FNet", same=(DOI,), said_by="semantic-scholar", fetched="2026-01-01"
            ).to_record(),
            {"key": "spoilt"},
        ],
    )
    works = load_works(library)
    assert works.work(DOI) == ARXIV
    assert "asked 2026-01-01" in str(works.why(DOI, ARXIV)[0])


def test_last_word_of_the_reader_counts(library):
    save_edges(library, [edge(DOI, ARXIV, "different", READER)])
    save_edges(library, [edge(ARXIV, DOI, "same", READER)])
    assert load_works(library).work(DOI) == ARXIV


def test_spoilt_line_of_edges_is_passed_over(library):
    save_edges(library, [edge(DOI, ARXIV, "same", READER)])
    with (library.state / "edges.jsonl").open("a") as file:
        file.write('{"a": "nonsense", "b": 3, "grade": "same", "said_by": "x"}\n{"a": 3}\n[]\n')
    assert load_works(library).work(DOI) == ARXIV


def test_no_line_of_a_list_is_touched_by_identity(library):
    text = "* https://arxiv.org/abs/2105.03824\n* https://arxiv.org/abs/2105.03824v2\n* https://doi.org/10.1000/x\n"
    path = library.folder / "list.md"
    path.write_text(text)
    save_edges(library, [edge(DOI, ARXIV, "same", READER)])
    load_works(library)
    assert path.read_text() == text


def test_thing_whose_words_name_one_paper_is_about_it(library):
    one = SavedItem(
        "bookmarks",
        "https://www.youtube.com/watch?v=JJR3pBl78zw",
        "Talk",
        note="paper: https://arxiv.org/abs/2105.03824",
    )
    two = SavedItem(
        "reddit",
        "https://www.reddit.com/comments/abc",
        "Two",
        about="arXiv:2105.03824 or arxiv.org/abs/1912.07242",
        native="t3_abc",
    )
    Inbox(library).collect([one, two])
    works = load_works(library)
    assert works.papers(Key("youtube", "JJR3pBl78zw")) == (ARXIV,)
    assert works.papers(POST) == ()
    assert {edge.grade for edge in works.edges_of(POST)} == {"maybe"}


def test_talk_with_the_title_of_a_paper_is_only_suggested(library):
    (library.folder / "list.md").write_text(
        "* [FNet: Mixing Tokens with Fourier Transforms](https://arxiv.org/abs/2105.03824)\n"
    )
    talk = SavedItem(
        "bookmarks",
        "https://www.youtube.com/watch?v=JJR3pBl78zw",
        "FNet: Mixing Tokens with Fourier Transforms (Machine Learning Research Paper Explained)",
    )
    Inbox(library).collect([talk])
    works = load_works(library)
    assert works.papers(Key("youtube", "JJR3pBl78zw")) == ()
    assert works.guesses(Key("youtube", "JJR3pBl78zw")) == (ARXIV,)
    assert "its title holds the paper's" in str(works.why(Key("youtube", "JJR3pBl78zw"), ARXIV)[0])


def test_papers_of_one_title_are_suggested_and_not_merged(library):
    Inbox(library).collect(
        [
            SavedItem(
                "urls",
                "https://arxiv.org/abs/2105.03824",
                "FNet: Mixing Tokens with {F}ourier Transforms",
            ),
            SavedItem(
                "urls",
                "https://openreview.net/forum?id=lyoOWX0e0O",
                "FNet, mixing tokens with Fourier transforms",
            ),
            SavedItem("urls", "https://openreview.net/forum?id=other12345", "Deep learning"),
            SavedItem("urls", "https://openreview.net/forum?id=third12345", "Deep learning"),
        ]
    )
    works = load_works(library)
    assert works.guesses(ARXIV) == (Key("openreview", "lyoOWX0e0O"),)
    assert works.work(Key("openreview", "lyoOWX0e0O")) != ARXIV
    assert works.guesses(Key("openreview", "other12345")) == ()
