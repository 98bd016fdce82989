import json
import os

import pytest

from studiolo.errors import UsageError
from studiolo.keys import Key
from studiolo.library import Inbox, Library, carry_out, desk, find, undo
from studiolo.library.finding import library_rows
from studiolo.library.reading import Kept, save_kept
from studiolo.library.suggesting import (
    Suggester,
    wanted_by_list,
    wanted_by_section,
    wanted_by_tag,
    wanted_by_words,
)
from studiolo.library.waiting import refused_names
from studiolo.sources import SavedItem


LIST = """# My papers

I keep what I mean to read about wavelets here.

# To Review

## Attention

* FNet - [FNet: Mixing Tokens with Fourier Transforms](https://arxiv.org/abs/2105.03824) - 2021 #mixing
  * Yannic: https://www.youtube.com/watch?v=JJR3pBl78zw
  * Q: Could this accelerate pretraining?
* [Rethinking Attention with Performers](https://arxiv.org/abs/2009.14794)
  * https://github.com/google-research/google-research
* 深度强化学习综述 https://arxiv.org/abs/1811.12560

## Causal Inference

# Read

* [Attention Is All You Need](https://arxiv.org/abs/1706.03762)
  * the softmax kernel and its features
"""
FACTS = [
    {"key": "arxiv:2105.03824", "title": "FNet", "authors": ["James Lee-Thorp"], "abstract": "Unparameterised transforms of tokens replace self-attention.", "published": "2021-05-09", "categories": ["cs.CL"]},
    {"key": "arxiv:2009.14794", "title": "Rethinking Attention with Performers", "authors": ["Krzysztof Choromański"], "abstract": "Orthogonal random features estimate the softmax kernel.", "published": "2020-09-30", "categories": ["cs.LG"]},
]  # fmt: skip
POOL = [
    ("arxiv:2106.00001", "Causal inference with attention", "We estimate treatment effects; causal graphs."),
    ("arxiv:2106.00002", "Causal discovery from interventions", "Causal inference of graphs."),
    ("arxiv:2106.00003", "Linear attention with random features", "Softmax attention kernels by random features of tokens."),
    ("arxiv:2106.00004", "Fourier mixing of tokens in vision", "Fourier transforms of tokens replace attention."),
    ("arxiv:2009.14794", "Rethinking Attention with Performers", "Softmax attention random features."),
    ("doi:10.1000/fnet", "FNet: Mixing Tokens with Fourier Transforms", "Fourier transforms of tokens replace attention."),
]  # fmt: skip


def keep_jsonl(path, records):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records))


@pytest.fixture
def library(tmp_path):
    (tmp_path / "lists").mkdir()
    (tmp_path / "topics").mkdir()
    (tmp_path / "lists/papers.md").write_text(LIST)
    (tmp_path / "topics/kernels.md").write_text("# Kernels\n\nMercer wrote the theorem.\n")
    keep_jsonl(tmp_path / ".studiolo/metadata.jsonl", FACTS)
    return Library(tmp_path)


@pytest.fixture
def with_pool(library):
    keep_jsonl(
        library.state / "pools/arxiv.jsonl",
        [
            {"key": key, "title": title, "authors": [], "abstract": abstract, "categories": ["cs.LG"], "published": f"202{n}-06-01", "said_by": "arxiv"}
            for n, (key, title, abstract) in enumerate(POOL)
        ],
    )  # fmt: skip
    return library


def keys(things):
    return [one.key for one in things]


def found(library, query, **options):
    return keys(find(Library(library.folder), query, **options)[0].hits)


@pytest.mark.parametrize(
    ("query", "key"),
    [
        ("fourier mixing", "arxiv:2105.03824"),
        ("orthogonal kernel", "arxiv:2009.14794"),  # an abstract that was fetched
        ("choromanski", "arxiv:2009.14794"),  # an author that was fetched
        ("accelerate pretraining", "arxiv:2105.03824"),  # a question
        ("mercer", "topics/kernels.md"),
        ("wavelets", "lists/papers.md"),  # prose outside of the entries
        ("强化学习", "arxiv:1811.12560"),
        ("has:question", "arxiv:2105.03824"),
        ("has:code", "arxiv:2009.14794"),
        ("has:talk", "arxiv:2105.03824"),
        ("tag:mixing", "arxiv:2105.03824"),
        ("state:read", "arxiv:1706.03762"),
        ("section:attention state:to-read year:2020", "arxiv:2009.14794"),
        ("source:topic", "topics/kernels.md"),
    ],
)
def test_what_is_on_lists_is_found(library, query, key):
    assert found(library, query)[0] == key


