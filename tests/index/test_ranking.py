"""Search ranked by the postings' own BM25, as among many rows: asked of few rows here, beside FTS5's."""

import pytest

from studiolo.index import Index, engine


WORDS = ("graph", "kernel", "attention", "causal", "pruning", "memory", "speech", "vision")
ROWS = [
    {
        "key": f"k{n}",
        "title": f"{WORDS[n % 8].title()} {WORDS[(n // 8) % 8]} networks",
        "authors": ["Ada Kernelson"] if n % 5 == 0 else ["Grace Hopper"],
        "abstract": " ".join(WORDS[(n * m + m) % 8] for m in range(1, 3 + n % 7)) + f" only{n}",
        "date": str(2010 + n % 9),
        "tags": ["seen"] if n % 3 == 0 else [],
    }
    for n in range(64)
]


@pytest.fixture(scope="module")
def index():
    with Index.build(ROWS) as index:
        yield index


@pytest.fixture
def both(index, monkeypatch):
    """Return what a search finds by FTS5's BM25 and by the postings'."""

    def ask(query, limit=20):
        found = []
        for few in (len(ROWS), 0):
            monkeypatch.setattr(engine, "FEW_ROWS", few)
            found.append(index.search(query, limit=limit))
        return found

    return ask


@pytest.mark.parametrize(
    "query",
    [
        "graph",
        "graph kernel",
        "speech vision memory",
        "causal atten",
        "only7",
        "kernelson causal",
        '"causal pruning"',
        "graph -kernel",
        "graph year:2012..2014",
        "graph -year:2012..2014",
        "graph tag:seen",
        "graph author:hopper",
        "only7 only9 graph",
        "graph kernel nowhere",
        "nowhere elsewhere graph",
        "graph the",
        "graph [and] kernel",
        "學習",
    ],
)
def test_both_ways_find_the_same_rows(both, query):
    by_fts, by_postings = both(query, limit=64)
    assert {hit.key for hit in by_fts.hits} == {hit.key for hit in by_postings.hits}
    assert by_fts.says == by_postings.says
    snippets = {hit.key: (hit.snippet, hit.marks, hit.has) for hit in by_fts.hits}
    assert snippets == {hit.key: (hit.snippet, hit.marks, hit.has) for hit in by_postings.hits}


def test_scores_fall_and_are_those_of_their_rung(both):
    _, found = both("speech vision memory", limit=64)
    scores = [hit.score for hit in found.hits]
    assert scores == sorted(scores, reverse=True)
    assert all(0 < hit.score < 1 for hit in found.hits if hit.has == "some")


def test_word_that_is_rare_counts_more_in_a_title_than_in_an_abstract(monkeypatch):
    rows = [
        {"key": "abstract", "title": "Other", "abstract": "quokka quokka of networks"},
        {"key": "title", "title": "Quokka", "abstract": "speech networks and other networks"},
        *({"key": f"o{n}", "title": "Other", "abstract": "speech"} for n in range(9)),
    ]
    monkeypatch.setattr(engine, "FEW_ROWS", 0)
    monkeypatch.setattr("studiolo.index.postings.least_rows", lambda count: (5, 5, 5, 5))
    with Index.build(rows) as index:
        found = index.search("quokka networks zzzzz")
    assert [hit.key for hit in found.hits] == ["title", "abstract"]


def test_two_hundred_titles_of_many_are_put_in_order(monkeypatch):
    rows = [
        {"key": f"k{n}", "title": f"Deep learning {'of other things ' * (n % 40)}", "abstract": "x" * n}
        for n in range(400)
    ]  # fmt: skip
    rows.append({"key": "best", "title": "Deep learning deep learning"})
    monkeypatch.setattr(engine, "FEW_ROWS", 0)
    with Index.build(rows) as index:
        hits = index.search("deep learning", limit=30).hits
    assert {hit.title.strip() for hit in hits[:10]} <= {
        "Deep learning",
        "Deep learning deep learning",
    }


def test_stop_word_in_brackets_is_a_stop_word(both):
    for found in both("graph (the) kernel"):
        assert [hit.has for hit in found.hits] == ["all"] * len(found.hits)
        assert not found.says
