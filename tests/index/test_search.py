import time
import unicodedata

import pytest
from hypothesis import given, settings, strategies as st

from studiolo.errors import UsageError
from studiolo.index import Index, Row
from studiolo.index.query import parse_query


ROWS = [
    Row(key="attention", title="Attention Is All You Need", authors=("Ashish Vaswani", "Łukasz Kaiser"), abstract="A network based on attention mechanisms alone.", date="2017-06-12", tags=("nlp",), state="read", has=("code", "claims")),
    Row(key="performers", title="Rethinking Attention with Performers", authors=("Krzysztof Choromański",), abstract="Orthogonal random features estimate softmax attention.", notes="Q: could this be used to accelerate pretraining?", date="2020-09-30", section=("Recent", "To Review"), state="to-read", has=("question",), source="github-stars", list="recent.md"),
    Row(key="fnet", title="FNet: Mixing Tokens with Fourier Transforms", authors=("James Lee-Thorp",), abstract="Replaces attention by Fourier transforms.", date="2021-05-09", section=("Recent", "Read"), state="Read", tags=("To Try",)),
    Row(key="schoelkopf", title="Elements of Causal Inference", authors=("Bernhard Schölkopf",), date="2017"),
    Row(key="rl", title="深度强化学习综述", abstract="强化学习 与 transformers", authors=("李飞飞",)),
    Row(key="arxiv:2105.03824", title="A key that looks like one"),
]  # fmt: skip


@pytest.fixture(scope="module")
def index():
    with Index.build(ROWS) as index:
        yield index


def keys(found):
    return [hit.key for hit in found.hits]


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("rethinking attention", ["performers"]),
        ("transforms fourier", ["fnet"]),
        ("mixed token", ["fnet"]),  # inflected
        ("rethinking atten", ["performers"]),  # the last word half typed
        ("vaswani", ["attention"]),
        ("choromanski", ["performers"]),
        ("SCHOLKOPF", ["schoelkopf"]),
        ("accelerate pretraining", ["performers"]),  # a note
        ("强化学习", ["rl"]),
        ("强化", ["rl"]),
        ("深度学习", []),  # not beside each other
        ("李飞", ["rl"]),
        ("2105.03824", ["arxiv:2105.03824"]),
        ("arxiv:2105.03824", ["arxiv:2105.03824"]),
        ('"random features"', ["performers"]),
        ('"features random"', []),
        ("attention -fourier -rethinking", ["attention"]),
        ("author:vaswani attention", ["attention"]),
        ('author:"ashish vaswani"', ["attention"]),
        ("-author:vaswani title:attention", ["performers"]),
        ("attention year:2021", ["fnet"]),
        ("attention year:..2017", ["attention"]),
        ("year:2019.. -year:2020", ["fnet"]),
        ("year:2017..2020", ["performers", "attention", "schoelkopf"]),  # newest first
        ("tag:to-try", ["fnet"]),
        ('tag:"to try"', ["fnet"]),
        ("tag:to", []),
        ("section:review", ["performers"]),
        ("state:read", ["fnet", "attention"]),
        ("state:read -has:code", ["fnet"]),
        ("has:question", ["performers"]),
        ("source:github-stars list:recent.md", ["performers"]),
        ("note:pretraining", ["performers"]),
        ("", []),
        ("!!! ...", []),
    ],
)
def test_search_finds(index, query, first):
    found = keys(index.search(query))
    assert found[: len(first)] == first
    assert found or not first
    if not first:
        assert found == []


def test_titles_come_before_abstracts(index):
    assert keys(index.search("attention"))[:2] in (
        ["attention", "performers"],
        ["performers", "attention"],
    )
    assert keys(index.search("attention"))[2] == "fnet"


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_accents_may_be_typed_in_either_form_or_left_out(index, form):
    assert keys(index.search(unicodedata.normalize(form, "Choromański"))) == ["performers"]