def test_a_hit_says_where_it_stands_and_its_address(library):
    hit = find(library, "fourier mixing")[0].hits[0]
    assert hit.place == "lists/papers.md:9"
    assert hit.url == "https://arxiv.org/abs/2105.03824"
    assert hit.authors == ("James Lee-Thorp",)
    assert hit.date == "2021-05-09"
    assert hit.title == "FNet: Mixing Tokens with Fourier Transforms"


def test_addresses_in_notes_are_not_words(library):
    assert "https" not in " ".join(row.notes for row in library_rows(library))
    assert found(library, "yannic") == ["arxiv:2105.03824"]


def test_a_paper_that_can_run_has_claims(library):
    assert found(library, "has:claims", can_run=lambda: ["arxiv:2105.03824"]) == ["arxiv:2105.03824"]  # fmt: skip


@pytest.mark.parametrize(
    ("query", "key"),
    [
        ("https://arxiv.org/abs/2105.03824", "arxiv:2105.03824"),
        ("https://arxiv.org/pdf/2009.14794v4.pdf kernel", "arxiv:2009.14794"),
        ("arXiv:2105.03824v2", "arxiv:2105.03824"),
        ("10.48550/arXiv.2105.03824", "arxiv:2105.03824"),
        ("https://youtu.be/JJR3pBl78zw?t=12", "arxiv:2105.03824"),  # a talk about it
        ("github.com/google-research/google-research/tree/master/performer", "arxiv:2009.14794"),
    ],
)
def test_an_address_finds_what_has_it_in_whatever_spelling(library, query, key):
    assert found(library, query) == [key]


def test_an_address_that_nothing_has_is_named_with_the_next_step(library):
    hits, says = find(library, "https://arxiv.org/abs/2401.00001v3")
    assert hits.hits == ()
    assert says == ["Nothing here has arxiv:2401.00001. To put it on a list: studiolo add arxiv:2401.00001"]  # fmt: skip
    assert "arxiv:1706.03762" in found(library, "and/or attention")  # two words, no address


def test_tags_of_a_list_find_it_and_suggest_beside_its_entries(with_pool):
    (with_pool.folder / "lists/tagged.md").write_text(
        "# Mixing\n\n<!-- TAGS\nFast Transforms\n-->\n\n* [Fourier tokens](https://arxiv.org/abs/2105.00001)\n"
    )
    library = Library(with_pool.folder)
    assert found(library, 'tag:"fast transforms"') == ["lists/tagged.md"]
    wanted = wanted_by_tag(library, "fast-transforms")
    assert [one.entry.title for one in wanted.entries] == ["Fourier tokens"]


def test_a_page_whose_first_heading_is_an_address_is_called_by_its_title(library):
    (library.folder / "lists/feed.md").write_text(
        "### https://example.org/feed/\n\n# Anthology\n\nSome zirconium prose.\n"
    )
    hits, _ = find(Library(library.folder), "zirconium")
    assert [hit.title for hit in hits.hits] == ["Anthology"]


def test_to_look_for_something_makes_no_library_of_a_folder(tmp_path):
    (tmp_path / "notes.md").write_text("* [Wavelets](https://arxiv.org/abs/2001.00001)\n")
    assert found(Library(tmp_path), "wavelets") == ["arxiv:2001.00001"]
    assert [path.name for path in tmp_path.iterdir()] == ["notes.md"]


def test_of_what_only_a_key_is_known_it_is_said_and_nothing_is_like_it(with_pool, monkeypatch):
    monkeypatch.setattr(
        "studiolo.library.finding.followed_lists", lambda _: {"ada/list": frozenset({"arxiv:2106.00001"})}
    )  # fmt: skip
    says = [
        "Nothing is known of arxiv:2401.00001 but its key. To ask what it is called: studiolo lookup arxiv:2401.00001"
    ]
    suggester = Suggester(with_pool)
    suggested = suggester.suggest(wanted_by_words(with_pool, ["arxiv:2401.00001"]))
    assert (suggested.suggestions, suggested.says) == ([], says)
    assert suggester.similar("arxiv:2401.00001")[0].says == says


def test_nothing_comes_next_in_an_empty_section_and_it_says_how_to_fill_it(library):
    wanted = wanted_by_section(library, "Causal Inference")
    assert Suggester(library).next_unread(wanted).says == [
        '“Causal Inference” has no entries yet. To fill it: studiolo suggest --section "Causal Inference"'
    ]


def test_the_inbox_is_found_with_its_note_source_and_tags(library):
    Inbox(library).collect(
        [
            SavedItem("bookmarks", "https://arxiv.org/abs/2001.08361", "Scaling Laws", note="read before the talk", tags=("big",)),
            SavedItem("github-stars", "https://arxiv.org/abs/2001.08361", "Scaling Laws"),
        ]
    )  # fmt: skip
    for query in ("scaling", "before the talk", "source:bookmarks", "source:github-stars", "tag:big", "state:inbox"):  # fmt: skip
        assert found(library, query) == ["arxiv:2001.08361"], query
    assert find(library, "scaling")[0].hits[0].place == "inbox"


def test_what_was_passed_over_is_not_found_any_more(library):
    Inbox(library).collect([SavedItem("urls", "https://arxiv.org/abs/2001.08361", "Scaling Laws")])
    carry_out(library, desk.pass_over(Suggester(library).waiting.pending[0]))
    assert found(library, "scaling") == []


def test_a_note_kept_beside_the_lists_is_found(library):
    save_kept(library.folder, [Kept(Key.parse("arxiv:2105.03824"), notes=("Hartley would do",))])
    assert found(library, "hartley") == ["arxiv:2105.03824"]


def test_what_left_the_lists_is_found_by_what_was_kept(library):
    save_kept(
        library.folder, [Kept(Key.parse("arxiv:1503.00075"), title="Tree LSTMs", state="read")]
    )
    [hit] = find(library, "tree lstm")[0].hits
    assert (hit.key, hit.place) == ("arxiv:1503.00075", ".studiolo/reading.jsonl")


def test_a_paper_on_two_lists_is_found_on_both(library):
    (library.folder / "lists/other.md").write_text("# Other\n\n* [FNet again](https://arxiv.org/abs/2105.03824)\n")  # fmt: skip
    places = {hit.place for hit in find(library, "fnet")[0].hits}
    assert {"lists/papers.md:9", "lists/other.md:3"} <= places
    assert found(library, "list:lists/papers.md fnet") == ["lists/papers.md:9"]


def test_an_edit_of_the_same_length_and_time_is_found_by_the_next_search(library):
    path = library.folder / "lists/papers.md"
    assert found(library, "fourier")
    stat = path.stat()
    path.write_text(path.read_text().replace("Fourier", "Hartley"))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert found(library, "title:hartley") == ["arxiv:2105.03824"]
    assert found(library, "title:fourier") == []


def test_new_facts_and_states_are_found_by_the_next_search(library):
    assert found(library, "reinforcement") == []
    keep_jsonl(library.state / "metadata.jsonl", [*FACTS, {"key": "arxiv:1811.12560", "abstract": "Reinforcement learning."}])  # fmt: skip
    assert found(library, "reinforcement") == ["arxiv:1811.12560"]
    save_kept(library.folder, [Kept(Key.parse("arxiv:2105.03824"), state="reading", since="2026-01-01")])  # fmt: skip
    assert found(library, "state:reading") == ["arxiv:2105.03824"]


def test_nothing_is_read_again_while_nothing_changes(library, monkeypatch):
    assert found(library, "fourier")
    monkeypatch.setattr("studiolo.library.finding.load_waiting", None)
    assert found(library, "fourier") == ["arxiv:2105.03824"]


def test_a_spoilt_index_is_built_anew_with_one_sentence(library):
    find(library, "fourier")
    for path in (library.cache / "find/library").rglob("text.sqlite"):
        path.write_bytes(b"spoilt")
    result, says = find(library, "fourier")
    assert says == ["The index was damaged; it was built anew."]
    assert keys(result.hits) == ["arxiv:2105.03824"]


def test_a_library_that_cannot_be_written_is_searched(library, monkeypatch):
    def refuse(*_, **__):
        from studiolo.errors import FileError

        raise FileError("read only")

    monkeypatch.setattr("studiolo.index.load_or_build", refuse)
    assert found(library, "fourier") == ["arxiv:2105.03824"]


def test_without_a_pool_it_says_how_to_get_one(library):
    suggested = Suggester(library).suggest(wanted_by_section(library, "Causal Inference"))
    assert suggested.suggestions == []
    assert "studiolo fetch-pool" in suggested.says[0]


def test_an_empty_section_is_filled_from_its_heading(with_pool):
    suggested = Suggester(with_pool).suggest(wanted_by_section(with_pool, "Causal Inference"))
    assert set(keys(suggested.suggestions)[:2]) == {"arxiv:2106.00001", "arxiv:2106.00002"}
    reasons = {reason.term for reason in suggested.suggestions[0].reasons}
    assert "causal" in reasons