def test_a_mistyped_word_is_corrected_and_said(index):
    found = index.search("rethinking attenttion")
    assert keys(found)[0] == "performers"
    assert found.corrected == (("attenttion", "attention"),)
    assert found.says == ("Showing “attention”: nothing here has “attenttion”.",)


@pytest.mark.parametrize("typo", ["vaswami", "vaswni", "vaswaani", "vasawni"])
def test_each_kind_of_slip_in_a_name_is_corrected(index, typo):
    assert keys(index.search(typo)) == ["attention"]


def test_a_word_that_is_there_is_never_corrected(index):
    assert index.search("causal inference").corrected == ()


def test_a_phrase_is_never_corrected(index):
    assert index.search('"attenttion"').hits == ()


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("tag:nothing", "Nothing here has tag:nothing. There are: nlp, to-try."),
        ("state:unread", "Nothing here has state:unread. There are: read, to-read."),
        ("has:coffee attention", "Nothing here has has:coffee. There are: claims, code, question."),
        ("autor:vaswani zebra", "“autor:” is not a field, so it was searched as a word. Fields: author: title: section: note: year: tag: state: source: has: list: key:."),
        ('"kernel softmax"', "The phrase “kernel softmax” stands nowhere. Without its quotes, its words are searched one by one."),
    ],
)  # fmt: skip
def test_where_nothing_is_found_it_says_what_there_is(index, query, says):
    found = index.search(query)
    assert (found.hits, found.says[-1]) == ((), says)


def test_what_is_found_gets_no_hints(index):
    assert index.search("tag:to-try").says == ()


@pytest.mark.parametrize(
    "query", ["key:fnet", 'key:"github:ada/Fnet_code"', "list:notes -key:performers"]
)
def test_a_row_is_found_by_each_of_its_keys_and_by_the_name_of_its_file(query):
    rows = [
        {"key": "fnet", "keys": ["github:ada/fnet_code"], "list": "lists/notes.md"},
        {"key": "performers", "list": "lists/notes.md"},
        {"key": "attention", "list": "lists/others.md"},
    ]
    with Index.build(rows) as index:
        assert keys(index.search(query)) == ["fnet"]


def test_a_section_is_found_by_the_path_of_its_headings():
    rows = [
        {"key": "a", "section": ["To Review", "Theory", "Transformers"]},
        {"key": "b", "section": ["Read", "Transformers"]},
    ]
    with Index.build(rows) as index:
        assert keys(index.search('section:"To Review > Transformers"')) == ["a"]
        assert keys(index.search('section:"Theory > Read"')) == []


def test_a_word_that_ends_in_a_sign_is_whole():
    rows = [{"key": "1", "title": "Convolutions"}, {"key": "2", "notes": "written in C++"}]
    with Index.build(rows) as index:
        assert keys(index.search("C++")) == ["2"]
        assert keys(index.search("conv")) == keys(index.search("conv*")) == ["1"]


def test_years_that_end_before_they_begin_are_refused(index):
    with pytest.raises(UsageError, match=r"ends before it begins.*year:2010\.\.2019"):
        index.search("year:2019..2010")


def test_matches_are_marked_in_titles_and_in_what_a_hit_by_its_title_shows():
    row = {
        "key": "1",
        "title": "Mixing tokens: 深度学习",
        "notes": "How is a token mixed? With 学习.",
    }
    with Index.build([row]) as index:
        for query in ("the tokens mix", "tokns mixing", "学习 tok"):
            [hit] = index.search(query).with_marks().hits
            marked = [hit.title[a:b] for a, b in hit.title_marks]
            assert marked == (["tokens", "学习"] if "学习" in query else ["Mixing", "tokens"])
            marked = [hit.snippet[a:b] for a, b in hit.marks]
            assert marked == (["token", "学习"] if "学习" in query else ["token", "mixed"])
        [hit] = index.search("section:token -absent key:1").with_marks().hits or [None]
    assert hit is None


def test_where_nothing_has_all_words_some_are_enough_and_said(index):
    found = index.search("fourier zebra")
    assert keys(found) == ["fnet"]
    assert found.hits[0].has == "some"
    assert found.says == ("Nothing has all of these words; these have some.",)