def test_what_one_has_is_never_suggested_by_key_or_by_title(with_pool):
    suggested = Suggester(with_pool).suggest(wanted_by_section(with_pool, "Attention"))
    had = {"arxiv:2009.14794", "doi:10.1000/fnet"}
    assert set(keys(suggested.suggestions)) == {key for key, *_ in POOL} - had


def test_what_one_has_under_another_key_is_never_suggested(with_pool):
    keep_jsonl(
        with_pool.state / "edges.jsonl",
        [{"a": "arxiv:2106.00004", "b": "arxiv:2105.03824", "grade": "same", "said_by": "reader"}],
    )
    suggested = Suggester(with_pool).suggest(wanted_by_section(with_pool, "Attention"))
    assert "arxiv:2106.00004" not in keys(suggested.suggestions)


def test_what_is_in_the_inbox_is_never_suggested(with_pool):
    Inbox(with_pool).collect([SavedItem("urls", "https://arxiv.org/abs/2106.00003")])
    suggested = Suggester(with_pool).suggest(wanted_by_section(with_pool, "Attention"))
    assert "arxiv:2106.00003" not in keys(suggested.suggestions)


def test_what_was_passed_over_is_never_suggested(with_pool):
    Inbox(with_pool).collect([SavedItem("urls", "https://arxiv.org/abs/2106.00003")])
    carry_out(with_pool, desk.pass_over(Suggester(with_pool).waiting.pending[0]))
    suggested = Suggester(with_pool).suggest(wanted_by_section(with_pool, "Attention"))
    assert Suggester(with_pool).waiting.pending == []
    assert "arxiv:2106.00003" not in keys(suggested.suggestions)


def test_what_was_said_no_to_pulls_what_is_like_it_down(with_pool):
    def score():
        suggested = Suggester(with_pool).suggest(wanted_by_section(with_pool, "To Review"))
        return {one.key: one.score for one in suggested.suggestions}.get("arxiv:2106.00002", 0)

    before = score()
    carry_out(with_pool, desk.say_no(with_pool, Key.parse("arxiv:2106.00001"), "Causal inference"))
    assert score() < before
    undo(with_pool)
    assert score() == before


def test_the_name_of_a_list_helps_where_headings_say_nothing(with_pool):
    path = with_pool.folder / "lists/causal-inference.md"
    path.write_text("# Papers\n\n## 2019\n\n")
    wanted = wanted_by_section(with_pool, "2019", path)
    found = keys(Suggester(with_pool).suggest(wanted).suggestions)
    assert set(found[:2]) == {"arxiv:2106.00001", "arxiv:2106.00002"}


def test_not_for_me_is_never_suggested_again_until_it_is_taken_back(with_pool):
    wanted = wanted_by_words(with_pool, ["FNet"])
    before = keys(Suggester(with_pool).suggest(wanted).suggestions)
    assert "arxiv:2106.00004" in before
    carry_out(with_pool, desk.say_no(with_pool, Key.parse("arxiv:2106.00004"), "Fourier mixing"))
    assert refused_names(with_pool) == {"arxiv:2106.00004"}
    assert "arxiv:2106.00004" not in keys(Suggester(with_pool).suggest(wanted).suggestions)
    assert undo(with_pool).what == "not for me: Fourier mixing"
    assert refused_names(with_pool) == set()
    assert keys(Suggester(with_pool).suggest(wanted).suggestions) == before


def test_since_leaves_out_what_is_older(with_pool):
    wanted = wanted_by_section(with_pool, "Attention")
    suggested = Suggester(with_pool).suggest(wanted, since="2022-06-01")
    assert set(keys(suggested.suggestions)) == {"arxiv:2106.00003", "arxiv:2106.00004"}


def test_lists_that_the_reader_follows_are_named(with_pool, monkeypatch):
    followed = {
        "ada": frozenset(key for key, *_ in POOL),
        "bob": frozenset({"arxiv:2106.00003", "arxiv:2009.14794"}),
    }
    monkeypatch.setattr("studiolo.library.finding.followed_lists", lambda library: followed)
    suggested = Suggester(with_pool).suggest(wanted_by_words(with_pool, ["arxiv:2009.14794"]))
    lists = {one.key: one.lists for one in suggested.suggestions}
    assert lists["arxiv:2106.00003"] == ("ada", "bob")
    assert lists["arxiv:2106.00004"] == ("ada",)


def test_a_pool_that_grows_is_read_again(with_pool):
    wanted = wanted_by_words(with_pool, ["FNet"])
    Suggester(with_pool).suggest(wanted)
    keep_jsonl(with_pool.state / "pools/new.jsonl", [{"key": "arxiv:2109.00001", "title": "Mixing tokens by Fourier transforms again"}])  # fmt: skip
    assert "arxiv:2109.00001" in keys(Suggester(with_pool).suggest(wanted).suggestions)


def test_similar_shows_what_one_has_and_what_was_fetched(with_pool):
    here, there = Suggester(with_pool).similar("FNet")
    assert "arxiv:2105.03824" not in keys(here.suggestions)
    assert keys(there.suggestions)[0] == "arxiv:2106.00004"
    here, there = Suggester(with_pool).similar("arxiv:2106.00003")  # on no list
    assert "arxiv:2009.14794" in keys(here.suggestions)
    assert "arxiv:2106.00003" not in keys(there.suggestions)


def test_what_comes_next_is_like_what_was_read(library):
    following = Suggester(library).next_unread(wanted_by_list(library))
    assert (
        keys(following.suggestions)[0] == "arxiv:2009.14794"
    )  # attention, as the paper that was read
    assert set(keys(following.suggestions)) == {"arxiv:2009.14794", "arxiv:2105.03824", "arxiv:1811.12560"}  # fmt: skip


def test_unread_beside_what_is_named_is_like_it_and_never_the_same(library):
    for word, first in (("FNet", "arxiv:2009.14794"), ("arxiv:2009.14794", "arxiv:2105.03824")):
        following = Suggester(library).next_unread(wanted_by_words(library, [word]))
        assert keys(following.suggestions)[0] == first
        assert len(following.suggestions) == 2
        assert following.suggestions[0].reasons
        assert not following.says


def test_what_was_begun_or_refused_does_not_come_next(library):
    save_kept(library.folder, [Kept(Key.parse("arxiv:2009.14794"), state="reading", since="2026-01-01")])  # fmt: skip
    carry_out(library, desk.say_no(library, Key.parse("arxiv:1811.12560")))
    following = Suggester(library).next_unread(wanted_by_list(library))
    assert keys(following.suggestions) == ["arxiv:2105.03824"]


def test_where_nothing_was_read_the_order_of_the_list_counts(library):
    path = library.folder / "lists/papers.md"
    path.write_text(LIST.partition("# Read")[0])
    following = Suggester(library).next_unread(wanted_by_list(library))
    assert keys(following.suggestions) == ["arxiv:2105.03824", "arxiv:2009.14794", "arxiv:1811.12560"]  # fmt: skip
    assert following.says == ["Nothing is marked as read yet, so these come in the order of the list."]  # fmt: skip


def test_tags_sections_and_words_name_their_entries(library):
    assert [str(one.entry.key) for one in wanted_by_tag(library, "#Mixing").entries] == ["arxiv:2105.03824"]  # fmt: skip
    assert wanted_by_section(library, "Causal Inference").entries == ()
    assert wanted_by_section(library, "To Review").heading == ("To Review",)
    assert len(wanted_by_section(library, "To Review").entries) == 3  # those of its sections too
    assert wanted_by_words(library, ["2106.00001"]).others == (Key.parse("arxiv:2106.00001"),)


@pytest.mark.parametrize(
    ("ask", "says"),
    [
        (lambda library: wanted_by_tag(library, "nope"), "No entry has the tag 'nope'. To see which there are: studiolo tags"),
        (lambda library: wanted_by_words(library, ["no such thing"]), "'no such thing' is neither on a list nor a key. To look for it: studiolo find 'no such thing'"),
    ],
)  # fmt: skip
def test_what_names_nothing_is_refused_in_a_sentence(library, ask, says):
    with pytest.raises(UsageError) as error:
        ask(library)
    assert str(error.value) == says


def test_month_of_an_arxiv_id_is_the_date_where_nothing_else_is_known(library):
    path = library.folder / "lists/ids.md"
    path.write_text(
        "# Ids\n\n"
        "- [Forgetting](https://arxiv.org/abs/2105.06548)\n"
        "- [Old](https://arxiv.org/abs/cs/9901001)\n"
        "- [Told](https://arxiv.org/abs/1912.00001) (2020)\n"
        "- [Elsewhere](https://doi.org/10.1000/2105.06548)\n"
    )
    dates = {row.title: row.date for row in library_rows(Library(library.folder))}
    assert (dates["Forgetting"], dates["Old"]) == ("2021-05", "1999-01")
    assert dates["Told"] == "2020"
    assert dates["Elsewhere"] == ""