def test_rows_with_all_words_but_one_follow_where_few_have_all(index):
    found = index.search("fourier transforms attention")
    assert [(hit.key, hit.has) for hit in found.hits] == [("fnet", "all")]
    found = index.search("fourier attention mechanisms network alone")
    assert found.hits[0].key == "attention"
    found = index.search("softmax attention zebra")
    assert [(hit.key, hit.has) for hit in found.hits] == [("performers", "some")]


def test_snippet_marks_what_was_found(index):
    [hit] = index.search("orthogonal softmax").hits
    assert [hit.snippet[a:b] for a, b in hit.marks] == ["Orthogonal", "softmax"]


def test_snippet_of_a_script_without_spaces_is_as_written(index):
    hit = index.search("强化学习 transformers").hits[0]
    assert hit.title == "深度强化学习综述"
    assert hit.snippet == "强化学习 与 transformers"
    assert [hit.snippet[a:b] for a, b in hit.marks] == ["强化学习", "transformers"]


def test_a_hit_by_its_title_shows_how_its_text_begins(index):
    [hit] = index.search("all you need").hits
    assert (hit.snippet, hit.marks) == ("A network based on attention mechanisms alone.", ())


def test_a_hit_by_a_field_shows_how_its_text_begins(index):
    [hit] = index.search("tag:nlp").hits
    assert (hit.snippet, hit.marks) == ("A network based on attention mechanisms alone.", ())


def test_limit_is_kept(index):
    assert len(index.search("attention", limit=2).hits) == 2


@pytest.mark.parametrize("value", ["20x9", "2021..2019x", "..", "21"])
def test_what_is_not_a_year_is_refused(index, value):
    with pytest.raises(UsageError, match=r"is not a year or a range of years. Write year:2021"):
        index.search(f"attention year:{value}")


@pytest.mark.parametrize("query", ['author:""', "author:", "attention author: vaswani", "-author:"])
def test_a_field_without_value_is_refused(index, query):
    with pytest.raises(UsageError, match=r"author: needs a value, e.g. author:"):
        index.search(query)


def test_an_unknown_field_is_searched_as_words():
    query = parse_query("https://arxiv.org/abs/2105.03824")
    assert [word.text for word in query.words] == ["https://arxiv.org/abs/2105.03824"]


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from(["attention", "atten", '"', "-", "year:2021", "tag:nlp", "author:", ":", "*", "(", ")", "NEAR", "AND", "OR", "NOT", "^", "{title}", "强", "é", "\0", "\u200b", "'", "--", "title:attention"])
        | st.text(max_size=6),
        max_size=5,
    ).map(" ".join)
)  # fmt: skip
def test_whatever_is_typed_is_answered_or_refused_in_a_sentence(index, text):
    try:
        found = index.search(text)
    except UsageError:
        return
    assert len(keys(found)) == len(set(keys(found)))
    for hit in found.hits:
        assert all(0 <= a < b <= len(hit.snippet) for a, b in hit.marks)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(ROWS), st.data())
def test_any_word_of_a_title_finds_its_row(index, row, data):
    word = data.draw(st.sampled_from(row.title.split()))
    assert row.key in keys(index.search(word, limit=len(ROWS)))


@pytest.mark.parametrize(
    ("query", "titles"),
    [
        (
            "causal graphs ",
            [
                "Causal graphs",
                "Graphs, more graphs, causal graphs: many causal graphs of graphs",
                "Causal models as graphs",  # more words between
                "Causal graph",  # another form
                "Graphs causal",  # another order
            ],
        ),
        ("weight wide networks", ["Weight of wide networks", "Wide networks and their weight"]),
        ("data integration", ["Data integration at scale", "Mixed data integration and its selected features"]),
        ("bounds memor", ["Bounds of memories", "Memory bounds"]),
        ("强化学习 agents", ["强化学习 of agents", "Agents: 强化学习"]),
        ("attention lovelace", ["Attention", "Attention by many other words"]),
    ],
)  # fmt: skip
def test_titles_are_remembered_in_the_order_of_their_words(query, titles):
    rows = [
        Row(key=title, title=title, authors=("Ada Lovelace",), abstract=f"{query} " * n)
        for n, title in enumerate(titles)
    ]
    with Index.build(reversed(rows)) as index:
        found = index.search(query)
        assert keys(found) == titles
        assert {hit.has for hit in found.hits} == {"all"}
        scores = [hit.score for hit in found.hits]
        assert scores == sorted(scores, reverse=True)


def test_of_very_many_titles_the_best_are_put_in_order():
    rows = [Row(key=str(n), title=f"Deep networks number {n}") for n in range(300)]
    with Index.build([*rows, Row(key="short", title="Deep networks")]) as index:
        assert keys(index.search("deep networks"))[0] == "short"
        assert len(index.search("deep networks", limit=250).hits) == 250


def test_a_whole_last_word_comes_before_words_that_begin_like_it():
    rows = [
        Row(key="other", abstract="a network of category theory, short"),
        Row(key="whole", abstract=f"a network of a cat {'and more ' * 50}"),
    ]
    with Index.build(rows) as index:
        assert keys(index.search("network cat")) == ["whole", "other"]
        assert keys(index.search("network cat ")) == ["whole"]


def test_words_that_say_nothing_are_left_out_before_others(index):
    found = index.search("softmax features of your")
    assert [(hit.key, hit.has) for hit in found.hits] == [("performers", "all")]
    found = index.search("softmax zebra of your")
    assert [(hit.key, hit.has) for hit in found.hits] == [("performers", "some")]
    assert keys(index.search("you all need"))[0] == "attention"


def test_a_word_that_has_just_begun_is_looked_for_in_titles_and_elsewhere_only_whole():
    rows = [
        Row(key="title", title="Quantum Queries"),
        Row(key="whole", title="Quantum Annealing", abstract="A q that counts."),
        Row(key="other", title="Vitamins", abstract="Their quantum quality."),
        Row(key="none", title="Quality"),
    ]
    with Index.build(rows) as index:
        # what has the other words follows: nothing is said of the word that is still to be typed
        for typed in ("quantum q", "quantum qu"):
            found = index.search(typed)
            assert (keys(found)[0], found.says) == ("title", ())
            assert set(keys(found)) == {"title", "whole", "other"}
        assert keys(index.search("quantum q"))[1] == "whole"
        assert keys(index.search("quantum qual")) == ["other"]
        assert set(keys(index.search("qu"))) == {"title", "whole", "none"}


def test_what_begins_with_two_letters_in_no_title_is_found_in_abstracts():
    with Index.build([Row(key="a", title="Sleep", abstract="Its zzz.")]) as index:
        assert keys(index.search("zz")) == keys(index.search("z")) == ["a"]


def test_of_very_many_titles_those_with_the_one_letter_as_a_word_come_first():
    rows = [Row(key=str(n), title=f"Cats {n}") for n in range(300)]
    with Index.build([*rows, Row(key="c", title="Programs in C")]) as index:
        found = index.search("c")
        assert (keys(found)[0], len(found.hits)) == ("c", 20)
        assert keys(index.search("author:nobody c")) == []


def test_a_field_beside_words_of_titles(index):
    assert keys(index.search("section:review rethinking at")) == ["performers"]
    assert keys(index.search("-section:review attention transf")) == ["fnet"]


def test_long_text_that_has_a_word_thousands_of_times_is_shown_from_there():
    rows = [{"key": "page", "notes": "first words " * 3000 + "attention is all " * 9000}]
    with Index.build(rows) as index:
        start = time.process_time()
        [hit] = index.search("attention").hits
        assert time.process_time() - start < 1
        [same] = index.search("note:attention").hits
    assert "attention is all" in hit.snippet
    assert (same.snippet, len(hit.snippet) < 200) == (hit.snippet, True)
